//! Say in which datacenter the leader is to be, where there is a choice.
//!
//! Reads the members; writes the counters. Refused as `Invalid` when no replica is there.

use crate::{Damaged, Done, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// Which datacenter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreferDatacenter {
    /// As the replicas name theirs; empty: none.
    pub datacenter: String,
}

impl PreferDatacenter {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.preferred_datacenter == self.datacenter {
            return Ok(Ok(Done::at(txn)));
        }
        if let Err(refusal) = txn.known_datacenter(&self.datacenter)? {
            return Ok(Err(refusal));
        }
        txn.meta.preferred_datacenter.clone_from(&self.datacenter);
        txn.say(match self.datacenter.as_str() {
            "" => "no datacenter is preferred".to_owned(),
            datacenter => format!("datacenter {datacenter} is preferred"),
        });
        txn.tell();
        Ok(Ok(Done::at(txn)))
    }
}
