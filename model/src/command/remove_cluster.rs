//! Take a cluster out.
//!
//! Reads the cluster and the runs that have objects there; removes it with its watches' cursors, and with what is
//! shown of it and was not submitted here. Refused when there is none of that name (`NotFound`), while its hub tells
//! of it or it tells of others, while runs are active on it, or while ended runs have objects there that are not
//! to be orphaned (`Conflict`). Orphaned objects are written off: they stay on the cluster, and their runs forget them
//! when they are next written.

use crate::record::{Record, Resource};
use crate::{Damaged, Done, Ordinal, Refusal, RefusalKind, Revision, Tag, Txn, limits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveCluster {
    /// The name.
    pub name: String,
    /// Only at this revision.
    pub revision: Option<Revision>,
    /// What runs have there is left behind: it is written off.
    pub orphan: bool,
}

/// Beyond this many, how many more does not matter.
const RUNS_COUNTED_MAX: usize = 1_000_000;

impl RemoveCluster {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(Record::Cluster(cluster)) = txn.named(Resource::Cluster, "", &self.name)? else {
            let message = format!("clusters.tallyman.dev {:?} not found", self.name);
            return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
        };
        let conflict = |message: String| Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        if self.revision.is_some_and(|revision| revision != cluster.head.revision) {
            let message =
                format!("cluster {:?} has changed; read it again and repeat the removal", self.name);
            return Ok(Err(Refusal::changed(message)));
        }
        if let Some(profile) = cluster.profile.as_ref().filter(|profile| profile.gone_ms.is_none()) {
            return conflict(format!(
                "cluster {:?} follows {}: delete that instead",
                self.name,
                profile.words()
            ));
        }
        let ordinal = cluster.head.ordinal;
        if cluster.hub.is_some()
            && let Some(other) = txn.clusters()?.into_iter().find(|other| other.follows(ordinal))
        {
            return conflict(format!(
                "cluster {:?} tells of {:?} and maybe others: take its spec.hub away first; they stay, and are then like \
                 any other",
                self.name, other.head.name
            ));
        }
        if !txn.ordinals(Tag::Active, ordinal.0, 1)?.is_empty() {
            return conflict(format!(
                "runs are active on cluster {:?}; cordon it and wait for them, or cancel them",
                self.name
            ));
        }
        let left = txn.count(Tag::Objects, ordinal.0, RUNS_COUNTED_MAX)?;
        if left > 0 && !self.orphan {
            return conflict(format!(
                "{left} runs have objects on cluster {:?}; delete them, wait until their ttl has passed, or orphan them: \
                 then the objects stay, and are not known any more",
                self.name
            ));
        }
        take_out(txn, ordinal)?;
        Ok(Ok(Done::with(txn, Arc::new(Record::Cluster(cluster)))))
    }
}

/// True if nothing of ours is on the cluster.
pub(super) fn is_empty(txn: &Txn<'_>, cluster: Ordinal) -> Result<bool, Damaged> {
    for tag in [Tag::Active, Tag::Objects, Tag::Installed] {
        if txn.count(tag, cluster.0, 1)? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a cluster's record with its watches' cursors.
pub(super) fn take_out(txn: &mut Txn<'_>, cluster: Ordinal) -> Result<(), Damaged> {
    txn.forget_foreign(cluster, None)?;
    for watch in txn.ordinals(Tag::Watches, cluster.0, limits::WATCHES_MAX)? {
        txn.remove(watch, 0)?;
    }
    txn.remove(cluster, 0)
}
