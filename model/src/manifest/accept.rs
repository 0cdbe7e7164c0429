//! From a runnable as a user writes it to a [`Submit`] command. A field whose work is not built is refused, never
//! ignored.

use super::deadline::runs_ms;
use super::fields::{Faults, Fields};
use super::kinds::Submission;
use super::object;
use super::placement::placement_of;
use super::{keeping, marks, names};
use crate::command::{ManifestName, Submit, SubmitManifest};
use crate::record::{OnLate, OnLoss, Placement, Preflight, RunSpec, WhenHeld};
use crate::{Cause, Digest, Uid, limits};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is taken for manifests before more is needed.
const MANIFESTS_BYTES_USUAL: usize = 1024;

/// Reads a runnable, `value`, that was sent to the namespace `namespace`; `uid` will be its UID.
///
/// # Errors
/// Every fault found, with its path and what would be right.
pub fn accept(value: Value, namespace: &str, uid: Uid) -> Result<Submit, Vec<Cause>> {
    let mut faults = Faults::default();
    let mut root = Fields::of("", value, &mut faults);
    let metadata = head_of(&mut root, "Runnable", namespace, &mut faults);
    let spec = match root.take("spec") {
        Some(spec) => Some(spec_of(spec, namespace, &mut faults)),
        None => {
            faults.add("spec", "must be there, with manifests");
            None
        }
    };
    root.finish(&mut faults);
    let (Some(Some((name, labels, annotations))), Some((spec, planned, manifests, main)), true) =
        (Some(metadata), spec, faults.0.is_empty())
    else {
        return Err(faults.0);
    };
    let digest = digest(&spec.placement, &manifests);
    let namespace = namespace.to_owned();
    Ok(Submit { uid, namespace, name, labels, annotations, spec, digest, planned, main, manifests })
}

type Strings = BTreeMap<String, String>;
/// A name, labels and annotations.
type Named = (ManifestName, Strings, Strings);

/// What a document of `kind` says around its spec; its status is dropped.
pub(super) fn head_of(
    root: &mut Fields<'_>,
    kind: &str,
    namespace: &str,
    faults: &mut Faults,
) -> Option<Named> {
    for (field, expected) in [("apiVersion", "tallyman.dev/v1"), ("kind", kind)] {
        let found = root.text(field, faults);
        if found.as_deref() != Some(expected) {
            faults.add(field, format!("must be {expected:?}, not {:?}", found.unwrap_or_default()));
        }
    }
    root.take("status");
    if let Err(why) = names::label(namespace) {
        faults.add("metadata.namespace", format!("{namespace:?}: {why}"));
    }
    let metadata = root.take("metadata").unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    metadata_of(metadata, namespace, faults)
}

fn metadata_of(value: Value, namespace: &str, faults: &mut Faults) -> Option<Named> {
    let mut metadata = Fields::of("metadata", value, faults);
    for server_field in
        ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"]
    {
        metadata.take(server_field);
    }
    if let Some(other) = metadata.text("namespace", faults).filter(|other| other != namespace) {
        faults.add("metadata.namespace", format!("is {other:?}, and the request was sent to {namespace:?}"));
    }
    let labels = metadata.strings("labels", faults);
    for (key, value) in &labels {
        let checked = names::label_key(key).and_then(|()| names::label_value(value));
        if let Err(why) = checked {
            faults.add(format!("metadata.labels.{key}"), why);
        }
    }
    let annotations = metadata.strings("annotations", faults);
    for key in labels.keys().chain(annotations.keys()).filter(|key| key.starts_with(marks::PREFIX)) {
        faults.add("metadata", format!("{key:?} is set by Tallyman only"));
    }
    if labels.len() > limits::LABELS_MAX {
        faults.add("metadata.labels", format!("at most {}", limits::LABELS_MAX));
    }
    if annotations.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
        > limits::ANNOTATIONS_BYTES_MAX
    {
        faults
            .add("metadata.annotations", format!("at most {} bytes together", limits::ANNOTATIONS_BYTES_MAX));
    }
    let fixed = metadata.text("name", faults);
    let prefix = metadata.text("generateName", faults);
    metadata.finish(faults);
    let name = match (fixed, prefix) {
        (Some(name), _) => {
            names::subdomain(&name, 253).map_err(|why| faults.add("metadata.name", why)).ok()?;
            ManifestName::Fixed(name)
        }
        (None, Some(prefix)) => {
            names::prefix(&prefix, 253).map_err(|why| faults.add("metadata.generateName", why)).ok()?;
            ManifestName::Generate(prefix)
        }
        (None, None) => {
            faults.add("metadata", "must have a name or a generateName");
            return None;
        }
    };
    Some((name, labels, annotations))
}

