//! Say why an attempt does not run, or why it failed.
//!
//! Reads and writes the runnable. Refused as `Outdated` when that attempt does not wait for a diagnosis any more, or its
//! main object is another one.

use crate::record::{Diagnosis, Finding, Record};
use crate::{Damaged, Done, Ordinal, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// What was found out about one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnose {
    /// The runnable.
    pub run: Ordinal,
    /// The attempt's number.
    pub attempt: u32,
    /// The UID of its main object when its Pods were read.
    pub uid: String,
    /// What was found.
    pub finding: Finding,
}

impl Diagnose {
    /// The version of the group from which on it may be in the log.
    pub const SINCE: u32 = 3;

    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(mut run) = txn.runnable(self.run)? else {
            return Ok(Err(Refusal::outdated("the runnable is gone")));
        };
        let is_it = run.objects.iter().any(|object| {
            object.attempt == self.attempt
                && object.uid.as_ref() == Some(&self.uid)
                && run.diagnosis_due_ms(object).is_some()
        });
        let attempt = run.attempts.iter_mut().find(|attempt| attempt.number == self.attempt);
        let Some(attempt) = attempt.filter(|_| is_it) else {
            return Ok(Err(Refusal::outdated("the attempt runs, or its object is another one")));
        };
        let same = attempt.diagnosis.as_ref().filter(|last| last.finding == self.finding);
        let repeats = same.map_or(0, |last| last.repeats.saturating_add(1));
        let diagnosis = Diagnosis { at_ms: txn.now_ms(), repeats, finding: self.finding.clone() };
        attempt.diagnosis = Some(Box::new(diagnosis));
        txn.say(match (repeats, self.finding.reason.as_str()) {
            (0, "") => format!("attempt {}: nothing is wrong", self.attempt),
            (0, _) => format!("attempt {}: {}", self.attempt, self.finding.message),
            _ => format!("attempt {}: as before", self.attempt),
        });
        let record = txn.put(Record::Runnable(run))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
