use super::*;
use serde_json::json;

/// Documents as real clusters write them, cut to what is looked at.
fn of(api_version: &str, kind: &str, object: Value) -> Said {
    let Some(kind) = Kind::parse(api_version, kind) else { return (Degraded, "no kind".to_owned()) };
    health(&kind, &object)
}

fn check(api_version: &str, kind: &str, object: Value, health: Health, words: &str) {
    let (found, said) = of(api_version, kind, object.clone());
    assert_eq!(found, health, "{kind}: {said}: {object}");
    assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{kind}: {said:?}, not {words:?}");
}

use Health::{Degraded, Healthy, Progressing};

#[test]
fn a_deployment_does_as_its_rollout_does() {
    let of = |spec: Value, status: Value, health, words: &str| {
        let object = json!({"metadata": {"generation": 2}, "spec": spec, "status": status});
        check("apps/v1", "Deployment", object, health, words);
    };
    let conditions = |reason: &str, status: &str| {
        json!([
            {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
            {"type": "Progressing", "status": status, "reason": reason, "message": "m"},
        ])
    };
    of(json!({}), json!({"observedGeneration": 2}), Progressing, "0 of 1 replicas are new");
    of(json!({"replicas": 0}), json!({}), Progressing, "has not seen its newest generation");
    of(
        json!({"replicas": 2}),
        json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
        Progressing,
        "has not seen its newest generation",
    );
    of(
        json!({"replicas": 3}),
        json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "availableReplicas": 3}),
        Progressing,
        "1 of 3 replicas are new",
    );
    of(
        json!({"replicas": 3, "paused": true}),
        json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 3}),
        Progressing,
        "it is paused: 1 of 3",
    );
    of(
        json!({"replicas": 3}),
        json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 3}),
        Progressing,
        "1 old replicas are to end",
    );
    of(
        json!({"replicas": 3}),
        json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2, "readyReplicas": 3,
            "conditions": conditions("ReplicaSetUpdated", "True")}),
        Progressing,
        "2 of 3 replicas are available",
    );
    of(
        json!({"replicas": 3}),
        json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3,
            "conditions": conditions("NewReplicaSetAvailable", "True")}),
        Healthy,
        "",
    );
    of(json!({"replicas": 0}), json!({"observedGeneration": 2}), Healthy, "");
    of(
        json!({"replicas": 3}),
        json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1,
            "conditions": conditions("ProgressDeadlineExceeded", "False")}),
        Degraded,
        "ProgressDeadlineExceeded: m",
    );
    let quota = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]);
    of(
        json!({}),
        json!({"observedGeneration": 2, "conditions": quota}),
        Degraded,
        "FailedCreate: exceeded quota",
    );
}

