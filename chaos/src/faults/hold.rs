//! Requests that wait at a gate.

use super::{FaultId, Faults};
use std::sync::Arc;
use tokio::sync::watch;

/// Where held requests wait.
#[derive(Debug)]
pub(crate) struct Gate {
    is_open: watch::Sender<bool>,
    held: watch::Sender<usize>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { is_open: watch::Sender::new(false), held: watch::Sender::new(0) }
    }

    /// Waits until the gate is opened.
    pub(crate) async fn pass(&self) {
        let mut is_open = self.is_open.subscribe();
        self.held.send_modify(|held| *held += 1);
        // The sender is in self, so that waiting cannot fail.
        let _ = is_open.wait_for(|is_open| *is_open).await;
    }
}

/// A hold on requests; dropping it releases them.
#[derive(Debug)]
pub struct Hold<'a> {
    faults: &'a Faults,
    id: FaultId,
    gate: Arc<Gate>,
}

impl<'a> Hold<'a> {
    pub(super) fn new(faults: &'a Faults, id: FaultId, gate: Arc<Gate>) -> Self {
        Self { faults, id, gate }
    }

    /// How many requests have been held so far.
    #[must_use]
    pub fn held(&self) -> usize {
        *self.gate.held.borrow()
    }

    /// Waits until `requests` have been held.
    pub async fn wait_held(&self, requests: usize) {
        let _ = self.gate.held.subscribe().wait_for(|held| *held >= requests).await;
    }

    /// Lets the held requests go on, and later ones pass.
    pub fn release(self) {}
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.faults.remove(self.id);
        self.gate.is_open.send_replace(true);
    }
}
