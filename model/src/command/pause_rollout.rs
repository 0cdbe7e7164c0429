//! Keep a deployable from being begun on more clusters, or let it go on.
//!
//! Reads and writes the deployable, and its installations when it goes on. Refused when there is none of that name
//! (`NotFound`), or it is not at the revision that was asked for (`Conflict`). Asking twice changes nothing. What is
//! begun on a cluster is not stopped by it.

use super::{Principal, Target, install};
use crate::record::{Asked, Record};
use crate::{Damaged, Done, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// Which deployable, and whether it is paused from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseRollout {
    /// Which one.
    pub target: Target,
    /// It is begun on no more clusters; otherwise it goes on.
    pub paused: bool,
}

impl PauseRollout {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let mut deployable = match txn.deployable_named(&self.target)? {
            Ok(deployable) => deployable,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if deployable.paused.is_some() == self.paused {
            return Ok(Ok(Done::unchanged(Record::Deployable(deployable))));
        }
        deployable.paused = self.paused.then(|| Asked { by: by.user.clone(), at_ms: txn.now_ms() });
        txn.say(if self.paused { "paused" } else { "resumed" });
        let record = install::spread(txn, deployable)?;
        Ok(Ok(Done::with(txn, record)))
    }
}
