//! From a kept manifest to the object that is sent.

use super::slice::accepted;
use super::{marks, pods};
use crate::record::{Object, Runnable};
use crate::{GroupId, limits, time};
use serde_json::{Map, Value};

/// What is written on an object beside the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The group that makes it.
    pub group: GroupId,
    /// The UID of the kube-system namespace of the cluster that it is for.
    pub cluster_uid: String,
    /// When the intent to create it was committed, ms since 1970.
    pub at_ms: u64,
}

/// The JSON to send for `object` of `run`, whose kept manifests are `manifests`, joined.
///
/// `None` if those bytes are not what was accepted: the caller treats that as damage.
#[must_use]
pub fn materialise(run: &Runnable, object: &Object, manifests: &[u8], marks: &Marks) -> Option<Vec<u8>> {
    serde_json::to_vec(&as_sent(run, object, manifests, marks)?).ok()
}

/// As [`materialise`], not written out.
#[must_use]
pub fn as_sent(run: &Runnable, object: &Object, manifests: &[u8], marks: &Marks) -> Option<Value> {
    let plan = run.plan(object)?;
    let mut value = accepted(plan, manifests, |name| run.value(name))?;
    let metadata = value.get_mut("metadata")?.as_object_mut()?;
    let text = |text: &str| Value::String(text.to_owned());
    metadata.remove("generateName");
    metadata.insert("name".to_owned(), text(&object.name));
    metadata.insert("namespace".to_owned(), text(&plan.namespace));
    let labels = [(marks::GROUP, marks.group.to_string()), (marks::SUBMISSION_UID, run.head.uid.to_string())];
    add(metadata, "labels", labels.clone());
    let annotations = [
        (marks::ATTEMPT, object.attempt.to_string()),
        (marks::DIGEST, plan.digest.to_string()),
        (marks::CLUSTER_UID, marks.cluster_uid.clone()),
    ];
    add(metadata, "annotations", annotations);
    if run.is_main(object) {
        let until = time::format(marks.at_ms + limits::HOLD_MS);
        add(metadata, "annotations", [(marks::HOLD_UNTIL, until)]);
        metadata.insert("finalizers".to_owned(), Value::Array(vec![text(marks::HOLD)]));
    }
    let tokens: Vec<(String, String)> = match run.is_main(object) {
        true => run.locks.iter().map(|held| (marks::lock(&held.name), held.token.to_string())).collect(),
        false => Vec::new(),
    };
    for (key, token) in &tokens {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            add(metadata, "annotations", [(key.as_str(), token.clone())]);
        }
    }
    let tokens = tokens.iter().map(|(key, token)| (key.as_str(), token.clone()));
    let attempt = run.is_main(object).then(|| (marks::ATTEMPT, object.attempt.to_string()));
    pods::label(&mut value, &labels.into_iter().chain(attempt).chain(tokens).collect::<Vec<_>>());
    Some(value)
}

/// Sets the entries of a map of strings that may not be there yet.
pub(super) fn add<const N: usize>(
    metadata: &mut Map<String, Value>,
    field: &str,
    entries: [(&str, String); N],
) {
    let slot = metadata.entry(field).or_insert(Value::Null);
    let mut map = match slot.take() {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    map.extend(entries.map(|(key, value)| (key.to_owned(), Value::String(value))));
    *slot = Value::Object(map);
}
