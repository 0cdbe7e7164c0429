//! `Deployable`.

use super::approvals::{self, ApprovalsState, Rule};
use super::keeping;
use super::runnable::{Placement, manifest as piece};
use super::{API_VERSION, Document, Metadata, Scene, bytes};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use tallyman_model::record::{
    Bundle, Deployable, Drift, Installation, Meta, ObjectState, OnConflict, Planned, Synced,
};
use tallyman_model::rollout::Progress;
use tallyman_model::{Damaged, Revision, brake, manifest, query, time};

pub(super) fn document(
    scene: &Scene<'_>,
    deployable: &Deployable,
    manifests: Option<&[u8]>,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    let bundle = query::bundle(scene.view, deployable.bundle())?;
    let kept = match (&bundle, manifests) {
        (_, Some(given)) => given.to_vec(),
        (Some(bundle), None) => query::bundle_manifests(scene.view, bundle)?,
        // One that is gone has left its manifests nowhere but in old states.
        (None, None) => Vec::new(),
    };
    let planned = bundle.as_ref().map(|bundle| bundle.planned.as_slice());
    let installations = query::installations(scene.view, deployable.head.ordinal)?;
    for installation in &installations {
        scene.observed_ms(installation.cluster)?;
    }
    let deleted = deployable.withdrawal.as_ref().map(|withdrawal| withdrawal.asked.at_ms);
    let metadata = Metadata::of(&deployable.head, revision);
    Ok(bytes(&Document {
        api_version: API_VERSION,
        kind: "Deployable",
        metadata: metadata.of_generation(deployable.generation.max(1)).deleted(deleted),
        spec: Spec::of(deployable, planned, &kept),
        status: State::of(deployable, &installations, scene.now_ms, &query::meta(scene.view)?),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(skip_serializing_if = "Placement::is_empty")]
    placement: Placement<'a>,
    drift: &'static str,
    on_conflict: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ignore: &'a [String],
    prune: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<Rollout<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<Rule<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allocations: Vec<keeping::Wanted<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locks: Vec<keeping::WantedLock<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifests: Option<Vec<&'a RawValue>>,
}

impl<'a> Spec<'a> {
    fn of(deployable: &'a Deployable, planned: Option<&'a [Planned]>, kept: &'a [u8]) -> Self {
        let spec = &deployable.spec;
        Self {
            placement: Placement::of(&spec.placement),
            drift: match spec.drift {
                Drift::Correct => "Correct",
                Drift::Report => "Report",
                Drift::Freeze => "Freeze",
            },
            on_conflict: match spec.on_conflict {
                OnConflict::Report => "Report",
                OnConflict::Force => "Force",
            },
            ignore: &spec.ignore,
            prune: spec.prune,
            rollout: Rollout::of(&spec.rollout),
            approvals: spec.approvals.as_ref().map(approvals::rule),
            allocations: spec.allocations.iter().map(keeping::wanted).collect(),
            locks: spec.locks.iter().map(keeping::wanted_lock).collect(),
            manifests: planned.and_then(|planned| planned.iter().map(|plan| piece(plan, kept)).collect()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rollout<'a> {
    max_unavailable: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    order: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    min_ready: Option<String>,
}

impl<'a> Rollout<'a> {
    fn of(rollout: &'a tallyman_model::record::Rollout) -> Option<Self> {
        let min_ready_ms = rollout.min_ready_ms;
        Some(Self {
            max_unavailable: rollout.max_unavailable?,
            order: &rollout.order,
            min_ready: (min_ready_ms > 0).then(|| manifest::write_duration(min_ready_ms)),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    observed_generation: u32,
    revision: u32,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<bool>,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<ApprovalsState<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allocations: Vec<keeping::Given<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locks: Vec<keeping::Held<'a>>,
    counts: Counts,
    clusters: Vec<On<'a>>,
}

#[derive(Serialize)]
struct Counts {
    clusters: u32,
    synced: u32,
    healthy: u32,
    drifted: u32,
    failing: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
    observed_generation: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct On<'a> {
    cluster: &'a str,
    state: &'static str,
    revision: u32,
    applied_revision: u32,
    health: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    objects: Vec<Shown<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_revision: Option<u32>,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<Drifted<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    corrections: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    admitted: Vec<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Drifted<'a> {
    what: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    by: &'a str,
    since: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl<'a> State<'a> {
    fn of(deployable: &'a Deployable, installations: &'a [Installation], now_ms: u64, meta: &Meta) -> Self {
        let counts = deployable.counts;
        let mut clusters: Vec<On<'a>> = installations.iter().map(|one| On::of(one, meta)).collect();
        clusters.sort_by_key(|on| on.cluster);
        let conditions = conditions(deployable, now_ms);
        let held = conditions.iter().find(|one| one.status == FALSE && !COUNTED.contains(&one.kind));
        let nowhere = conditions.iter().find(|one| one.reason == NO_CLUSTER);
        let mut said = held.or(nowhere).map(|one| one.message.clone()).into_iter();
        let said =
            said.next().or_else(|| clusters.iter().map(|on| on.message.clone()).find(|one| !one.is_empty()));
        let waits =
            deployable.approvals.is_some() && !deployable.is_approved() && !deployable.is_lapsed(now_ms);
        Self {
            observed_generation: deployable.generation,
            revision: deployable.generation,
            digest: deployable.digest.to_string(),
            paused: deployable.paused.is_some().then_some(true),
            message: said.unwrap_or_default(),
            conditions,
            approvals: deployable
                .approvals
                .as_ref()
                .map(|approvals| approvals::on(approvals, deployable.digest, waits)),
            allocations: deployable.allocations.iter().map(keeping::given).collect(),
            locks: deployable.locks.iter().map(keeping::held).collect(),
            counts: Counts {
                clusters: counts.clusters,
                synced: counts.synced,
                healthy: counts.healthy,
                drifted: counts.drifted,
                failing: counts.failing,
            },
            clusters,
        }
    }
}

const TRUE: &str = "True";
const FALSE: &str = "False";
const NO_CLUSTER: &str = "NoCluster";
/// Conditions that count clusters: they are false on the way, too.
const COUNTED: [&str; 2] = ["Synced", "Healthy"];

fn conditions(deployable: &Deployable, now_ms: u64) -> Vec<Condition> {
    let counts = deployable.counts;
    let condition = |kind, holds: bool, reason, message| Condition {
        kind,
        status: if holds { TRUE } else { FALSE },
        reason,
        message,
        observed_generation: deployable.generation,
    };
    let (approved, why) = approved(deployable, now_ms);
    let mut conditions = Vec::with_capacity(4);
    if deployable.approvals.is_some() {
        conditions.push(condition("Approved", deployable.is_approved(), approved, why.clone()));
    }
    let counted = |kind, count: u32, yes, no| {
        if counts.clusters > 0 || !deployable.is_approved() {
            let holds = counts.clusters > 0 && count == counts.clusters;
            let message = format!("{count} of {} clusters", counts.clusters);
            return condition(kind, holds, if holds { yes } else { no }, message);
        }
        let message =
            "no cluster matches spec.placement: `tallyman cluster list` shows them with their labels";
        condition(kind, false, NO_CLUSTER, message.to_owned())
    };
    conditions.push(counted("Synced", counts.synced, "Applied", "Applying"));
    conditions.push(counted("Healthy", counts.healthy, "Healthy", "NotHealthy"));
    conditions.push(match deployable.progress {
        _ if !deployable.is_approved() => condition("RolledOut", false, approved, why),
        Progress::Begun => {
            let but = Some(deployable.progress_message.clone()).filter(|words| !words.is_empty());
            let words = but.unwrap_or_else(|| "it is begun on all clusters".to_owned());
            condition("RolledOut", true, "Begun", words)
        }
        Progress::Waiting => condition("RolledOut", false, "Waiting", deployable.progress_message.clone()),
        Progress::Paused => condition("RolledOut", false, "Paused", deployable.progress_message.clone()),
        Progress::Degraded => condition("RolledOut", false, "Degraded", deployable.progress_message.clone()),
    });
    conditions
}

/// How far the approvals are, in one word and in plain ones.
fn approved(deployable: &Deployable, now_ms: u64) -> (&'static str, String) {
    let Some(approvals) = &deployable.approvals else { return ("Approved", String::new()) };
    match approvals.rejection() {
        Some(rejection) => {
            let why = if rejection.reason.is_empty() { "" } else { ": " };
            ("Rejected", format!("{} rejected it{why}{}", rejection.by.user, rejection.reason))
        }
        None if deployable.is_approved() => ("Approved", approvals.count(deployable.digest)),
        None if deployable.is_lapsed(now_ms) => {
            let after = manifest::write_duration(approvals.rule.expire_after_ms);
            let count = approvals.count(deployable.digest);
            ("ApprovalExpired", format!("it was not approved within {after}: {count}"))
        }
        None => ("AwaitingApproval", approvals.wanted(deployable.digest)),
    }
}

impl<'a> On<'a> {
    fn of(installation: &'a Installation, meta: &Meta) -> Self {
        let state = match installation {
            _ if installation.leaving => "Leaving",
            _ if installation.is_frozen() => "Frozen",
            _ if installation.is_failing() => "Failing",
            _ if installation.is_drifted() => "Drifted",
            _ if installation.is_all_synced() => "Synced",
            _ => "Syncing",
        };
        Self {
            cluster: &installation.cluster_name,
            state,
            revision: installation.generation,
            applied_revision: installation.applied,
            health: installation.health().as_str(),
            message: braked(installation, meta).unwrap_or_else(|| words(installation)),
            objects: installation.objects.iter().map(Shown::of).collect(),
        }
    }
}

/// How often in a row something is set right until it is said what to do about it.
const CONTESTED: u32 = 3;

/// Why nothing is deleted there, if a brake holds it back.
fn braked(installation: &Installation, meta: &Meta) -> Option<String> {
    let Installation { cluster, cluster_name, namespace, .. } = installation;
    let is_held = brake::may_hold_sync(installation);
    is_held.then(|| meta.braked_words(*cluster, cluster_name, namespace)).flatten()
}

/// What is waited for where nothing is there and nothing is wanted: this is why a record stays after its objects.
fn doubt(object: &Synced) -> Option<String> {
    let words = |until: String| {
        format!(
            "it is not there, but a create that was sent before may still arrive: it is looked for once more at {until}, \
             and its name is kept until then"
        )
    };
    object.is_in_doubt().then(|| words(time::format(object.doubt_until_ms)))
}

/// The first thing that is to be said.
fn words(installation: &Installation) -> String {
    let about = |(position, object): (usize, &Synced)| {
        let what = installation.describe(position);
        if let Some(doubt) = doubt(object) {
            return Some(format!("{what}: {doubt}"));
        }
        if object.tries > 0 && !object.message.is_empty() {
            return Some(format!("{what}: {}", object.message));
        }
        let drift = object.drift.as_ref()?;
        let by = if drift.by.is_empty() { "somebody else" } else { drift.by.as_str() };
        let done = if drift.gone { "was deleted there" } else { "was changed there" };
        let again = match object.corrections {
            0 => String::new(),
            times @ 1..CONTESTED => format!("; it was set right {times} times before"),
            times => format!(
                "; it was set right {times} times before, each time later, the next time at {}: have whoever does that \
                 leave it, or leave the field to them in spec.ignore",
                time::format(object.due_ms)
            ),
        };
        Some(format!("{what} {done}, by {by}{again}"))
    };
    let lingers = |(position, object): (usize, &Synced)| {
        let is_asked = object.deleting && !object.wanted && object.state == ObjectState::Live;
        is_asked.then(|| format!("{} was asked to go and is there still", installation.describe(position)))
    };
    let objects = || installation.objects.iter().enumerate();
    objects().find_map(about).or_else(|| objects().find_map(lingers)).unwrap_or_default()
}

impl<'a> Shown<'a> {
    fn of(object: &'a Synced) -> Self {
        Self {
            api_version: object.kind.api_version(),
            kind: object.kind.as_str(),
            namespace: &object.namespace,
            name: &object.name,
            state: match object.state {
                ObjectState::Absent => "Absent",
                ObjectState::Live => "Live",
                ObjectState::Gone => "Gone",
            },
            uid: object.uid.as_deref(),
            applied_revision: object.applied,
            health: object.health.as_str(),
            drift: object.drift.as_ref().map(Drifted::of),
            corrections: object.corrections,
            admitted: admitted(object),
            message: match doubt(object) {
                Some(doubt) => doubt.into(),
                None if object.message.is_empty() => object.health_message.as_str().into(),
                None => object.message.as_str().into(),
            },
        }
    }
}

/// The fields that the cluster itself made something else of, each time that it was asked.
fn admitted(object: &Synced) -> Vec<&str> {
    let fields = object.differences.fields.iter().filter(|field| field.admitted);
    fields.map(|field| field.pointer.as_str()).collect()
}

impl<'a> Drifted<'a> {
    pub(super) fn of(drift: &'a tallyman_model::record::Drifted) -> Self {
        Self {
            what: if drift.gone { "Deleted" } else { "Changed" },
            by: &drift.by,
            since: time::format(drift.since_ms),
        }
    }
}

/// The row cells of people.
pub(crate) fn cells(deployable: &Deployable, age: &str) -> Vec<serde_json::Value> {
    use serde_json::json;
    let counts = deployable.counts;
    vec![
        json!(deployable.head.name),
        json!(deployable.generation),
        json!(format!("{}/{}", counts.synced, counts.clusters)),
        json!(format!("{}/{}", counts.healthy, counts.clusters)),
        json!(counts.drifted),
        json!(age),
        json!(counts.failing),
    ]
}

/// One kept revision.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept<'a> {
    revision: u32,
    asked_by: &'a str,
    asked_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rolled_back_to: Option<u32>,
    digest: String,
    manifests: Vec<&'a RawValue>,
}

impl<'a> Kept<'a> {
    pub(crate) fn of(bundle: &'a Bundle, manifests: &'a [u8]) -> Self {
        Self {
            revision: bundle.generation,
            asked_by: &bundle.asked.by,
            asked_at: time::format(bundle.asked.at_ms),
            rolled_back_to: bundle.again,
            digest: bundle.digest.to_string(),
            manifests: bundle.planned.iter().filter_map(|plan| piece(plan, manifests)).collect(),
        }
    }
}
