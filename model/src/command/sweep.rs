//! Record what a comparison of inventory and cluster found.
//!
//! Reads and writes the cluster, and the runnables whose objects are gone (ghosts) or should be (zombies). Refused as
//! `Outdated` when the cluster is gone or its timeline has moved on.

use super::{Observation, Observe};
use crate::record::{Record, Stray};
use crate::{Damaged, Done, Ordinal, Refusal, Txn, limits};
use serde::{Deserialize, Serialize};

/// The findings of one comparison of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The cluster.
    pub cluster: Ordinal,
    /// The kind that was compared.
    pub kind: crate::record::Kind,
    /// The cluster's timeline as the leader knew it.
    pub timeline: u32,
    /// Objects whose state in the inventory is wrong, as they were read one by one: gone, or alive.
    pub items: Vec<Observation>,
    /// Objects with our marks that no committed create accounts for: the first ones, sorted.
    pub strays: Vec<Stray>,
    /// How many strays there were.
    pub strays_count: u64,
}

impl Sweep {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let observe = Observe {
            cluster: self.cluster,
            kind: self.kind.clone(),
            namespace: String::new(),
            plural: String::new(),
            timeline: self.timeline,
            is_watch: false,
            cursor: None,
            rule: None,
            items: self.items.clone(),
        };
        if let Err(refusal) = observe.apply(txn)? {
            return Ok(Err(refusal));
        }
        let Some(mut cluster) = txn.cluster(self.cluster)? else {
            return Ok(Err(Refusal::outdated("the cluster is gone")));
        };
        cluster.swept_ms = txn.now_ms();
        cluster.strays.retain(|stray| stray.kind != self.kind);
        cluster.strays.extend(self.strays.iter().cloned());
        cluster.strays.sort_unstable();
        cluster.strays.truncate(limits::STRAYS_MAX);
        cluster.strays_count = self.strays_count;
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
