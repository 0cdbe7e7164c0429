//! A gate before the disk.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Stands between the log's queue and its files, for tests of late and lost flushes. While it is held nothing is
/// written; what was appended can be read, but is not durable and has not been called back.
#[derive(Debug, Default)]
pub struct FlushGate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    held: bool,
    lost: bool,
    waiting: bool,
}

impl FlushGate {
    /// From now on holds back what is appended.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// Lets everything through.
    pub fn release(&self) {
        self.state().held = false;
        self.changed.notify_all();
    }

    /// Ends the log as a kill would while its flush is late: what is held back and all that follows is lost,
    /// no callback comes, and the files are closed so that they can be opened again.
    pub fn lose(&self) {
        self.state().lost = true;
        self.changed.notify_all();
    }

    /// Waits until something is held back.
    pub fn wait_until_holding(&self) {
        let mut state = self.state();
        while !state.waiting {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until the gate is open; false: what was to be written is lost.
    pub(super) fn pass(&self) -> bool {
        let mut state = self.state();
        while state.held && !state.lost {
            state.waiting = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting = false;
        !state.lost
    }

    /// What is held back when the log goes is lost.
    pub(super) fn lose_if_held(&self) {
        if self.state().held {
            self.lose();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
