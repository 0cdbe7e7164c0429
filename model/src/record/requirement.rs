//! What a run requires of the clusters that it goes to.

use serde::{Deserialize, Serialize};

/// A deployable that must be on a cluster, all applied and healthy, before a run is sent there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requirement {
    /// Its name, in the run's namespace.
    pub deployable: String,
    /// The generation that it must be at, or have gone beyond: one that was taken up again counts as what it was then.
    /// `None`: any.
    pub generation: Option<u32>,
}
