//! Say what came of a kube write.
//!
//! Reads and writes the runnable. Refused as `Outdated` when that intent is not open any more: a later one replaced
//! it, or the watch was faster.

use super::{Observation, settle};
use crate::record::{Action, Intent, Object, ObjectState, ReadBack, Runnable, Seen};
use crate::{Damaged, Done, Ordinal, Phase, Reason, Refusal, Txn, limits, retry, rule};
use serde::{Deserialize, Serialize};

/// What came of a kube write, or of reading back what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It took effect; the object as the answer shows it.
    Done(Box<Observation>),
    /// The object with the known UID does not exist (any more).
    Gone,
    /// Nothing of that name exists now. After an unknown create that proves nothing until the request has drained.
    Absent,
    /// An object of somebody else has the name.
    Taken {
        /// Its UID.
        uid: String,
    },
    /// It did not leave this process.
    NotSent {
        /// In words.
        message: String,
    },
    /// The cluster refused it and nothing changed.
    Refused {
        /// The reason to show.
        reason: Reason,
        /// The cluster's words.
        message: String,
        /// It will be refused again: the run ends.
        permanent: bool,
        /// The cluster asked to wait this long.
        retry_after_ms: Option<u64>,
    },
    /// It may or may not have taken effect.
    Unknown {
        /// In words.
        message: String,
    },
}

/// The outcome of one intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conclude {
    /// The runnable.
    pub run: Ordinal,
    /// Which of its objects.
    pub object: u16,
    /// The intent's log index; 0: none was open, the object was read because an old create was in doubt, or because no
    /// watch had told of it.
    pub intent: u64,
    /// What came of it.
    pub outcome: Outcome,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Done(item) => write!(f, "done, UID {}", item.uid),
            Outcome::Gone => f.write_str("gone"),
            Outcome::Absent => f.write_str("not there"),
            Outcome::Taken { uid } => write!(f, "somebody else's, UID {uid}"),
            Outcome::NotSent { message } => write!(f, "not sent: {message}"),
            Outcome::Refused { message, .. } => write!(f, "refused: {message}"),
            Outcome::Unknown { message } => write!(f, "unknown: {message}"),
        }
    }
}

impl Conclude {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(mut run) = txn.runnable(self.run)? else {
            return Ok(Err(Refusal::outdated("the runnable is gone")));
        };
        let now = txn.now_ms();
        let position = usize::from(self.object);
        let is_untold = run.objects.get(position).is_some_and(|object| run.read_due_ms(object).is_some());
        let Some(object) = run.objects.get_mut(position) else {
            return Ok(Err(Refusal::outdated("there is no such object")));
        };
        let pending = object.pending;
        if pending.map_or(0, |intent| intent.index) != self.intent {
            return Ok(Err(Refusal::outdated("that intent is not open")));
        }
        if pending.is_none() && !object.is_in_doubt() && !is_untold {
            return Ok(Err(Refusal::outdated("nothing is to be found out of the object any more")));
        }
        if is_untold {
            object.read = Some(Box::new(read_back(&self.outcome, now)));
        }
        if let Outcome::Done(item) = &self.outcome
            && object.state == ObjectState::Gone
            && object.uid.as_ref() == Some(&item.uid)
        {
            return Ok(Err(Refusal::outdated("that object is known to be gone")));
        }
        object.pending = None;
        let timeline = txn.cluster(object.cluster)?.map_or(0, |cluster| cluster.timeline);
        // Before the run is written: it waits, too.
        let waiting = match self.outcome {
            Outcome::NotSent { .. } | Outcome::Refused { .. } => txn.waiting(object.cluster)?,
            _ => 0,
        };
        let delay_ms = retry::delay_ms(run.head.uid, position, object.tries, waiting);
        match (&self.outcome, pending) {
            (Outcome::Done(item), _) => {
                // A watch may have been faster: what it said later stands.
                let newer = object.uid.as_ref() == Some(&item.uid)
                    && object
                        .seen
                        .as_ref()
                        .is_some_and(|seen| seen.is_after(timeline, &item.resource_version));
                accepted(object, pending, now);
                if object.state == ObjectState::Gone {
                    // A late second object: it is ours, and not wanted any more.
                    object.wanted = false;
                    object.delete_sent = false;
                }
                if !newer {
                    settle::live(object, item, timeline, now);
                    settle::observed(&mut run, position, item, now);
                    settle::check_marks(&mut run, position, item, txn.meta.group);
                } else if object.held && object.seen.as_ref().is_some_and(Seen::is_deleting) {
                    object.due_ms = now;
                }
                pace(&mut run, position, pending, now + delay_ms);
                explained(&mut run);
            }
            (Outcome::Gone, _) => gone(&mut run, position, timeline, now),
            (Outcome::Absent, _) => absent(object, pending, now),
            (Outcome::Taken { uid }, _) => taken(&mut run, position, uid),
            (Outcome::NotSent { message }, _) => {
                unsent(object, pending);
                again(object, now + delay_ms, message);
            }
            (Outcome::Refused { reason, message, permanent, retry_after_ms }, _) => {
                let after_ms = retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
                again(object, now + after_ms + delay_ms, message);
                refused(&mut run, position, *reason, message, *permanent);
            }
            (Outcome::Unknown { message }, Some(intent)) => unknown(object, intent, (now, delay_ms), message),
            (Outcome::Unknown { .. }, None) => {}
        }
        let action = match pending {
            Some(intent) => intent.action.to_string(),
            None if is_untold => "no watch has told of it, so read".to_owned(),
            None => "look for".to_owned(),
        };
        let mut words = format!("{action} {}: {}", run.describe(position), self.outcome);
        if let Some(overlap) = settle::overlap_words(&run, now) {
            words.push_str("; ");
            words.push_str(overlap);
        }
        txn.say(words);
        settle::settle(&mut run, now);
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }
}

