//! Go on from a backup, or from what one replica has: the first entry of a lineage.
//!
//! Reads and writes the counters, the members and the clusters: one member is left, the revision jumps, and what sweeps
//! found is forgotten, because it was found in another life. Refused when there is no group (`Invalid`) or the
//! lineage has begun (`Conflict`).

use super::AddMember;
use super::add_member::member;
use crate::record::{Lineage, MemberState, Origin, Record};
use crate::{Damaged, Done, GroupId, Refusal, RefusalKind, ReplicaId, Revision, Txn, Uid};
use serde::{Deserialize, Serialize};

/// What a lineage begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginLineage {
    /// Its id, random.
    pub lineage: Uid,
    /// Where it comes from.
    pub origin: Origin,
    /// Where exactly, in words, for the ledger.
    pub source: String,
    /// Its one replica, whose id is the log index of this entry.
    pub member: AddMember,
}

/// How far the revision jumps: no group ever gave so many to what a backup does not have.
const REVISION_GAP: u64 = 1 << 40;

impl BeginLineage {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.group == GroupId::default() {
            return Ok(Err(Refusal::new(RefusalKind::Invalid, "there is no group to go on with")));
        }
        if txn.meta.lineages.iter().any(|lineage| lineage.id == self.lineage) {
            return Ok(Err(Refusal::new(RefusalKind::Conflict, "that lineage has begun already")));
        }
        let last_kept = txn.meta.revision;
        let base = Revision(last_kept.0 + REVISION_GAP);
        // The next change takes the base.
        txn.meta.revision = Revision(base.0 - 1);
        for old in txn.members()? {
            txn.remove(old.head.ordinal, 0)?;
        }
        txn.meta.expected.clear();
        let id = ReplicaId(txn.ctx.index);
        let one = member(txn, &self.member, id, MemberState::Voter, "system:lineage");
        txn.put(Record::Member(one))?;
        for mut cluster in txn.clusters()? {
            (cluster.swept_ms, cluster.strays_count) = (0, 0);
            cluster.strays.clear();
            txn.put(Record::Cluster(cluster))?;
        }
        let (id, origin, at_ms) = (self.lineage, self.origin, txn.now_ms());
        let record = txn.meta.ledger_len + 1;
        txn.meta.lineages.push(Lineage { id, origin, at_ms, record, last_kept, base, confirmed: false });
        txn.say(format!("{origin} from {}; revision {last_kept} is followed by {base}", self.source));
        Ok(Ok(Done::at(txn)))
    }
}
