//! The status of a Job.

use crate::{clock, meta};
use serde_json::{Value, json};
use std::time::Duration;

/// How many Pods of a Job are where.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) active: u64,
    pub(super) ready: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
}

impl Counts {
    /// The counts of ended Pods so far; who is active is seen from the Pods.
    pub(super) fn of(job: &Value) -> Self {
        let succeeded = meta::count(job, "/status/succeeded");
        Self { succeeded, failed: meta::count(job, "/status/failed"), ..Self::default() }
    }

    pub(super) fn write(&self, job: &mut Value) {
        for (field, count) in
            [("active", self.active), ("succeeded", self.succeeded), ("failed", self.failed)]
        {
            if count == 0 {
                meta::remove(job, &["status", field]);
            } else {
                meta::set(job, &["status", field], count);
            }
        }
        meta::set(job, &["status", "ready"], self.ready);
        meta::set(job, &["status", "terminating"], 0);
        meta::set(job, &["status", "uncountedTerminatedPods"], json!({}));
    }
}

/// What becomes of a Job.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoesOn,
    Succeeds,
    Fails { reason: &'static str, message: &'static str },
}

/// Whether the controller leaves a Job to another one, as `managedBy` says.
pub(super) fn is_managed_elsewhere(job: &Value) -> bool {
    !matches!(meta::text(job, "/spec/managedBy"), "" | "kubernetes.io/job-controller")
}

/// Whether a Job has come to its end.
pub(super) fn is_finished(job: &Value) -> bool {
    meta::has_condition(job, "Complete") || meta::has_condition(job, "Failed")
}

/// When a Job came to its end, "" if it has not.
pub(super) fn finished_at(job: &Value) -> &str {
    let ends = ["Complete", "Failed"].into_iter().filter_map(|kind| meta::condition(job, kind));
    ends.map(|end| meta::text(end, "/lastTransitionTime")).next().unwrap_or_default()
}

/// What the counts of a Job that is not suspended mean; what was once decided stays.
pub(super) fn judge(job: &Value, counts: &Counts) -> Verdict {
    let backoff_limit = meta::number(job, "/spec/backoffLimit").unwrap_or(6);
    if meta::has_condition(job, "SuccessCriteriaMet") {
        return Verdict::Succeeds;
    }
    let is_late = is_over_deadline(job);
    let decided = meta::condition(job, "FailureTarget").map(|condition| meta::text(condition, "/reason"));
    match decided {
        Some("DeadlineExceeded") => return DEADLINE,
        Some(_) => return BACKOFF,
        None => {}
    }
    if i64::try_from(counts.failed).unwrap_or(i64::MAX) > backoff_limit {
        return BACKOFF;
    }
    let is_done = match meta::number(job, "/spec/completions") {
        Some(completions) => i64::try_from(counts.succeeded).unwrap_or(i64::MAX) >= completions,
        None => counts.succeeded > 0 && counts.active == 0,
    };
    match (is_done, is_late) {
        (true, _) => Verdict::Succeeds,
        (false, true) => DEADLINE,
        (false, false) => Verdict::GoesOn,
    }
}

const BACKOFF: Verdict =
    Verdict::Fails { reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" };
const DEADLINE: Verdict =
    Verdict::Fails { reason: "DeadlineExceeded", message: "Job was active longer than specified deadline" };

/// How many Pods should be active.
pub(super) fn wanted(job: &Value, counts: &Counts) -> u64 {
    let parallelism = meta::count(job, "/spec/parallelism");
    match meta::number(job, "/spec/completions") {
        Some(completions) => {
            let left = u64::try_from(completions).unwrap_or_default().saturating_sub(counts.succeeded);
            parallelism.min(left)
        }
        // One success says that the work is used up: no more Pods.
        None if counts.succeeded > 0 => counts.active,
        None => parallelism,
    }
}

/// Notes that a Job is suspended, or that it runs.
pub(super) fn suspend(job: &mut Value, is_suspended: bool) {
    let was_suspended = meta::has_condition(job, "Suspended");
    if is_suspended {
        meta::remove(job, &["status", "startTime"]);
        if !was_suspended {
            set_condition(job, "Suspended", "True", "JobSuspended", "Job suspended");
        }
        return;
    }
    if was_suspended {
        set_condition(job, "Suspended", "False", "JobResumed", "Job resumed");
    }
    meta::set_default(job, &["status", "startTime"], clock::now());
}

/// Writes what was decided: first what is aimed at; the end itself once no Pod is active.
pub(super) fn conclude(job: &mut Value, verdict: &Verdict, active: u64) {
    let (aim, end, reason, message) = match verdict {
        Verdict::GoesOn => return,
        Verdict::Succeeds => (
            "SuccessCriteriaMet",
            "Complete",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        ),
        Verdict::Fails { reason, message } => ("FailureTarget", "Failed", *reason, *message),
    };
    if !meta::has_condition(job, aim) {
        set_condition(job, aim, "True", reason, message);
    } else if active == 0 {
        set_condition(job, end, "True", reason, message);
        if end == "Complete" {
            meta::set(job, &["status", "completionTime"], clock::now());
        }
    }
}

/// How long a Job may still be active, if that is limited.
pub(super) fn deadline(job: &Value) -> Option<Duration> {
    let limit = Duration::from_secs(job["spec"]["activeDeadlineSeconds"].as_u64()?);
    let started_at = meta::text(job, "/status/startTime");
    (!started_at.is_empty()).then(|| limit.saturating_sub(clock::since(started_at)))
}

fn is_over_deadline(job: &Value) -> bool {
    job["spec"]["suspend"] != Value::Bool(true) && deadline(job).is_some_and(|left| left.is_zero())
}

fn set_condition(job: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    let now = clock::now();
    let condition = json!({
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastProbeTime": now,
        "lastTransitionTime": now,
    });
    let all = meta::at_mut(job, &["status", "conditions"]);
    match all.as_array_mut() {
        Some(all) => {
            all.retain(|former| meta::text(former, "/type") != kind);
            all.push(condition);
        }
        None => *all = json!([condition]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_fails_after_one_more_failure_than_its_backoff_limit() {
        let job = json!({"spec": {"backoffLimit": 1, "completions": 1, "parallelism": 1}});
        let failed = |failed| judge(&job, &Counts { failed, ..Counts::default() });
        assert_eq!(failed(1), Verdict::GoesOn);
        assert_eq!(failed(2), BACKOFF);
    }

    #[test]
    fn as_many_pods_as_are_left_to_do_are_wanted() {
        let job = json!({"spec": {"completions": 5, "parallelism": 3}});
        assert_eq!(wanted(&job, &Counts::default()), 3);
        assert_eq!(wanted(&job, &Counts { succeeded: 4, ..Counts::default() }), 1);
    }

    #[test]
    fn the_end_is_written_after_the_aim_and_when_no_pod_is_active() {
        let mut job = json!({});
        conclude(&mut job, &BACKOFF, 1);
        conclude(&mut job, &BACKOFF, 1);
        assert!(meta::has_condition(&job, "FailureTarget") && !is_finished(&job));
        conclude(&mut job, &BACKOFF, 0);
        assert!(meta::has_condition(&job, "Failed"));
    }
}
