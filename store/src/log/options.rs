//! How the log is opened.

use super::gate::FlushGate;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Called once with the first failed write or fsync, on the log's thread. It ends the process.
pub type OnFatal = Arc<dyn Fn(&io::Error) + Send + Sync>;

/// How the log is opened.
#[derive(Clone)]
pub struct LogOptions {
    /// Bytes after which a new file is begun.
    pub chunk_bytes_max: usize,
    /// Bytes of entries held in memory, beyond those of the newest file.
    pub cache_bytes_max: usize,
    /// Bytes read at once when the log is opened.
    pub read_buffer_bytes: usize,
    /// How often the watermark is written while the log grows.
    pub watermark_interval_ms: u64,
    /// A gate before the disk, for tests.
    pub flush_gate: Option<Arc<FlushGate>>,
    /// What ends the process when the log has failed. Without it the failure is only logged.
    pub on_fatal: Option<OnFatal>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            chunk_bytes_max: 32 * 1024 * 1024,
            cache_bytes_max: 16 * 1024 * 1024,
            read_buffer_bytes: 1024 * 1024,
            watermark_interval_ms: 1000,
            flush_gate: None,
            on_fatal: None,
        }
    }
}

impl LogOptions {
    pub(super) fn raft_log_config(&self, dir: &Path) -> raft_log::Config {
        let mut config = raft_log::Config::new(dir.display());
        config.wal.read_buffer_size = Some(self.read_buffer_bytes);
        config.wal.chunk_max_size = Some(self.chunk_bytes_max);
        config.wal.truncate_incomplete_record = Some(false);
        config.wal.flush_batch_wait = Some(Duration::ZERO);
        config.log_cache_capacity = Some(self.cache_bytes_max);
        config
    }
}

impl std::fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogOptions")
            .field("chunk_bytes_max", &self.chunk_bytes_max)
            .field("cache_bytes_max", &self.cache_bytes_max)
            .field("read_buffer_bytes", &self.read_buffer_bytes)
            .field("watermark_interval_ms", &self.watermark_interval_ms)
            .finish_non_exhaustive()
    }
}
