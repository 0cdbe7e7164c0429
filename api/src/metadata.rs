//! The metadata that users may change: labels and annotations.

use crate::noun::Noun;
use crate::status::Failure;
use serde_json::Value;
use std::collections::BTreeMap;
use tallyman_model::manifest::{marks, names};
use tallyman_model::{Cause, Revision, Uid, limits};

/// Entries to set, or with `None` to take away.
pub(crate) type Changed = BTreeMap<String, Option<String>>;

/// What a merge patch of a runnable changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) labels: Changed,
    pub(crate) annotations: Changed,
    pub(crate) uid: Option<Uid>,
    pub(crate) revision: Option<Revision>,
}

/// Set by the server; a patch made of a whole document may carry them, as they are or as null.
const SERVER_FIELDS: [&str; 7] = [
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "selfLink",
];

/// True if a merge patch takes away all labels or annotations without naming them.
pub(crate) fn removes_all(patch: &Value) -> bool {
    let is_null = |field: &&str| patch.pointer(field).is_some_and(Value::is_null);
    ["/metadata/labels", "/metadata/annotations"].iter().any(is_null)
}

/// True if a merge patch names all that it changes, and that is nothing but labels and annotations.
pub(crate) fn names_all(patch: &Value) -> bool {
    let metadata = patch.get("metadata").and_then(Value::as_object);
    let of_server = |metadata: &serde_json::Map<String, Value>| {
        SERVER_FIELDS.iter().any(|field| metadata.contains_key(*field))
    };
    !removes_all(patch) && patch.get("spec").is_none() && !metadata.is_some_and(of_server)
}

/// Reads a merge patch of the runnable `namespace/name`, whose document is needed only if the patch takes away what
/// it does not name, or says something of what cannot change.
pub(crate) fn changes(
    patch: &Value,
    document: Option<&Value>,
    namespace: &str,
    name: &str,
) -> Result<Changes, Failure> {
    let mut changes = Changes::default();
    let mut causes = Vec::new();
    let root = patch.as_object().ok_or_else(|| Failure::bad_request("a merge patch is an object"))?;
    for (field, value) in root {
        match (field.as_str(), value) {
            ("apiVersion", Value::String(text)) if text == "tallyman.dev/v1" => {}
            ("kind", Value::String(text)) if text == "Runnable" => {}
            ("metadata", Value::Object(metadata)) => {
                for (field, value) in metadata {
                    let current =
                        document.and_then(|document| document.pointer(&format!("/metadata/{field}")));
                    changes.take(field, value, current, (namespace, name), &mut causes);
                }
            }
            // As for every object of Kubernetes: status is what the server says. Alone it was meant, though.
            ("status", _) if root.len() > 1 => {}
            // The caller has compared it.
            ("spec", _) if document.is_some() => {}
            (other, _) => fault(&mut causes, other, "cannot be patched: only labels and annotations can"),
        }
    }
    if causes.is_empty() { Ok(changes) } else { Err(Failure::faults(Noun::Runnables, name, causes)) }
}

impl Changes {
    fn take(
        &mut self,
        field: &str,
        value: &Value,
        current: Option<&Value>,
        (namespace, name): (&str, &str),
        causes: &mut Vec<Cause>,
    ) {
        let path = format!("metadata.{field}");
        match (field, value) {
            ("labels", _) => self.labels = entries(&path, value, current, true, causes),
            ("annotations", _) => self.annotations = entries(&path, value, current, false, causes),
            ("name", Value::String(text)) if text == name => {}
            ("namespace", Value::String(text)) if text == namespace => {}
            ("resourceVersion", Value::String(text)) => match text.parse() {
                Ok(revision) => self.revision = Some(Revision(revision)),
                Err(_) => fault(causes, &path, "is not a revision"),
            },
            ("uid", Value::String(text)) => match Uid::parse(text) {
                Some(uid) => self.uid = Some(uid),
                None => fault(causes, &path, "is not a UID"),
            },
            (field, value)
                if SERVER_FIELDS.contains(&field) && (value.is_null() || current == Some(value)) => {}
            _ => fault(causes, &path, "cannot be patched: only labels and annotations can"),
        }
    }
}

fn fault(causes: &mut Vec<Cause>, field: &str, message: &str) {
    causes.push(Cause { field: field.to_owned(), message: message.to_owned() });
}

fn entries(
    path: &str,
    value: &Value,
    current: Option<&Value>,
    are_labels: bool,
    causes: &mut Vec<Cause>,
) -> Changed {
    let mut changed = Changed::new();
    match value {
        Value::Null => {
            let known = current.and_then(Value::as_object).into_iter().flat_map(|known| known.keys());
            changed.extend(known.map(|key| (key.clone(), None)));
        }
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                match value {
                    Value::Null => {
                        changed.insert(key.clone(), None);
                    }
                    Value::String(text) => {
                        check(&path, key, are_labels.then_some(text), causes);
                        changed.insert(key.clone(), Some(text.clone()));
                    }
                    _ => fault(causes, &path, "must be a string; quote it"),
                }
            }
        }
        _ => fault(causes, path, "must be an object of strings"),
    }
    changed
}

/// Judges the size of a document's annotations, as Kubernetes counts it.
///
/// # Errors
/// 413: they are too large together.
pub(crate) fn annotations_fit(noun: Noun, name: &str, document: &Value) -> Result<(), Failure> {
    let annotations = document.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let annotations = annotations.and_then(Value::as_object);
    let bytes_of = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
    let bytes: usize = annotations.into_iter().flatten().map(bytes_of).sum();
    let bytes_max = limits::ANNOTATIONS_BYTES_MAX;
    if bytes <= bytes_max {
        return Ok(());
    }
    let message = format!(
        "metadata.annotations have {bytes} bytes together, more than {bytes_max}: store the data elsewhere (an \
         object store, a volume, a ConfigMap made on the cluster) and refer to it in an annotation"
    );
    let mut failure = Failure::too_large(message).about(noun, name);
    // The body was read to its end.
    failure.close = false;
    Err(failure)
}

/// Judges the key of a label or annotation, and the value of a label.
pub(crate) fn check(path: &str, key: &str, label: Option<&String>, causes: &mut Vec<Cause>) {
    if key.starts_with(marks::PREFIX) {
        fault(causes, path, "is set by Tallyman only");
    }
    if let Err(why) = names::label_key(key) {
        fault(causes, path, &why);
    }
    if let Some(Err(why)) = label.map(|value| names::label_value(value)) {
        fault(causes, path, &why);
    }
}
