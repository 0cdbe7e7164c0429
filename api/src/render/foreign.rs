//! `Runnable`, of work that was not submitted here.

use super::conditions::{self, Condition};
use super::{API_VERSION, Document, Metadata, Scene, bytes, selector};
use serde::Serialize;
use serde_json::Value;
use tallyman_model::record::{Cluster, Foreign, ForeignSelector, Owner};
use tallyman_model::{Damaged, Revision, query, time};

pub(super) fn document(
    scene: &Scene<'_>,
    foreign: &Foreign,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    let kind = &foreign.kind;
    Ok(bytes(&Document {
        api_version: API_VERSION,
        kind: "Runnable",
        metadata: Metadata::of(&foreign.head, revision),
        spec: Spec { main: Main { kind: kind.as_str(), name: &foreign.object }, manifests: [] },
        status: State::of(scene, foreign)?,
    }))
}

/// Nobody submitted it, so there is nothing that was asked for.
#[derive(Serialize)]
struct Spec<'a> {
    main: Main<'a>,
    manifests: [(); 0],
}

#[derive(Serialize)]
struct Main<'a> {
    kind: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    phase: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    observed_generation: u32,
    conditions: Vec<Condition<'a>>,
    cluster: &'a str,
    foreign: Object<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    attempts: [(); 0],
    observed: Observed<'a>,
}

/// The object itself.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerState<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected_by: Option<SelectedBy>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnerState<'a> {
    api_version: &'a str,
    kind: &'a str,
    name: &'a str,
    uid: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Observed<'a> {
    at: String,
    resource_version: &'a str,
}

/// The selector of its cluster that it is shown by.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SelectedBy {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    namespaces: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_selector: Option<Value>,
}

impl<'a> State<'a> {
    fn of(scene: &Scene<'_>, foreign: &'a Foreign) -> Result<Self, Damaged> {
        if !foreign.phase.is_terminal() {
            scene.observed_ms(foreign.cluster)?;
        }
        let cluster = conditions::cluster_of(scene.view, foreign.cluster)?;
        let selector = cluster.as_ref().and_then(|cluster| {
            cluster.observe.iter().find(|selector| selector.kind == foreign.kind).cloned()
        });
        let owner = |owner: &'a Owner| OwnerState {
            api_version: &owner.api_version,
            kind: &owner.kind,
            name: &owner.name,
            uid: &owner.uid,
        };
        Ok(Self {
            phase: foreign.phase.as_str(),
            reason: foreign.reason_word(),
            message: foreign.words(),
            observed_generation: 1,
            conditions: conditions::of_foreign(foreign, cluster.as_ref()),
            cluster: &foreign.cluster_name,
            foreign: Object {
                api_version: foreign.kind.api_version(),
                kind: foreign.kind.as_str(),
                namespace: &foreign.head.namespace,
                name: &foreign.object,
                uid: &foreign.object_uid,
                owner: foreign.owner.as_ref().map(owner),
                started_at: foreign.started_ms.map(time::format),
                gone_at: foreign.gone_ms.map(time::format),
                selected_by: selector.map(|selector| SelectedBy {
                    label_selector: label_selector(&selector),
                    namespaces: selector.namespaces,
                }),
            },
            finished_at: foreign.finished_ms.map(time::format),
            attempts: [],
            observed: Observed {
                at: time::format(foreign.seen_ms),
                resource_version: &foreign.resource_version,
            },
        })
    }
}

fn label_selector(one: &ForeignSelector) -> Option<Value> {
    (!one.labels.0.is_empty()).then(|| selector(&one.labels))
}

/// What a cluster's record selects.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Selection<'a> {
    api_version: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    namespaces: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    label_selector: Option<Value>,
}

pub(super) fn selections(observe: &[ForeignSelector]) -> Vec<Selection<'_>> {
    let selection = |one| {
        let ForeignSelector { kind, namespaces, .. }: &ForeignSelector = one;
        let label_selector = label_selector(one);
        Selection { api_version: kind.api_version(), kind: kind.as_str(), namespaces, label_selector }
    };
    observe.iter().map(selection).collect()
}

/// How much of that there is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Selected<'a> {
    api_version: &'a str,
    kind: &'a str,
    shown: usize,
    not_shown: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<String>,
}

pub(super) fn selected<'a>(scene: &Scene<'_>, cluster: &'a Cluster) -> Result<Vec<Selected<'a>>, Damaged> {
    let mut selected = Vec::with_capacity(cluster.observe.len());
    for selector in &cluster.observe {
        let (kind, mut observed_ms) = (&selector.kind, Some(u64::MAX));
        for extent in selector.extents(cluster.watch_scope) {
            let watch = query::foreign_watch(scene.view, cluster.head.ordinal, &extent)?;
            // While one of them has told nothing the whole is not known.
            observed_ms = observed_ms.zip(watch).map(|(oldest, watch)| oldest.min(watch.observed_ms));
        }
        selected.push(Selected {
            api_version: kind.api_version(),
            kind: kind.as_str(),
            shown: query::foreign_count_of_kind(scene.view, cluster.head.ordinal, kind)?,
            not_shown: cluster.unshown(kind),
            observed_at: observed_ms.map(time::format),
        });
    }
    Ok(selected)
}
