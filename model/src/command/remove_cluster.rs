//! Take a cluster out.
//!
//! Reads the cluster and the runs that have objects there; removes it with its watches' cursors. Refused when there
//! is none of that name (`NotFound`), while runs are active on it, or while ended runs have objects there that are not
//! to be orphaned (`Conflict`). Orphaned objects are written off: they stay on the cluster, and their runs forget them
//! when they are next written.

use crate::record::{Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, Revision, Tag, Txn, limits};
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
        let ordinal = cluster.head.ordinal;
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
        for watch in txn.ordinals(Tag::Watches, ordinal.0, limits::WATCHES_MAX)? {
            txn.remove(watch, 0)?;
        }
        txn.remove(ordinal, 0)?;
        Ok(Ok(Done::with(txn, Arc::new(Record::Cluster(cluster)))))
    }
}
