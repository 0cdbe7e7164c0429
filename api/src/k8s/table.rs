//! Rows for people: the columns that kubectl shows of such objects, the cluster, and how old the picture is.

use crate::render::{Scene, age, bytes};
use crate::table::{API_VERSION, Include};
use serde_json::{Value, json};
use tallyman_model::Damaged;
use tallyman_model::record::{Condition, Kind, Object, Seen};

const NONE: &str = "<none>";

/// Name, whether only `-o wide` shows it, and what it says.
type Column = (&'static str, bool, &'static str);

const NAME: Column = ("Name", false, "The object's name on its cluster.");
const CLUSTER: Column = ("Cluster", false, "The cluster that it is on.");
const AGE: Column = ("Age", false, "How long ago its cluster made it.");
const OBSERVED: Column = ("Observed", false, "How old what is shown is at most.");
const RUNNABLE: Column = ("Runnable", true, "The runnable that it belongs to.");
const JOB: [Column; 3] = [
    ("Status", false, "Complete, Failed, Terminating, Suspended or Running."),
    ("Completions", false, "Pods that succeeded, of how many."),
    ("Duration", false, "From its start to its end, or to now."),
];
const JOB_WIDE: [Column; 2] =
    [("Containers", true, "The names of its containers."), ("Images", true, "Their images.")];
const WORKFLOW: [Column; 3] = [
    ("Status", false, "Succeeded, Failed, Terminating, Suspended, Running or Pending."),
    ("Duration", false, "From its start to its end, or to now."),
    ("Message", true, "What it says of itself."),
];
const CONFIG_MAP: [Column; 1] = [("Data", false, "How many keys it has.")];

/// The columns of a kind, as Kubernetes describes columns.
pub(crate) fn columns(kind: &Kind, all: bool) -> Value {
    let (own, wide): (&[Column], &[Column]) = match kind {
        Kind::Job => (&JOB, &JOB_WIDE),
        Kind::ConfigMap => (&CONFIG_MAP, &[]),
        Kind::Workflow => (&WORKFLOW, &[]),
        Kind::WorkflowTemplate | Kind::Other(_) => (&[], &[]),
    };
    let cluster: &[Column] = if all { &[CLUSTER] } else { &[] };
    let parts = [&[NAME], cluster, own, &[AGE, OBSERVED], wide, &[RUNNABLE]];
    let column = |(name, wide, says): &Column| {
        let format = if *name == "Name" { "name" } else { "" };
        json!({"name": name, "type": "string", "format": format, "description": says, "priority": u8::from(*wide)})
    };
    Value::Array(parts.into_iter().flatten().map(column).collect())
}

/// The row of an object whose document is given.
pub(super) fn row(
    scene: &Scene<'_>,
    kind: &Kind,
    all: bool,
    object: &Object,
    document: &Value,
) -> Result<Vec<u8>, Damaged> {
    let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or(NONE);
    let annotation = |key: &str| text(&format!("/metadata/annotations/tallyman.dev~1{key}"));
    let seen = object.seen.as_ref();
    let observed_ms =
        if kind.is_watched() { scene.observed_ms(object.cluster)? } else { seen.map(|seen| seen.at_ms) };
    let mut cells = vec![json!(object.name)];
    if all {
        cells.push(json!(annotation("cluster")));
    }
    match kind {
        Kind::Job => {
            cells.push(json!(seen.map_or("Unknown", status)));
            cells.push(json!(completions(document, seen.map_or(0, |seen| seen.succeeded))));
            cells.push(json!(seen.map_or_else(String::new, |seen| duration(seen, scene.now_ms))));
        }
        Kind::ConfigMap => {
            let keys =
                |field: &str| document.get(field).and_then(Value::as_object).map_or(0, |map| map.len());
            cells.push(json!((keys("data") + keys("binaryData")).to_string()));
        }
        Kind::Workflow => {
            cells.push(json!(seen.map_or("Unknown", |seen| workflow_status(seen))));
            cells.push(json!(seen.map_or_else(String::new, |seen| duration(seen, scene.now_ms))));
            cells.push(json!(seen.map_or("", |seen| &seen.message)));
        }
        Kind::WorkflowTemplate | Kind::Other(_) => {}
    }
    let since =
        |at_ms: Option<u64>| at_ms.map_or_else(|| NONE.to_owned(), |at| age(scene.now_ms.saturating_sub(at)));
    cells.push(json!(since(seen.and_then(|seen| seen.created_ms))));
    cells.push(json!(since(observed_ms)));
    if *kind == Kind::Job {
        cells.push(json!(containers(document, "name")));
        cells.push(json!(containers(document, "image")));
    }
    cells.push(json!(annotation("runnable")));
    let object = match scene.include {
        Include::None => Value::Null,
        Include::Metadata => json!({
            "kind": "PartialObjectMetadata", "apiVersion": API_VERSION, "metadata": document.get("metadata"),
        }),
        Include::Object => document.clone(),
    };
    Ok(bytes(&json!({"cells": cells, "object": object})))
}

fn status(seen: &Seen) -> &'static str {
    match seen.condition {
        Some(ended @ (Condition::Complete | Condition::Failed)) => ended.as_str(),
        _ if seen.is_deleting() => "Terminating",
        Some(Condition::Suspended) => Condition::Suspended.as_str(),
        None => "Running",
    }
}

fn workflow_status(seen: &Seen) -> &'static str {
    match seen.condition {
        Some(Condition::Complete) => "Succeeded",
        None if !seen.is_deleting() && seen.started_ms.is_none() => "Pending",
        _ => status(seen),
    }
}

fn completions(document: &Value, succeeded: u32) -> String {
    let number = |field: &str| document.pointer(&format!("/spec/{field}")).and_then(Value::as_u64);
    match (number("completions"), number("parallelism")) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, Some(parallelism)) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn duration(seen: &Seen, now_ms: u64) -> String {
    let Some(started_ms) = seen.started_ms else { return String::new() };
    age(seen.finished_ms.unwrap_or(now_ms).saturating_sub(started_ms))
}

fn containers(document: &Value, field: &str) -> String {
    let containers = document.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let words = containers.into_iter().flatten().filter_map(|one| one.get(field)?.as_str());
    words.collect::<Vec<_>>().join(",")
}
