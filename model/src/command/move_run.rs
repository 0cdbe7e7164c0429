//! Have a run go on elsewhere, as one more attempt.
//!
//! Reads the clusters; reads and writes the runnable. Where its cluster can be reached, its main object is deleted there
//! and seen to be gone first. A lost run goes on at once, by the word of whoever asks: whether it still runs on the lost
//! cluster nobody can see; if it does, that is found and ended when the cluster is back. What was approved holds: it is
//! the same bytes for the same clusters. Refused when there is none of that name (`NotFound`), or it has no cluster, is
//! to end, or cannot have another attempt elsewhere (`Conflict`). Asking twice changes nothing.

use super::{Principal, Target, settle};
use crate::record::{Leaving, Record, Runnable};
use crate::{Damaged, Done, Reason, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};

/// Which run to move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Which one.
    pub target: Target,
    /// In the user's words.
    pub why: String,
}

impl Move {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let mut run = match txn.runnable_named(&self.target)? {
            Ok(run) => run,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let conflict = |why: String| Ok(Err(Refusal::new(RefusalKind::Conflict, why)));
        let name = &self.target.name;
        if run.phase.is_terminal() {
            return conflict(format!("{name} has ended: it is {}; only a retry starts it again", run.phase));
        }
        if let Some(ending) = &run.ending {
            return conflict(format!("{name} is to end: {}", ending.message));
        }
        let Some(attempt) = run.attempt().filter(|attempt| !attempt.phase.is_terminal()) else {
            return conflict(format!("{name} has no cluster now: it goes to one that takes it"));
        };
        let lost = attempt.is_lost();
        if attempt.leaving.is_some() && !lost {
            return Ok(Ok(Done::unchanged(Record::Runnable(run))));
        }
        if let Some(why) = run.unmovable(attempt.cluster, &txn.clusters()?) {
            return conflict(format!("{name} cannot be moved: {why}"));
        }
        let now = txn.now_ms();
        leave(&mut run, Leaving { by: by.user.clone(), at_ms: now, why: self.why.clone() });
        if lost {
            let why = settle::because(&self.why);
            let message = format!("{} gave it up on its lost cluster{why}", by.user);
            settle::move_on(&mut run, now, Reason::ClusterLost, message);
        }
        settle::settle(&mut run, now);
        txn.say(&self.why);
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }
}

/// Takes the run off its cluster: nothing of it is wanted there any more.
pub(super) fn leave(run: &mut Runnable, leaving: Leaving) {
    let Some(attempt) = run.attempts.last_mut() else { return };
    attempt.leaving = Some(leaving);
    let cluster = attempt.cluster;
    settle::unwant(run, cluster);
}
