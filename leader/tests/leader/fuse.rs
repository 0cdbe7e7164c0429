//! Where a life of the leader ends.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// At which boundary.
#[derive(Clone, Debug)]
pub(crate) enum Blows {
    Never,
    /// At this one, counted from 0.
    At(u64),
    /// At the first one that begins so, as `after create Job`.
    On(String),
}

/// Counts the boundaries that a life passes: before and after each proposal and each kube write. At one of them the
/// life ends: whatever passes from then on waits for ever.
pub(crate) struct Fuse {
    passed: AtomicU64,
    blows: Blows,
    has_blown: AtomicU64,
    blown: Notify,
    last: Mutex<String>,
}

impl Fuse {
    pub(crate) fn new(blows: Blows) -> Self {
        Self {
            passed: AtomicU64::new(0),
            blows,
            has_blown: AtomicU64::new(0),
            blown: Notify::new(),
            last: Mutex::new(String::new()),
        }
    }

    pub(crate) async fn pass(&self, what: &str) {
        let number = self.passed.fetch_add(1, Ordering::SeqCst);
        let ends = match &self.blows {
            Blows::Never => false,
            Blows::At(at) => number >= *at,
            Blows::On(place) => self.has_blown.load(Ordering::SeqCst) > 0 || what.starts_with(place),
        };
        if !ends {
            return;
        }
        if self.has_blown.fetch_add(1, Ordering::SeqCst) == 0 {
            *self.last.lock().unwrap() = what.to_owned();
            self.blown.notify_one();
        }
        std::future::pending().await
    }

    /// Waits until the life has ended, and says where.
    pub(crate) async fn blown(&self) -> String {
        self.blown.notified().await;
        self.last.lock().unwrap().clone()
    }
}
