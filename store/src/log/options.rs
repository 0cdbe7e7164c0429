//! How the log is opened.

use super::gate::FlushGate;
use std::io;
use std::sync::Arc;

/// Called once with the first failed write or fsync, on the log's thread. It ends the process.
pub type OnFatal = Arc<dyn Fn(&io::Error) + Send + Sync>;

/// Called whenever the log has something to flush. It must not call the log.
pub type OnDue = Arc<dyn Fn() + Send + Sync>;

/// How the log is opened.
#[derive(Clone)]
pub struct LogOptions {
    /// Bytes after which a new file is begun; a longer entry has one of its own.
    pub segment_bytes_max: u64,
    /// Bytes of the newest entries that are held in memory.
    pub cache_bytes_max: usize,
    /// How often the watermark is written while the log grows.
    pub watermark_interval_ms: u64,
    /// A gate before the disk, for tests.
    pub flush_gate: Option<Arc<FlushGate>>,
    /// Set: the log has no threads, and whoever is called here has it [flush](super::Log::flush_now). For a simulation, in
    /// which nothing happens by itself.
    pub on_due: Option<OnDue>,
    /// What ends the process when the log has failed. Without it the failure is only logged.
    pub on_fatal: Option<OnFatal>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes_max: 32 * 1024 * 1024,
            cache_bytes_max: 4 * 1024 * 1024,
            watermark_interval_ms: 1000,
            flush_gate: None,
            on_due: None,
            on_fatal: None,
        }
    }
}

impl std::fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogOptions")
            .field("segment_bytes_max", &self.segment_bytes_max)
            .field("cache_bytes_max", &self.cache_bytes_max)
            .field("watermark_interval_ms", &self.watermark_interval_ms)
            .finish_non_exhaustive()
    }
}
