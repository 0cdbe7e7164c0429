//! What became of a run, told from the ledger: one step for each record about it.

use crate::client::text;
use serde_json::Value;
use tallyman_model::ledger::{LedgerRecord, Subject};
use tallyman_model::{Phase, Reason};

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// When it was committed, ms since 1970 on the leader's clock.
    pub(crate) at_ms: u64,
    /// What: a phase in small letters, or what else was done.
    pub(crate) word: String,
    /// The phase did change.
    pub(crate) is_phase: bool,
    /// The run's revision after it.
    pub(crate) revision: u64,
    /// More about it, in words.
    pub(crate) words: String,
    /// Its place among all that there is to tell.
    pub(crate) rank: Rank,
    /// The ledger record's number.
    pub(crate) seq: u64,
    /// Who.
    pub(crate) user: String,
    /// The replica that led, and its term.
    pub(crate) leader: String,
    /// See [`leader`](Self::leader).
    pub(crate) term: u64,
}

/// How much a step matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// What only a search for a fault needs.
    Detail,
    /// A request to a cluster, with its answer.
    Request,
    /// A change of phase, or what a person did.
    Main,
}

/// The steps of the run of this UID, from ledger records about it, oldest first. `run` is its document as it is now,
/// or null if it is gone.
pub(crate) fn steps(uid: &str, run: &Value, records: &[LedgerRecord]) -> Vec<Step> {
    let mut told = Told { run, phase: String::new(), attempt: 0, observed: String::new() };
    let all = records.iter().filter_map(|record| Some((record, subject(record, uid)?)));
    all.flat_map(|(record, subject)| told.steps(record, subject)).collect()
}

fn subject<'a>(record: &'a LedgerRecord, uid: &str) -> Option<&'a Subject> {
    record.subjects.iter().find(|subject| subject.uid == uid)
}

struct Told<'a> {
    run: &'a Value,
    phase: String,
    attempt: usize,
    /// The object of which it was told that it was observed.
    observed: String,
}

