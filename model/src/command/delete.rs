//! Stop a run, remove its objects, then its record.
//!
//! Reads and writes the runnable; removes it at once if nothing of it is on a cluster; the runs
//! of a fan-out follow a few at a time, and it stays until they are gone. Refused when there is none of
//! that name (`NotFound`) or another has the name now (`Conflict`). Asking twice changes nothing.

use super::{Principal, Target, settle};
use crate::record::{Asked, Cascaded, Record};
use crate::{Damaged, Done, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// Which run to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// Which one.
    pub target: Target,
}

impl Delete {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let found = txn.runnable_named(&self.target)?;
        let mut run = match found {
            Ok(run) => run,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if run.deletion.is_some() {
            return Ok(Ok(Done::unchanged(Record::Runnable(run))));
        }
        let now = txn.now_ms();
        run.deletion = Some(Asked { by: by.user.clone(), at_ms: now });
        run.pass_on(Cascaded::Delete, &by.user);
        settle::settle(&mut run, now);
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }
}
