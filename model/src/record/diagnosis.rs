//! Why an attempt does not run, or why it failed, as far as its Pods and the events of its cluster say.

use super::{AttemptPhase, Object, ObjectState, Runnable, Seen};
use crate::limits::{
    DIAGNOSIS_AFTER_MS, DIAGNOSIS_CHANGED_DELAY_MS_MAX, DIAGNOSIS_DELAY_MS_MAX, DIAGNOSIS_DELAY_MS_MIN,
};
use serde::{Deserialize, Serialize};

/// One Pod that does not do what it should.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSeen {
    /// Its name.
    pub name: String,
    /// The node that it is on; empty: none yet.
    pub node: String,
    /// As its own status has it.
    pub phase: String,
    /// In one word.
    pub reason: String,
    /// In the words of the cluster.
    pub message: String,
    /// The container that is meant; empty: the Pod as a whole.
    pub container: String,
    /// How that container ended last.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How often it was started again.
    pub restarts: u32,
}

/// What a look at an attempt's Pods and Events found. Every text is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// In one word; empty: nothing is wrong.
    pub reason: String,
    /// In words.
    pub message: String,
    /// The Pods that it is about, the gravest first, at most
    /// [`DIAGNOSIS_PODS_MAX`](crate::limits::DIAGNOSIS_PODS_MAX).
    pub pods: Vec<PodSeen>,
}

/// The last finding of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// When it was committed, ms since 1970.
    pub at_ms: u64,
    /// How many looks before it had found the same.
    pub repeats: u32,
    /// What was found.
    pub finding: Finding,
}

impl Diagnosis {
    /// How long what it says is believed if nothing is seen to change: longer, the more often it was found.
    fn holds_ms(&self) -> u64 {
        (DIAGNOSIS_DELAY_MS_MIN << self.repeats.min(16)).min(DIAGNOSIS_DELAY_MS_MAX)
    }
}

impl Runnable {
    /// From when it is worth looking why the attempt of `object` does not run, or why it failed, ms since 1970. `None`
    /// while nothing is wrong with it.
    #[must_use]
    pub fn diagnosis_due_ms(&self, object: &Object) -> Option<u64> {
        let attempt = self.attempts.iter().find(|attempt| attempt.number == object.attempt)?;
        let seen =
            object.seen.as_ref().filter(|_| self.is_main(object) && object.state == ObjectState::Live)?;
        let last = attempt.diagnosis.as_deref();
        if attempt.phase == AttemptPhase::Failed {
            // Once more, as long as its Pods are there.
            return attempt.finished_ms.filter(|ended| last.is_none_or(|last| last.at_ms < *ended));
        }
        let since_ms = attempt.waits_since_ms.filter(|_| !attempt.phase.is_terminal())?;
        let is_left_to_run = !seen.is_deleting() && self.ending.is_none();
        is_left_to_run.then(|| again_ms(since_ms, seen, last))
    }

    /// Why it does not run, or why it failed; `None` when nothing is known to be wrong.
    #[must_use]
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        let found = self.attempt()?.diagnosis.as_deref()?;
        (!found.finding.reason.is_empty()).then_some(found)
    }

    /// Why it is where it is, in one word: its own reason, or what is wrong with its Pods; empty if nothing is to be
    /// explained.
    #[must_use]
    pub fn reason_word(&self) -> &str {
        match (self.reason.as_str(), self.diagnosis()) {
            ("", Some(found)) if !self.phase.is_terminal() => &found.finding.reason,
            (reason, _) => reason,
        }
    }
}

/// What begins at once is left alone. What its cluster has said something of since the last look is looked at again
/// sooner than what stays as it is: the reason may be another one.
fn again_ms(since_ms: u64, seen: &Seen, last: Option<&Diagnosis>) -> u64 {
    let settled_ms = since_ms + DIAGNOSIS_AFTER_MS;
    match last {
        None => settled_ms,
        Some(last) if since_ms > last.at_ms => settled_ms.max(last.at_ms + DIAGNOSIS_DELAY_MS_MIN),
        Some(last) if seen.at_ms > last.at_ms => {
            last.at_ms + last.holds_ms().min(DIAGNOSIS_CHANGED_DELAY_MS_MAX)
        }
        Some(last) => last.at_ms + last.holds_ms(),
    }
}
