//! A submission that is kept in sync.

use super::{
    ApprovalRule, Approvals, Asked, Given, Head, Held, Placement, Planned, WantedAllocation, WantedLock,
};
use crate::rollout::Progress;
use crate::{Digest, Ordinal, Revision};
use serde::{Deserialize, Serialize};

/// What is done when somebody else changes what was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drift {
    /// It is applied again.
    #[default]
    Correct,
    /// It is shown.
    Report,
    /// It is shown, and nothing is written to that cluster while it lasts.
    Freeze,
}

/// What is done when an apply would change fields of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnConflict {
    /// It is shown with who they are, and tried again later.
    #[default]
    Report,
    /// Whoever wrote the spec decided that the fields are taken from them.
    Force,
}

/// How a new generation gets to its clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// On how many clusters it may be begun and not ready at a time; `None`: it is begun on all at once.
    pub max_unavailable: Option<u32>,
    /// Clusters that come first, in this order; the others follow by name.
    pub order: Vec<String>,
    /// How long all of it must have been healthy on a cluster before that counts as ready.
    pub min_ready_ms: u64,
}

/// What was asked for, beside the manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploySpec {
    /// On all clusters that it allows.
    pub placement: Placement,
    /// What changes of others lead to.
    pub drift: Drift,
    /// What fields of others lead to.
    pub on_conflict: OnConflict,
    /// JSON pointers to fields that are set when an object is made, and left to others from then on.
    pub ignore: Vec<String>,
    /// What leaves the manifests is deleted; else it is released.
    pub prune: bool,
    /// How a new generation gets to its clusters.
    pub rollout: Rollout,
    /// Who must agree to the next generations; where none is in force, to this one, too.
    pub approvals: Option<ApprovalRule>,
    /// Values that it is given, at most [`RUN_ALLOCATIONS_MAX`](crate::limits::RUN_ALLOCATIONS_MAX).
    pub allocations: Vec<WantedAllocation>,
    /// Locks that it holds, at most [`RUN_LOCKS_MAX`](crate::limits::RUN_LOCKS_MAX).
    pub locks: Vec<WantedLock>,
}

/// One generation of a deployable: what was to be applied. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The row key.
    pub ordinal: Ordinal,
    /// The revision of its creation.
    pub revision: Revision,
    /// Whose it is.
    pub deployable: Ordinal,
    /// Its number, from 1.
    pub generation: u32,
    /// Who asked for it, and when.
    pub asked: Asked,
    /// The generation that it takes up again.
    pub again: Option<u32>,
    /// The generation that it counts as: its own number, or that of the one that it takes up again counts as.
    pub counts_as: u32,
    /// Everything but the manifests.
    pub spec: DeploySpec,
    /// Of spec, manifests, and the values in them.
    pub digest: Digest,
    /// The values that its manifests name, each with what they call it.
    pub values: Vec<(String, String)>,
    /// The manifests, in the order in which they are applied.
    pub planned: Vec<Planned>,
    /// How many parts the joined manifests are stored in; 0: they are here.
    pub parts: u16,
    /// The joined manifests, if they are short.
    #[serde(with = "crate::bytes")]
    pub manifests: Vec<u8>,
}

/// Its removal was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// By whom.
    pub asked: Asked,
    /// Its objects stay on the clusters and are ours no more.
    pub orphan: bool,
}

/// On how many clusters it is how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Where it is, or is to be.
    pub clusters: u32,
    /// Where all of its newest generation is applied.
    pub synced: u32,
    /// Of these, where all is healthy.
    pub healthy: u32,
    /// Where somebody else changed something.
    pub drifted: u32,
    /// Where something cannot be written.
    pub failing: u32,
}

/// The newest generation that may go to clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Its number.
    pub generation: u32,
    /// Its record.
    pub bundle: Ordinal,
    /// Everything of it but the manifests.
    pub spec: DeploySpec,
}

/// A deployable. What is on which cluster is in its [`Installation`](super::Installation)s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployable {
    /// Name, labels and so on.
    pub head: Head,
    /// How often its spec was set.
    pub generation: u32,
    /// Everything of the newest generation but the manifests.
    pub spec: DeploySpec,
    /// Of the newest generation.
    pub digest: Digest,
    /// The generations that are kept, oldest first, at most [`BUNDLES_MAX`](crate::limits::BUNDLES_MAX).
    pub bundles: Vec<(u32, Ordinal)>,
    /// Who must agree to the newest generation, and who did.
    pub approvals: Option<Approvals>,
    /// The newest generation to which nobody has to agree, or enough people agreed; `None`: nothing goes anywhere.
    pub approved: Option<Approved>,
    /// Who keeps it from being begun on more clusters.
    pub paused: Option<Asked>,
    /// How far the approved generation is.
    pub progress: Progress,
    /// Why it is not begun everywhere, in words.
    pub progress_message: String,
    /// When it may be begun on more clusters because only time is waited for, ms since 1970.
    pub look_ms: Option<u64>,
    /// Its removal was asked for.
    pub withdrawal: Option<Withdrawal>,
    /// The values that it was given, for as long as it is there: also those that its newest generation does not name.
    pub allocations: Vec<Given>,
    /// The locks that it holds, for as long.
    pub locks: Vec<Held>,
    /// How it is on its clusters.
    pub counts: Counts,
    /// Positions of its ledger records, the last [`HISTORY_MAX`](crate::limits::HISTORY_MAX).
    pub history: Vec<u64>,
}

impl Deployable {
    /// The record of the newest generation.
    #[must_use]
    pub fn bundle(&self) -> Ordinal {
        self.bundles.last().map(|(_, ordinal)| *ordinal).unwrap_or_default()
    }

    /// True if nobody has to agree to the newest generation, or enough people agreed to what it is.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.approvals.as_ref().is_none_or(|approvals| approvals.are_met(self.digest))
    }

    /// True if the newest generation was rejected, or not approved in time: it has to be asked for anew.
    #[must_use]
    pub fn is_lapsed(&self, now_ms: u64) -> bool {
        let lapsed = |approvals: &Approvals| {
            approvals.approved_ms.is_none()
                && (approvals.rejection().is_some() || approvals.expires_ms <= now_ms)
        };
        self.approvals.as_ref().is_some_and(lapsed)
    }

    /// Has the newest generation go to the clusters, if nobody has to agree to it any more.
    pub(crate) fn approve(&mut self) {
        if self.is_approved() {
            let (generation, bundle, spec) = (self.generation, self.bundle(), self.spec.clone());
            self.approved = Some(Approved { generation, bundle, spec });
        }
    }
}
