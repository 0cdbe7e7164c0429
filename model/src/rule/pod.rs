//! `v1 Pod`: <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/>

use super::Verdict;
use super::diagnosis::words;
use crate::limits::DIAGNOSIS_MESSAGE_BYTES_MAX;
use crate::record::{Condition, PodSeen, Seen};
use crate::time;
use serde_json::Value;

/// How much a Pod has to do with why its attempt does not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// It runs, or ended well.
    #[default]
    Fine,
    /// It runs, and was started again before.
    Restarted,
    /// It begins, and does not say what it waits for: its Events may.
    Begins,
    /// It ended badly.
    Failed,
    /// It does not get on, and says why.
    Stuck,
}

/// One Pod and what to make of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// How grave it is.
    pub gravity: Gravity,
    /// Its UID, to find its Events by.
    pub uid: String,
    /// When it was made, or ended if it did, as the cluster writes times: they order as text.
    pub at: String,
    /// What of it is kept.
    pub pod: PodSeen,
}

/// Reads a Pod as a kube-apiserver sends it; `None` if it has no name or UID.
#[must_use]
pub fn examine(pod: &Value) -> Option<Examined> {
    let name = text(pod, "/metadata/name");
    let uid = text(pod, "/metadata/uid");
    if name.is_empty() || uid.is_empty() {
        return None;
    }
    let mut seen = PodSeen {
        name: name.to_owned(),
        node: text(pod, "/spec/nodeName").to_owned(),
        phase: text(pod, "/status/phase").to_owned(),
        ..PodSeen::default()
    };
    let container = worst(pod);
    let mut gravity = whole(pod, &mut seen);
    let tells = |container: &Container<'_>| {
        let says_more = container.gravity == gravity && seen.reason.is_empty();
        container.gravity > gravity || (says_more && gravity > Gravity::Fine)
    };
    if let Some(container) = container.filter(tells) {
        gravity = container.gravity;
        tell(&mut seen, &container);
    } else if let Some(ended) = container.and_then(|container| container.ended) {
        // Of a Pod that was evicted or lost, how its container ended is still worth telling.
        (seen.exit_code, seen.signal) = (number(ended, "/exitCode"), number(ended, "/signal"));
    }
    if seen.phase == "Failed" {
        gravity = gravity.max(Gravity::Failed);
    }
    crate::rule::truncate_to(&mut seen.message, DIAGNOSIS_MESSAGE_BYTES_MAX);
    crate::rule::truncate_to(&mut seen.reason, REASON_BYTES_MAX);
    let at = container.and_then(|container| container.ended).map_or("", |ended| text(ended, "/finishedAt"));
    let at = if at.is_empty() { text(pod, "/metadata/creationTimestamp") } else { at };
    Some(Examined { gravity, uid: uid.to_owned(), at: at.to_owned(), pod: seen })
}

/// A Pod as a main object. It has ended only with phase `Succeeded` or `Failed`.
pub(super) fn judge(pod: &Value) -> (Seen, Verdict) {
    let phase = text(pod, "/status/phase");
    let is = |one: &str| u32::from(phase == one);
    let mut seen = Seen {
        active: is("Running") + is("Unknown"),
        waiting: is("Pending"),
        succeeded: is("Succeeded"),
        failed: is("Failed"),
        started_ms: time::parse(text(pod, "/status/startTime")),
        ..Seen::default()
    };
    let examined = examine(pod).unwrap_or_default();
    if examined.gravity > Gravity::Restarted {
        seen.message = words(&examined.pod);
    }
    let ended_ms = || time::parse(&examined.at);
    let verdict = match phase {
        "Succeeded" => {
            (seen.condition, seen.finished_ms) = (Some(Condition::Complete), ended_ms());
            Verdict::Succeeded
        }
        "Failed" => {
            (seen.condition, seen.finished_ms) = (Some(Condition::Failed), ended_ms());
            Verdict::Failed
        }
        "Running" | "Unknown" => Verdict::Running,
        _ => {
            if seen.message.is_empty() {
                "no node runs it yet".clone_into(&mut seen.message);
            }
            Verdict::Pending
        }
    };
    (seen, verdict)
}

/// Reasons are one word.
const REASON_BYTES_MAX: usize = 64;