#[test]
fn a_stateful_set_does_as_its_rollout_does() {
    let of = |spec: Value, status: Value, health, words: &str| {
        check("apps/v1", "StatefulSet", json!({"spec": spec, "status": status}), health, words);
    };
    let rolling = |updated: u64| json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": updated, "currentRevision": "a", "updateRevision": "b"});
    of(
        json!({"replicas": 3}),
        json!({"replicas": 3, "readyReplicas": 2}),
        Progressing,
        "2 of 3 replicas are ready",
    );
    of(json!({"replicas": 3}), rolling(1), Progressing, "1 of 3 replicas are new");
    let partition = json!({"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}});
    of(partition.clone(), rolling(1), Healthy, "");
    of(partition, rolling(0), Progressing, "0 of 1 replicas are new");
    of(json!({"replicas": 3, "updateStrategy": {"type": "OnDelete"}}), rolling(0), Healthy, "");
    let done = json!({"replicas": 3, "readyReplicas": 3, "currentRevision": "b", "updateRevision": "b"});
    of(json!({"replicas": 3}), done, Healthy, "");
}

#[test]
fn a_daemon_set_and_a_replica_set_do_as_their_pods_do() {
    let daemon = |status: Value, health, words: &str| {
        check("apps/v1", "DaemonSet", json!({"spec": {}, "status": status}), health, words);
    };
    daemon(json!({}), Progressing, "has not looked at it");
    daemon(
        json!({"desiredNumberScheduled": 3, "updatedNumberScheduled": 2, "numberAvailable": 3}),
        Progressing,
        "2 of 3 Pods are new",
    );
    daemon(
        json!({"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 1}),
        Progressing,
        "1 of 3 Pods are available",
    );
    daemon(
        json!({"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}),
        Healthy,
        "",
    );
    daemon(json!({"desiredNumberScheduled": 0}), Healthy, "");
    let new = json!({
        "metadata": {"generation": 1}, "spec": {},
        "status": {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0},
    });
    check("apps/v1", "DaemonSet", new, Progressing, "has not seen its newest generation");
    let set = |status: Value, health, words: &str| {
        check("apps/v1", "ReplicaSet", json!({"spec": {"replicas": 2}, "status": status}), health, words);
    };
    set(json!({"availableReplicas": 1}), Progressing, "1 of 2");
    set(json!({"availableReplicas": 2}), Healthy, "");
}

#[test]
fn what_runs_to_an_end_is_well_when_it_ended_well() {
    let job = |status: Value, health, words: &str| {
        check("batch/v1", "Job", json!({"status": status}), health, words)
    };
    job(json!({"active": 1, "ready": 1}), Progressing, "it runs");
    job(
        json!({"conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]}),
        Progressing,
        "JobSuspended",
    );
    job(json!({"conditions": [{"type": "Complete", "status": "True"}]}), Healthy, "");
    job(
        json!({"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}),
        Degraded,
        "DeadlineExceeded",
    );
    check("argoproj.io/v1alpha1", "Workflow", json!({"status": {"phase": "Failed"}}), Degraded, "Failed");
    check(
        "batch/v1",
        "CronJob",
        json!({"spec": {"suspend": false}, "status": {"active": [{}]}}),
        Healthy,
        "",
    );
    check("batch/v1", "CronJob", json!({"spec": {"suspend": true}}), Healthy, "starts nothing");
}

#[test]
fn a_pod_is_well_when_it_is_ready() {
    let of = |status: Value, health, words: &str| {
        check("v1", "Pod", json!({"metadata": {"name": "p", "uid": "u"}, "status": status}), health, words);
    };
    let waiting =
        |reason: &str| json!([{"name": "c", "state": {"waiting": {"reason": reason, "message": "m"}}}]);
    of(
        json!({"phase": "Pending", "containerStatuses": waiting("ContainerCreating")}),
        Progressing,
        "has not begun",
    );
    of(
        json!({"phase": "Pending", "containerStatuses": waiting("ImagePullBackOff")}),
        Degraded,
        "ImagePullBackOff",
    );
    of(
        json!({"phase": "Running", "containerStatuses": waiting("CrashLoopBackOff")}),
        Degraded,
        "CrashLoopBackOff",
    );
    let unschedulable =
        json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}]);
    of(json!({"phase": "Pending", "conditions": unschedulable}), Progressing, "no node");
    let unready = json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]);
    of(json!({"phase": "Running", "conditions": unready}), Progressing, "ContainersNotReady");
    of(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}), Healthy, "");
    of(json!({"phase": "Succeeded", "conditions": unready}), Healthy, "");
    of(
        json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
        Degraded,
        "low on memory",
    );
}

#[test]
fn volumes_and_services_are_well_when_they_can_be_used() {
    let claim = |phase: &str, health, words: &str| {
        check("v1", "PersistentVolumeClaim", json!({"status": {"phase": phase}}), health, words);
    };
    claim("Pending", Progressing, "no volume");
    claim("Bound", Healthy, "");
    claim("Lost", Degraded, "is lost");
    let service = |kind: &str, status: Value, health, words: &str| {
        check("v1", "Service", json!({"spec": {"type": kind}, "status": status}), health, words);
    };
    service("ClusterIP", json!({"loadBalancer": {}}), Healthy, "");
    service("LoadBalancer", json!({"loadBalancer": {}}), Progressing, "no address");
    service("LoadBalancer", json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}), Healthy, "");
}

#[test]
fn of_a_kind_without_a_rule_the_usual_conditions_count_and_without_them_it_only_exists() {
    let of = |status: Value, health, words: &str| {
        check(
            "example.com/v1",
            "Widget",
            json!({"metadata": {"generation": 2}, "status": status}),
            health,
            words,
        );
    };
    let condition =
        |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status, "reason": "Why"}]});
    of(condition("Ready", "True"), Healthy, "");
    of(condition("Ready", "False"), Progressing, "Why");
    of(condition("Ready", "Unknown"), Healthy, "it exists");
    of(condition("Stalled", "True"), Degraded, "Why");
    of(condition("Reconciling", "True"), Progressing, "Why");
    of(json!({"observedGeneration": 1}), Progressing, "newest generation");
    of(json!({}), Healthy, "no status rule is for example.com/v1 Widget");
    check("v1", "ConfigMap", json!({"data": {"a": "b"}}), Healthy, "");
}
