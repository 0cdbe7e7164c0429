#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use serde_json::json;

/// A Pod as a kube-apiserver shows one, with this status.
fn pod(status: Value) -> Examined {
    examine(&json!({
        "metadata": {"name": "report-x7k2p", "namespace": "risk", "uid": "u-1",
            "creationTimestamp": "2026-11-20T08:00:00Z"},
        "spec": {"nodeName": "node-1", "restartPolicy": "OnFailure"},
        "status": status,
    }))
    .unwrap()
}

fn with_container(phase: &str, container: Value) -> Examined {
    let mut container = container;
    for (field, value) in
        [("name", json!("main")), ("image", json!("registry/report:1")), ("restartCount", json!(0))]
    {
        if container.get(field).is_none() {
            container[field] = value;
        }
    }
    pod(json!({"phase": phase, "containerStatuses": [container],
        "conditions": [{"type": "PodScheduled", "status": "True"}]}))
}

#[test]
fn a_pod_that_no_node_takes_says_so_in_the_schedulers_words() {
    let found = pod(json!({"phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient memory.", "lastProbeTime": null,
    }]}));
    assert_eq!((found.gravity, found.pod.reason.as_str()), (Gravity::Stuck, "Unschedulable"));
    assert_eq!(found.pod.message, "0/3 nodes are available: 3 Insufficient memory.");
}

#[test]
fn an_image_that_cannot_be_pulled_is_named() {
    let waiting = json!({"state": {"waiting": {"reason": "ImagePullBackOff",
        "message": "Back-off pulling image \"registry/report:1\""}}});
    let found = with_container("Pending", waiting);
    assert_eq!((found.gravity, found.pod.reason.as_str()), (Gravity::Stuck, "ImagePullBackOff"));
    assert_eq!((found.pod.container.as_str(), found.pod.node.as_str()), ("main", "node-1"));
    assert_eq!(found.pod.message, "Back-off pulling image \"registry/report:1\"");
    let unnamed = json!({"state": {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}});
    assert_eq!(with_container("Pending", unnamed).pod.message, "registry/report:1: manifest unknown");
}

#[test]
fn a_container_that_crashes_again_and_again_says_how_it_ended_last() {
    let crashes = |ended: Value| {
        json!({"restartCount": 5, "ready": false,
            "state": {"waiting": {"reason": "CrashLoopBackOff",
                "message": "back-off 2m40s restarting failed container=main pod=report-x7k2p_risk(u-1)"}},
            "lastState": {"terminated": ended}})
    };
    let found = with_container("Running", crashes(json!({"exitCode": 3, "reason": "Error"})));
    assert_eq!((found.gravity, found.pod.reason.as_str()), (Gravity::Stuck, "CrashLoopBackOff"));
    assert_eq!((found.pod.exit_code, found.pod.restarts), (Some(3), 5));
    let killed = with_container("Running", crashes(json!({"exitCode": 137, "reason": "OOMKilled"})));
    assert!(
        killed.pod.message.starts_with("it was ended last by OOMKilled; back-off"),
        "{}",
        killed.pod.message
    );
}

#[test]
fn a_container_that_ended_badly_says_its_code_and_signal() {
    let ended = json!({"state": {"terminated": {"exitCode": 137, "signal": 9, "reason": "OOMKilled",
        "finishedAt": "2026-11-20T08:01:00Z"}}});
    let found = with_container("Failed", ended);
    assert_eq!((found.gravity, found.pod.reason.as_str()), (Gravity::Failed, "OOMKilled"));
    assert_eq!((found.pod.exit_code, found.pod.signal), (Some(137), Some(9)));
    assert_eq!(found.at, "2026-11-20T08:01:00Z");
}

#[test]
fn a_missing_config_map_is_in_the_words() {
    let waiting = json!({"state": {"waiting": {"reason": "CreateContainerConfigError",
        "message": "configmap \"input\" not found"}}});
    let found = with_container("Pending", waiting);
    assert_eq!(found.pod.reason, "CreateContainerConfigError");
    assert_eq!(found.pod.message, "configmap \"input\" not found");
}

#[test]
fn what_was_evicted_or_whose_node_is_lost_says_that_and_not_how_its_container_ended() {
    let ended = json!([{"name": "main", "restartCount": 0, "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}]);
    let evicted = pod(json!({"phase": "Failed", "reason": "Evicted",
        "message": "The node was low on resource: memory.", "containerStatuses": ended}));
    assert_eq!((evicted.gravity, evicted.pod.reason.as_str()), (Gravity::Failed, "Evicted"));
    assert_eq!(evicted.pod.exit_code, Some(137));
    let lost = pod(json!({"phase": "Running", "reason": "NodeLost", "conditions": [{
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint"}]}));
    assert_eq!((lost.gravity, lost.pod.reason.as_str()), (Gravity::Stuck, "DeletionByTaintManager"));
}

#[test]
fn what_only_begins_leaves_the_words_to_its_events() {
    let begins = with_container("Pending", json!({"state": {"waiting": {"reason": "ContainerCreating"}}}));
    assert_eq!((begins.gravity, begins.pod.reason.as_str()), (Gravity::Begins, "ContainerCreating"));
    let unready = json!({"ready": false, "state": {"running": {"startedAt": "2026-11-20T08:00:01Z"}}});
    let unready = with_container("Running", unready);
    assert_eq!((unready.gravity, unready.pod.reason.as_str()), (Gravity::Begins, "NotReady"));
}

#[test]
fn what_runs_is_fine_and_what_runs_again_is_nearly() {
    let running = |restarts: u32| {
        json!({"ready": true, "restartCount": restarts, "state": {"running": {}},
            "lastState": if restarts == 0 { json!({}) } else { json!({"terminated": {"exitCode": 1, "reason": "Error"}}) }})
    };
    assert_eq!(with_container("Running", running(0)).gravity, Gravity::Fine);
    let again = with_container("Running", running(2));
    assert_eq!((again.gravity, again.pod.exit_code, again.pod.restarts), (Gravity::Restarted, Some(1), 2));
}

#[test]
fn any_json_is_read_or_passed_over() {
    for odd in [
        json!(null),
        json!({"metadata": {"name": "a"}}),
        json!({"metadata": {"name": "a", "uid": "u"}, "status": {"containerStatuses": [1, {"state": []}]}}),
        json!({"metadata": {"name": "a", "uid": "u"}, "status": {"phase": 1, "conditions": {}}}),
    ] {
        let _ = examine(&odd);
    }
}
