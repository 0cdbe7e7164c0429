//! Objects that were asked to go and stay.

use super::{ObjectState, Runnable};
use crate::{limits, time};

impl Runnable {
    /// The first object that was asked to go long ago and that others' finalizers keep, in words.
    #[must_use]
    pub fn hanging(&self, now_ms: u64) -> Option<String> {
        self.objects.iter().enumerate().find_map(|(position, object)| {
            let seen = object.seen.as_ref().filter(|_| object.state == ObjectState::Live)?;
            let since_ms = seen.deleting_ms?;
            let is_long = now_ms.saturating_sub(since_ms) > limits::HANGING_MS;
            (is_long && !seen.finalizers.is_empty()).then(|| {
                format!(
                    "{} has been going since {}: whoever set its finalizers ({}) has not let it go",
                    self.describe(position),
                    time::format(since_ms),
                    seen.finalizers.join(", ")
                )
            })
        })
    }
}
