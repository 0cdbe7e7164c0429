//! Take a cluster out.
//!
//! Reads the cluster, its active runs and its release lane; removes it with its watches' cursors. Refused when there
//! is none of that name (`NotFound`), or while runs are active on it or holds are not released (`Conflict`). What
//! ended runs have left there is written off when their records expire.

use crate::record::{Kind, Record, Resource};
use crate::{Damaged, Done, Key, Lane, Ordinal, Refusal, RefusalKind, Revision, Tag, Txn};
use serde::{Deserialize, Serialize};

/// Which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveCluster {
    /// The name.
    pub name: String,
    /// Only at this revision.
    pub revision: Option<Revision>,
}

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
        let ordinal = cluster.head.ordinal;
        if !txn.ordinals(Tag::Active, ordinal.0, 1)?.is_empty() {
            return conflict(format!(
                "runs are active on cluster {:?}; cordon it and wait for them, or cancel them",
                self.name
            ));
        }
        let lane = |due_ms| Key::lane(Lane::Release, ordinal, due_ms, Ordinal(0));
        if !txn.page(lane(0), lane(u64::MAX), 1)?.is_empty() {
            return conflict(format!("holds on cluster {:?} are still being released; try again", self.name));
        }
        for kind in Kind::ALL {
            let hash = crate::index::watch_hash(ordinal, kind);
            let watch = txn.find(Tag::Name, hash, |record| match record {
                Record::Watch(watch) if (watch.cluster, watch.kind) == (ordinal, kind) => Some(watch.ordinal),
                _ => None,
            })?;
            if let Some(watch) = watch {
                txn.remove(watch, 0)?;
            }
        }
        txn.remove(ordinal, 0)?;
        Ok(Ok(Done { record: Some(Box::new(Record::Cluster(cluster))), ..Done::at(txn) }))
    }
}
