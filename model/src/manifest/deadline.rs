//! How long a main object goes on at most once it has started, as its manifest says.

use crate::command::SubmitManifest;
use crate::limits;
use crate::record::Kind;
use serde::Deserialize;

/// What of a Job bounds it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    #[serde(default)]
    metadata: Labelled,
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Labelled {
    #[serde(default)]
    labels: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    active_deadline_seconds: Option<u64>,
    #[serde(default)]
    suspend: Option<bool>,
    #[serde(default)]
    template: Template,
}

#[derive(Default, Deserialize)]
struct Template {
    #[serde(default)]
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    termination_grace_period_seconds: Option<u64>,
}

/// Where a queue suspends and resumes a Job, its deadline begins anew each time.
const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";

/// In ms: the `activeDeadlineSeconds` of a Job and the time that its Pods have to stop. `None` where nothing bounds it:
/// other kinds, for the exit handlers of a Workflow run behind its deadline; and Jobs that begin suspended or in a queue,
/// for they are stopped and started by others.
pub(super) fn runs_ms(plan: &SubmitManifest, manifests: &[u8]) -> Option<u64> {
    if plan.kind != Kind::Job {
        return None;
    }
    let job: Job = serde_json::from_slice(plan.json(manifests)?).ok()?;
    let resumed = job.spec.suspend == Some(true) || job.metadata.labels.contains_key(QUEUE_LABEL);
    let active_ms = job.spec.active_deadline_seconds.filter(|_| !resumed)?.checked_mul(1_000)?;
    let stop_ms = match job.spec.template.spec.termination_grace_period_seconds {
        Some(seconds) => seconds.checked_mul(1_000)?,
        None => limits::TERMINATION_GRACE_MS,
    };
    active_ms.checked_add(stop_ms).filter(|ms| *ms <= limits::DURATION_MS_MAX)
}
