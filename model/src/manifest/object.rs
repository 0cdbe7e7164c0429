//! One manifest of a submission: what may be in it, and the form in which it is kept.

use super::fields::{Faults, kind_of};
use super::kinds::{self, Submission};
use super::{marks, names};
use crate::command::{ManifestName, SubmitManifest};
use crate::record::Kind;
use crate::{Digest, limits};
use serde_json::{Map, Value};
use std::fmt::Arguments;

/// Set by the server of a cluster; a manifest that was read from one may carry them.
const SERVER_FIELDS: [&str; 7] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "selfLink",
    "managedFields",
];
/// Written by `kubectl apply`; it repeats the whole manifest.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Checks one manifest of a submission in `namespace` whose main object is tried up to `attempts_max` times, and puts
/// it behind `bytes` in the form in which it is kept: as it was written, without what a server sets. So what is read
/// equals what was sent, and a client that compares the two finds no change.
pub(super) fn check(
    path: Arguments<'_>,
    value: Value,
    namespace: &str,
    attempts_max: u32,
    of: Submission,
    bytes: &mut Vec<u8>,
    faults: &mut Faults,
) -> Option<SubmitManifest> {
    let Value::Object(mut map) = value else {
        faults.add(path.to_string(), format!("must be a Kubernetes object, not {}", kind_of(&value)));
        return None;
    };
    let kind = kind(path, &map, of, faults)?;
    map.remove("status");
    let Some(Value::Object(metadata)) = map.get_mut("metadata") else {
        faults.add(format!("{path}.metadata"), "must be an object with a name or generateName");
        return None;
    };
    let before = faults.0.len();
    let path = format_args!("{path}.metadata");
    strip(metadata);
    own_marks(path, metadata, faults);
    let namespace = if kind.is_definition() { "" } else { namespace };
    if let Some(other) = metadata.get("namespace").filter(|other| other.as_str() != Some(namespace)) {
        let words = match namespace {
            "" => format!("is {other}; a {kind} is in no namespace: leave it out"),
            _ => format!("is {other}; it must be the submission's, {namespace:?}"),
        };
        faults.add(format!("{path}.namespace"), words);
    }
    let name = name(path, &kind, metadata, attempts_max, faults);
    if faults.0.len() > before {
        return None;
    }
    let start = bytes.len();
    serde_json::to_writer(&mut *bytes, &Value::Object(map)).ok()?;
    let own = bytes.get(start..)?;
    let [offset, length] = [start, own.len()].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let (namespace, digest) = (namespace.to_owned(), Digest::of(own));
    Some(SubmitManifest { kind, namespace, name: name?, digest, offset, length })
}

fn kind(path: Arguments<'_>, map: &Map<String, Value>, of: Submission, faults: &mut Faults) -> Option<Kind> {
    let word = |field: &str| map.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (word("apiVersion"), word("kind"));
    if api_version.is_empty() || kind.is_empty() {
        faults.add(path.to_string(), "must have apiVersion and kind");
        return None;
    }
    let Some(kind) = Kind::parse(api_version, kind) else {
        faults.add(path.to_string(), format!("{api_version:?} {kind:?} cannot be the names of a kind"));
        return None;
    };
    if let Some(why) = kinds::refused(&kind, of) {
        faults.add(path.to_string(), why);
        return None;
    }
    Some(kind)
}

fn strip(metadata: &mut Map<String, Value>) {
    for field in SERVER_FIELDS {
        metadata.remove(field);
    }
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.remove(LAST_APPLIED);
    }
}

/// What only Tallyman sets on the objects that it makes.
fn own_marks(path: Arguments<'_>, metadata: &Map<String, Value>, faults: &mut Faults) {
    for (field, why) in [
        ("ownerReferences", "the object would go with its owner without Tallyman knowing"),
        ("finalizers", "the object could not be removed by Tallyman"),
    ] {
        let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        if metadata.get(field).is_some_and(|value| !value.is_null() && !empty(value)) {
            faults.add(format!("{path}.{field}"), format!("is not taken: {why}"));
        }
    }
    for field in ["labels", "annotations"] {
        let mut bytes = 0;
        match metadata.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(map)) => {
                for (key, value) in map {
                    let text = value.as_str();
                    if key.starts_with(marks::PREFIX) {
                        faults.add(format!("{path}.{field}"), format!("{key:?} is set by Tallyman only"));
                    }
                    if text.is_none() {
                        let kind = kind_of(value);
                        faults.add(
                            format!("{path}.{field}.{key}"),
                            format!("must be a string, not {kind}; quote it"),
                        );
                    }
                    bytes += key.len() + text.map_or(0, str::len);
                }
            }
            Some(_) => faults.add(format!("{path}.{field}"), "must be an object of strings"),
        }
        if bytes > limits::ANNOTATIONS_BYTES_MAX {
            faults.add(format!("{path}.{field}"), format!("at most {} bytes", limits::ANNOTATIONS_BYTES_MAX));
        }
    }
}

fn name(
    path: Arguments<'_>,
    kind: &Kind,
    metadata: &Map<String, Value>,
    attempts_max: u32,
    faults: &mut Faults,
) -> Option<ManifestName> {
    // Attempt n > 1 of a main object is called NAME-aN.
    // Of a kind that is not known here it may be one.
    let main = kind.completes() || kind.is_other();
    let suffix = if main && attempts_max > 1 { format!("-a{attempts_max}").len() } else { 0 };
    let bytes_max = kind.name_bytes_max() - suffix;
    let told = |why: String| match suffix {
        0 => why,
        _ => format!("{why} (attempts are numbered behind it)"),
    };
    if let Some(Value::String(name)) = metadata.get("name") {
        return match names::subdomain(name, bytes_max) {
            Ok(()) => Some(ManifestName::Fixed(name.clone())),
            Err(why) => {
                faults.add(format!("{path}.name"), told(why));
                None
            }
        };
    }
    match metadata.get("generateName") {
        Some(Value::String(prefix)) => match names::prefix(prefix, bytes_max) {
            Ok(()) => Some(ManifestName::Generate(prefix.clone())),
            Err(why) => {
                faults.add(format!("{path}.generateName"), told(why));
                None
            }
        },
        _ => {
            faults.add(path.to_string(), "must have a name or a generateName, as a string");
            None
        }
    }
}
