//! What became of a run, told from the ledger: one step for each change of its phase.

use crate::client::text;
use serde_json::Value;
use tallyman_model::ledger::{LedgerRecord, Subject};
use tallyman_model::record::Kind;
use tallyman_model::{Phase, Reason};

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// When it was committed, ms since 1970 on the leader's clock.
    pub(crate) at_ms: u64,
    /// What: a phase in small letters, or the verb of a command that changed no phase.
    pub(crate) word: String,
    /// The phase did change.
    pub(crate) is_phase: bool,
    /// The run's revision after it.
    pub(crate) revision: u64,
    /// More about it, in words.
    pub(crate) words: String,
}

/// The steps of the run of this UID, from ledger records about it, oldest first. `run` is its document as it is now,
/// or null if it is gone.
pub(crate) fn steps(uid: &str, run: &Value, records: &[LedgerRecord]) -> Vec<Step> {
    let mut told = Told { run, phase: String::new(), attempt: 0 };
    records.iter().filter_map(|record| told.step(record, subject(record, uid)?)).collect()
}

fn subject<'a>(record: &'a LedgerRecord, uid: &str) -> Option<&'a Subject> {
    record.subjects.iter().find(|subject| subject.uid == uid)
}

struct Told<'a> {
    run: &'a Value,
    phase: String,
    attempt: usize,
}

impl Told<'_> {
    fn step(&mut self, record: &LedgerRecord, subject: &Subject) -> Option<Step> {
        let is_phase = subject.phase != self.phase;
        if is_phase {
            self.phase.clone_from(&subject.phase);
            self.attempt += usize::from(subject.phase == Phase::Placed.as_str());
        }
        let (word, words) = if record.verb == "approve" {
            (decided(&subject.reason).to_owned(), format!("by {}: {}", record.user, record.detail))
        } else if is_phase {
            (word(&subject.phase), self.words(record, subject))
        } else {
            (record.verb.clone(), record.detail.clone())
        };
        let is_phase = is_phase || record.verb == "approve";
        Some(Step { at_ms: record.at_ms, word, is_phase, revision: subject.revision, words })
    }

    fn words(&self, record: &LedgerRecord, subject: &Subject) -> String {
        let attempt =
            self.attempt.checked_sub(1).and_then(|i| self.run.pointer(&format!("/status/attempts/{i}")));
        match Phase::parse(&subject.phase) {
            Some(Phase::Held) => format!("by {}: {}", record.user, subject.message),
            Some(Phase::Accepted) if self.attempt == 0 => {
                format!("by {}; led by {}", record.user, record.leader)
            }
            Some(Phase::Accepted) => format!("again, by {}", record.user),
            Some(Phase::Placed) => {
                placed(attempt.map_or("", |attempt| text(attempt, "/cluster")), &record.detail)
            }
            Some(Phase::Sent) => "intent committed first".to_owned(),
            Some(Phase::Pending) => attempt.and_then(main_uid).unwrap_or_else(|| record.detail.clone()),
            Some(Phase::Succeeded) => self.of_attempts(),
            Some(Phase::Stopping) if record.detail.is_empty() => format!("asked by {}", record.user),
            Some(Phase::Stopping) => format!("asked by {}: {}", record.user, record.detail),
            Some(Phase::Failed | Phase::Cancelled) => {
                // As it was then: the run may have been retried since.
                match [&subject.message, &subject.reason].into_iter().find(|why| !why.is_empty()) {
                    Some(why) => format!("{}; {why}", self.of_attempts()),
                    None => self.of_attempts(),
                }
            }
            _ => String::new(),
        }
    }

    fn of_attempts(&self) -> String {
        let max = self.run.pointer("/spec/attempts/max").and_then(Value::as_u64).unwrap_or(1);
        format!("attempt {} of {}", self.attempt, max.max(self.attempt as u64))
    }
}

/// A person's decision on a held run, from the reason that it left.
fn decided(reason: &str) -> &'static str {
    if reason == Reason::Rejected.as_str() { "rejected" } else { "approved" }
}

/// A phase as a step is called.
fn word(phase: &str) -> String {
    if phase == Phase::Pending.as_str() { "created".to_owned() } else { phase.to_ascii_lowercase() }
}

fn placed(cluster: &str, why: &str) -> String {
    match (cluster, why) {
        ("", why) => why.to_owned(),
        (cluster, "") => cluster.to_owned(),
        (cluster, why) => format!("{cluster} ({why})"),
    }
}

/// Kind and UID of an attempt's main object.
fn main_uid(attempt: &Value) -> Option<String> {
    let objects = attempt.get("objects")?.as_array()?;
    let is_main = |object: &&Value| {
        Kind::ALL.iter().any(|kind| kind.completes() && kind.as_str() == text(object, "/kind"))
    };
    let object = objects.iter().find(is_main)?;
    Some(format!("{} uid {}", text(object, "/kind"), text(object, "/uid")))
        .filter(|_| !text(object, "/uid").is_empty())
}

