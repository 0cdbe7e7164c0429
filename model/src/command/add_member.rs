//! A replica asks to join; its id is the log index of this entry.
//!
//! Reads the members; writes the new one as a learner. The same directory asking again changes nothing.

use super::Principal;
use crate::record::{Head, Member, MemberState, Record, Resource};
use crate::{Damaged, Done, Refusal, ReplicaId, Tag, Txn, Uid};
use serde::{Deserialize, Serialize};

/// A replica with a blank directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddMember {
    /// The random number that its directory was made with; also the record's UID.
    pub directory: Uid,
    /// Its place.
    pub datacenter: String,
    /// `host:port` for its peers.
    pub peer_address: String,
    /// URL of its API.
    pub api_url: String,
}

/// Replicas that one group can have had at a time.
pub(super) const MEMBERS_MAX: usize = 64;

impl AddMember {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        for ordinal in txn.ordinals(Tag::Resource, Resource::Member as u64, MEMBERS_MAX)? {
            if let Some(Record::Member(known)) = txn.record(ordinal)?
                && known.directory == self.directory
            {
                return Ok(Ok(Done::unchanged(Record::Member(known))));
            }
        }
        let id = ReplicaId(txn.ctx.index);
        let new = member(txn, self, id, MemberState::Learner, &by.user);
        let record = txn.put(Record::Member(new))?;
        Ok(Ok(Done::with(txn, record)))
    }
}

pub(super) fn member(
    txn: &mut Txn<'_>,
    add: &AddMember,
    id: ReplicaId,
    state: MemberState,
    by: &str,
) -> Member {
    Member {
        head: Head {
            ordinal: txn.new_ordinal(),
            uid: add.directory,
            name: id.to_string(),
            created_ms: txn.now_ms(),
            created_by: by.to_owned(),
            ..Head::default()
        },
        id,
        directory: add.directory,
        datacenter: add.datacenter.clone(),
        peer_address: add.peer_address.clone(),
        api_url: add.api_url.clone(),
        state,
    }
}
