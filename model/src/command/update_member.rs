//! A replica votes from now on, or is reached elsewhere.
//!
//! Reads and writes the member. Refused when there is none of that id (`NotFound`), or it was told to leave meanwhile
//! (`Outdated`).

use crate::record::{MemberState, Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, ReplicaId, Txn};
use serde::{Deserialize, Serialize};

/// What to change; `None` leaves as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateMember {
    /// Which replica.
    pub id: ReplicaId,
    /// Its part.
    pub state: Option<MemberState>,
    /// Its place.
    pub datacenter: Option<String>,
    /// `host:port` for its peers.
    pub peer_address: Option<String>,
    /// URL of its API.
    pub api_url: Option<String>,
}

impl UpdateMember {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(Record::Member(mut member)) = txn.named(Resource::Member, "", &self.id.to_string())? else {
            return Ok(Err(Refusal::new(RefusalKind::NotFound, format!("there is no replica {}", self.id))));
        };
        if self.state.is_some() && member.state == MemberState::Leaving {
            return Ok(Err(Refusal::outdated(format!("{} was told to leave", self.id))));
        }
        let before = member.clone();
        member.state = self.state.unwrap_or(member.state);
        for (slot, value) in [
            (&mut member.datacenter, &self.datacenter),
            (&mut member.peer_address, &self.peer_address),
            (&mut member.api_url, &self.api_url),
        ] {
            if let Some(value) = value {
                slot.clone_from(value);
            }
        }
        if member == before {
            return Ok(Ok(Done::unchanged(Record::Member(member))));
        }
        let record = txn.put(Record::Member(member))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
