//! The life of a Pod: what scheduler and kubelet do elsewhere.

use super::job::TRACKING;
use super::plan::{self, Clocks, Plan};
use super::trouble::{self, Trouble};
use crate::kind::Kind;
use crate::refusal::Refusal;
use crate::state::State;
use crate::{clock, meta};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Starts and ends a Pod when it is time.
pub(super) fn look_at(state: &mut State, clocks: &mut Clocks, key: &str) -> Result<Option<Instant>, Refusal> {
    let Some(pod) = state.get(&Kind::Pod, key).cloned() else {
        clocks.forget(&Kind::Pod, key);
        return Ok(None);
    };
    let value = pod.value();
    let is_untracked = !pod.owners.iter().any(|uid| state.has_uid(uid));
    if is_untracked && meta::finalizers(&value).contains(&TRACKING) {
        state.edit(&Kind::Pod, key, |value| meta::remove_finalizer(value, TRACKING))?;
        return Ok(None);
    }
    if pod.is_deleting {
        clocks.forget(&Kind::Pod, key);
        return Ok(None);
    }
    let plan = Plan::of(&value);
    match meta::text(&value, "/status/phase") {
        "Pending" | "Running" if Trouble::of(&value).is_some() => {
            clocks.forget(&Kind::Pod, key);
            Trouble::of(&value).map_or(Ok(()), |trouble| trouble.show(state, &pod, &value))?;
            Ok(None)
        }
        "Running" if trouble::is_over(&value) => {
            clocks.enter(&pod, Instant::now());
            state.edit(&Kind::Pod, key, start).map(|()| None)
        }
        "Pending" => {
            let due =
                clocks.entered(&pod, meta::text(&value, "/metadata/creationTimestamp")) + plan.start_after;
            if Instant::now() < due {
                return Ok(Some(due));
            }
            let started = clocks.enter(&pod, Instant::now());
            state.edit(&Kind::Pod, key, start)?;
            Ok(plan.run_for.map(|run_for| started + run_for))
        }
        "Running" => {
            let Some(run_for) = plan.run_for else { return Ok(None) };
            let due = clocks.entered(&pod, meta::text(&value, "/status/startTime")) + run_for;
            if Instant::now() < due {
                return Ok(Some(due));
            }
            clocks.forget(&Kind::Pod, key);
            state.edit(&Kind::Pod, key, |value| end(value, plan.succeeds)).map(|()| None)
        }
        _ => Ok(None),
    }
}

fn start(pod: &mut Value) {
    let now = clock::now();
    let containers = containers(pod, true, &json!({"running": {"startedAt": now}}));
    meta::set(pod, &["spec", "nodeName"], "simulated");
    meta::set(pod, &["status", "phase"], "Running");
    meta::set(pod, &["status", "startTime"], now.as_str());
    meta::set(pod, &["status", "podIP"], "127.0.0.1");
    meta::set(pod, &["status", "containerStatuses"], containers);
    meta::set(pod, &["status", "conditions"], conditions("True", None, &now));
}

fn end(pod: &mut Value, succeeds: bool) {
    let now = clock::now();
    let (phase, reason, code) = match succeeds {
        true => ("Succeeded", "Completed", 0),
        false if plan::is_killed(pod) => ("Failed", "OOMKilled", 137),
        false => ("Failed", "Error", 1),
    };
    let started_at = meta::text(pod, "/status/startTime");
    let ended = json!({"exitCode": code, "reason": reason, "startedAt": started_at, "finishedAt": now});
    let containers = containers(pod, false, &json!({"terminated": ended}));
    let reason = if succeeds { "PodCompleted" } else { "PodFailed" };
    meta::set(pod, &["status", "phase"], phase);
    meta::set(pod, &["status", "containerStatuses"], containers);
    meta::set(pod, &["status", "conditions"], conditions("False", Some(reason), &now));
}

fn containers(pod: &Value, is_ready: bool, state: &Value) -> Vec<Value> {
    let all = pod.pointer("/spec/containers").and_then(Value::as_array);
    let status = |container: &Value| {
        json!({
            "name": meta::text(container, "/name"),
            "image": meta::text(container, "/image"),
            "imageID": "",
            "ready": is_ready,
            "restartCount": 0,
            "started": is_ready,
            "state": state,
        })
    };
    all.into_iter().flatten().map(status).collect()
}

fn conditions(is_ready: &str, reason: Option<&str>, now: &str) -> Vec<Value> {
    let condition = |kind: &str, status: &str, reason: Option<&str>| {
        let mut condition =
            json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": now});
        if let Some(reason) = reason {
            condition["reason"] = reason.into();
        }
        condition
    };
    vec![
        condition("PodScheduled", "True", None),
        condition("Initialized", "True", None),
        condition("ContainersReady", is_ready, reason),
        condition("Ready", is_ready, reason),
    ]
}
