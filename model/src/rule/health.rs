//! How an object that is kept in sync does.

use crate::record::Health;
use serde_json::Value;

/// How `object`, as a kube-apiserver sends it, does, and what it says of that.
///
/// A kind that is not known is healthy when it has seen its newest generation and no condition `Ready` or `Available`
/// says otherwise; one without a status is healthy when it is there.
#[must_use]
pub fn health(object: &Value) -> (Health, String) {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    if let (Some(generation), Some(seen)) =
        (number("/metadata/generation"), number("/status/observedGeneration"))
        && seen < generation
    {
        return (Health::Progressing, "its controller has not seen its newest generation".to_owned());
    }
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let text = |condition: &Value, field: &str| {
        condition.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let condition = |kind: &str, status: &str| {
        let mut all = conditions.into_iter().flatten();
        all.find(|one| text(one, "type") == kind && text(one, "status") == status)
    };
    let words = |condition: &Value| {
        let (reason, message) = (text(condition, "reason"), text(condition, "message"));
        if message.is_empty() { reason } else { format!("{reason}: {message}") }
    };
    for (kind, status) in [("Progressing", "False"), ("ReplicaFailure", "True"), ("Failed", "True")] {
        if let Some(failed) = condition(kind, status) {
            return (Health::Degraded, words(failed));
        }
    }
    if let Some(wanted) = number("/spec/replicas")
        && object.get("status").is_some()
    {
        let updated = number("/status/updatedReplicas").or(number("/status/replicas")).unwrap_or(0);
        let ready = number("/status/readyReplicas").unwrap_or(0);
        if updated.min(ready) < wanted {
            return (Health::Progressing, format!("{} of {wanted} replicas are ready", updated.min(ready)));
        }
    }
    for kind in ["Available", "Ready"] {
        if let Some(waits) = condition(kind, "False") {
            return (Health::Progressing, words(waits));
        }
    }
    (Health::Healthy, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_healthy_when_all_its_replicas_are_ready() {
        let of = |status: Value| {
            health(&json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status})).0
        };
        assert_eq!(
            of(json!({"observedGeneration": 1, "updatedReplicas": 2, "readyReplicas": 2})),
            Health::Progressing
        );
        assert_eq!(
            of(json!({"observedGeneration": 2, "updatedReplicas": 1, "readyReplicas": 2})),
            Health::Progressing
        );
        assert_eq!(
            of(json!({"observedGeneration": 2, "updatedReplicas": 2, "readyReplicas": 2})),
            Health::Healthy
        );
        let late = json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"});
        assert_eq!(of(json!({"observedGeneration": 2, "conditions": [late]})), Health::Degraded);
    }

    #[test]
    fn what_has_no_status_is_healthy_when_it_is_there() {
        assert_eq!(health(&json!({"data": {"a": "b"}})).0, Health::Healthy);
        let waits = json!({"type": "Ready", "status": "False", "reason": "Soon", "message": "not yet"});
        let custom = json!({"status": {"conditions": [waits]}});
        assert_eq!(health(&custom), (Health::Progressing, "Soon: not yet".to_owned()));
    }
}
