//! Waiting for runnables: what can be waited for, and when it is reached or cannot be reached any more.

use crate::client::{Client, text};
use crate::exit::{Exit, Failure};
use crate::follow::{Change, Follow};
use crate::output::or_dash;
use crate::runnable::{conditions, has_ended, message, phase, reference};
use crate::select::Scope;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tallyman_model::Phase;
use tokio::time::{Instant, timeout_at};

/// As good as for ever, and cannot overflow.
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

/// What can be waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// It has ended, well or badly.
    Finished,
    /// It has ended well.
    Succeeded,
    /// Its main object runs, or it has ended.
    Running,
    /// Its main object exists, or it has ended.
    Created,
    /// Its record is gone.
    Deleted,
    /// A condition has a status.
    Condition { kind: String, status: String },
}

/// What a state means for whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Waits,
    Reached,
    /// It has ended, and what is waited for will not come.
    Ended,
    /// It is gone, and was not waited to be.
    Gone,
}

impl For {
    /// Reads `Finished`, `condition=Placed` or `condition=Placed=False`.
    ///
    /// # Errors
    /// Nothing that can be waited for.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "finished" => return Ok(Self::Finished),
            "succeeded" => return Ok(Self::Succeeded),
            "running" => return Ok(Self::Running),
            "created" => return Ok(Self::Created),
            "deleted" | "delete" | "gone" => return Ok(Self::Deleted),
            _ => {}
        }
        let condition = text.split_once('=').filter(|(word, _)| *word == "condition");
        let Some((_, condition)) = condition.filter(|(_, condition)| !condition.is_empty()) else {
            let all =
                "Finished, Succeeded, Running, Created, deleted, condition=NAME and condition=NAME=STATUS";
            return Err(format!("it is one of {all}"));
        };
        let (kind, status) = condition.split_once('=').unwrap_or((condition, "True"));
        let known = |all: &[&'static str], word: &str| {
            let found = all.iter().copied().find(|one| one.eq_ignore_ascii_case(word)).map(str::to_owned);
            found.ok_or_else(|| format!("{word:?} is none of {}", all.join(", ")))
        };
        Ok(Self::Condition {
            kind: known(&tallyman_api::CONDITIONS, kind)?,
            status: known(&["True", "False", "Unknown"], status)?,
        })
    }

    fn judge(&self, run: &Value) -> Judged {
        let phase = phase(run);
        let is = |reached: bool| if reached { Judged::Reached } else { Judged::Waits };
        match (self, phase) {
            (For::Deleted, _) => Judged::Waits,
            (For::Condition { kind, status }, _) => {
                let is_it = |condition: &Value| {
                    text(condition, "/type").eq_ignore_ascii_case(kind)
                        && text(condition, "/status").eq_ignore_ascii_case(status)
                };
                match conditions(run).any(is_it) {
                    false if has_ended(run) => Judged::Ended,
                    reached => is(reached),
                }
            }
            (_, Some(Phase::Succeeded)) => Judged::Reached,
            (_, Some(phase)) if phase.is_terminal() => Judged::Ended,
            (For::Running, Some(phase)) => is(phase == Phase::Running),
            (For::Created, Some(phase)) => {
                is(!matches!(phase, Phase::Held | Phase::Accepted | Phase::Placed | Phase::Sent))
            }
            _ => Judged::Waits,
        }
    }
}

impl std::fmt::Display for For {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            For::Finished => f.write_str("Finished"),
            For::Succeeded => f.write_str("Succeeded"),
            For::Running => f.write_str("Running"),
            For::Created => f.write_str("Created"),
            For::Deleted => f.write_str("deleted"),
            For::Condition { kind, status } => write!(f, "condition={kind}={status}"),
        }
    }
}

/// What became of one runnable that was waited for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waited {
    /// `NS/NAME`.
    pub(crate) reference: String,
    /// Its last known state; null if there is none.
    pub(crate) run: Value,
    /// Why it is not as it was waited for.
    pub(crate) failure: Option<Failure>,
}

/// Waits for all in `scope` until each is as wanted, cannot be any more, or the time is over; `each` hears of every
/// one as soon as it is known. What is selected is what there is at the beginning.
///
/// # Errors
/// Refused, or no server answers any more: then nothing more is known of those that were not heard of.
pub(crate) async fn wait(
    client: &Client,
    scope: Scope,
    until: &For,
    limit: Option<Duration>,
    mut each: impl FnMut(Waited),
) -> Result<(), Failure> {
    let deadline = Instant::now() + limit.unwrap_or(YEAR).min(YEAR);
    let started = timeout_at(deadline, Follow::start(client, scope)).await;
    let (mut follow, begun) = started.unwrap_or_else(|_| {
        let message = "the time to wait is over, and no server has answered";
        Err(Failure::new(Exit::Unavailable, message, "give it more time: --timeout"))
    })?;
    for (namespace, name) in begun.missing {
        let reference = format!("{namespace}/{name}");
        let failure = (*until != For::Deleted).then(|| missing(&reference));
        each(Waited { reference, run: Value::Null, failure });
    }
    let mut open: BTreeMap<String, Value> =
        begun.runs.into_iter().map(|run| (reference(&run), run)).collect();
    open.retain(|_, run| !settled(until, run, until.judge(run), &mut each));
    while !open.is_empty() {
        let Ok(change) = timeout_at(deadline, follow.next()).await else { break };
        let (run, is_gone) = match change? {
            Change::Added(run) | Change::Modified(run) => (run, false),
            Change::Deleted(run) => (run, true),
            Change::Gap => continue,
        };
        let Some(known) = open.get_mut(&reference(&run)) else { continue };
        // Another one under its name means that the one that was waited for is gone.
        let is_other = text(known, "/metadata/uid") != text(&run, "/metadata/uid");
        let judged = match is_gone || is_other {
            true if *until == For::Deleted => Judged::Reached,
            true => Judged::Gone,
            false => {
                *known = run;
                until.judge(known)
            }
        };
        let key = reference(known);
        if settled(until, known, judged, &mut each) {
            open.remove(&key);
        }
    }
    for (reference, run) in open {
        let failure = Some(still(&reference, &run, until));
        each(Waited { reference, run, failure });
    }
    Ok(())
}

