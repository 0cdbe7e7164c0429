//! `argoproj.io/v1alpha1 Workflow`: <https://argo-workflows.readthedocs.io/en/latest/fields/#workflowstatus>
//!
//! It has no status subresource: spec and status are one document, and its generation says nothing.

use super::Verdict;
use crate::record::{Condition, Seen};
use crate::time;
use serde_json::{Map, Value};

/// A Workflow has ended with phase `Succeeded`, `Failed` or `Error`. A suspended one says `Running`.
pub(super) fn judge(workflow: &Value) -> (Seen, Verdict) {
    let status = workflow.get("status");
    let word =
        |field: &str| status.and_then(|status| status.get(field)).and_then(Value::as_str).unwrap_or_default();
    let mut seen = Seen {
        started_ms: time::parse(word("startedAt")),
        finished_ms: time::parse(word("finishedAt")),
        message: word("message").to_owned(),
        ..Seen::default()
    };
    let nodes = status.and_then(|status| status.get("nodes")).and_then(Value::as_object);
    match nodes {
        Some(nodes) => nodes.values().for_each(|node| count(&mut seen, node)),
        // Of many steps the nodes are compressed, or kept elsewhere.
        None => seen.succeeded = done(word("progress")),
    }
    let phase = word("phase");
    let verdict = match phase {
        "Succeeded" => {
            seen.condition = Some(Condition::Complete);
            Verdict::Succeeded
        }
        "Failed" | "Error" => {
            seen.condition = Some(Condition::Failed);
            let is_elsewhere = nodes.is_none_or(Map::is_empty) && status.is_some_and(has_steps_elsewhere);
            // What the controller itself could not do is not the fault of a step.
            if seen.message.is_empty() || phase == "Error" {
                seen.message = [phase, word("message")].join(": ").trim_end_matches(": ").to_owned();
            }
            // What a shutdown stopped says no more than that.
            if workflow.pointer("/spec/shutdown").is_none()
                && let Some((step, why)) = said(nodes, &["Failed", "Error"])
                && !seen.message.contains(why)
            {
                seen.message = format!("{}: {step}: {why}", seen.message);
            } else if is_elsewhere {
                seen.message.push_str(" (its steps are too many to be read here: `argo get` shows them)");
            }
            Verdict::Failed
        }
        "Running" => {
            if let Some(how) = workflow.pointer("/spec/shutdown").and_then(Value::as_str) {
                seen.message = format!("it is being stopped (shutdown: {how})");
            } else if let Some(why) = suspended(workflow) {
                seen.condition = Some(Condition::Suspended);
                seen.message = why;
            } else if let Some((step, why)) = said(nodes, &["Pending"]) {
                seen.message = format!("{step} waits: {why}");
            }
            Verdict::Running
        }
        _ => {
            if seen.message.is_empty() {
                "the workflow controller of the cluster has not begun it".clone_into(&mut seen.message);
            }
            Verdict::Pending
        }
    };
    (seen, verdict)
}

/// The nodes are compressed, by whatever method, or in a database.
fn has_steps_elsewhere(status: &Value) -> bool {
    let is_set = |field: &str| status.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    is_set("compressedNodes") || is_set("offloadNodeStatusVersion")
}

/// Steps, groups and retries are nodes too; only Pods are counted.
fn count(seen: &mut Seen, node: &Value) {
    let is = |field: &str, word: &str| node.get(field).and_then(Value::as_str) == Some(word);
    if !is("type", "Pod") {
        return;
    }
    seen.active += u32::from(is("phase", "Running"));
    seen.waiting += u32::from(is("phase", "Pending"));
    seen.succeeded += u32::from(is("phase", "Succeeded"));
    seen.failed += u32::from(is("phase", "Failed") || is("phase", "Error"));
}

/// The first step, by its name, whose Pod is in one of `phases` and says why.
fn said<'a>(nodes: Option<&'a Map<String, Value>>, phases: &[&str]) -> Option<(&'a str, &'a str)> {
    let of = |node: &'a Value| {
        let word = |field: &str| node.get(field).and_then(Value::as_str).unwrap_or_default();
        let says = word("type") == "Pod" && phases.contains(&word("phase")) && !word("message").is_empty();
        says.then(|| (word("displayName"), word("message")))
    };
    nodes?.values().filter_map(of).min()
}

/// `N` of `N/M`.
fn done(progress: &str) -> u32 {
    progress.split_once('/').and_then(|(done, _)| done.parse().ok()).unwrap_or(0)
}