impl Step {
    /// One line, with the time since `start_ms`.
    pub(crate) fn line(&self, start_ms: u64, screen: crate::screen::Screen) -> String {
        let seconds = self.at_ms.saturating_sub(start_ms) as f64 / 1000.0;
        let word = screen.phase(&self.word, 9);
        let line = format!("{seconds:>7.3} s  {word}  rev {:<5} {}", self.revision, self.words);
        let line = line.trim_end();
        if self.is_phase { line.to_owned() } else { screen.dim(line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Screen;
    use serde_json::json;

    fn record(seq: u64, verb: &str, phase: &str, detail: &str) -> LedgerRecord {
        let subject = Subject {
            resource: "runnables".to_owned(),
            namespace: "risk".to_owned(),
            name: "a".to_owned(),
            uid: "u1".to_owned(),
            phase: phase.to_owned(),
            reason: String::new(),
            message: String::new(),
            revision: 10 + seq,
        };
        LedgerRecord {
            seq,
            index: seq,
            term: 1,
            leader: "r1".to_owned(),
            at_ms: 1000 + 4 * seq,
            user: "dev".to_owned(),
            through: String::new(),
            verb: verb.to_owned(),
            detail: detail.to_owned(),
            subjects: vec![subject],
            subjects_count: 1,
            digest: String::new(),
            revision_before: 9 + seq,
            revision: 10 + seq,
        }
    }

    fn run() -> Value {
        json!({"metadata": {"uid": "u1"}, "spec": {"attempts": {"max": 1}}, "status": {"attempts": [{
            "number": 1, "cluster": "east",
            "objects": [{"kind": "ConfigMap", "uid": "c"}, {"kind": "Job", "uid": "7c1e"}]}]}})
    }

    #[test]
    fn a_run_is_told_as_on_the_front_page() {
        let records = [
            record(0, "submit", "Accepted", ""),
            record(1, "place", "Placed", "fewest running of east, west"),
            record(2, "intend", "Sent", "create Job"),
            record(3, "conclude", "Sent", "done"),
            record(4, "conclude", "Pending", "done"),
            record(5, "observe", "Running", "1 of Job"),
            record(6, "observe", "Succeeded", "1 of Job"),
        ];
        let pipe = Screen { is_colourful: false };
        let steps = steps("u1", &run(), &records);
        let told: Vec<String> =
            steps.iter().filter(|step| step.is_phase).map(|step| step.line(1000, pipe)).collect();
        assert_eq!(
            told,
            [
                "  0.000 s  accepted   rev 10    by dev; led by r1",
                "  0.004 s  placed     rev 11    east (fewest running of east, west)",
                "  0.008 s  sent       rev 12    intent committed first",
                "  0.016 s  created    rev 14    Job uid 7c1e",
                "  0.020 s  running    rev 15",
                "  0.024 s  succeeded  rev 16    attempt 1 of 1",
            ]
        );
        assert_eq!(steps.len(), 7);
    }

    #[test]
    fn an_end_is_told_as_it_was_also_after_a_retry() {
        let mut failed = record(1, "observe", "Failed", "");
        failed.subjects[0].message = "the Job failed: exit code 3".to_owned();
        let mut cancelled = record(3, "observe", "Cancelled", "");
        cancelled.subjects[0].reason = "Cancelled".to_owned();
        let records =
            [record(0, "place", "Placed", ""), failed, record(2, "retry", "Accepted", ""), cancelled];
        let mut now = run();
        now["status"]["message"] = json!("waits for east");
        let told: Vec<String> = steps("u1", &now, &records).into_iter().map(|step| step.words).collect();
        assert_eq!(told[1], "attempt 1 of 1; the Job failed: exit code 3");
        assert_eq!(told[3], "attempt 1 of 1; Cancelled");
    }

    #[test]
    fn decisions_are_told_with_who_decided_also_when_they_change_no_phase() {
        let mut held = record(0, "submit", "Held", "");
        held.subjects[0].message = "0 of 2 approvals".to_owned();
        let mut rejected = record(3, "approve", "Failed", "rejected sha256:61; no");
        rejected.subjects[0].reason = "Rejected".to_owned();
        let records = [
            held,
            record(1, "approve", "Held", "approved sha256:61; 1 of 2 approvals"),
            record(2, "approve", "Accepted", "approved sha256:61; 2 of 2 approvals"),
            rejected,
        ];
        let told = steps("u1", &run(), &records);
        assert!(told.iter().all(|step| step.is_phase));
        let words: Vec<_> = told.iter().map(|step| format!("{} {}", step.word, step.words)).collect();
        assert_eq!(words[0], "held by dev: 0 of 2 approvals");
        assert_eq!(words[1], "approved by dev: approved sha256:61; 1 of 2 approvals");
        assert_eq!(words[2], "approved by dev: approved sha256:61; 2 of 2 approvals");
        assert_eq!(words[3], "rejected by dev: rejected sha256:61; no");
    }

    #[test]
    fn records_about_others_tell_nothing() {
        let mut other = record(0, "submit", "Accepted", "");
        other.subjects[0].uid = "u2".to_owned();
        assert_eq!(steps("u1", &run(), &[other]), []);
    }
}
