//! A submission that is kept in sync.

use super::{Asked, Head, Placement, Planned};
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
    /// Everything but the manifests.
    pub spec: DeploySpec,
    /// Of spec and manifests.
    pub digest: Digest,
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
    /// Its removal was asked for.
    pub withdrawal: Option<Withdrawal>,
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
}
