//! What of an object is ours by server-side apply, and who else changed it.

use crate::manifest::marks;
use crate::record::Health;
use crate::{Digest, limits};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What of an object is ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// Of the fields that we own and their values: while it stays, nobody changed what we applied. Fields that others
    /// set beside ours, defaults, and the status are not in it. `None`: we have applied nothing.
    pub digest: Option<Digest>,
    /// The field manager beside us who changed the object last, its status aside.
    pub changed_by: Option<String>,
    /// The merge patch after which what we made by a create counts as applied by nobody: a create owns its fields, and
    /// defaults, in another way than an apply, which could not take them back. `None`: there is nothing of the kind.
    pub disown: Option<Value>,
    /// How it does.
    pub health: Health,
    /// What it says of that.
    pub health_message: String,
}

/// What of `object`, as a kube-apiserver sends it, is ours.
pub(super) fn owned(object: &Value) -> Owned {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let entries: Vec<&Value> = entries.into_iter().flatten().collect();
    let text =
        |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_whole = |entry: &&&Value| text(entry, "subresource").is_empty();
    let is_ours = |entry: &Value| text(entry, "manager") == marks::MANAGER;
    let is = |entry: &Value, operation: &str| is_ours(entry) && text(entry, "operation") == operation;
    let ours = entries.iter().filter(is_whole).find(|entry| is(entry, "Apply"));
    let others = entries.iter().filter(is_whole).filter(|entry| !is_ours(entry));
    let mut changed_by = others.max_by_key(|entry| text(entry, "time")).map(|entry| text(entry, "manager"));
    if let Some(name) = &mut changed_by {
        super::truncate(name);
    }
    Owned {
        digest: ours.and_then(|entry| entry.get("fieldsV1")).map(|fields| digest(fields, object)),
        changed_by,
        disown: entries.iter().any(|entry| is(entry, "Update")).then(|| disown(object, &entries)),
        ..Owned::default()
    }
}

/// The patch that takes the entries off that a create, or another patch of ours, left.
fn disown(object: &Value, entries: &[&Value]) -> Value {
    let text =
        |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_ours = |entry: &Value| text(entry, "manager") == marks::MANAGER;
    let is_left = |entry: &&Value| !(is_ours(entry) && text(entry, "operation") == "Update");
    let mut kept: Vec<Value> = entries.iter().copied().filter(is_left).cloned().collect();
    if !kept.iter().any(is_ours) {
        // With no entry at all, the next apply would take everything for somebody else's.
        let fields = json!({"f:metadata": {"f:labels": {format!("f:{}", marks::GROUP): {}}}});
        kept.push(json!({
            "manager": marks::MANAGER, "operation": "Apply",
            "apiVersion": object.get("apiVersion").cloned().unwrap_or_default(),
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        }));
    }
    json!({"metadata": {"managedFields": kept}})
}

/// Of the values of `fields`, which are written as `fieldsV1`.
fn digest(fields: &Value, object: &Value) -> Digest {
    let mut values = BTreeMap::new();
    collect(fields, Some(object), &mut String::new(), &mut values);
    let bytes = serde_json::to_vec(&values).unwrap_or_default();
    Digest::of(&bytes)
}

fn collect(fields: &Value, value: Option<&Value>, path: &mut String, values: &mut BTreeMap<String, Value>) {
    let inner = fields.as_object();
    if inner.is_none_or(Map::is_empty) {
        values.insert(path.clone(), value.map(sorted).unwrap_or_default());
    }
    if path.len() > limits::MESSAGE_BYTES_MAX * 4 {
        return;
    }
    for (step, fields) in inner.into_iter().flatten() {
        let length = path.len();
        path.push('\n');
        path.push_str(step);
        if step == "." {
            values.insert(path.clone(), Value::Bool(value.is_some()));
        } else {
            collect(fields, value.and_then(|value| inside(value, step)), path, values);
        }
        path.truncate(length);
    }
}

/// What a step of `fieldsV1` leads to: `f:NAME` a field, `k:{...}` the item with these keys, `v:...` that item.
fn inside<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    let (sort, what) = step.split_at_checked(2)?;
    match sort {
        "f:" => value.get(what),
        "k:" => {
            let keys: Map<String, Value> = serde_json::from_str(what).ok()?;
            let items = value.as_array()?;
            items.iter().find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value)))
        }
        "v:" => {
            let wanted: Value = serde_json::from_str(what).ok()?;
            value.as_array()?.iter().find(|item| **item == wanted)
        }
        _ => None,
    }
}

/// With its fields in one order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(all) => {
            let all: BTreeMap<&String, Value> = all.iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(all.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(data: &Value, fields: &Value) -> Value {
        let ours = json!({"manager": "tallyman", "operation": "Apply", "fieldsV1": {"f:data": fields}});
        let theirs = |name: &str, time: &str| json!({"manager": name, "operation": "Update", "time": time});
        json!({"metadata": {"managedFields": [ours, theirs("a", "2026-01-01T00:00:00Z"),
            theirs("b", "2026-01-02T00:00:00Z")]}, "data": data})
    }

    #[test]
    fn only_a_change_of_what_we_own_changes_the_digest() {
        let fields = json!({"f:x": {}});
        let of = |data: Value, fields: &Value| owned(&map(&data, fields)).digest;
        let before = of(json!({"x": "1"}), &fields);
        assert_eq!(before, of(json!({"x": "1", "y": "2"}), &fields), "a field of somebody else");
        assert_ne!(before, of(json!({"x": "2"}), &fields), "another value");
        assert_ne!(before, of(json!({"x": "1"}), &json!({})), "it is ours no more");
        assert_eq!(owned(&json!({"data": {"x": "1"}})).digest, None);
    }

    #[test]
    fn items_of_lists_are_found_by_their_keys() {
        let entry = json!({"manager": "tallyman", "operation": "Apply", "fieldsV1": {
            "f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:image": {}}}}});
        let of = |containers: Value| {
            owned(&json!({"metadata": {"managedFields": [entry]}, "containers": containers})).digest
        };
        let (side, main) = (json!({"name": "side", "image": "x"}), json!({"name": "main", "image": "i"}));
        assert_eq!(of(json!([main])), of(json!([side, main])));
        assert_ne!(of(json!([main])), of(json!([{"name": "main", "image": "j"}])));
        assert_ne!(of(json!([main])), of(json!([side])));
    }

    #[test]
    fn the_last_to_change_it_is_named_and_what_a_create_owns_is_given_up() {
        let mut object = map(&json!({}), &json!({}));
        assert_eq!(owned(&object).changed_by.as_deref(), Some("b"));
        assert_eq!(owned(&object).disown, None);
        object["metadata"]["managedFields"][0]["operation"] = json!("Update");
        let patch = owned(&object).disown.unwrap_or_default();
        let managers: Vec<_> = patch["metadata"]["managedFields"].as_array().into_iter().flatten().collect();
        assert_eq!(managers.len(), 3);
        assert_eq!(
            (&managers[2]["manager"], &managers[2]["operation"]),
            (&json!("tallyman"), &json!("Apply"))
        );
    }
}
