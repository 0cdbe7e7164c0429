//! The phase of a fan-out follows from those of its runs.

use super::{end, enter, put};
use crate::record::{Ending, FanOut, Runnable};
use crate::{Damaged, Ordinal, Phase, Reason, Txn};

/// Moves a fan-out as far as its runs allow.
pub(super) fn settle(run: &mut Runnable, now: u64) {
    let Some(fan_out) = run.fan_out.as_ref().filter(|_| !run.phase.is_terminal()) else { return };
    let (open, words) = (fan_out.open(), fan_out.words());
    if let Some(ending) = run.ending.clone() {
        if open > 0 {
            return enter(run, now, Phase::Stopping, ending.reason, format!("{}; {words}", ending.message));
        }
        let (phase, reason, message) = decided(fan_out, ending);
        return end(run, now, phase, reason, message);
    }
    if run.phase == Phase::Held || !fan_out.is_decided {
        return;
    }
    let is_all_made = fan_out.left.is_empty() && fan_out.cascade.is_none();
    if is_all_made && open == 0 {
        let (phase, reason) = ended(fan_out);
        return end(run, now, phase, reason, words);
    }
    let is_begun = fan_out.active() > 0 || fan_out.of(Phase::is_terminal) > 0;
    enter(run, now, if is_begun { Phase::Running } else { Phase::Accepted }, Reason::None, words);
}

/// How it ends whose end was decided before: unless all of it was done by then.
fn decided(fan_out: &FanOut, ending: Ending) -> (Phase, Reason, String) {
    let is_done = fan_out.is_decided && fan_out.left.is_empty() && ended(fan_out).0 == Phase::Succeeded;
    match fan_out.clusters() {
        0 => (ending.phase, ending.reason, ending.message),
        _ if is_done => (Phase::Succeeded, Reason::Completed, fan_out.words()),
        _ => (ending.phase, ending.reason, format!("{}; {}", ending.message, fan_out.words())),
    }
}

/// How it ends all of whose runs have ended.
fn ended(fan_out: &FanOut) -> (Phase, Reason) {
    let has = |phase| fan_out.of(|its| its == phase) > 0;
    if has(Phase::Failed) {
        (Phase::Failed, Reason::RunsFailed)
    } else if has(Phase::Cancelled) || !has(Phase::Succeeded) {
        (Phase::Cancelled, Reason::CancelRequested)
    } else {
        (Phase::Succeeded, Reason::Completed)
    }
}

/// What became of one of its runs.
pub(super) struct Change {
    /// `None`: it was made.
    pub(super) before: Option<Phase>,
    pub(super) after: Phase,
    /// Its record was removed.
    pub(super) is_gone: bool,
    /// It does not use the values of the fan-out any more.
    pub(super) gave_back: bool,
}

/// One of its runs changed.
pub(super) fn changed(txn: &mut Txn<'_>, parent: Ordinal, change: Change) -> Result<(), Damaged> {
    let Change { before, after, is_gone, gave_back } = change;
    let is_same = before == Some(after);
    if is_same && !is_gone && !gave_back {
        return Ok(());
    }
    let Some(mut run) = txn.runnable(parent)? else { return Ok(()) };
    let is_last = is_gone && run.deletion.is_some() && txn.children(parent, Ordinal(0), 1)?.is_empty();
    if is_same && !is_last && !gave_back {
        return Ok(());
    }
    if let Some(fan_out) = &mut run.fan_out
        && !is_same
    {
        fan_out.count(before, after);
    }
    settle(&mut run, txn.now_ms());
    put(txn, run).map(drop)
}
