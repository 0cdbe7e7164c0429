//! `Runnable`.

use super::approvals::{self, ApprovalsState, Rule};
use super::conditions::{self, Condition};
use super::diagnosis::{self, DiagnosisState, Logs, PodState};
use super::keeping;
use super::{API_VERSION, Document, Metadata, Scene, bytes, selector};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tallyman_model::manifest::write_duration;
use tallyman_model::record::{self, FanOut, Loss, Object, OnLate, OnLoss, Planned, Preflight, Runnable};
use tallyman_model::{Damaged, Phase, Revision, query, time};

pub(super) fn document(
    scene: &Scene<'_>,
    run: &Runnable,
    manifests: Option<&[u8]>,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    let kept = match manifests {
        Some(bytes) => Some(Cow::Borrowed(bytes)),
        // A run that is gone has left its manifests nowhere but in old states.
        None => query::manifests(scene.view, run).ok().map(Cow::Owned),
    };
    let state = State::of(scene, run)?;
    Ok(bytes(&Document {
        api_version: API_VERSION,
        kind: "Runnable",
        metadata: Metadata::of(&run.head, revision)
            .deleted(run.deletion.as_ref().map(|asked| asked.at_ms))
            .owned(run.parent.as_ref()),
        spec: Spec::of(run, kept.as_deref()),
        status: state,
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(skip_serializing_if = "Placement::is_empty")]
    placement: Placement<'a>,
    attempts: Attempts,
    start_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_by: Option<String>,
    on_late: &'static str,
    ttl_after_finished: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requires: Vec<Requirement<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<Rule<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allocations: Vec<keeping::Wanted<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locks: Vec<keeping::WantedLock<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    main: Option<Main<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifests: Option<Vec<&'a RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Placement<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    clusters: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_selector: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    weights: &'a BTreeMap<String, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_loss: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_after: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fan_out: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    spread_by_label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'a str>,
}

impl<'a> Placement<'a> {
    /// What is as it is without being said is left out.
    pub(super) fn of(placement: &'a record::Placement) -> Self {
        let usual = record::Placement::default();
        let on_loss = Some(placement.on_loss).filter(|on_loss| *on_loss != usual.on_loss);
        let loss_after = Some(placement.loss_after_ms).filter(|after_ms| *after_ms != usual.loss_after_ms);
        Self {
            clusters: &placement.clusters,
            cluster_selector: placement.selector.as_ref().map(selector),
            weights: &placement.weights,
            on_loss: on_loss.map(OnLoss::as_str),
            loss_after: loss_after.map(write_duration),
            fan_out: placement.fan_out,
            spread_by_label: placement.spread_by_label.as_deref(),
            decision: placement.decision.as_deref(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clusters.is_empty()
            && self.cluster_selector.is_none()
            && self.weights.is_empty()
            && self.on_loss.is_none()
            && self.loss_after.is_none()
            && !self.fan_out
            && self.spread_by_label.is_none()
            && self.decision.is_none()
    }
}

#[derive(Serialize)]
struct Attempts {
    max: u32,
    backoff: String,
}

#[derive(Serialize)]
struct Requirement<'a> {
    deployable: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
}

impl<'a> Requirement<'a> {
    fn of(requirement: &'a record::Requirement) -> Self {
        Self { deployable: &requirement.deployable, revision: requirement.generation }
    }
}

#[derive(Serialize)]
struct Main<'a> {
    kind: &'a str,
    name: &'a str,
}

impl<'a> Spec<'a> {
    fn of(run: &'a Runnable, kept: Option<&'a [u8]>) -> Self {
        let spec = &run.spec;
        let main = run.planned.get(usize::from(run.main));
        Self {
            placement: Placement::of(&spec.placement),
            attempts: Attempts { max: spec.attempts_max, backoff: write_duration(spec.backoff_ms) },
            start_by: write_duration(spec.start_by_ms),
            finish_by: spec.finish_by_ms.map(write_duration),
            on_late: match spec.on_late {
                OnLate::Alert => "Alert",
                OnLate::Stop => "Stop",
            },
            ttl_after_finished: write_duration(spec.ttl_after_finished_ms),
            preflight: (spec.preflight != Preflight::Skip).then(|| spec.preflight.as_str()),
            requires: spec.requires.iter().map(Requirement::of).collect(),
            approvals: spec.approvals.as_ref().map(approvals::rule),
            allocations: spec.allocations.iter().map(keeping::wanted).collect(),
            locks: spec.locks.iter().map(keeping::wanted_lock).collect(),
            main: main.map(|plan| Main { kind: plan.kind.as_str(), name: &plan.name }),
            manifests: kept.and_then(|kept| run.planned.iter().map(|plan| manifest(plan, kept)).collect()),
        }
    }
}

/// A manifest as it was kept. A name that was made for it is in `main` and in the status.
pub(super) fn manifest<'a>(plan: &Planned, kept: &'a [u8]) -> Option<&'a RawValue> {
    serde_json::from_slice(plan.json(kept)?).ok()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    phase: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<String>,
    observed_generation: u32,
    conditions: Vec<Condition<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fan_out: Option<FanOutState>,
    digest: String,
    submitted_by: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<ApprovalsState<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allocations: Vec<keeping::Given<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locks: Vec<keeping::Held<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dead_letter: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    attempts: Vec<AttemptState<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<Observed<'a>>,
}

