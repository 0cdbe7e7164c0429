//! Where a life of the leader ends.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Counts the boundaries that a life passes: before and after each proposal and each kube write. At one of them the
/// life ends: whatever passes from then on waits for ever.
pub(crate) struct Fuse {
    passed: AtomicU64,
    blows_at: Option<u64>,
    blown: Notify,
    last: Mutex<String>,
}

impl Fuse {
    pub(crate) fn new(blows_at: Option<u64>) -> Self {
        Self { passed: AtomicU64::new(0), blows_at, blown: Notify::new(), last: Mutex::new(String::new()) }
    }

    pub(crate) async fn pass(&self, what: &str) {
        let number = self.passed.fetch_add(1, Ordering::SeqCst);
        match self.blows_at {
            Some(at) if number >= at => {
                if number == at {
                    *self.last.lock().unwrap() = what.to_owned();
                    self.blown.notify_one();
                }
                std::future::pending().await
            }
            _ => {}
        }
    }

    /// Waits until the life has ended, and says where.
    pub(crate) async fn blown(&self) -> String {
        self.blown.notified().await;
        self.last.lock().unwrap().clone()
    }
}
