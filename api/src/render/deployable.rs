//! `Deployable`.

use super::runnable::{Placement, manifest};
use super::{API_VERSION, Document, Metadata, Scene, bytes};
use serde::Serialize;
use serde_json::value::RawValue;
use tallyman_model::record::{
    Bundle, Deployable, Drift, Installation, ObjectState, OnConflict, Planned, Synced,
};
use tallyman_model::{Damaged, Revision, query, time};

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
        status: State::of(deployable, &installations),
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
            manifests: planned.and_then(|planned| planned.iter().map(|plan| manifest(plan, kept)).collect()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    observed_generation: u32,
    revision: u32,
    digest: String,
    conditions: Vec<Condition>,
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
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
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
    fn of(deployable: &'a Deployable, installations: &'a [Installation]) -> Self {
        let counts = deployable.counts;
        let condition = |kind, count: u32, yes, no| {
            let holds = counts.clusters > 0 && count == counts.clusters;
            Condition {
                kind,
                status: if holds { "True" } else { "False" },
                reason: if holds { yes } else { no },
                message: format!("{count} of {} clusters", counts.clusters),
                observed_generation: deployable.generation,
            }
        };
        let mut clusters: Vec<On<'a>> = installations.iter().map(On::of).collect();
        clusters.sort_by_key(|on| on.cluster);
        Self {
            observed_generation: deployable.generation,
            revision: deployable.generation,
            digest: deployable.digest.to_string(),
            conditions: vec![
                condition("Synced", counts.synced, "Applied", "Applying"),
                condition("Healthy", counts.healthy, "Healthy", "NotHealthy"),
            ],
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

impl<'a> On<'a> {
    fn of(installation: &'a Installation) -> Self {
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
            message: words(installation),
            objects: installation.objects.iter().map(Shown::of).collect(),
        }
    }
}

/// The first thing that is to be said.
fn words(installation: &Installation) -> String {
    let about = |(position, object): (usize, &Synced)| {
        let what = installation.describe(position);
        if object.tries > 0 && !object.message.is_empty() {
            return Some(format!("{what}: {}", object.message));
        }
        let drift = object.drift.as_ref()?;
        let by = if drift.by.is_empty() { "somebody else" } else { drift.by.as_str() };
        let done = if drift.gone { "was deleted there" } else { "was changed there" };
        let again = match object.corrections {
            0 => String::new(),
            times => format!("; it was set right {times} times before"),
        };
        Some(format!("{what} {done}, by {by}{again}"))
    };
    installation.objects.iter().enumerate().find_map(about).unwrap_or_default()
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
            message: if object.message.is_empty() { &object.health_message } else { &object.message },
        }
    }
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
            manifests: bundle.planned.iter().filter_map(|plan| manifest(plan, manifests)).collect(),
        }
    }
}
