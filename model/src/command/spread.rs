//! Put a deployable on the clusters that its placement allows now, and have it leave the others.
//!
//! Reads the deployable and all clusters; writes its installations. Refused as `Outdated` when it is gone, or the group
//! goes on from a backup and nobody has confirmed that.

use super::install;
use crate::record::Record;
use crate::{Damaged, Done, Ordinal, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// Which deployable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Which one.
    pub deployable: Ordinal,
}

impl Spread {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.unconfirmed().is_some() {
            return Ok(Err(Refusal::outdated("the group's lineage is not confirmed")));
        }
        let Some(Record::Deployable(deployable)) = txn.record(self.deployable)? else {
            return Ok(Err(Refusal::outdated("the deployable is gone")));
        };
        let name = deployable.head.name.clone();
        let record = install::spread(txn, deployable)?;
        txn.say(format!("{name} on the clusters of its placement"));
        Ok(Ok(Done::with(txn, record)))
    }
}