/// The spec, the manifests, their bytes one behind the other, and which of them is said to be the main one.
type Specified = (RunSpec, Vec<SubmitManifest>, Vec<u8>, u16);

fn spec_of(value: Value, namespace: &str, faults: &mut Faults) -> Specified {
    let mut spec = Fields::of("spec", value, faults);
    let placement = spec.take("placement").map(|value| placement_of(value, faults)).unwrap_or_default();
    let (attempts_max, backoff_ms) =
        spec.take("attempts").map_or((1, limits::BACKOFF_MS), |value| attempts_of(value, faults));
    let on_late = match spec.text("onLate", faults).as_deref() {
        None | Some("Alert") => OnLate::Alert,
        Some("Stop") => OnLate::Stop,
        Some(other) => {
            faults.add("spec.onLate", format!("must be Alert or Stop, not {other:?}"));
            OnLate::Alert
        }
    };
    let mut run_spec = RunSpec {
        placement,
        attempts_max,
        backoff_ms,
        start_by_ms: spec.duration("startBy", faults).unwrap_or(limits::START_BY_MS),
        finish_by_ms: spec.duration("finishBy", faults),
        on_late,
        ttl_after_finished_ms: spec
            .duration("ttlAfterFinished", faults)
            .unwrap_or(limits::TTL_AFTER_FINISHED_MS),
        approvals: spec.take("approvals").map(|value| super::approvals::rule_of(value, faults)),
        allocations: keeping::allocations_of(&mut spec, faults),
        locks: keeping::locks_of(&mut spec, WhenHeld::Wait, faults),
        main_runs_ms: None,
        preflight: preflight_of(&mut spec, faults),
        requires: super::requires::requires_of(&mut spec, faults),
    };
    keeping::check_fan_out(&run_spec, faults);
    let numbered_max = match run_spec.placement.on_loss {
        // How often it is moved, nobody knows.
        OnLoss::Move => limits::ATTEMPTS_MAX,
        OnLoss::Wait | OnLoss::Fail => attempts_max,
    };
    let (planned, bytes) = manifests_of(&mut spec, namespace, numbered_max, Submission::Runnable, faults);
    keeping::check_places(&run_spec.allocations, &planned, &bytes, faults);
    let main = spec.take("main").map_or(Submit::UNNAMED, |main| named(main, &planned, faults));
    spec.finish(faults);
    // If several run to completion and none is named, it is refused; if it is one by a rule of users, nothing is known.
    let decides = match main {
        Submit::UNNAMED => planned.iter().find(|one| one.kind.completes()),
        main => planned.get(usize::from(main)),
    };
    run_spec.main_runs_ms = decides.and_then(|plan| runs_ms(plan, &bytes));
    (run_spec, planned, bytes, main)
}

fn preflight_of(spec: &mut Fields<'_>, faults: &mut Faults) -> Preflight {
    let Some(word) = spec.text("preflight", faults) else { return Preflight::default() };
    let known = Preflight::ALL.into_iter().find(|preflight| preflight.as_str() == word);
    known.unwrap_or_else(|| {
        faults.add("spec.preflight", format!("must be Skip, Advise or Require, not {word:?}"));
        Preflight::default()
    })
}

