//! Stop a run, keep its record.
//!
//! Reads and writes the runnable; the runs of a fan-out follow a few at a time. Refused when there is none of that name (`NotFound`), another has the name now or
//! the run has ended (`Conflict`). Asking twice changes nothing.

use super::{Principal, Target, settle};
use crate::record::{Asked, Cascaded, Record};
use crate::{Damaged, Done, Phase, Reason, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};

/// Which run to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Which one.
    pub target: Target,
    /// In the user's words.
    pub why: String,
}

impl Cancel {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let found = txn.runnable_named(&self.target)?;
        let mut run = match found {
            Ok(run) => run,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if run.phase.is_terminal() {
            let message = format!("{} has ended: it is {}", self.target.name, run.phase);
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        if run.cancel.is_some() {
            return Ok(Ok(Done::unchanged(Record::Runnable(run))));
        }
        let now = txn.now_ms();
        run.cancel = Some(Asked { by: by.user.clone(), at_ms: now });
        let mut message = format!("{} asked for it", by.user);
        if !self.why.is_empty() {
            message = format!("{message}: {}", self.why);
        }
        settle::decide(&mut run, Phase::Cancelled, Reason::CancelRequested, message);
        run.pass_on(Cascaded::Cancel, &by.user);
        settle::settle(&mut run, now);
        txn.say(&self.why);
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }
}
