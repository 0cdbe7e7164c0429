//! Agree to what a brake holds back: what waits to be stopped is stopped.
//!
//! Reads the clusters; writes the counters. Refused as `NotFound` when there is no cluster of that name, and as
//! `Conflict` when no brake is engaged there.

use crate::brake::Scope;
use crate::record::{Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};

/// Which brake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmStops {
    /// That of a cluster or of a tenant, by its name.
    pub of: StopsOf,
    /// In the user's words.
    pub why: String,
}

/// Whose runs are to be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopsOf {
    /// Those on this cluster.
    Cluster(String),
    /// Those of this tenant.
    Tenant(String),
}

impl ConfirmStops {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let (scope, what) = match &self.of {
            StopsOf::Tenant(tenant) => (Scope::Tenant(tenant.clone()), format!("tenant {tenant}")),
            StopsOf::Cluster(name) => match txn.named(Resource::Cluster, "", name)? {
                Some(Record::Cluster(cluster)) => {
                    (Scope::Cluster(cluster.head.ordinal), format!("cluster {name}"))
                }
                _ => {
                    let message = format!("clusters.tallyman.dev {name:?} not found");
                    return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
                }
            },
        };
        let now_ms = txn.now_ms();
        let engaged = txn.meta.brakes.get_mut(&scope).filter(|brake| brake.engaged_ms.is_some());
        let Some(brake) = engaged else {
            let message = format!("nothing waits for that: the brake of {what} is not engaged");
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        };
        brake.confirm(now_ms);
        txn.say(match self.why.as_str() {
            "" => format!("what is to be stopped of {what} is stopped"),
            why => format!("what is to be stopped of {what} is stopped: {why}"),
        });
        txn.tell();
        Ok(Ok(Done::at(txn)))
    }
}
