//! How a leader works.

use crate::limits;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::Env;

/// What a [`Leader`](crate::Leader) needs to know beside the log and the clusters.
#[derive(Clone)]
pub struct Options {
    /// Wall time and entropy; the same that the log proposes with.
    pub env: Arc<dyn Env>,
    /// The time between two contacts with a cluster that answers.
    pub contact_every: Duration,
    /// The time between two sweeps of a cluster.
    pub sweep_every: Duration,
}

impl Options {
    /// The usual times.
    #[must_use]
    pub fn new(env: Arc<dyn Env>) -> Self {
        Self {
            env,
            contact_every: Duration::from_millis(limits::CONTACT_MS),
            sweep_every: Duration::from_millis(limits::SWEEP_MS),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("contact_every", &self.contact_every)
            .field("sweep_every", &self.sweep_every)
            .finish_non_exhaustive()
    }
}