fn settled(until: &For, run: &Value, judged: Judged, each: &mut impl FnMut(Waited)) -> bool {
    let reference = reference(run);
    let failure = match judged {
        Judged::Waits => return false,
        Judged::Reached => None,
        Judged::Ended => Some(ended(&reference, run, until)),
        Judged::Gone => Some(gone(&reference)),
    };
    each(Waited { reference, run: run.clone(), failure });
    true
}

/// Waits for one.
///
/// # Errors
/// It is not as wanted, or no server answers.
pub(crate) async fn wait_one(
    client: &Client,
    reference: (&str, &str),
    until: &For,
    limit: Option<Duration>,
) -> Result<Value, Failure> {
    let scope = Scope::Named(vec![(reference.0.to_owned(), reference.1.to_owned())]);
    let mut waited = None;
    wait(client, scope, until, limit, |one| waited = Some(one)).await?;
    match waited {
        Some(Waited { failure: Some(failure), .. }) => Err(failure),
        Some(Waited { run, .. }) => Ok(run),
        None => Ok(Value::Null),
    }
}

fn missing(reference: &str) -> Failure {
    let message = format!("runnable {reference} not found");
    let attempt = format!("tallyman list -A; tallyman history {reference} tells of one that is gone");
    Failure::new(Exit::NotFound, message, attempt)
}

fn gone(reference: &str) -> Failure {
    let message = format!("{reference} was deleted while it was waited for");
    Failure::new(Exit::NotFound, message, format!("tallyman history {reference}"))
}

fn ended(reference: &str, run: &Value, until: &For) -> Failure {
    let phase = phase(run).map_or("", Phase::as_str);
    let mut message = format!("{reference} ended {phase}: {}", or_dash(&message(run)));
    if let For::Condition { .. } = until {
        message = format!("{message} ({until} was not reached)");
    }
    let attempt = match phase {
        "Succeeded" => format!("tallyman get {reference} -o yaml"),
        _ => format!("tallyman history {reference}; tallyman retry {reference}"),
    };
    Failure::new(Exit::Unsuccessful, message, attempt)
}

fn still(reference: &str, run: &Value, until: &For) -> Failure {
    let phase = text(run, "/status/phase");
    let why = message(run);
    let why = if why.is_empty() { why } else { format!(": {why}") };
    let goes_on = if has_ended(run) { "its record is still there" } else { "the run goes on" };
    let message = format!("{reference} is {phase}{why}; the time to wait is over, {goes_on}");
    Failure::new(Exit::Unknown, message, format!("tallyman wait {reference} --for={until}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn run(phase: &str) -> Value {
        let finished = if matches!(phase, "Succeeded" | "Failed" | "Cancelled") { "True" } else { "False" };
        json!({"status": {"phase": phase, "conditions": [
            {"type": "Finished", "status": finished}, {"type": "Placed", "status": "False"}]}})
    }

    fn judge(until: &str, phase: &str) -> Judged {
        For::parse(until).unwrap().judge(&run(phase))
    }

    #[test]
    fn an_end_settles_every_wait_but_the_one_for_a_removal() {
        for until in ["Finished", "succeeded", "Running", "created"] {
            assert_eq!(judge(until, "Succeeded"), Judged::Reached, "{until}");
            assert_eq!(judge(until, "Failed"), Judged::Ended, "{until}");
            assert_eq!(judge(until, "Cancelled"), Judged::Ended, "{until}");
            assert_eq!(judge(until, "Sent"), Judged::Waits, "{until}");
            assert_eq!(judge("deleted", "Failed"), Judged::Waits);
        }
        assert_eq!(judge("Created", "Pending"), Judged::Reached);
        assert_eq!(judge("Running", "Pending"), Judged::Waits);
        assert_eq!(judge("Running", "Running"), Judged::Reached);
    }

    #[test]
    fn a_condition_is_reached_with_its_status_and_not_reachable_after_the_end() {
        assert_eq!(judge("condition=Finished", "Failed"), Judged::Reached);
        assert_eq!(judge("condition=placed=false", "Running"), Judged::Reached);
        assert_eq!(judge("condition=Placed", "Running"), Judged::Waits);
        assert_eq!(judge("condition=Placed", "Cancelled"), Judged::Ended);
        for wrong in ["", "done", "condition=", "condition", "condition=Placed=Maybe"] {
            assert!(For::parse(wrong).is_err(), "{wrong}");
        }
        let unknown = For::parse("condition=Nope").unwrap_err();
        assert!(unknown.starts_with("\"Nope\" is none of Accepted, Approved, Placed,"), "{unknown}");
    }

    #[test]
    fn what_is_waited_for_reads_back_as_it_is_written() {
        for text in ["Finished", "Succeeded", "Running", "Created", "deleted", "condition=Placed=False"] {
            assert_eq!(For::parse(text).unwrap().to_string(), text);
        }
    }
}
