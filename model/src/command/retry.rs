//! Start an ended run again, as one more attempt.
//!
//! Reads and writes the runnable. What was approved before is void: the run is held until it is approved anew, and
//! whoever asked for the retry may not do that. Refused when there is none of that name (`NotFound`), or it has not
//! ended, ended well, is being removed, or a value that it had is another's by now (`Conflict`).
//!
//! Of a fan-out all runs that failed or were cancelled start again, also while others are under way; one of them alone
//! is started again by its own name, and its fan-out goes on with it. Where somebody has to agree that is refused
//! (`Conflict`) before all have ended, and of one alone: what is agreed to is all of it.

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
        if self.is_partly_ended(&run) {
            return self.retry_ended_runs(txn, run, by);
        }
        if !matches!(run.phase, Phase::Failed | Phase::Cancelled) {
            return conflict(format!(
                "{} is {}; only a failed or cancelled run is retried",
                self.target.name, run.phase
            ));
        }
        let mut parent = match fan_out_of(txn, &run)? {
            Ok(parent) => parent,
            Err(why) => return conflict(why),
        };
        let tried = u32::try_from(run.attempts.len()).unwrap_or(u32::MAX);
        if tried >= limits::ATTEMPTS_MAX {
            return conflict(format!(
                "{} has had {tried} attempts, the most there may be; submit it anew",
                self.target.name
            ));
        }
        // The values of a run of a fan-out are its parent's.
        let refusal = keeping::begin_again(txn, parent.as_mut().unwrap_or(&mut run), by)?;
        if let Some(refusal) = refusal {
            return Ok(Err(refusal));
        }
        if let Some(parent) = &parent {
            run.allocations.clone_from(&parent.allocations);
        }
        let now = txn.now_ms();
        start_again(&mut run, now);
        run.pass_on(Cascaded::Retry, &by.user);
        if let Some(parent) = parent {
            run.finish_deadline_ms = go_on(txn, parent, by, now)?;
        }
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

    /// True of a fan-out of which some runs can be started again while others are under way.
    fn is_partly_ended(&self, run: &Runnable) -> bool {
        let Some(fan_out) = &run.fan_out else { return false };
        let has_ended = fan_out.of(|phase| matches!(phase, Phase::Failed | Phase::Cancelled)) > 0;
        has_ended && run.approvals.is_none() && run.ending.is_none() && !run.phase.is_terminal()
    }

    fn retry_ended_runs(
        &self,
        txn: &mut Txn<'_>,
        mut run: Runnable,
        by: &Principal,
    ) -> Result<Result<Done, Refusal>, Damaged> {
        let now = txn.now_ms();
        run.start_deadline_ms = now + run.spec.start_by_ms;
        run.pass_on(Cascaded::Retry, &by.user);
        txn.say(self.why.clone());
        settle::settle(&mut run, now);
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }
}

/// The fan-out that the run is a part of, if it is of one; or why the run cannot be started again alone.
fn fan_out_of(txn: &Txn<'_>, run: &Runnable) -> Result<Result<Option<Runnable>, String>, Damaged> {
    let Some(parent) = &run.parent else { return Ok(Ok(None)) };
    let (name, of) = (&run.head.name, &parent.name);
    let Some(found) = txn.runnable(parent.ordinal)?.filter(|found| found.head.uid == parent.uid) else {
        return Ok(Err(format!("{name} is a part of {of}, which is gone; submit it anew")));
    };
    Ok(if found.deletion.is_some() {
        Err(format!("{name} is a part of {of}, which is being removed"))
    } else if found.ending.is_some() {
        Err(format!("{name} is a part of {of}, which is being stopped: retry it when that has ended"))
    } else if found.approvals.is_some() {
        Err(format!(
            "{name} is a part of {of}, to which as a whole people have to agree: `tallyman retry` that when it has ended, \
             which starts again what of it failed or was cancelled"
        ))
    } else {
        Ok(Some(found))
    })
}

/// Has a fan-out go on with one of its runs that starts again; by when that must have ended.
fn go_on(txn: &mut Txn<'_>, mut parent: Runnable, by: &Principal, now: u64) -> Result<Option<u64>, Damaged> {
    if parent.phase.is_terminal() {
        start_again(&mut parent, now);
        let message = format!("{} asked for a retry of one of its runs", by.user);
        settle::enter(&mut parent, now, Phase::Accepted, Reason::None, message);
    }
    let finish_deadline_ms = parent.finish_deadline_ms;
    // Its phase follows when that of the run is written.
    settle::put(txn, parent)?;
    Ok(finish_deadline_ms)
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
