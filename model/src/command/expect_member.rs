//! Let a blank replica join from an address, or let it no more.
//!
//! Reads the members; writes the counters. Refused as `Invalid` when the address is none or the group would have too
//! many replicas, as `AlreadyExists` when a replica is reached there, as `NotFound` or `Conflict` when the one to be
//! replaced is not there or does not vote.

use super::add_member::{host_and_port, replaced};
use crate::limits::REPLICAS_MAX;
use crate::record::{Expected, JoinAs, MemberState};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};

/// Where, and what it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectMember {
    /// `host:port` for its peers.
    pub peer_address: String,
    /// What it is to be; `None`: it may join no more.
    pub part: Option<JoinAs>,
}

impl ExpectMember {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let address = &self.peer_address;
        let known = txn.meta.expected.iter().position(|expected| expected.peer_address == *address);
        let Some(part) = self.part else {
            let Some(known) = known else {
                let message = format!("no replica is expected at {address}; tallyman operator member list");
                return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
            };
            txn.meta.expected.remove(known);
            txn.say(format!("{address} may join no more"));
            txn.tell();
            return Ok(Ok(Done::at(txn)));
        };
        if let Err(refusal) = self.check(txn, part)? {
            return Ok(Err(refusal));
        }
        let expected = Expected { peer_address: address.clone(), part };
        if txn.meta.expected.contains(&expected) {
            return Ok(Ok(Done::at(txn)));
        }
        match known.and_then(|known| txn.meta.expected.get_mut(known)) {
            Some(slot) => *slot = expected,
            None => txn.meta.expected.push(expected),
        }
        txn.say(match part {
            JoinAs::Learner => format!("{address} may join as a learner"),
            JoinAs::Voter { replaces: None } => format!("{address} may join and vote"),
            JoinAs::Voter { replaces: Some(old) } => format!("{address} may join in place of {old}"),
        });
        txn.tell();
        Ok(Ok(Done::at(txn)))
    }

    fn check(&self, txn: &Txn<'_>, part: JoinAs) -> Result<Result<(), Refusal>, Damaged> {
        let refused = |kind, message: String| Ok(Err(Refusal::new(kind, message)));
        let address = &self.peer_address;
        if host_and_port(address).is_none() {
            let message = format!("{address:?} is not host:port, where its peers would reach it");
            return refused(RefusalKind::Invalid, message);
        }
        let members = txn.members()?;
        let stays = |state| state != MemberState::Leaving;
        if let Some(there) = members.iter().find(|one| one.peer_address == *address && stays(one.state)) {
            let message = format!(
                "{} is reached at {address}; one that lost its data directory joins again there by itself",
                there.id
            );
            return refused(RefusalKind::AlreadyExists, message);
        }
        let others = txn.meta.expected.iter().filter(|expected| expected.peer_address != *address).count();
        if members.iter().filter(|one| stays(one.state)).count() + others >= REPLICAS_MAX {
            let message = format!("a group has at most {REPLICAS_MAX} replicas: remove one first");
            return refused(RefusalKind::Invalid, message);
        }
        Ok(match part {
            JoinAs::Voter { replaces: Some(old) } => replaced(&members, old),
            _ => Ok(()),
        })
    }
}
