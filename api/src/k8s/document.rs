//! One object, as a client of its cluster would see it: the manifest as it was sent, and what was observed.

use crate::render::Scene;
use serde_json::{Map, Value, json};
use tallyman_model::manifest::{self, Marks, marks};
use tallyman_model::record::{Condition, Kind, Object, Record, Runnable, Seen};
use tallyman_model::{Damaged, Revision, query, time};

/// Annotation: the runnable that the object belongs to, in the object's namespace.
const RUNNABLE: &str = "tallyman.dev/runnable";
/// Annotation: the cluster that it is on.
const CLUSTER: &str = "tallyman.dev/cluster";
/// Annotation: the cluster's own resourceVersion of what is shown.
const CLUSTER_VERSION: &str = "tallyman.dev/cluster-resource-version";
/// Annotation: when what is shown was observed.
const OBSERVED_AT: &str = "tallyman.dev/observed-at";

/// The document of `object` of `run`, whose kept manifests are `kept`, joined: without them it has no spec.
/// `revision` replaces the record's own.
pub(super) fn document(
    scene: &Scene<'_>,
    run: &Runnable,
    object: &Object,
    kept: Option<&[u8]>,
    revision: Option<Revision>,
) -> Result<Value, Damaged> {
    let kind = run.plan(object).map_or(Kind::Job, |plan| plan.kind.clone());
    let cluster = match query::record(scene.view, object.cluster)? {
        Some(Record::Cluster(cluster)) => Some(cluster),
        _ => None,
    };
    scene.observed_ms(object.cluster)?;
    let cluster_uid =
        cluster.as_ref().and_then(|cluster| cluster.kube_system_uid.clone()).unwrap_or_default();
    let marks = Marks { group: query::meta(scene.view)?.group, cluster_uid, at_ms: 0 };
    let sent = kept.and_then(|kept| manifest::as_sent(run, object, kept, &marks));
    let mut document = match sent {
        Some(Value::Object(document)) => document,
        _ => bare(run, object, &kind),
    };
    let mut metadata = match document.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    observe(&mut metadata, object, revision.unwrap_or(run.head.revision));
    let mut annotations = match metadata.remove("annotations") {
        Some(Value::Object(annotations)) => annotations,
        _ => Map::new(),
    };
    // From when the hold may be released was not kept.
    annotations.remove(marks::HOLD_UNTIL);
    annotations.insert(RUNNABLE.to_owned(), json!(run.head.name));
    annotations.extend(cluster.map(|cluster| (CLUSTER.to_owned(), json!(cluster.head.name))));
    if let Some(seen) = &object.seen {
        annotations.insert(CLUSTER_VERSION.to_owned(), json!(seen.resource_version));
        annotations.insert(OBSERVED_AT.to_owned(), json!(time::format(seen.at_ms)));
    }
    metadata.insert("annotations".to_owned(), Value::Object(annotations));
    document.insert("metadata".to_owned(), Value::Object(metadata));
    let status = object.seen.as_ref().and_then(|seen| match kind {
        Kind::Job => Some(job_status(seen)),
        Kind::Workflow => Some(workflow_status(seen)),
        Kind::ConfigMap | Kind::WorkflowTemplate | Kind::Other(_) => None,
    });
    document.extend(status.map(|status| ("status".to_owned(), status)));
    Ok(Value::Object(document))
}

/// Where the manifest is not kept any more.
fn bare(run: &Runnable, object: &Object, kind: &Kind) -> Map<String, Value> {
    let namespace = run.plan(object).map_or("", |plan| plan.namespace.as_str());
    let metadata = json!({"name": object.name, "namespace": namespace});
    let mut document = Map::new();
    document.insert("apiVersion".to_owned(), json!(kind.api_version()));
    document.insert("kind".to_owned(), json!(kind.as_str()));
    document.insert("metadata".to_owned(), metadata);
    document
}

/// What only the cluster can say of an object's metadata.
fn observe(metadata: &mut Map<String, Value>, object: &Object, revision: Revision) {
    let seen = object.seen.as_ref();
    let others = seen.map_or(&[][..], |seen| &seen.finalizers);
    let hold = object.held.then_some(marks::HOLD);
    let finalizers: Vec<&str> = hold.into_iter().chain(others.iter().map(String::as_str)).collect();
    metadata.remove("finalizers");
    if !finalizers.is_empty() {
        metadata.insert("finalizers".to_owned(), json!(finalizers));
    }
    metadata.insert("uid".to_owned(), json!(object.uid));
    metadata.insert("resourceVersion".to_owned(), json!(revision.to_string()));
    let created = seen.and_then(|seen| seen.created_ms).map(time::format);
    metadata.insert("creationTimestamp".to_owned(), json!(created));
    if let Some(deleting_ms) = seen.and_then(|seen| seen.deleting_ms) {
        metadata.insert("deletionTimestamp".to_owned(), json!(time::format(deleting_ms)));
    }
}

fn job_status(seen: &Seen) -> Value {
    let mut status = Map::new();
    let counts = [("active", seen.active), ("succeeded", seen.succeeded), ("failed", seen.failed)];
    for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        status.insert(field.to_owned(), json!(count));
    }
    status.extend(seen.started_ms.map(|at| ("startTime".to_owned(), json!(time::format(at)))));
    let complete = seen.condition == Some(Condition::Complete);
    let completed = seen.finished_ms.filter(|_| complete);
    status.extend(completed.map(|at| ("completionTime".to_owned(), json!(time::format(at)))));
    if let Some(condition) = seen.condition {
        let mut shown = json!({"type": condition.as_str(), "status": "True"});
        if !seen.message.is_empty() {
            shown["message"] = json!(seen.message);
        }
        if let Some(at) = seen.finished_ms.filter(|_| condition == Condition::Failed) {
            shown["lastTransitionTime"] = json!(time::format(at));
        }
        status.insert("conditions".to_owned(), json!([shown]));
    }
    Value::Object(status)
}

/// As far as it was kept: which steps it has is asked of its cluster.
fn workflow_status(seen: &Seen) -> Value {
    let phase = match (seen.condition, seen.started_ms) {
        (Some(Condition::Complete), _) => "Succeeded",
        (Some(Condition::Failed), _) => "Failed",
        (_, Some(_)) => "Running",
        (_, None) => "Pending",
    };
    let mut status = Map::new();
    status.insert("phase".to_owned(), json!(phase));
    status.extend(seen.started_ms.map(|at| ("startedAt".to_owned(), json!(time::format(at)))));
    status.extend(seen.finished_ms.map(|at| ("finishedAt".to_owned(), json!(time::format(at)))));
    if !seen.message.is_empty() {
        status.insert("message".to_owned(), json!(seen.message));
    }
    Value::Object(status)
}
