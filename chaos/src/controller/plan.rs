//! How a Pod is to run, as annotations ask.

use crate::kind::Kind;
use crate::object::Object;
use crate::{clock, meta};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long a Pod runs: `1500ms`, `3s` (default `1s`), `2m`, `1m30s`. On a Job, a Workflow, a template of these, or a Pod.
pub const RUN_FOR: &str = "simulate.tallyman.dev/run-for";
/// How a Pod ends: `succeed` (the default) or `fail`. On a Job, a Workflow, a template of these, or a Pod.
pub const OUTCOME: &str = "simulate.tallyman.dev/outcome";
/// How long a Pod takes to start (default `50ms`). On a Job, a Workflow, a workload, a template of these, or a Pod.
pub const START_AFTER: &str = "simulate.tallyman.dev/start-after";

/// What is wrong with a Pod: `Unschedulable`, `ImagePullBackOff`, `CreateContainerConfigError`, `CrashLoopBackOff` or
/// `FailedMount` for as long as the Pod has it, `OOMKilled` at its end. On a Job, a Workflow, a template of these, or a
/// Pod; `FailedCreate` on a Job: its Pods are refused for as long as it has it. On the template of a Deployment, a
/// StatefulSet or a DaemonSet any of these keeps its new Pods from being ready; on the workload itself all of its Pods,
/// and `FailedCreate` has them refused.
pub const POD_REASON: &str = "simulate.tallyman.dev/pod-reason";

pub(super) const ANNOTATIONS: [&str; 4] = [RUN_FOR, OUTCOME, START_AFTER, POD_REASON];

/// What the annotations of a Pod say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) start_after: Duration,
    /// None: until it is deleted.
    pub(super) run_for: Option<Duration>,
    pub(super) succeeds: bool,
}

impl Plan {
    /// Reads a plan; an annotation that cannot be read counts as absent. A Pod that is always to be restarted
    /// ends only if it is asked to.
    pub(super) fn of(pod: &Value) -> Self {
        let asked = |name| meta::annotation(pod, name).and_then(duration);
        let is_endless = meta::text(pod, "/spec/restartPolicy") == "Always";
        let run_for = if is_endless { None } else { Some(Duration::from_secs(1)) };
        Self {
            start_after: asked(START_AFTER).unwrap_or(Duration::from_millis(50)),
            run_for: asked(RUN_FOR).or(run_for),
            succeeds: meta::annotation(pod, OUTCOME) != Some("fail") && !is_killed(pod),
        }
    }
}

/// Whether the Pod is ended for using more memory than it may.
pub(super) fn is_killed(pod: &Value) -> bool {
    meta::annotation(pod, POD_REASON) == Some("OOMKilled")
}

/// A duration as Go writes it, without fractions: `1h`, `2m`, `3s`, `4ms`, and sums of them.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(letters);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        total += Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(unit_ms)?);
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// When Pods entered their phases, and workloads got their last Pods, more exactly than their timestamps say; each for
/// one uid.
#[derive(Debug, Default)]
pub(super) struct Clocks(BTreeMap<(Kind, String), (String, Instant)>);

impl Clocks {
    /// When that was; after a restart of the cluster its `timestamp` has to do.
    pub(super) fn entered(&mut self, of: &Object, timestamp: &str) -> Instant {
        if let Some((uid, at)) = self.0.get(&place(of))
            && *uid == of.uid
        {
            return *at;
        }
        let passed = clock::since(timestamp);
        // Timestamps are whole seconds, rounded down: less than one means that it is new.
        let passed = if passed < Duration::from_secs(1) { Duration::ZERO } else { passed };
        let now = Instant::now();
        self.enter(of, now.checked_sub(passed).unwrap_or(now))
    }

    /// Notes that it was then.
    pub(super) fn enter(&mut self, of: &Object, at: Instant) -> Instant {
        self.0.insert(place(of), (of.uid.clone(), at));
        at
    }

    /// There is nothing more to enter.
    pub(super) fn forget(&mut self, kind: &Kind, key: &str) {
        self.0.remove(&(kind.clone(), key.to_owned()));
    }
}

fn place(of: &Object) -> (Kind, String) {
    (of.kind.clone(), of.key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(duration("1m30s500ms"), Some(Duration::from_millis(90_500)));
        for bad in ["", "1", "s", "1.5s", "1y", "-1s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_pod_runs_as_its_annotations_ask() {
        let annotations = json!({RUN_FOR: "3s", OUTCOME: "fail", START_AFTER: "x"});
        let plan = Plan::of(&json!({"metadata": {"annotations": annotations}}));
        let expected = Plan {
            start_after: Duration::from_millis(50),
            run_for: Some(Duration::from_secs(3)),
            succeeds: false,
        };
        assert_eq!(plan, expected);
        assert_eq!(Plan::of(&json!({"spec": {"restartPolicy": "Always"}})).run_for, None);
    }
}
