//! `batch/v1 Job`: <https://kubernetes.io/docs/concepts/workloads/controllers/job/>

use super::Verdict;
use crate::record::{Condition, Seen};
use crate::time;
use serde_json::Value;

/// A Job has ended only with condition `Complete` or `Failed`; `SuccessCriteriaMet` and `FailureTarget` come before
/// its Pods have stopped, and counts alone say nothing about an end.
pub(super) fn judge(job: &Value) -> (Seen, Verdict) {
    let status = job.get("status");
    let number = |field: &str| {
        let value = status.and_then(|status| status.get(field)).and_then(Value::as_u64);
        u32::try_from(value.unwrap_or(0)).unwrap_or(u32::MAX)
    };
    let at = |field: &str| {
        status.and_then(|status| status.get(field)).and_then(Value::as_str).and_then(time::parse)
    };
    let conditions = status.and_then(|status| status.get("conditions")).and_then(Value::as_array);
    let holds = |kind: &str| {
        conditions?.iter().find(|condition| {
            condition.get("type").and_then(Value::as_str) == Some(kind)
                && condition.get("status").and_then(Value::as_str) == Some("True")
        })
    };
    let mut seen = Seen {
        active: number("active"),
        succeeded: number("succeeded"),
        failed: number("failed"),
        started_ms: at("startTime"),
        finished_ms: at("completionTime"),
        ..Seen::default()
    };
    if let Some(failed) = holds("Failed") {
        seen.condition = Some(Condition::Failed);
        seen.finished_ms =
            seen.finished_ms.or_else(|| failed.get("lastTransitionTime")?.as_str().and_then(time::parse));
        seen.message = words(failed);
        return (seen, Verdict::Failed);
    }
    if holds("Complete").is_some() {
        seen.condition = Some(Condition::Complete);
        return (seen, Verdict::Succeeded);
    }
    if let Some(ending) = holds("SuccessCriteriaMet").or_else(|| holds("FailureTarget")) {
        let how = if holds("SuccessCriteriaMet").is_some() { "well" } else { "badly" };
        seen.message = format!("it ends {how}, its last Pods are still ending: {}", words(ending));
        return (seen, Verdict::Running);
    }
    let suspended = holds("Suspended");
    // Nothing is written on one that was suspended when it was made until its controller has looked at it.
    if suspended.is_some() || (is_asked_to_wait(job) && seen.active == 0 && seen.started_ms.is_none()) {
        seen.condition = Some(Condition::Suspended);
        seen.message = match queue(job) {
            Some(queue) => format!("it waits in queue {queue:?} for Kueue to admit it"),
            None => suspended.map_or_else(|| "it is suspended".to_owned(), words),
        };
        return (seen, Verdict::Pending);
    }
    if status.is_some_and(|all| all.get("ready").is_some()) {
        seen.waiting = seen.active.saturating_sub(number("ready"));
    }
    let ready =
        number("ready") > 0 || (seen.active > 0 && status.is_some_and(|all| all.get("ready").is_none()));
    // Pods that have ended are named here before they are counted.
    let uncounted = |list: &str| {
        let pods = status.and_then(|status| status.get("uncountedTerminatedPods")?.get(list)?.as_array());
        pods.is_some_and(|pods| !pods.is_empty())
    };
    let ran = seen.succeeded > 0 || seen.failed > 0 || uncounted("succeeded") || uncounted("failed");
    if ready || ran {
        return (seen, Verdict::Running);
    }
    // Why is in its Pods and Events, which are looked at if it stays so.
    let manager = job.pointer("/spec/managedBy").and_then(Value::as_str).filter(|name| *name != CONTROLLER);
    seen.message = match (seen.started_ms, seen.active) {
        (None, _) if manager.is_some() => format!("{} has not begun it", manager.unwrap_or_default()),
        (None, _) => "the cluster has not begun it".to_owned(),
        (_, 0) => "no Pod of it has been made yet".to_owned(),
        (_, _) => "a Pod of it waits to run".to_owned(),
    };
    (seen, Verdict::Pending)
}

/// Whose a Job is where it does not say it.
const CONTROLLER: &str = "kubernetes.io/job-controller";

fn is_asked_to_wait(job: &Value) -> bool {
    job.pointer("/spec/suspend") == Some(&Value::Bool(true))
}

/// The queue of Kueue that lets it run.
fn queue(job: &Value) -> Option<&str> {
    job.pointer("/metadata/labels")?.get("kueue.x-k8s.io/queue-name")?.as_str()
}