fn attempts_of(value: Value, faults: &mut Faults) -> (u32, u64) {
    let mut attempts = Fields::of("spec.attempts", value, faults);
    let max = match attempts.take("max") {
        None => 1,
        Some(value) => match value.as_u64().and_then(|max| u32::try_from(max).ok()) {
            Some(max) if (1..=limits::ATTEMPTS_MAX).contains(&max) => max,
            _ => {
                faults
                    .add("spec.attempts.max", format!("must be 1 to {}, not {value}", limits::ATTEMPTS_MAX));
                1
            }
        },
    };
    let backoff_ms = attempts.duration("backoff", faults).unwrap_or(limits::BACKOFF_MS);
    attempts.finish(faults);
    (max, backoff_ms)
}

pub(super) fn manifests_of(
    spec: &mut Fields<'_>,
    namespace: &str,
    attempts_max: u32,
    of: Submission,
    faults: &mut Faults,
) -> (Vec<SubmitManifest>, Vec<u8>) {
    let list = spec.list("manifests", faults).unwrap_or_default();
    if list.is_empty() || list.len() > limits::MANIFESTS_MAX {
        let message =
            format!("must have 1 to {} Kubernetes objects, has {}", limits::MANIFESTS_MAX, list.len());
        faults.add("spec.manifests", message);
        return (Vec::new(), Vec::new());
    }
    let mut bytes = Vec::with_capacity(MANIFESTS_BYTES_USUAL);
    let check = |(i, value)| {
        let path = format_args!("spec.manifests[{i}]");
        object::check(path, value, namespace, attempts_max, of, &mut bytes, faults)
    };
    let planned: Vec<SubmitManifest> = list.into_iter().enumerate().filter_map(check).collect();
    for (i, one) in planned.iter().enumerate() {
        let same = |other: &SubmitManifest| {
            matches!(one.name, ManifestName::Fixed(_))
                && other.kind.names_same(&one.kind)
                && other.name == one.name
        };
        if planned.iter().take(i).any(same) {
            faults.add(format!("spec.manifests[{i}]"), "has the kind and name of an earlier one");
        }
    }
    if bytes.len() > limits::MANIFESTS_BYTES_MAX {
        faults.add("spec.manifests", format!("at most {} bytes together", limits::MANIFESTS_BYTES_MAX));
    }
    (planned, bytes)
}

/// Which manifest `spec.main` names. Whether it runs to completion is decided where the status rules are known.
fn named(main: Value, planned: &[SubmitManifest], faults: &mut Faults) -> u16 {
    let mut fields = Fields::of("spec.main", main, faults);
    let kind = fields.text("kind", faults).unwrap_or_default();
    let name = fields.text("name", faults).unwrap_or_default();
    fields.finish(faults);
    let is_it = |one: &SubmitManifest| {
        let is_named = match &one.name {
            ManifestName::Fixed(text) => *text == name,
            // Also by the name that was made of it, which is what a reader sees.
            ManifestName::Generate(prefix) => name.starts_with(prefix.as_str()),
        };
        one.kind.as_str() == kind && is_named
    };
    let found = planned.iter().position(is_it);
    if found.is_none() {
        faults.add("spec.main", format!("no manifest is {kind} {name:?}"));
    }
    found.and_then(|found| u16::try_from(found).ok()).unwrap_or(Submit::UNNAMED)
}

/// What an approval must name: the bytes that are sent and where they may go.
fn digest(placement: &Placement, manifests: &[u8]) -> Digest {
    let mut bytes = Vec::with_capacity(manifests.len() + MANIFESTS_BYTES_USUAL);
    // A Vec takes all.
    let _ = serde_json::to_writer(&mut bytes, placement);
    bytes.push(0);
    bytes.extend_from_slice(manifests);
    Digest::of(&bytes)
}
