//! Record whether a cluster was reached, and as what.
//!
//! Reads and writes the cluster. A cluster that shows another identity than before, or one that another record has,
//! is quarantined: nothing is sent to it until an operator confirms. Refused as `Outdated` when it is gone.

use crate::record::{Cluster, Miss, Record};
use crate::{Damaged, Done, Ordinal, Refusal, ReplicaId, Txn, limits, rule};
use serde::{Deserialize, Serialize};

/// What contact with a cluster showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The cluster.
    pub cluster: Ordinal,
    /// It answered.
    pub reachable: bool,
    /// The UID of its kube-system namespace, if it answered that.
    pub kube_system_uid: Option<String>,
    /// The version that it reports; empty: unknown.
    pub version: String,
    /// Its resourceVersions went backwards: all cursors are void.
    pub rewound: bool,
    /// The replica that relayed, if one did.
    pub relayed_by: Option<ReplicaId>,
    /// Of which kinds it refuses our watches: see [`Cluster::unwatched`].
    pub unwatched: Vec<String>,
    /// The words of a failure.
    pub message: String,
}

impl Contact {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(mut cluster) = txn.cluster(self.cluster)? else {
            return Ok(Err(Refusal::outdated("the cluster is gone")));
        };
        let before = cluster.clone();
        self.count(txn, &mut cluster);
        if cluster.reachable != Some(self.reachable) {
            cluster.reachable = Some(self.reachable);
            cluster.reachable_since_ms = txn.now_ms();
        }
        cluster.relayed_by = self.relayed_by;
        if self.reachable {
            cluster.unwatched.clone_from(&self.unwatched);
            cluster.unwatched.truncate(limits::UNWATCHED_MAX);
        }
        cluster.message.clone_from(&self.message);
        rule::truncate(&mut cluster.message);
        if !self.version.is_empty() {
            cluster.version.clone_from(&self.version);
        }
        if self.rewound {
            cluster.timeline += 1;
        }
        if let Some(uid) = &self.kube_system_uid {
            self.identify(txn, &mut cluster, uid)?;
        }
        if cluster == before {
            return Ok(Ok(Done::unchanged(Record::Cluster(cluster))));
        }
        txn.say(words(&cluster));
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// How long it has been out of reach: between two looks of one leadership that found nobody. Who has just taken
    /// over does not count the time before, and no gap counts longer than looks are apart.
    fn count(&self, txn: &Txn<'_>, cluster: &mut Cluster) {
        if self.reachable {
            (cluster.missed_ms, cluster.missed) = (0, None);
            return;
        }
        let (at_ms, term) = (txn.now_ms(), txn.ctx.term);
        let last = cluster.missed.filter(|last| last.term == term);
        let gap_ms = last.map_or(0, |last| at_ms.saturating_sub(last.at_ms));
        cluster.missed_ms += gap_ms.min(limits::MISSED_GAP_MS_MAX);
        cluster.missed = Some(Miss { at_ms, term });
    }

    fn identify(&self, txn: &Txn<'_>, cluster: &mut Cluster, uid: &str) -> Result<(), Damaged> {
        match &cluster.kube_system_uid {
            Some(known) if known == uid => {
                if let Some(off) = &cluster.written_off {
                    cluster.message = format!(
                        "{}; it answers again: what it has of ours is reported as strays, and it gets nothing before it is \
                         confirmed",
                        off.words(&cluster.head.name)
                    );
                }
            }
            Some(known) => {
                cluster.quarantined = true;
                cluster.message =
                    format!("its kube-system UID was {known} and is now {uid}: confirm it or remove it");
            }
            None => match self.same(txn, uid)? {
                Some(other) => {
                    cluster.quarantined = true;
                    cluster.message = format!("it is the same cluster as {other:?}: remove one of them");
                }
                None => cluster.kube_system_uid = Some(uid.to_owned()),
            },
        }
        Ok(())
    }

    fn same(&self, txn: &Txn<'_>, uid: &str) -> Result<Option<String>, Damaged> {
        let is_same = |other: &Cluster| {
            other.kube_system_uid.as_deref() == Some(uid) && other.head.ordinal != self.cluster
        };
        Ok(txn.clusters()?.into_iter().find(is_same).map(|other| other.head.name))
    }
}

/// How the cluster is, as the ledger tells it.
fn words(cluster: &Cluster) -> String {
    let state = match (cluster.reachable, cluster.relayed_by) {
        (Some(true), Some(replica)) => format!("reachable through {replica} of {}", cluster.via),
        (Some(true), None) => "reachable".to_owned(),
        _ => "not reachable".to_owned(),
    };
    match (cluster.message.as_str(), cluster.version.as_str()) {
        ("", "") => state,
        ("", version) => format!("{state}, {version}"),
        (message, _) => format!("{state}: {message}"),
    }
}
