//! What the status of a kind means that Tallyman itself knows nothing of.

use super::Head;
use serde::{Deserialize, Serialize};

/// A status rule: at most one for each kind, all versions of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRule {
    /// Name, labels, UID. Its revision says by which rule an observation was made.
    pub head: Head,
    /// The kind's API group.
    pub group: String,
    /// The kind, as in a manifest.
    pub kind: String,
    /// What is asked of its objects.
    pub expressions: Expressions,
}

/// Expressions in [CEL](crate::rule::cel), each about one object; an empty one is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expressions {
    /// It has ended well.
    pub succeeded: String,
    /// It has ended badly.
    pub failed: String,
    /// It runs; if it is not said, what is there and has not ended runs.
    pub running: String,
    /// What it says of itself: a text.
    pub message: String,
    /// Of what is kept in sync: it does what it is for.
    pub healthy: String,
    /// Of what is kept in sync: it fails.
    pub degraded: String,
}

impl Expressions {
    /// All of them, by the names that users write.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &str); 6] {
        [
            ("succeeded", &self.succeeded),
            ("failed", &self.failed),
            ("running", &self.running),
            ("message", &self.message),
            ("healthy", &self.healthy),
            ("degraded", &self.degraded),
        ]
    }

    /// The same, to be set.
    pub fn named_mut(&mut self) -> [(&'static str, &mut String); 6] {
        [
            ("succeeded", &mut self.succeeded),
            ("failed", &mut self.failed),
            ("running", &mut self.running),
            ("message", &mut self.message),
            ("healthy", &mut self.healthy),
            ("degraded", &mut self.degraded),
        ]
    }
}

impl StatusRule {
    /// True if it says when an object of the kind has ended: then one can be the main object of a run.
    #[must_use]
    pub fn completes(&self) -> bool {
        !self.expressions.succeeded.is_empty()
    }
}
