//! How far the making of an object has come: sent differs from created, and created from observed.

use super::{Cluster, Extent, Kind, Object, ObjectState, Runnable};
use crate::limits;
use serde::{Deserialize, Serialize};

/// What a read by name found of an object of which no watch had told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBack {
    /// When it was committed, ms since 1970.
    pub at_ms: u64,
    /// Why it could not be read; empty: it was there.
    pub message: String,
}

/// How far the making of an object has come, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Making {
    /// Nothing of it was sent.
    Planned,
    /// A create of it was committed and sent, and is not known to have made it.
    Sent,
    /// Its cluster has given its UID.
    Created,
    /// A watch has told of that UID.
    Observed,
}

impl Making {
    /// The word that users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Making::Planned => "Planned",
            Making::Sent => "Sent",
            Making::Created => "Created",
            Making::Observed => "Observed",
        }
    }
}

impl Object {
    /// How far its making has come.
    #[must_use]
    pub fn making(&self) -> Making {
        match (self.sent_ms, self.uid.as_ref(), self.observed_ms) {
            (_, Some(_), Some(_)) => Making::Observed,
            (_, Some(_), None) => Making::Created,
            (Some(_), None, _) => Making::Sent,
            (None, None, _) => Making::Planned,
        }
    }
}

impl Runnable {
    /// When a main object that exists is to be read by its name, ms since 1970, because no watch has told of it
    /// [`OBSERVED_WITHIN_MS`](limits::OBSERVED_WITHIN_MS) after it was created. Once, and not when its end is known.
    #[must_use]
    pub fn read_due_ms(&self, object: &Object) -> Option<u64> {
        let is_watched = self.is_main(object) && self.plan(object).is_some_and(|plan| plan.kind.is_watched());
        let waits = object.state == ObjectState::Live && object.wanted && object.pending.is_none();
        let untold = object.observed_ms.is_none() && object.read.is_none() && !self.has_ended(object);
        let created_ms = object.created_ms.filter(|_| is_watched && waits && untold)?;
        Some(created_ms + limits::OBSERVED_WITHIN_MS)
    }
}

impl Cluster {
    /// False if the cluster refuses our watches of the kind in the namespace, or does not have it.
    #[must_use]
    pub fn lets_watch(&self, kind: &Kind, namespace: &str) -> bool {
        let everywhere = Extent::everywhere(kind.clone());
        let names = [everywhere.called(), Extent { namespace: namespace.to_owned(), ..everywhere }.called()];
        !self.unwatched.iter().any(|unwatched| names.contains(unwatched))
    }
}