fn accepted(object: &mut Object, pending: Option<Intent>, now: u64) {
    let deleted = pending.is_some_and(|intent| intent.action == Action::Delete);
    object.delete_sent |= deleted;
    object.due_ms = match pending.map(|intent| intent.action) {
        Some(Action::Delete | Action::Stop) => now + ASK_AGAIN_MS,
        _ => now,
    };
    if pending.is_none_or(|intent| intent.action != Action::Relabel) {
        object.tries = 0;
    }
    object.message.clear();
}

/// Marks that somebody takes off again at once, as an admission webhook may, are put back ever more slowly.
fn pace(run: &mut Runnable, position: usize, pending: Option<Intent>, due_ms: u64) {
    let Some(object) = run.objects.get_mut(position) else { return };
    if pending.is_none_or(|intent| intent.action != Action::Relabel) {
        return;
    }
    if object.stripped {
        object.due_ms = due_ms;
        object.tries = object.tries.saturating_add(1);
    } else {
        object.tries = 0;
    }
}

/// What stood in the way does not any more, once no object of the run has anything to say.
fn explained(run: &mut Runnable) {
    let passing = matches!(run.reason, Reason::Retrying | Reason::NeedsOperator | Reason::NamespaceMissing);
    if passing && !run.phase.is_terminal() && run.objects.iter().all(|object| object.message.is_empty()) {
        run.reason = Reason::None;
        run.message.clear();
    }
}

/// How long after an accepted delete or stop it is asked for again, if no watch has said what came of it.
const ASK_AGAIN_MS: u64 = 30_000;

fn gone(run: &mut Runnable, position: usize, timeline: u32, now: u64) {
    let Some(object) = run.objects.get_mut(position) else { return };
    settle::gone(object, timeline, now);
    let (main, number) = (object.planned == run.main, object.attempt);
    let ending = run.ending.is_some();
    let attempt = run.attempts.iter_mut().find(|attempt| main && attempt.number == number);
    if let Some(attempt) = attempt.filter(|attempt| !attempt.phase.is_terminal()) {
        use crate::record::AttemptPhase::{Cancelled, Gone};
        attempt.phase = if ending { Cancelled } else { Gone };
        attempt.finished_ms = Some(now);
    }
}

fn absent(object: &mut Object, pending: Option<Intent>, now: u64) {
    let drained = |intent: Intent| intent.at_ms + limits::CALL_DEADLINE_MS + limits::CALL_DRAIN_MS;
    let until_ms = object.doubt_until_ms.max(pending.map_or(0, drained));
    // Wanted: the same name is sent again at once. Not wanted: giving up waits until nothing can land any more.
    object.doubt_until_ms = if now >= until_ms { 0 } else { until_ms };
    object.due_ms = now;
}

fn taken(run: &mut Runnable, position: usize, uid: &str) {
    let Some(object) = run.objects.get_mut(position) else { return };
    object.doubt_until_ms = 0;
    if object.state == ObjectState::Gone {
        return;
    }
    object.wanted = false;
    let message = format!(
        "{} exists there and is not ours, UID {uid}: take another name, or remove it and retry",
        run.describe(position)
    );
    settle::decide(run, Phase::Failed, Reason::NameTaken, message);
}

fn again(object: &mut Object, due_ms: u64, message: &str) {
    object.tries = object.tries.saturating_add(1);
    object.due_ms = due_ms;
    object.message = message.to_owned();
    rule::truncate(&mut object.message);
}

/// No create has left, unless it was an earlier one of which nobody knows.
fn unsent(object: &mut Object, pending: Option<Intent>) {
    let is_create = pending.is_some_and(|intent| intent.action == Action::Create);
    if is_create && object.doubt_until_ms == 0 {
        object.sent_ms = None;
    }
}

/// What a read found of an object of which no watch had told.
fn read_back(outcome: &Outcome, now: u64) -> ReadBack {
    let mut message = match outcome {
        Outcome::Unknown { message } | Outcome::NotSent { message } | Outcome::Refused { message, .. } => {
            message.clone()
        }
        Outcome::Done(_) | Outcome::Gone | Outcome::Absent | Outcome::Taken { .. } => String::new(),
    };
    rule::truncate(&mut message);
    ReadBack { at_ms: now, message }
}

/// The longest a cluster may ask to wait.
const RETRY_AFTER_MS_MAX: u64 = 600_000;

fn refused(run: &mut Runnable, position: usize, reason: Reason, message: &str, permanent: bool) {
    let create = run.objects.get(position).is_some_and(|object| object.state == ObjectState::Absent);
    if permanent && create {
        let mut message = message.to_owned();
        rule::truncate(&mut message);
        settle::decide(run, Phase::Failed, reason, message);
    } else if run.ending.is_none() && !run.phase.is_terminal() {
        run.reason = reason;
        run.message = message.to_owned();
        rule::truncate(&mut run.message);
    }
}

fn unknown(object: &mut Object, intent: Intent, (now, delay_ms): (u64, u64), message: &str) {
    if intent.action == Action::Create {
        let until_ms = now + limits::CALL_DRAIN_MS;
        object.doubt_until_ms = object.doubt_until_ms.max(until_ms);
    }
    object.tries = object.tries.saturating_add(1);
    object.pending = Some(Intent { unknown: true, ..intent });
    object.due_ms = now + delay_ms;
    object.message = message.to_owned();
    rule::truncate(&mut object.message);
}
