//! `DeployableDiff`.

use super::API_VERSION;
use super::deployable::Drifted;
use serde::Serialize;
use serde_json::Value;
use tallyman_model::Revision;
use tallyman_model::query::{ClusterDiff, Diff, FieldDiff, ObjectDiff};
use tallyman_model::record::{Deployable, SyncAction};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiffDocument<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata<'a>,
    /// The newest one.
    revision: u32,
    items: Vec<Cluster<'a>>,
    /// Objects that differ and are not shown.
    #[serde(skip_serializing_if = "is_none")]
    more: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    namespace: &'a str,
    name: &'a str,
    resource_version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cluster<'a> {
    cluster: &'a str,
    applied_revision: u32,
    objects: Vec<Object<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_revision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<Drifted<'a>>,
    fields: Vec<Field<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    more: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Field<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    admitted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(number: &usize) -> bool {
    *number == 0
}

impl<'a> DiffDocument<'a> {
    pub(crate) fn of(deployable: &'a Deployable, diff: &'a Diff, revision: Revision) -> Self {
        Self {
            kind: "DeployableDiff",
            api_version: API_VERSION,
            metadata: Metadata {
                namespace: &deployable.head.namespace,
                name: &deployable.head.name,
                resource_version: revision.to_string(),
            },
            revision: deployable.generation,
            items: diff.clusters.iter().map(Cluster::of).collect(),
            more: diff.more,
        }
    }
}

impl<'a> Cluster<'a> {
    fn of(diff: &'a ClusterDiff) -> Self {
        Self {
            cluster: &diff.cluster,
            applied_revision: diff.applied,
            objects: diff.objects.iter().map(Object::of).collect(),
        }
    }
}

impl<'a> Object<'a> {
    fn of(diff: &'a ObjectDiff) -> Self {
        let word = |action| match action {
            SyncAction::Create => "Create",
            SyncAction::Apply => "Apply",
            SyncAction::Delete => "Delete",
            SyncAction::Release => "Release",
        };
        Self {
            api_version: diff.kind.api_version(),
            kind: diff.kind.as_str(),
            namespace: &diff.namespace,
            name: &diff.name,
            action: diff.action.map(word),
            applied_revision: diff.applied,
            drift: diff.drift.as_ref().map(Drifted::of),
            fields: diff.fields.iter().map(Field::of).collect(),
            more: diff.more,
        }
    }
}

impl<'a> Field<'a> {
    fn of(diff: &'a FieldDiff) -> Self {
        // What was cut is no JSON any more: it is shown as a text.
        let value =
            |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
        Self {
            path: &diff.pointer,
            wanted: diff.wanted.as_ref().map(value),
            applied: diff.applied.as_ref().map(value),
            observed: diff.observed.as_ref().map(value),
            admitted: diff.admitted,
        }
    }
}