/// What it waits for until somebody lets it go on.
fn suspended(workflow: &Value) -> Option<String> {
    if workflow.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return Some("it is suspended: `argo resume` lets it go on".to_owned());
    }
    let nodes = workflow.pointer("/status/nodes").and_then(Value::as_object)?;
    let waits = |node: &&Value| {
        let word = |field: &str| node.get(field).and_then(Value::as_str);
        word("type") == Some("Suspend") && word("phase") == Some("Running")
    };
    let step = nodes.values().find(waits)?;
    let name = step.get("displayName").and_then(Value::as_str).unwrap_or("a step");
    Some(format!("it waits at {name}, which suspends it: `argo resume` lets it go on"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: Value) -> (Seen, Verdict) {
        judge(&json!({ "status": status }))
    }

    #[test]
    fn only_succeeded_failed_and_error_end_a_workflow() {
        for (phase, verdict) in [
            ("", Verdict::Pending),
            ("Pending", Verdict::Pending),
            ("Running", Verdict::Running),
            ("Succeeded", Verdict::Succeeded),
            ("Failed", Verdict::Failed),
            ("Error", Verdict::Failed),
        ] {
            assert_eq!(of(json!({"phase": phase})).1, verdict, "{phase}");
        }
        assert_eq!(judge(&json!({"spec": {}})).1, Verdict::Pending);
    }

    #[test]
    fn its_pods_are_counted_where_the_nodes_are_there_and_its_progress_where_they_are_not() {
        let node = |kind: &str, phase: &str| json!({"type": kind, "phase": phase});
        let nodes = json!({
            "a": node("Steps", "Running"), "b": node("Pod", "Running"), "c": node("Pod", "Succeeded"),
            "d": node("Pod", "Error"), "e": node("Pod", "Omitted"),
        });
        let (seen, _) = of(json!({"phase": "Running", "nodes": nodes}));
        assert_eq!((seen.active, seen.succeeded, seen.failed), (1, 1, 1));
        let (seen, _) = of(json!({"phase": "Running", "compressedNodes": "H4sI", "progress": "2/5"}));
        assert_eq!((seen.active, seen.succeeded, seen.failed), (0, 2, 0));
        assert_eq!(of(json!({"phase": "Running", "progress": "many"})).0.succeeded, 0);
    }

    #[test]
    fn a_suspended_workflow_runs_and_says_what_it_waits_for() {
        let (seen, verdict) = judge(&json!({"spec": {"suspend": true}, "status": {"phase": "Running"}}));
        assert_eq!((seen.condition, verdict), (Some(Condition::Suspended), Verdict::Running));
        let nodes = json!({"a": {"type": "Suspend", "phase": "Running", "displayName": "approve"}});
        let (seen, _) = of(json!({"phase": "Running", "nodes": nodes}));
        assert!(seen.message.starts_with("it waits at approve"), "{}", seen.message);
        let nodes = json!({"a": {"type": "Suspend", "phase": "Succeeded", "displayName": "approve"}});
        assert_eq!(of(json!({"phase": "Running", "nodes": nodes})).0.condition, None);
    }

    #[test]
    fn a_workflow_says_which_step_waits_or_failed_and_why() {
        let node = |name: &str, phase: &str, message: &str| json!({"type": "Pod", "displayName": name, "phase": phase, "message": message});
        let why = "Unschedulable: 0/1 nodes are available";
        let nodes = json!({"a": node("second", "Pending", why), "b": node("first", "Pending", "")});
        let (seen, _) = of(json!({"phase": "Running", "nodes": nodes}));
        assert_eq!(seen.message, format!("second waits: {why}"));
        let nodes = json!({"a": node("work", "Failed", "OOMKilled (exit code 137)"), "b": node("x", "Succeeded", "")});
        let (seen, _) = of(json!({"phase": "Failed", "message": "child 'w-1' failed", "nodes": nodes}));
        assert_eq!(seen.message, "child 'w-1' failed: work: OOMKilled (exit code 137)");
        let stopped = json!({"a": node("work", "Failed", "workflow shutdown with strategy:  Stop")});
        let status = json!({"phase": "Failed", "message": "Stopped with strategy 'Stop'", "nodes": stopped});
        let (seen, _) = judge(&json!({"spec": {"shutdown": "Stop"}, "status": status}));
        assert_eq!(seen.message, "Stopped with strategy 'Stop'");
    }

    #[test]
    fn one_whose_steps_are_kept_elsewhere_says_so_and_one_that_is_stopped_too() {
        let failed = json!({"phase": "Failed", "message": "child 'w-1' failed", "compressedNodes": "H4sI", "progress": "2/5"});
        let (seen, _) = of(failed);
        assert!(
            seen.message.ends_with("failed (its steps are too many to be read here: `argo get` shows them)")
        );
        let offloaded =
            json!({"phase": "Failed", "message": "m", "nodes": {}, "offloadNodeStatusVersion": "fnv:1"});
        assert!(of(offloaded).0.message.contains("`argo get`"));
        let (seen, verdict) =
            judge(&json!({"spec": {"shutdown": "Terminate"}, "status": {"phase": "Running"}}));
        assert_eq!(
            (verdict, seen.message.as_str()),
            (Verdict::Running, "it is being stopped (shutdown: Terminate)")
        );
    }

    #[test]
    fn a_failed_workflow_says_why() {
        let words = |status: Value| of(status).0.message;
        assert_eq!(words(json!({"phase": "Failed", "message": "child failed"})), "child failed");
        assert_eq!(words(json!({"phase": "Failed"})), "Failed");
        assert_eq!(words(json!({"phase": "Error", "message": "no template"})), "Error: no template");
    }
}
