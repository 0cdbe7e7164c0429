//! Give a cluster up that is lost for good: its runs end, and what they have there is not waited for any more.
//!
//! Reads and writes the cluster; the runs follow by [`GiveUp`](super::GiveUp). Refused when there is none of that name
//! (`NotFound`), it answers, or it is written off already (`Conflict`).

use super::Principal;
use crate::record::{Record, Resource, WrittenOff};
use crate::{Damaged, Done, Refusal, RefusalKind, Revision, Txn};
use serde::{Deserialize, Serialize};

/// Which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOffCluster {
    /// The name.
    pub name: String,
    /// Only at this revision.
    pub revision: Option<Revision>,
    /// In the user's words.
    pub why: String,
}

impl WriteOffCluster {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let name = &self.name;
        let Some(Record::Cluster(mut cluster)) = txn.named(Resource::Cluster, "", name)? else {
            let message = format!("clusters.tallyman.dev {name:?} not found");
            return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
        };
        if self.revision.is_some_and(|revision| revision != cluster.head.revision) {
            let message = format!("cluster {name:?} has changed; read it again and repeat the write-off");
            return Ok(Err(Refusal::changed(message)));
        }
        let conflict = |message: String| Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        if let Some(off) = &cluster.written_off {
            return conflict(off.words(name));
        }
        if cluster.reachable == Some(true) {
            return conflict(format!(
                "cluster {name:?} answers: cancel its runs or wait for them, and remove it; only what is out of reach is \
                 written off"
            ));
        }
        let off = WrittenOff {
            by: by.user.clone(),
            at_ms: txn.now_ms(),
            why: self.why.clone(),
            runs: 0,
            objects: 0,
            done: false,
        };
        txn.forget_foreign(cluster.head.ordinal, None)?;
        cluster.unshown.clear();
        cluster.message = off.words(name);
        cluster.written_off = Some(off);
        cluster.quarantined = true;
        txn.say(if self.why.is_empty() {
            "written off".to_owned()
        } else {
            format!("written off: {}", self.why)
        });
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
