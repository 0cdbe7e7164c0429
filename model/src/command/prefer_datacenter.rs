//! Say in which datacenter the leader is to be, where there is a choice.
//!
//! Reads the members; writes the counters. Refused as `Invalid` when no replica is there.

use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
        let places: BTreeSet<String> = txn.members()?.into_iter().map(|member| member.datacenter).collect();
        if !self.datacenter.is_empty() && !places.contains(&self.datacenter) {
            let places = places.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("no replica is in datacenter {:?}; they are in {places}", self.datacenter);
            return Ok(Err(Refusal::new(RefusalKind::Invalid, message)));
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
