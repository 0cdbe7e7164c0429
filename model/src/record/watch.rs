//! How far a watch has come.

use super::{Extent, ForeignSelector};
use crate::{Ordinal, Revision};
use serde::{Deserialize, Serialize};

/// The cursor of one watch, committed in the entry of the observations before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The row key.
    pub ordinal: Ordinal,
    /// The revision of this row.
    pub revision: Revision,
    /// The cluster that is watched.
    pub cluster: Ordinal,
    /// What is watched.
    pub extent: Extent,
    /// What it selects, if it is of what was not submitted here; `None`: it is of what the group made. What was read
    /// under another selection is listed anew.
    pub foreign: Option<ForeignSelector>,
    /// What the cluster calls the kind in paths.
    pub plural: String,
    /// The resourceVersion reached; empty: everything must be listed.
    pub cursor: String,
    /// The newest resourceVersion that was committed, also with a listing or a batch of which a part is missing. A
    /// cluster that has not come so far is not what it was.
    pub reached: String,
    /// The timeline that these belong to.
    pub timeline: u32,
    /// The revision of the [`StatusRule`](super::StatusRule) by which what it saw was read; `None`: by none. What was seen
    /// under another one is listed and read anew.
    pub rule: Option<Revision>,
    /// When the cursor was committed, ms since 1970: how old the cluster's picture is at most.
    pub observed_ms: u64,
}

impl Watch {
    /// True if it is that of an extent of a cluster, of what the group made or of what was not submitted here.
    #[must_use]
    pub fn is_of(&self, cluster: Ordinal, extent: &Extent, is_foreign: bool) -> bool {
        (self.cluster, &self.extent, self.foreign.is_some()) == (cluster, extent, is_foreign)
    }
}
