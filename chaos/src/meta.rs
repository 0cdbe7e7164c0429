//! Reading and writing fields of objects that are kept as JSON.

use serde_json::Value;

/// The finalizer that keeps a deleted owner until its dependents are gone.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer that keeps a deleted owner until its dependents no longer name it.
pub(crate) const ORPHAN: &str = "orphan";

/// The text at a JSON pointer, "" if there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

pub(crate) fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Whether nothing, or null, is at a JSON pointer.
pub(crate) fn is_absent(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).is_none_or(Value::is_null)
}

/// Whether a top-level field is the same in both.
pub(crate) fn is_same(left: &Value, right: &Value, field: &str) -> bool {
    left.get(field) == right.get(field)
}

/// The place at `path`; objects are made on the way, whatever was there before.
pub(crate) fn at_mut<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Value {
    path.iter().fold(value, |here, step| {
        if !here.is_object() {
            *here = Value::Object(serde_json::Map::new());
        }
        &mut here[*step]
    })
}

pub(crate) fn set(value: &mut Value, path: &[&str], new: impl Into<Value>) {
    *at_mut(value, path) = new.into();
}

/// Sets what is not there yet.
pub(crate) fn set_default(value: &mut Value, path: &[&str], new: impl Into<Value>) {
    let place = at_mut(value, path);
    if place.is_null() {
        *place = new.into();
    }
}

pub(crate) fn remove(value: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut here = value;
    for step in parents {
        here = here.get_mut(step)?;
    }
    here.as_object_mut()?.remove(*last)
}

/// Copies a field of `metadata` from `from` to `to`, absence included.
pub(crate) fn copy_metadata(from: &Value, to: &mut Value, field: &str) {
    match from.get("metadata").and_then(|metadata| metadata.get(field)) {
        Some(kept) => set(to, &["metadata", field], kept.clone()),
        None => {
            remove(to, &["metadata", field]);
        }
    }
}

/// Copies a top-level field, absence included.
pub(crate) fn copy_top(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(kept) => set(to, &[field], kept.clone()),
        None => {
            remove(to, &[field]);
        }
    }
}

pub(crate) fn finalizers(value: &Value) -> Vec<&str> {
    strings(value.pointer("/metadata/finalizers"))
}

pub(crate) fn add_finalizer(value: &mut Value, finalizer: &str) {
    if !finalizers(value).contains(&finalizer) {
        let mut all: Vec<Value> = finalizers(value).into_iter().map(Value::from).collect();
        all.push(finalizer.into());
        set(value, &["metadata", "finalizers"], all);
    }
}

/// Takes a finalizer off; the field goes with the last one, as in a real cluster.
pub(crate) fn remove_finalizer(value: &mut Value, finalizer: &str) {
    let left: Vec<Value> =
        finalizers(value).into_iter().filter(|held| *held != finalizer).map(Value::from).collect();
    if left.is_empty() {
        remove(value, &["metadata", "finalizers"]);
    } else {
        set(value, &["metadata", "finalizers"], left);
    }
}

pub(crate) fn is_deleting(value: &Value) -> bool {
    !text(value, "/metadata/deletionTimestamp").is_empty()
}

pub(crate) fn annotation<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

/// The strings of an array; anything else in it is left out.
pub(crate) fn strings(value: Option<&Value>) -> Vec<&str> {
    value
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// Whether the condition `kind` is True.
pub(crate) fn has_condition(value: &Value, kind: &str) -> bool {
    condition(value, kind).is_some_and(|condition| text(condition, "/status") == "True")
}

pub(crate) fn condition<'a>(value: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = value.pointer("/status/conditions")?.as_array()?;
    all.iter().find(|condition| text(condition, "/type") == kind)
}