impl Told<'_> {
    /// That a watch told of its object first is a step of its own: behind that it was created, before what it does.
    fn steps(&mut self, record: &LedgerRecord, subject: &Subject) -> Vec<Step> {
        let step = self.step(record, subject);
        let object = subject.observed.split(" at ").next().unwrap_or_default();
        // Two observations of one millisecond both say it.
        if object.is_empty() || object == self.observed {
            return vec![step];
        }
        object.clone_into(&mut self.observed);
        let observed = Step {
            word: "observed".to_owned(),
            is_phase: false,
            words: format!("its watch told of it: {}", subject.observed),
            rank: Rank::Request,
            ..step.clone()
        };
        match step.is_phase {
            true if subject.phase == Phase::Pending.as_str() => vec![step, observed],
            true => vec![observed, step],
            false => vec![observed],
        }
    }

    fn step(&mut self, record: &LedgerRecord, subject: &Subject) -> Step {
        let is_phase = subject.phase != self.phase;
        if is_phase {
            self.phase.clone_from(&subject.phase);
            self.attempt += usize::from(subject.phase == Phase::Placed.as_str());
        }
        let (word, words, rank) = match (record.verb.as_str(), is_phase) {
            ("approve", _) => {
                let words = format!("by {}: {}", record.user, record.detail);
                (decided(&subject.reason).to_owned(), words, Rank::Main)
            }
            _ if subject.removed => ("removed".to_owned(), removed(record), Rank::Main),
            (_, true) => (word(&subject.phase), self.words(record, subject), Rank::Main),
            ("observe" | "sweep", _) => ("seen".to_owned(), subject.seen.clone(), Rank::Detail),
            ("intend", _) => ("request".to_owned(), record.detail.clone(), Rank::Detail),
            ("conclude", _) => ("answer".to_owned(), record.detail.clone(), Rank::Request),
            ("expire", _) => ("expire".to_owned(), expired(subject), Rank::Main),
            ("diagnose", _) => ("why".to_owned(), record.detail.clone(), Rank::Request),
            ("place", _) => ("waits".to_owned(), record.detail.clone(), Rank::Request),
            (verb, _) => (verb.to_owned(), record.detail.clone(), Rank::Main),
        };
        Step {
            at_ms: record.at_ms,
            word,
            is_phase: is_phase || record.verb == "approve",
            revision: subject.revision,
            words,
            rank,
            seq: record.seq,
            user: match record.through.as_str() {
                "" => record.user.clone(),
                through => format!("{} (through {through})", record.user),
            },
            leader: record.leader.clone(),
            term: record.term,
        }
    }

    fn words(&self, record: &LedgerRecord, subject: &Subject) -> String {
        let attempt =
            self.attempt.checked_sub(1).and_then(|i| self.run.pointer(&format!("/status/attempts/{i}")));
        match Phase::parse(&subject.phase) {
            Some(Phase::Held) => format!("by {}: {}", record.user, subject.message),
            Some(Phase::Accepted) if self.attempt == 0 => {
                format!("by {}; led by {}", record.user, record.leader)
            }
            Some(Phase::Accepted) if record.verb == "retry" => {
                joined(&format!("again, by {}", record.user), &record.detail)
            }
            Some(Phase::Accepted) => joined("again", &subject.message),
            Some(Phase::Placed) => record.detail.clone(),
            Some(Phase::Sent) => "intent committed first".to_owned(),
            Some(Phase::Pending) => attempt
                .and_then(|attempt| main_uid(self.run, attempt))
                .unwrap_or_else(|| record.detail.clone()),
            Some(Phase::Running) => subject.seen.clone(),
            Some(Phase::Succeeded) => self.of_attempts(),
            Some(Phase::Stopping) => match record.verb.as_str() {
                "expire" => subject.message.clone(),
                _ => joined(&format!("asked by {}", record.user), &record.detail),
            },
            Some(Phase::Failed | Phase::Cancelled) => {
                // As it was then: the run may have been retried since.
                match [&subject.message, &subject.reason].into_iter().find(|why| !why.is_empty()) {
                    Some(why) => format!("{}; {why}", self.of_attempts()),
                    None => self.of_attempts(),
                }
            }
            _ => record.detail.clone(),
        }
    }

    fn of_attempts(&self) -> String {
        let max = self.run.pointer("/spec/attempts/max").and_then(Value::as_u64);
        match max {
            Some(max) => format!("attempt {} of {}", self.attempt, max.max(self.attempt as u64)),
            None => format!("attempt {}", self.attempt),
        }
    }
}

fn joined(what: &str, why: &str) -> String {
    if why.is_empty() { what.to_owned() } else { format!("{what}: {why}") }
}

/// Records leave by being deleted, or because they were kept long enough.
fn removed(record: &LedgerRecord) -> String {
    match record.verb.as_str() {
        "expire" => "its record was kept long enough".to_owned(),
        _ => joined("its record left the inventory", &record.detail),
    }
}

fn expired(subject: &Subject) -> String {
    match Phase::parse(&subject.phase).is_some_and(Phase::is_terminal) {
        true => "ttlAfterFinished has passed: its objects are to be removed".to_owned(),
        false => joined("a deadline has passed", &subject.message),
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

/// Kind and UID of an attempt's main object: that of attempt n > 1 has its number behind its name.
fn main_uid(run: &Value, attempt: &Value) -> Option<String> {
    let objects = attempt.get("objects")?.as_array()?;
    let (kind, name) = (text(run, "/spec/main/kind"), text(run, "/spec/main/name"));
    let of_attempt = format!("{name}-a{}", attempt.get("number")?.as_u64()?);
    let is_main = |object: &&Value| {
        text(object, "/kind") == kind && [name, of_attempt.as_str()].contains(&text(object, "/name"))
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
#[path = "timeline/tests.rs"]
mod tests;
