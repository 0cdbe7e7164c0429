//! Say what came of a kube write of what is kept in sync.
//!
//! Reads and writes the installation, and its deployable if that looks different then. Refused as `Outdated` when that
//! intent is not open any more.

use super::install;
use super::observe_sync::{Looked, see};
use crate::record::{ObjectState, Record, SyncAction, SyncIntent, Synced};
use crate::{Damaged, Done, Ordinal, Refusal, Txn, limits, retry, rule};
use serde::{Deserialize, Serialize};

/// What came of a kube write, or of reading back what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncOutcome {
    /// It took effect; the object as the answer shows it.
    Done(Box<Looked>),
    /// The object with the known UID does not exist (any more).
    Gone,
    /// It stays, and is ours no more: the name is taken, so nothing that was sent can make another one.
    Released,
    /// Nothing of that name exists now. After an unknown create that proves nothing until the request has drained.
    Absent,
    /// An object of somebody else has the name.
    Taken {
        /// Its UID.
        uid: String,
    },
    /// It did not leave this process, or is to be made again.
    NotSent {
        /// In words; empty: nothing is wrong.
        message: String,
    },
    /// The cluster refused it and nothing changed.
    Refused {
        /// The cluster's words.
        message: String,
        /// The cluster asked to wait this long.
        retry_after_ms: Option<u64>,
    },
    /// It may or may not have taken effect.
    Unknown {
        /// In words.
        message: String,
    },
}

impl std::fmt::Display for SyncOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done(looked) => write!(f, "done, UID {}", looked.uid),
            Self::Gone => f.write_str("gone"),
            Self::Released => f.write_str("released"),
            Self::Absent => f.write_str("not there"),
            Self::Taken { uid } => write!(f, "somebody else's, UID {uid}"),
            Self::NotSent { message } => write!(f, "not sent: {message}"),
            Self::Refused { message, .. } => write!(f, "refused: {message}"),
            Self::Unknown { message } => write!(f, "unknown: {message}"),
        }
    }
}

/// The outcome of one intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConcludeSync {
    /// The installation.
    pub installation: Ordinal,
    /// The object's name.
    pub name: String,
    /// The intent's log index; 0: none was open, the object was read because an old create was in doubt.
    pub intent: u64,
    /// What came of it.
    pub outcome: SyncOutcome,
}

impl ConcludeSync {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(Record::Installation(mut installation)) = txn.record(self.installation)? else {
            return Ok(Err(Refusal::outdated("the installation is gone")));
        };
        let now = txn.now_ms();
        // Objects move while a write is under way; its intent is what is known for certain.
        let is_of = |object: &Synced| match self.intent {
            0 => (&object.name, object.is_in_doubt()) == (&self.name, true),
            index => object.pending.is_some_and(|intent| intent.index == index),
        };
        let Some(position) = installation.objects.iter().position(is_of) else {
            return Ok(Err(Refusal::outdated("that intent is not open")));
        };
        let words = installation.describe(position);
        let (uid, waiting) = (installation.uid, txn.waiting(installation.cluster)?);
        let Some(object) = installation.objects.get_mut(position) else {
            return Ok(Err(Refusal::outdated("that intent is not open")));
        };
        let pending = object.pending.take();
        let at = (now, retry::delay_ms(uid, position, object.tries, waiting));
        match (&self.outcome, pending) {
            (SyncOutcome::Done(looked), _) => done(object, looked, pending, now),
            (SyncOutcome::Gone, _) => gone(object, now),
            (SyncOutcome::Released, _) => {
                object.doubt_until_ms = 0;
                gone(object, now);
            }
            (SyncOutcome::Absent, _) => absent(object, pending, now),
            (SyncOutcome::Taken { uid }, _) => {
                object.doubt_until_ms = 0;
                let message = format!(
                    "an object of that name exists there and is not ours, UID {uid}: take another name, or remove it"
                );
                again(object, at, &message, Some(TAKEN_AGAIN_MS));
            }
            (SyncOutcome::NotSent { message }, _) => again(object, at, message, None),
            (SyncOutcome::Refused { message, retry_after_ms }, _) => {
                again(object, at, message, *retry_after_ms);
            }
            (SyncOutcome::Unknown { message }, Some(intent)) => unknown(object, intent, at, message),
            (SyncOutcome::Unknown { .. }, None) => {}
        }
        let action = pending.map_or_else(|| "look for".to_owned(), |intent| intent.action.to_string());
        txn.say(format!("{action} {words}: {}", self.outcome));
        install::changed(txn, installation)?;
        Ok(Ok(Done::at(txn)))
    }
}