/// How the runs of a fan-out are.
#[derive(Serialize)]
struct FanOutState {
    clusters: u32,
    waiting: u32,
    active: u32,
    succeeded: u32,
    failed: u32,
    cancelled: u32,
}

impl FanOutState {
    fn of(fan_out: &FanOut) -> Self {
        let count = |phase| fan_out.of(|its| its == phase);
        Self {
            clusters: fan_out.clusters(),
            waiting: fan_out.waiting(),
            active: fan_out.active(),
            succeeded: count(Phase::Succeeded),
            failed: count(Phase::Failed),
            cancelled: count(Phase::Cancelled),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptState<'a> {
    number: u32,
    cluster: &'a str,
    phase: &'static str,
    placed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    back_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap_at: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnosis: Option<DiagnosisState<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pods: Vec<PodState<'a>>,
    objects: Vec<ObjectState<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectState<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Observed<'a> {
    at: String,
    resource_version: &'a str,
}

impl<'a> State<'a> {
    fn of(scene: &Scene<'_>, run: &'a Runnable) -> Result<Self, Damaged> {
        let attempt = run.attempt();
        let cluster = match attempt {
            Some(attempt) => {
                // What a run's end was is in the log; before it, it is what the cluster said.
                if !run.phase.is_terminal() {
                    scene.observed_ms(attempt.cluster)?;
                }
                conditions::cluster_of(scene.view, attempt.cluster)?
            }
            None => None,
        };
        let observed = run.main_object().filter(|object| object.observed_ms.is_some());
        let seen = observed.and_then(|object| object.seen.as_ref());
        let meta = scene.meta()?;
        Ok(Self {
            phase: run.phase.as_str(),
            reason: run.reason_word(),
            message: diagnosis::message(run),
            waiting_for: run
                .held_up(&meta, cluster.as_ref())
                .map(|(_, words)| words)
                .or_else(|| run.hanging(scene.now_ms)),
            observed_generation: 1,
            conditions: conditions::of(run, cluster.as_ref()),
            cluster: attempt.map(|attempt| attempt.cluster_name.as_str()),
            parent: run.parent.as_ref().map(|parent| parent.name.as_str()),
            fan_out: run.fan_out.as_ref().filter(|fan_out| fan_out.is_decided).map(FanOutState::of),
            digest: run.digest.to_string(),
            submitted_by: &run.head.created_by,
            approvals: approvals::state(run),
            allocations: run.allocations.iter().map(keeping::given).collect(),
            locks: run.locks.iter().map(keeping::held).collect(),
            late: run.late,
            dead_letter: run.is_dead_letter(),
            finished_at: run.finished_ms.map(time::format),
            attempts: attempts(scene, run)?,
            observed: seen.map(|seen| Observed {
                at: time::format(seen.at_ms),
                resource_version: &seen.resource_version,
            }),
        })
    }
}

fn attempts<'a>(scene: &Scene<'_>, run: &'a Runnable) -> Result<Vec<AttemptState<'a>>, Damaged> {
    let mut shown = Vec::with_capacity(run.attempts.len());
    for attempt in &run.attempts {
        let cluster = conditions::cluster_of(scene.view, attempt.cluster)?;
        let logs = Logs::of(run, attempt, cluster.as_ref());
        shown.push(AttemptState {
            number: attempt.number,
            cluster: &attempt.cluster_name,
            phase: attempt.phase.as_str(),
            placed_at: time::format(attempt.placed_ms),
            started_at: attempt.started_ms.map(time::format),
            finished_at: attempt.finished_ms.map(time::format),
            lost_at: attempt.lost.map(|lost: Loss| time::format(lost.since_ms)),
            back_at: attempt.lost.and_then(|lost| lost.back_ms).map(time::format),
            overlap_at: attempt.overlap_ms.map(time::format),
            message: &attempt.message,
            log_link: logs.link(),
            diagnosis: diagnosis::state(attempt),
            pods: diagnosis::pods(attempt, &logs),
            objects: objects(run, attempt.number),
        });
    }
    Ok(shown)
}

fn objects(run: &Runnable, attempt: u32) -> Vec<ObjectState<'_>> {
    use tallyman_model::record::ObjectState::{Absent, Gone, Live};
    let state = |object: &Object| match object.state {
        Absent => "Absent",
        Live => "Live",
        Gone => "Gone",
    };
    let shown = |object| {
        let plan = run.plan(object)?;
        Some(ObjectState {
            api_version: plan.kind.api_version(),
            kind: plan.kind.as_str(),
            namespace: &plan.namespace,
            name: &object.name,
            state: state(object),
            uid: object.uid.as_deref(),
            resource_version: object.seen.as_ref().map(|seen| seen.resource_version.as_str()),
            sent_at: object.sent_ms.map(time::format),
            created_at: object.created_ms.map(time::format),
            observed_at: object.observed_ms.map(time::format),
            read_at: object.read.as_ref().map(|read| time::format(read.at_ms)),
            message: &object.message,
        })
    };
    run.objects.iter().filter(|object| object.attempt == attempt).filter_map(shown).collect()
}
