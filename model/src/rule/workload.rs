//! `kueue.x-k8s.io Workload`: <https://kueue.sigs.k8s.io/docs/concepts/workload/>

use crate::limits::DIAGNOSIS_MESSAGE_BYTES_MAX;
use serde_json::Value;

/// Why Kueue does not let something run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// In one word.
    pub reason: String,
    /// In the words of Kueue.
    pub message: String,
}

/// What of a Workload says most about why it waits, the most telling first.
const CONDITIONS: [(&str, &str); 5] = [
    ("Preempted", "True"),
    ("Evicted", "True"),
    ("QuotaReserved", "False"),
    ("Admitted", "False"),
    ("PodsReady", "False"),
];

/// Reads a Workload as a kube-apiserver sends it; `None` if nothing keeps it.
#[must_use]
pub fn admission(workload: &Value) -> Option<Admission> {
    let queue = workload.pointer("/spec/queueName").and_then(Value::as_str).unwrap_or_default();
    if workload.pointer("/spec/active") == Some(&Value::Bool(false)) {
        let message = "Kueue is told not to admit it: spec.active of its Workload is false".to_owned();
        return Some(Admission { reason: "Inactive".to_owned(), message });
    }
    let conditions = workload.pointer("/status/conditions").and_then(Value::as_array);
    let Some(conditions) = conditions.filter(|all| !all.is_empty()) else {
        let message = format!("Kueue has not looked at it yet, in queue {queue:?}");
        return Some(Admission { reason: "Queued".to_owned(), message });
    };
    let text = |condition: &Value, field: &str| {
        condition.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let found = CONDITIONS.iter().find_map(|(kind, status)| {
        conditions.iter().find(|one| text(one, "type") == *kind && text(one, "status") == *status)
    })?;
    let mut message = format!("Kueue, queue {queue:?}: {}", text(found, "message"));
    crate::rule::truncate_to(&mut message, DIAGNOSIS_MESSAGE_BYTES_MAX);
    Some(Admission { reason: text(found, "reason"), message })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(conditions: Value) -> Option<Admission> {
        admission(&json!({
            "apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "Workload",
            "spec": {"queueName": "team", "active": true}, "status": {"conditions": conditions},
        }))
    }

    #[test]
    fn a_workload_without_quota_says_why() {
        let found = of(json!([{"type": "QuotaReserved", "status": "False", "reason": "Pending",
            "message": "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default"}]));
        let found = found.unwrap();
        assert_eq!(found.reason, "Pending");
        assert!(
            found.message.starts_with("Kueue, queue \"team\": couldn't assign flavors"),
            "{}",
            found.message
        );
    }

    #[test]
    fn one_that_was_put_back_says_that_first() {
        let found = of(json!([
            {"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": "waits"},
            {"type": "Evicted", "status": "True", "reason": "PodsReadyTimeout", "message": "Exceeded the PodsReady timeout"},
        ]));
        assert_eq!(found.unwrap().reason, "PodsReadyTimeout");
    }

    #[test]
    fn one_that_is_admitted_is_not_kept_and_one_that_is_new_or_inactive_is() {
        let admitted =
            json!([{"type": "QuotaReserved", "status": "True"}, {"type": "Admitted", "status": "True"}]);
        assert_eq!(of(admitted), None);
        assert_eq!(of(json!([])).unwrap().reason, "Queued");
        assert_eq!(admission(&json!({"spec": {"active": false}})).unwrap().reason, "Inactive");
    }
}