/// How long a name that is somebody else's is left alone.
const TAKEN_AGAIN_MS: u64 = 30_000;
/// How long after an accepted delete it is asked for again, if nothing has said what came of it.
const ASK_AGAIN_MS: u64 = 30_000;
/// The longest a cluster may ask to wait.
const RETRY_AFTER_MS_MAX: u64 = 600_000;

fn done(object: &mut Synced, looked: &Looked, pending: Option<SyncIntent>, now: u64) {
    object.tries = 0;
    object.message.clear();
    object.due_ms = now;
    let is_new = object.uid.as_deref() != Some(looked.uid.as_str());
    if is_new {
        forget(object);
    }
    object.state = ObjectState::Live;
    object.uid = Some(looked.uid.clone());
    match pending.map(|intent| (intent.action, intent.generation)) {
        Some((SyncAction::Apply, generation)) => {
            if object.drift.take().is_some() {
                correct(object, now);
            }
            object.applied = Some(generation);
            object.owned = looked.owned;
        }
        Some((SyncAction::Delete, _)) => object.due_ms = now + ASK_AGAIN_MS,
        Some((SyncAction::Create, _)) if object.drift.take().is_some() => correct(object, now),
        _ => {}
    }
    see(object, looked, now);
    if pending.is_some_and(|intent| intent.action == SyncAction::Apply) {
        object.differences.admit();
    }
}

/// Counts a correction: what somebody changes again at once is corrected ever more slowly.
fn correct(object: &mut Synced, now: u64) {
    if now.saturating_sub(object.corrected_ms) > limits::CORRECT_FORGET_MS {
        object.corrections = 0;
    }
    let delay_ms =
        (limits::CORRECT_DELAY_MS_MIN << object.corrections.min(16)).min(limits::CORRECT_DELAY_MS_MAX);
    object.due_ms = if object.corrections == 0 { now } else { now + delay_ms };
    object.corrections = object.corrections.saturating_add(1);
    object.corrected_ms = now;
}

/// The object with the known UID does not exist any more.
pub(super) fn gone(object: &mut Synced, now: u64) {
    object.state = ObjectState::Gone;
    object.deleting = false;
    object.pending = None;
    object.tries = 0;
    if object.doubt_until_ms <= now {
        object.doubt_until_ms = 0;
    }
    if object.wanted && object.drift.is_none() {
        let by = String::new();
        object.drift = Some(crate::record::Drifted { gone: true, by, since_ms: now });
    }
    forget(object);
}

/// Nothing of what is there was applied.
fn forget(object: &mut Synced) {
    (object.applied, object.owned) = (None, None);
    (object.differences, object.differences_digest) = Default::default();
}

fn absent(object: &mut Synced, pending: Option<SyncIntent>, now: u64) {
    let drained = |intent: SyncIntent| intent.at_ms + limits::CALL_DEADLINE_MS + limits::CALL_DRAIN_MS;
    let until_ms = object.doubt_until_ms.max(pending.map_or(0, drained));
    // Wanted: the same name is sent again at once. Not wanted: giving up waits until nothing can land any more.
    object.doubt_until_ms = if now >= until_ms { 0 } else { until_ms };
    object.due_ms = now;
}

fn again(object: &mut Synced, (now, delay_ms): (u64, u64), message: &str, retry_after_ms: Option<u64>) {
    let asked_ms = retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
    object.due_ms = now + delay_ms.max(asked_ms);
    object.tries = object.tries.saturating_add(1);
    object.message = message.to_owned();
    rule::truncate(&mut object.message);
}

fn unknown(object: &mut Synced, intent: SyncIntent, at: (u64, u64), message: &str) {
    if intent.action == SyncAction::Create {
        object.doubt_until_ms = object.doubt_until_ms.max(at.0 + limits::CALL_DRAIN_MS);
    }
    again(object, at, message, None);
    object.pending = Some(SyncIntent { unknown: true, ..intent });
}