fn words(condition: &Value) -> String {
    let word = |field: &str| condition.get(field).and_then(Value::as_str).unwrap_or_default();
    match (word("reason"), word("message")) {
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(status: Value) -> Verdict {
        judge(&json!({ "status": status })).1
    }

    #[test]
    fn only_complete_and_failed_end_a_job() {
        let condition = |kind: &str| json!({"conditions": [{"type": kind, "status": "True"}]});
        assert_eq!(verdict(json!({})), Verdict::Pending);
        assert_eq!(verdict(json!({"active": 1, "ready": 0})), Verdict::Pending);
        assert_eq!(verdict(json!({"active": 1, "ready": 1})), Verdict::Running);
        assert_eq!(verdict(json!({"succeeded": 1, "ready": 0})), Verdict::Running);
        assert_eq!(verdict(condition("SuccessCriteriaMet")), Verdict::Running);
        assert_eq!(verdict(condition("FailureTarget")), Verdict::Running);
        assert_eq!(verdict(json!({"uncountedTerminatedPods": {"succeeded": ["uid"]}})), Verdict::Running);
        assert_eq!(verdict(json!({"uncountedTerminatedPods": {}})), Verdict::Pending);
        assert_eq!(verdict(condition("Suspended")), Verdict::Pending);
        assert_eq!(verdict(condition("Complete")), Verdict::Succeeded);
        assert_eq!(verdict(condition("Failed")), Verdict::Failed);
        assert_eq!(verdict(json!({"conditions": [{"type": "Failed", "status": "False"}]})), Verdict::Pending);
    }

    #[test]
    fn a_pending_job_says_whether_it_has_a_pod() {
        let words = |status: Value| judge(&json!({ "status": status })).0.message;
        let since = "2026-11-20T00:00:00Z";
        assert_eq!(words(json!({})), "the cluster has not begun it");
        assert!(
            words(json!({"startTime": since, "active": 0})).starts_with("no Pod of it has been made yet")
        );
        assert_eq!(words(json!({"startTime": since, "active": 1, "ready": 0})), "a Pod of it waits to run");
        assert_eq!(words(json!({"startTime": since, "active": 1, "ready": 1})), "");
    }

    #[test]
    fn a_job_whose_end_is_decided_runs_until_its_pods_have_stopped_and_says_which_end() {
        let of = |kind: &str, reason: &str| {
            let early = json!({"type": kind, "status": "True", "reason": reason, "message": "m"});
            let (seen, verdict) =
                judge(&json!({"status": {"conditions": [early], "active": 1, "terminating": 1}}));
            assert_eq!(verdict, Verdict::Running);
            seen.message
        };
        assert_eq!(
            of("SuccessCriteriaMet", "CompletionsReached"),
            "it ends well, its last Pods are still ending: CompletionsReached: m"
        );
        assert_eq!(
            of("FailureTarget", "PodFailurePolicy"),
            "it ends badly, its last Pods are still ending: PodFailurePolicy: m"
        );
        // As a real Job has them once it has ended by its success policy.
        let both = json!([
            {"type": "SuccessCriteriaMet", "status": "True", "reason": "SuccessPolicy"},
            {"type": "Complete", "status": "True", "reason": "SuccessPolicy"},
        ]);
        assert_eq!(verdict(json!({ "conditions": both })), Verdict::Succeeded);
        let both = json!([
            {"type": "FailureTarget", "status": "True", "reason": "MaxFailedIndexesExceeded"},
            {"type": "Failed", "status": "True", "reason": "MaxFailedIndexesExceeded", "message": "m",
                "lastTransitionTime": "2026-11-20T00:00:00Z"},
        ]);
        let (seen, verdict) = judge(&json!({"status": {"conditions": both, "failedIndexes": "1,3-5"}}));
        assert_eq!((verdict, seen.message.as_str()), (Verdict::Failed, "MaxFailedIndexesExceeded: m"));
        assert_eq!(seen.finished_ms, time::parse("2026-11-20T00:00:00Z"));
    }

    #[test]
    fn a_suspended_job_waits_and_says_for_whom() {
        let of = |labels: Value, status: Value| {
            let (seen, verdict) =
                judge(&json!({"metadata": {"labels": labels}, "spec": {"suspend": true}, "status": status}));
            assert_eq!((verdict, seen.condition), (Verdict::Pending, Some(Condition::Suspended)));
            seen.message
        };
        assert_eq!(of(json!({}), json!({})), "it is suspended");
        let suspended =
            json!({"conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]});
        assert_eq!(of(json!({}), suspended.clone()), "JobSuspended");
        let queue = json!({"kueue.x-k8s.io/queue-name": "team"});
        assert_eq!(of(queue.clone(), json!({})), "it waits in queue \"team\" for Kueue to admit it");
        assert_eq!(of(queue.clone(), suspended), "it waits in queue \"team\" for Kueue to admit it");
        let resumed = json!({"metadata": {"labels": queue}, "spec": {"suspend": false}, "status": {"active": 1, "ready": 1,
            "conditions": [{"type": "Suspended", "status": "False", "reason": "JobResumed"}]}});
        assert_eq!(judge(&resumed).1, Verdict::Running);
        let mirror = json!({"spec": {"managedBy": "kueue.x-k8s.io/multikueue"}, "status": {}});
        assert_eq!(judge(&mirror).0.message, "kueue.x-k8s.io/multikueue has not begun it");
    }

    #[test]
    fn a_failed_job_says_why() {
        let failed =
            json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"});
        let (seen, _) = judge(&json!({"status": {"conditions": [failed]}}));
        assert_eq!(
            (seen.condition, seen.message.as_str()),
            (Some(Condition::Failed), "BackoffLimitExceeded: m")
        );
    }
}
