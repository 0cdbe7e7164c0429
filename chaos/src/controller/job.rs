//! Jobs: their Pods, their counts, their end.

use super::job_status::{self, Counts, Verdict};
use super::plan::ANNOTATIONS;
use super::trouble;
use crate::deletion::{DeleteOptions, Preconditions, delete};
use crate::kind::Kind;
use crate::object::Object;
use crate::refusal::Refusal;
use crate::state::State;
use crate::{clock, entropy, meta};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The finalizer that keeps a Pod until its end is counted.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// How many Pods one look makes at most.
const NEW_PODS_MAX: u64 = 500;

/// Brings a Job one step further.
pub(super) fn look_at(state: &mut State, key: &str) -> Result<Option<Instant>, Refusal> {
    let Some(job) = state.get(&Kind::Job, key).cloned() else { return Ok(None) };
    let mut value = job.value();
    if job_status::is_managed_elsewhere(&value) {
        return Ok(None);
    }
    let is_finished = job_status::is_finished(&value);
    let pods = controlled(state, &job);
    let mut counts = Counts::of(&value);
    release_ended(state, &pods, &mut counts, is_finished)?;
    if is_finished {
        return if job.is_deleting { Ok(None) } else { expire(state, &job, &value) };
    }
    let is_suspended = value["spec"]["suspend"] == Value::Bool(true);
    let active: Vec<_> = pods.into_iter().filter(|pod| pod.is_active()).collect();
    counts.active = active.len() as u64;
    counts.ready = active.iter().filter(|pod| pod.is_ready).count() as u64;
    if job.is_deleting {
        counts.write(&mut value);
        return state.settle(&job, value).map(|_| None);
    }
    let verdict = job_status::judge(&value, &counts);
    if is_suspended || matches!(verdict, Verdict::Fails { .. } | Verdict::Succeeds) {
        for pod in &active {
            delete(state, &Kind::Pod, &pod.object.key, &DeleteOptions::background())?;
        }
    } else if trouble::refuses_pods(&value) {
        trouble::refuse(state, &job)?;
    } else {
        let missing = job_status::wanted(&value, &counts).saturating_sub(counts.active).min(NEW_PODS_MAX);
        for _ in 0..missing {
            let made = new_pod(&job, &value)?;
            state.insert(&Kind::Pod, made)?;
        }
        counts.active += missing;
    }
    job_status::suspend(&mut value, is_suspended);
    counts.write(&mut value);
    job_status::conclude(&mut value, &verdict, counts.active);
    let due = job_status::deadline(&value);
    state.settle(&job, value)?;
    Ok(due.map(|left| Instant::now() + left))
}

/// A Pod of a Job.
struct Controlled {
    object: Arc<Object>,
    phase: String,
    is_ready: bool,
    is_tracked: bool,
}

impl Controlled {
    fn has_ended(&self) -> bool {
        self.object.is_deleting || matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    fn is_active(&self) -> bool {
        !self.has_ended()
    }
}

fn controlled(state: &State, job: &Object) -> Vec<Controlled> {
    let pods = state.dependents(&job.uid).into_iter().filter(|dependent| dependent.kind == Kind::Pod);
    let read = |object: Arc<Object>| {
        let value = object.value();
        let phase = meta::text(&value, "/status/phase").to_owned();
        let is_ready = phase == "Running" && meta::has_condition(&value, "Ready");
        Controlled { object, phase, is_ready, is_tracked: meta::finalizers(&value).contains(&TRACKING) }
    };
    pods.map(read).collect()
}

/// Counts Pods that have ended, each once, and lets them go.
fn release_ended(
    state: &mut State,
    pods: &[Controlled],
    counts: &mut Counts,
    is_finished: bool,
) -> Result<(), Refusal> {
    for pod in pods.iter().filter(|pod| pod.is_tracked && (pod.has_ended() || is_finished)) {
        if pod.phase == "Succeeded" {
            counts.succeeded += 1;
        } else {
            counts.failed += 1;
        }
        state.edit(&Kind::Pod, &pod.object.key, |value| meta::remove_finalizer(value, TRACKING))?;
    }
    Ok(())
}

/// Deletes a Job whose time after its end has run out.
fn expire(state: &mut State, job: &Object, value: &Value) -> Result<Option<Instant>, Refusal> {
    let Some(ttl_s) = value["spec"]["ttlSecondsAfterFinished"].as_u64() else { return Ok(None) };
    let left = Duration::from_secs(ttl_s).saturating_sub(clock::since(job_status::finished_at(value)));
    if !left.is_zero() {
        return Ok(Some(Instant::now() + left));
    }
    let mut options = DeleteOptions::background();
    options.preconditions = Preconditions { uid: Some(job.uid.clone()), resource_version: None };
    delete(state, &Kind::Job, &job.key, &options).map(|_| None)
}

fn new_pod(job: &Object, value: &Value) -> Result<Value, Refusal> {
    let template = &value["spec"]["template"];
    let stem: String = job.name.chars().take(57).collect();
    let suffix = entropy::name_suffix().map_err(Refusal::internal)?;
    let mut annotations = serde_json::Map::new();
    for name in ANNOTATIONS {
        if let Some(text) = meta::annotation(value, name) {
            annotations.insert(name.to_owned(), text.into());
        }
    }
    let asked = template.pointer("/metadata/annotations").and_then(Value::as_object);
    annotations.extend(asked.cloned().unwrap_or_default());
    let owner = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job.name,
        "uid": job.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    });
    Ok(json!({
        "metadata": {
            "name": format!("{stem}-{suffix}"),
            "generateName": format!("{stem}-"),
            "namespace": job.namespace,
            "labels": template.pointer("/metadata/labels").cloned().unwrap_or_default(),
            "annotations": annotations,
            "finalizers": [TRACKING],
            "generation": 1,
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }))
}
