//! Take what has not started off a cluster, and give it no new work.
//!
//! Reads and writes the cluster; its runs follow by `assess`, a few a second: those with `onLoss: Move` that have not
//! started. Others stay, and end there or are moved one by one. Ends when the cluster is not cordoned any more. Refused
//! when there is none of that name (`NotFound`) or it is not at the revision that was asked for (`Conflict`).

use super::Principal;
use crate::record::{Leaving, Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, Revision, Txn};
use serde::{Deserialize, Serialize};

/// Which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The name.
    pub name: String,
    /// Only at this revision.
    pub revision: Option<Revision>,
    /// In the user's words.
    pub why: String,
}

impl Drain {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(Record::Cluster(mut cluster)) = txn.named(Resource::Cluster, "", &self.name)? else {
            let message = format!("clusters.tallyman.dev {:?} not found", self.name);
            return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
        };
        if self.revision.is_some_and(|revision| revision != cluster.head.revision) {
            let message = format!("cluster {:?} has changed; read it again and repeat the change", self.name);
            return Ok(Err(Refusal::changed(message)));
        }
        if cluster.draining.is_some() && cluster.cordoned {
            return Ok(Ok(Done::unchanged(Record::Cluster(cluster))));
        }
        cluster.cordoned = true;
        cluster.draining = Some(Leaving { by: by.user.clone(), at_ms: txn.now_ms(), why: self.why.clone() });
        txn.say(&self.why);
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
