//! How an object that is kept in sync does.

mod generic;
mod pod;
mod workload;

use super::{Verdict, job, workflow};
use crate::record::{Health, Kind, Seen};
use serde_json::Value;

/// How something does, and what it says of that.
pub(super) type Said = (Health, String);

/// How `object`, which is of `kind` and as a kube-apiserver sends it, does, and what it says of that.
///
/// A kind that no rule is for is healthy when it is there and none of the conditions that are usual says otherwise.
#[must_use]
pub fn health(kind: &Kind, object: &Value) -> (Health, String) {
    if is_behind(kind, object) {
        return (Health::Progressing, "its controller has not seen its newest generation".to_owned());
    }
    match (kind.group(), kind.as_str()) {
        ("apps", "Deployment") => workload::deployment(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps", "DaemonSet") => workload::daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => workload::replica_set(object),
        ("batch", "CronJob") => cron_job(object),
        ("batch", "Job") => run(job::judge(object)),
        ("argoproj.io", "Workflow") => run(workflow::judge(object)),
        ("", "Pod") => pod::health(object),
        ("", "PersistentVolumeClaim") => claim(object),
        ("", "Service") => service(object),
        _ if kind.is_definition() => definition(object),
        names if EXISTS_ONLY.contains(&names) => (Health::Healthy, String::new()),
        _ => generic::health(kind, object),
    }
}

/// True if what the objects of a kind say is known here: no other rule can be made for it.
#[must_use]
pub fn is_ruled(group: &str, kind: &str) -> bool {
    const KINDS: [(&str, &str); 13] = [
        ("", "ConfigMap"),
        ("", "PersistentVolumeClaim"),
        ("", "Pod"),
        ("", "ReplicationController"),
        ("", "Service"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("batch", "CronJob"),
        ("batch", "Job"),
        ("argoproj.io", "Workflow"),
        ("argoproj.io", "WorkflowTemplate"),
    ];
    KINDS.contains(&(group, kind))
}

/// Kinds that do nothing, or say nothing of it.
const EXISTS_ONLY: [(&str, &str); 17] = [
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "ServiceAccount"),
    ("", "Endpoints"),
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "PodTemplate"),
    ("argoproj.io", "CronWorkflow"),
    ("argoproj.io", "WorkflowTemplate"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("coordination.k8s.io", "Lease"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.k8s.io", "Ingress"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
];

/// Its controller has not looked at what was asked of it last. Those of apps always say what they have seen, so before
/// they say anything they have seen nothing: what a new status counts, no Pods of none, is not to be believed.
fn is_behind(kind: &Kind, object: &Value) -> bool {
    let says = kind.group() == "apps" || kind.as_str() == "ReplicationController";
    let seen = number(object, "/status/observedGeneration").or(says.then_some(0));
    seen.zip(number(object, "/metadata/generation")).is_some_and(|(seen, generation)| seen < generation)
}

/// What runs to an end is well while it runs.
fn run((seen, verdict): (Seen, Verdict)) -> Said {
    match verdict {
        Verdict::Succeeded => (Health::Healthy, String::new()),
        Verdict::Failed => (Health::Degraded, seen.message),
        Verdict::Running => (Health::Progressing, "it runs".to_owned()),
        Verdict::Pending => (Health::Progressing, seen.message),
    }
}

/// It does its work by Jobs of its own, whose ends are not its own.
fn cron_job(object: &Value) -> Said {
    let suspended = object.pointer("/spec/suspend") == Some(&Value::Bool(true));
    let words = if suspended { "it is suspended: it starts nothing" } else { "" };
    (Health::Healthy, words.to_owned())
}

fn claim(object: &Value) -> Said {
    match text(object, "/status/phase") {
        "Bound" => (Health::Healthy, String::new()),
        "Lost" => (Health::Degraded, "the volume that it was bound to is lost".to_owned()),
        _ => (Health::Progressing, "no volume is bound to it yet".to_owned()),
    }
}

fn service(object: &Value) -> Said {
    let ingress = object.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
    if text(object, "/spec/type") == "LoadBalancer" && ingress.is_none_or(Vec::is_empty) {
        return (Health::Progressing, "its load balancer has no address yet".to_owned());
    }
    (Health::Healthy, String::new())
}

/// It is well when the kind that it defines is served.
fn definition(object: &Value) -> Said {
    if let Some(refused) = condition(object, "NamesAccepted", "False") {
        return (Health::Degraded, words(refused));
    }
    match condition(object, "Established", "True") {
        Some(_) => (Health::Healthy, String::new()),
        None => (Health::Progressing, "the kind that it defines is not served yet".to_owned()),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> Option<u64> {
    value.pointer(pointer).and_then(Value::as_u64)
}

/// The condition of that type that has that status.
fn condition<'a>(object: &'a Value, kind: &str, status: &str) -> Option<&'a Value> {
    let mut all = object.pointer("/status/conditions").and_then(Value::as_array)?.iter();
    all.find(|one| text(one, "/type") == kind && text(one, "/status") == status)
}

/// What a condition says, as `reason: message`.
fn words(condition: &Value) -> String {
    match (text(condition, "/reason"), text(condition, "/message")) {
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests;
