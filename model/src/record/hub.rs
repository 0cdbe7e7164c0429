//! Clusters that tell of others, by the objects of the cluster inventory API.

use crate::{Ordinal, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The API group of the objects by which hubs tell of clusters.
pub const HUB_GROUP: &str = "multicluster.x-k8s.io";

/// A cluster says which other clusters there are, and which of them placements are to use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hub {
    /// The namespaces whose objects count, sorted; never empty.
    pub namespaces: Vec<String>,
    /// What of it cannot be followed, in words; empty: all of it is.
    pub message: String,
}

impl Hub {
    /// One that tells of these namespaces; `None` where there are none.
    #[must_use]
    pub fn of(namespaces: &[String]) -> Option<Box<Self>> {
        (!namespaces.is_empty())
            .then(|| Box::new(Self { namespaces: namespaces.to_vec(), message: String::new() }))
    }
}

/// The `ClusterProfile` that a cluster's record follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The record of the hub that has it.
    pub hub: Ordinal,
    /// The hub's name.
    pub hub_name: String,
    /// Its namespace there.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The keys of the record's labels that come from it.
    pub labels: BTreeSet<String>,
    /// What it says of the health of the control plane, in words; empty: nothing. It is shown, and decides nothing.
    pub health: String,
    /// Why the cluster gets nothing new, in words; `None`: it may.
    pub hindrance: Option<String>,
    /// When it was found to be gone, ms since 1970.
    pub gone_ms: Option<u64>,
    /// The placement decisions of the hub that name it, each as `NAMESPACE/NAME`; at most
    /// [`DECISIONS_MAX`](limits::DECISIONS_MAX).
    pub decisions: BTreeSet<String>,
}

impl Profile {
    /// True if it is this one.
    #[must_use]
    pub fn is(&self, hub: Ordinal, namespace: &str, name: &str) -> bool {
        (self.hub, self.namespace.as_str(), self.name.as_str()) == (hub, namespace, name)
    }

    /// It, in words.
    #[must_use]
    pub fn words(&self) -> String {
        format!("ClusterProfile {}/{} of {}", self.namespace, self.name, self.hub_name)
    }

    /// True if it has been gone for so long that a record without work may be forgotten.
    #[must_use]
    pub fn is_forgotten(&self, now_ms: u64) -> bool {
        self.gone_ms.is_some_and(|gone_ms| now_ms >= gone_ms + limits::PROFILE_GONE_MS)
    }
}
