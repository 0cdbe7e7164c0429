//! From a kept manifest of a deployable to what is created and applied.

use super::slice::accepted;
use super::{Marks, marks, materialise, pods};
use crate::Uid;
use crate::record::{Bundle, Planned, Synced};
use serde_json::Value;

/// The JSON to send for an object of `bundle`, whose kept manifests are `manifests`, joined. `at` is the UID and
/// resourceVersion of the object that it is applied to: then the fields that are left to others are not in it.
///
/// `None` if those bytes are not what was accepted: the caller treats that as damage.
#[must_use]
pub fn to_sync(
    bundle: &Bundle,
    owner: Uid,
    object: &Synced,
    manifests: &[u8],
    marks: &Marks,
    at: Option<(&str, &str)>,
) -> Option<Vec<u8>> {
    serde_json::to_vec(&synced(bundle, owner, object.planned, manifests, marks, at)?).ok()
}

/// What is applied to an object, without what it is applied at.
///
/// `None` if the bytes are not what was accepted.
#[must_use]
pub fn as_applied(
    bundle: &Bundle,
    owner: Uid,
    object: &Synced,
    manifests: &[u8],
    marks: &Marks,
) -> Option<Value> {
    synced(bundle, owner, object.planned, manifests, marks, Some(("", "")))
}

fn synced(
    bundle: &Bundle,
    owner: Uid,
    planned: u16,
    manifests: &[u8],
    marks: &Marks,
    at: Option<(&str, &str)>,
) -> Option<Value> {
    let plan = bundle.planned.get(usize::from(planned))?;
    let mut value = kept(bundle, plan, manifests)?;
    if at.is_some() {
        bundle.spec.ignore.iter().for_each(|pointer| remove(&mut value, pointer));
    }
    let metadata = value.get_mut("metadata")?.as_object_mut()?;
    if !plan.namespace.is_empty() {
        metadata.insert("namespace".to_owned(), plan.namespace.clone().into());
    }
    if let Some((uid, version)) = at {
        metadata.insert("uid".to_owned(), uid.into());
        metadata.insert("resourceVersion".to_owned(), version.into());
    }
    let labels = [(marks::GROUP, marks.group.to_string()), (marks::SUBMISSION_UID, owner.to_string())];
    materialise::add(metadata, "labels", labels.clone());
    let annotations =
        [(marks::DIGEST, plan.digest.to_string()), (marks::CLUSTER_UID, marks.cluster_uid.clone())];
    materialise::add(metadata, "annotations", annotations);
    pods::label(&mut value, &labels);
    Some(value)
}

/// A manifest of a generation, without the fields that are left to others.
///
/// `None` if the bytes are not what was accepted.
#[must_use]
pub fn in_bundle(bundle: &Bundle, plan: &Planned, manifests: &[u8]) -> Option<Value> {
    let mut value = kept(bundle, plan, manifests)?;
    bundle.spec.ignore.iter().for_each(|pointer| remove(&mut value, pointer));
    Some(value)
}

/// A manifest as it was accepted, with the values that it names.
fn kept(bundle: &Bundle, plan: &Planned, manifests: &[u8]) -> Option<Value> {
    let value =
        |name: &str| bundle.values.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str());
    accepted(plan, manifests, value)
}

/// Removes what a JSON pointer leads to, if it is there.
fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    let last = last.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.remove(&last)),
        Some(Value::Array(items)) => {
            if let Some(at) = last.parse().ok().filter(|at: &usize| *at < items.len()) {
                items.remove(at);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_pointer_leads_to_is_removed_and_nothing_else() {
        let mut value = json!({"spec": {"replicas": 3, "a/b": 1}, "list": [1, 2]});
        for pointer in ["/spec/replicas", "/spec/a~1b", "/list/0", "/none/at/all", "/list/7"] {
            remove(&mut value, pointer);
        }
        assert_eq!(value, json!({"spec": {}, "list": [2]}));
    }
}
