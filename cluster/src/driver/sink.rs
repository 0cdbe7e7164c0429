//! Who takes what was seen.

use super::Batch;
use futures::future::BoxFuture;
use thiserror::Error;

/// Takes batches, one at a time, in order.
pub trait Sink: Send + Sync + 'static {
    /// Commits a batch and its cursor together. It is asked for the next one only after this has answered.
    ///
    /// A batch whose timeline is larger than the cluster's record begins a new timeline: the record is to be stepped
    /// first.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), SinkError>>;
}

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SinkError {
    /// Not taken, or not known to be: what was in it is read again from the last cursor that was, after a while.
    #[error("failed to commit what a watch said: {message}")]
    Refused {
        /// How long to wait, ms.
        wait_ms: u64,
        /// Why.
        message: String,
    },
    /// Nobody takes batches any more: the watch ends.
    #[error("failed to commit what a watch said: the leadership is over")]
    Stopped,
}
