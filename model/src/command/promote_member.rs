//! Let a learner vote, or let one stay that was to go.
//!
//! Reads the members; writes the member. Refused as `NotFound` when it or the one to be replaced is not there, as
//! `Conflict` when it has not caught up or too few voters would answer.

use super::add_member::replaced;
use crate::quorum::{Seen, lacking, voters};
use crate::record::{MemberState, Record};
use crate::{Damaged, Done, Refusal, RefusalKind, ReplicaId, Txn};
use serde::{Deserialize, Serialize};

/// Which replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromoteMember {
    /// Its id.
    pub id: ReplicaId,
    /// The voter that goes when it votes. It need not have caught up yet then.
    pub replaces: Option<ReplicaId>,
    /// What the leader saw; whatever is here before is replaced.
    pub seen: Seen,
}

impl PromoteMember {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Self { id, replaces, seen } = self;
        let conflict = |message: String| Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        let members = txn.members()?;
        let Some(mut member) = members.iter().find(|member| member.id == *id).cloned() else {
            return Ok(Err(Refusal::new(RefusalKind::NotFound, format!("there is no replica {id}"))));
        };
        let state = MemberState::Joining { replaces: *replaces };
        match (member.state, replaces) {
            (MemberState::Voter, None) => return Ok(Ok(Done::unchanged(Record::Member(member)))),
            (MemberState::Voter, Some(old)) => {
                return conflict(format!("{id} votes already: tallyman operator member remove {old}"));
            }
            (known, _) if known == state => return Ok(Ok(Done::unchanged(Record::Member(member)))),
            (_, Some(old)) => {
                if let Err(refusal) = replaced(&members, *old) {
                    return Ok(Err(refusal));
                }
            }
            (_, None) if !seen.caught_up.contains(id) => {
                let why =
                    if seen.answering.contains(id) { "has not caught up yet" } else { "does not answer" };
                return conflict(format!(
                    "{id} {why}, so its vote would only be missed: try again when tallyman operator status shows that it \
                     has applied what the leader has"
                ));
            }
            (_, None) => {
                let mut after = voters(&members);
                after.insert(*id);
                if let Some(why) = lacking(&after, &seen.answering) {
                    return conflict(format!("{id} is not made a voter: {why}"));
                }
            }
        }
        member.state = state;
        txn.say(match replaces {
            Some(old) => format!("{id} is to vote in place of {old}"),
            None => format!("{id} is to vote"),
        });
        let record = txn.put(Record::Member(member))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
