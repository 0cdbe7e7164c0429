//! Start an ended run again, as one more attempt.
//!
//! Reads and writes the runnable. What was approved before is void: the run is held until it is approved anew, and
//! whoever asked for the retry may not do that. Refused when there is none of that name (`NotFound`), or it has not
//! ended, ended well, is being removed, a value that it had is another's by now, or it is a part of a fan-out
//! (`Conflict`): with that what failed of it starts again.

use super::{Principal, Target, keeping, settle};
use crate::record::{Cascaded, Person, Runnable};
use crate::{Damaged, Done, Phase, Reason, Refusal, RefusalKind, Txn, limits};
use serde::{Deserialize, Serialize};

/// Which run to start again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Which one.
    pub target: Target,
    /// In the user's words.
    pub why: String,
}

impl Retry {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let found = txn.runnable_named(&self.target)?;
        let mut run = match found {
            Ok(run) => run,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let conflict = |why: String| Ok(Err(Refusal::new(RefusalKind::Conflict, why)));
        if run.deletion.is_some() {
            return conflict(format!("{} is being removed", self.target.name));
        }
        if !matches!(run.phase, Phase::Failed | Phase::Cancelled) {
            return conflict(format!(
                "{} is {}; only a failed or cancelled run is retried",
                self.target.name, run.phase
            ));
        }
        if let Some(parent) = &run.parent {
            return conflict(format!(
                "{} is a part of {}: `tallyman retry` that, which starts again what of it failed or was cancelled",
                self.target.name, parent.name
            ));
        }
        let tried = u32::try_from(run.attempts.len()).unwrap_or(u32::MAX);
        if tried >= limits::ATTEMPTS_MAX {
            return conflict(format!(
                "{} has had {tried} attempts, the most there may be; submit it anew",
                self.target.name
            ));
        }
        if let Some(refusal) = keeping::begin_again(txn, &mut run, by)? {
            return Ok(Err(refusal));
        }
        let now = txn.now_ms();
        start_again(&mut run, now);
        run.pass_on(Cascaded::Retry, &by.user);
        let void = match &mut run.approvals {
            None => {
                let message = format!("{} asked for a retry", by.user);
                settle::enter(&mut run, now, Phase::Accepted, Reason::None, message);
                0
            }
            Some(approvals) => {
                let void = approvals.ask_again(Person::of(by), now);
                let message = format!("{} asked for a retry; {}", by.user, approvals.wanted(run.digest));
                settle::enter(&mut run, now, Phase::Held, Reason::AwaitingApproval, message);
                void
            }
        };
        txn.say(match (void, self.why.as_str()) {
            (0, why) => why.to_owned(),
            (void, "") => format!("decisions that are void now: {void}"),
            (void, why) => format!("{why}; decisions that are void now: {void}"),
        });
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }
}

/// Forgets the end, and lets the run have one more attempt; its deadlines count from now.
pub(super) fn start_again(run: &mut Runnable, now: u64) {
    let tried = u32::try_from(run.attempts.len()).unwrap_or(u32::MAX);
    run.attempts_added = (tried + 1).saturating_sub(run.spec.attempts_max + run.moves());
    run.finished_ms = None;
    run.cancel = None;
    run.ending = None;
    run.late = false;
    run.place_due_ms = now;
    run.place_tries = 0;
    run.start_deadline_ms = now + run.spec.start_by_ms;
    run.finish_deadline_ms = run.spec.finish_by_ms.map(|finish_by_ms| now + finish_by_ms);
}
