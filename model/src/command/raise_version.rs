//! Let the group go on at a higher version: all of its replicas understand it.
//!
//! Reads the members; writes the counters. Never lowers it. Refused as `Outdated` when a member is there of which it is
//! not known that it understands the version. A build that does not understand it itself stops.

use crate::version::{GROUP_VERSION, too_old};
use crate::{Damaged, Done, Key, Refusal, ReplicaId, Txn};
use serde::{Deserialize, Serialize};

/// To which version, and why it may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaiseVersion {
    /// The version.
    pub to: u32,
    /// The members that have said that they understand it.
    pub understood_by: Vec<ReplicaId>,
}

impl RaiseVersion {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if self.to > GROUP_VERSION {
            return Err(Damaged::at(Key::META, too_old(self.to, GROUP_VERSION)));
        }
        if self.to <= txn.meta.version {
            return Ok(Ok(Done::at(txn)));
        }
        if let Some(other) = txn.members()?.iter().find(|member| !self.understood_by.contains(&member.id)) {
            return Ok(Err(Refusal::outdated(format!("what {} understands is not known", other.id))));
        }
        txn.meta.version = self.to;
        txn.say(format!("version {}", self.to));
        txn.tell();
        Ok(Ok(Done::at(txn)))
    }
}
