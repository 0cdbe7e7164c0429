//! Remove a deployable from its clusters, then its record.
//!
//! Reads and writes the deployable and its installations; removes it at once if nothing of it is on a cluster. Refused
//! when there is none of that name (`NotFound`) or another has the name now (`Conflict`). Asking twice changes nothing.

use super::{Principal, Target, install};
use crate::record::{Asked, Record, Withdrawal};
use crate::{Damaged, Done, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// Which deployable to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw {
    /// Which one.
    pub target: Target,
    /// Its objects stay on the clusters and are ours no more.
    pub orphan: bool,
}

impl Withdraw {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let mut deployable = match txn.deployable_named(&self.target)? {
            Ok(deployable) => deployable,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if deployable.withdrawal.is_some() {
            return Ok(Ok(Done::unchanged(Record::Deployable(deployable))));
        }
        let asked = Asked { by: by.user.clone(), at_ms: txn.now_ms() };
        deployable.withdrawal = Some(Withdrawal { asked, orphan: self.orphan });
        if self.orphan {
            txn.say("its objects stay");
        }
        let record = install::spread(txn, deployable)?;
        Ok(Ok(Done::with(txn, record)))
    }
}
