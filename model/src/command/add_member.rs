//! A replica asks to join; its id is the log index of this entry.
//!
//! Reads the members and the counters; writes the new member, and the one whose part it takes over. The same directory
//! asking again changes nothing. Refused as `Conflict` when nobody is expected where it is.

use super::Principal;
use crate::limits::REPLICAS_MAX;
use crate::record::{Expected, Head, Member, MemberState, Record};
use crate::{Damaged, Done, Refusal, RefusalKind, ReplicaId, Txn, Uid};
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

/// Members that one group can have had at a time, those that leave included.
pub(crate) const MEMBERS_MAX: usize = 64;

impl AddMember {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let members = txn.members()?;
        if let Some(known) = members.iter().find(|member| member.directory == self.directory) {
            return Ok(Ok(Done::unchanged(Record::Member(known.clone()))));
        }
        let id = ReplicaId(txn.ctx.index);
        if members.iter().any(|member| member.id >= id) {
            return Ok(Err(Refusal::outdated(format!("{id} was given at the founding"))));
        }
        let state = match self.part(&members, &txn.meta.expected) {
            Ok(state) => state,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // One that never voted for certain, and has lost its directory: nobody will hear of it again.
        let lost = self.before(&members).filter(|lost| lost.state != MemberState::Voter).cloned();
        txn.meta.expected.retain(|expected| expected.peer_address != self.peer_address);
        if let Some(lost) = lost {
            txn.put(Record::Member(Member { state: MemberState::Leaving, ..lost }))?;
        }
        let new = member(txn, self, id, state, &by.user);
        let record = txn.put(Record::Member(new))?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// What it becomes: what it was before it lost its directory, or what it is expected to be.
    ///
    /// # Errors
    /// Nobody is expected there.
    pub fn part(&self, members: &[Member], expected: &[Expected]) -> Result<MemberState, Refusal> {
        if members.len() >= MEMBERS_MAX {
            let message =
                format!("{MEMBERS_MAX} replicas are listed, those that leave included: try again later");
            return Err(Refusal::new(RefusalKind::Conflict, message));
        }
        match self.before(members) {
            Some(lost) if lost.state == MemberState::Voter => {
                return Ok(MemberState::Joining { replaces: Some(lost.id) });
            }
            Some(lost) => return Ok(lost.state),
            None => {}
        }
        let expected = expected.iter().find(|expected| expected.peer_address == self.peer_address);
        expected.map(|expected| expected.part.state()).ok_or_else(|| {
            let message = format!(
                "no replica is expected at {}: tallyman operator member add {}",
                self.peer_address, self.peer_address
            );
            Refusal::new(RefusalKind::Conflict, message)
        })
    }

    /// The last one under its address, unless that was told to leave.
    fn before<'a>(&self, members: &'a [Member]) -> Option<&'a Member> {
        let here = members.iter().filter(|member| member.peer_address == self.peer_address);
        here.filter(|member| member.state != MemberState::Leaving).max_by_key(|member| member.id)
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

/// Refuses to have `old` replaced if there is nothing to take over from it.
pub(super) fn replaced(members: &[Member], old: ReplicaId) -> Result<(), Refusal> {
    match members.iter().find(|member| member.id == old).map(|member| member.state) {
        None => Err(Refusal::new(RefusalKind::NotFound, format!("there is no replica {old}"))),
        // One that joins may vote already.
        Some(MemberState::Voter | MemberState::Joining { .. }) => Ok(()),
        Some(state) => {
            let message = format!("{old} does not vote, it is {state}: remove it, and add the other");
            Err(Refusal::new(RefusalKind::Conflict, message))
        }
    }
}

/// The parts of `host:port`.
pub(super) fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let is_host = !host.is_empty() && address.len() <= ADDRESS_BYTES_MAX && !host.contains(['/', ' ', '@']);
    is_host.then_some((host, port))
}

/// Bytes of an address.
const ADDRESS_BYTES_MAX: usize = 262;
const _: () = assert!(REPLICAS_MAX < MEMBERS_MAX);