/// What the Pod says of itself as a whole.
fn whole(pod: &Value, seen: &mut PodSeen) -> Gravity {
    let status = |field: &str| text(pod, &format!("/status/{field}"));
    let says = |seen: &mut PodSeen, reason: &str, message: &str| {
        (seen.reason, seen.message) = (reason.to_owned(), message.to_owned());
    };
    let ends = condition(pod, "DisruptionTarget").filter(|condition| text(condition, "/status") == "True");
    match (status("phase"), status("reason")) {
        // Evicted, NodeLost, DeadlineExceeded, UnexpectedAdmissionError.
        ("Failed", reason) if !reason.is_empty() => {
            says(seen, reason, status("message"));
            Gravity::Failed
        }
        (phase, _) if ends.is_some() && phase != "Succeeded" => {
            let ends = ends.unwrap_or(&Value::Null);
            says(seen, text(ends, "/reason"), text(ends, "/message"));
            Gravity::Stuck
        }
        // How a container ended says more.
        ("Failed", _) => {
            says(seen, "Failed", "");
            Gravity::Begins
        }
        (_, reason @ "NodeLost") => {
            says(seen, reason, status("message"));
            Gravity::Stuck
        }
        ("Unknown", _) => {
            says(seen, "Unknown", "its node does not say how it is");
            Gravity::Stuck
        }
        ("Pending", _) => match condition(pod, "PodScheduled") {
            Some(condition) if text(condition, "/status") == "False" => {
                says(seen, text(condition, "/reason"), text(condition, "/message"));
                Gravity::Stuck
            }
            _ => Gravity::Begins,
        },
        _ => Gravity::Fine,
    }
}

/// A container that is not as it should be.
#[derive(Clone, Copy)]
struct Container<'a> {
    gravity: Gravity,
    status: &'a Value,
    /// How it ended last.
    ended: Option<&'a Value>,
}

fn worst(pod: &Value) -> Option<Container<'_>> {
    let of = |list: &str| pod.pointer(list).and_then(Value::as_array).into_iter().flatten();
    let all = of("/status/initContainerStatuses").chain(of("/status/containerStatuses"));
    all.map(container).reduce(|worst, next| if next.gravity > worst.gravity { next } else { worst })
}

fn container(status: &Value) -> Container<'_> {
    let ended = ["/state/terminated", "/lastState/terminated"].iter().find_map(|at| status.pointer(at));
    let failed = |at: &str| {
        status.pointer(at).is_some_and(|ended| number(ended, "/exitCode").is_none_or(|code| code != 0))
    };
    let gravity = match text(status, "/state/waiting/reason") {
        "ContainerCreating" | "PodInitializing" => Gravity::Begins,
        "" if status.pointer("/state/waiting").is_some() => Gravity::Begins,
        "" if failed("/state/terminated") => Gravity::Failed,
        "" if is_unready(status) => Gravity::Begins,
        "" if restarts(status) > 0 && failed("/lastState/terminated") => Gravity::Restarted,
        "" => Gravity::Fine,
        _ => Gravity::Stuck,
    };
    Container { gravity, status, ended }
}

/// Takes over what is wrong with a container.
fn tell(seen: &mut PodSeen, container: &Container<'_>) {
    let status = container.status;
    text(status, "/name").clone_into(&mut seen.container);
    seen.restarts = restarts(status);
    if let Some(ended) = container.ended {
        (seen.exit_code, seen.signal) = (number(ended, "/exitCode"), number(ended, "/signal"));
        text(ended, "/reason").clone_into(&mut seen.reason);
        text(ended, "/message").clone_into(&mut seen.message);
    }
    let waiting = text(status, "/state/waiting/reason");
    if waiting.is_empty() {
        if is_unready(status) {
            "NotReady".clone_into(&mut seen.reason);
        }
        return;
    }
    let why = match (seen.exit_code, seen.reason.as_str()) {
        // The reason of how it ended is the better half of why it is not started again.
        (Some(_), reason @ "OOMKilled") => format!("it was ended last by {reason}; "),
        _ => String::new(),
    };
    seen.message = format!("{why}{}", text(status, "/state/waiting/message"));
    let image = text(status, "/image");
    if waiting.contains("Image") && !image.is_empty() && !seen.message.contains(image) {
        seen.message = format!("{image}: {}", seen.message);
    }
    waiting.clone_into(&mut seen.reason);
}

/// It runs, and is not ready yet or any more.
fn is_unready(status: &Value) -> bool {
    status.pointer("/state/running").is_some() && status.get("ready") == Some(&Value::Bool(false))
}

fn restarts(status: &Value) -> u32 {
    let restarts = status.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
    u32::try_from(restarts).unwrap_or(u32::MAX)
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = pod.pointer("/status/conditions")?.as_array()?;
    all.iter().find(|condition| text(condition, "/type") == kind)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> Option<i32> {
    i32::try_from(value.pointer(pointer)?.as_i64()?).ok()
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
