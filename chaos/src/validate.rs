//! What objects a kube-apiserver takes; a part of its rules, with its words.

mod definition;
mod job;
mod names;
mod workload;

pub(crate) use names::{is_label_name, is_label_value};

use crate::kind::Kind;
use crate::meta;
use crate::refusal::{Cause, Refusal};
use serde_json::Value;

const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;
const CONFIG_MAP_BYTES_MAX: usize = 1024 * 1024;

/// Checks an object that is to be made, defaults filled in.
///
/// # Errors
/// 422 with a cause per field.
pub(crate) fn new_object(kind: &Kind, value: &Value) -> Result<(), Refusal> {
    refuse(kind, value, causes(kind, value))
}

/// Checks an object that is to take the place of `old`.
///
/// # Errors
/// 422 with a cause per field.
pub(crate) fn change(kind: &Kind, old: &Value, new: &Value) -> Result<(), Refusal> {
    let mut found = causes(kind, new);
    if meta::is_deleting(old) {
        let held = meta::finalizers(old);
        let added: Vec<&str> =
            meta::finalizers(new).into_iter().filter(|name| !held.contains(name)).collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
            );
            found.push(Cause::forbidden("metadata.finalizers", &detail));
        }
    }
    match kind {
        Kind::Job => found.extend(job::immutable(old, new)),
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => {
            found.extend(workload::immutable(kind, old, new));
        }
        Kind::ConfigMap => found.extend(config_map_immutable(old, new)),
        Kind::CustomResourceDefinition => found.extend(definition::immutable(old, new)),
        Kind::Namespace | Kind::Pod | Kind::Event | Kind::Custom(_) => {}
    }
    refuse(kind, new, found)
}

fn refuse(kind: &Kind, value: &Value, causes: Vec<Cause>) -> Result<(), Refusal> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(kind, meta::text(value, "/metadata/name"), &causes))
}

fn causes(kind: &Kind, value: &Value) -> Vec<Cause> {
    let mut causes = metadata(kind, value);
    match kind {
        Kind::Job => causes.extend(job::spec(value)),
        Kind::Pod => causes.extend(job::containers(value.get("spec"), "spec")),
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => causes.extend(workload::spec(kind, value)),
        Kind::ConfigMap => causes.extend(config_map(value)),
        Kind::CustomResourceDefinition => causes.extend(definition::spec(value)),
        Kind::Namespace | Kind::Event | Kind::Custom(_) => {}
    }
    causes
}

fn metadata(kind: &Kind, value: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = meta::text(value, "/metadata/name");
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else if let Err(detail) = names::check(kind, name) {
        causes.push(Cause::invalid("metadata.name", &name.into(), detail));
    }
    for (label, text) in value.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten() {
        if !is_label_name(label) {
            causes.push(Cause::invalid("metadata.labels", &label.as_str().into(), names::LABEL_NAME));
        }
        if !text.as_str().is_some_and(is_label_value) {
            causes.push(Cause::invalid("metadata.labels", text, names::LABEL_VALUE));
        }
    }
    let annotations = value.pointer("/metadata/annotations").and_then(Value::as_object);
    let bytes = |(name, text): (&String, &Value)| name.len() + text.as_str().map_or(0, str::len);
    if annotations.is_some_and(|all| all.iter().map(bytes).sum::<usize>() > ANNOTATIONS_BYTES_MAX) {
        causes.push(Cause::too_long("metadata.annotations", ANNOTATIONS_BYTES_MAX));
    }
    for finalizer in meta::finalizers(value) {
        if !is_label_name(finalizer) {
            causes.push(Cause::invalid("metadata.finalizers", &finalizer.into(), names::LABEL_NAME));
        }
    }
    causes
}

fn config_map(value: &Value) -> Option<Cause> {
    let bytes = |field: &str| -> usize {
        let all = value.get(field).and_then(Value::as_object);
        all.map_or(0, |all| all.values().filter_map(Value::as_str).map(str::len).sum())
    };
    let total = bytes("data") + bytes("binaryData");
    (total > CONFIG_MAP_BYTES_MAX).then(|| Cause::too_long("", CONFIG_MAP_BYTES_MAX))
}

fn config_map_immutable(old: &Value, new: &Value) -> Vec<Cause> {
    if old.get("immutable") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let changed =
        ["immutable", "data", "binaryData"].into_iter().filter(|field| old.get(field) != new.get(field));
    changed.map(|field| Cause::forbidden(field, "field is immutable when `immutable` is set")).collect()
}
