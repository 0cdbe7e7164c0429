//! From a deployable as a user writes it to what is proposed. A field whose work is not built is refused, never ignored.

use super::accept::{head_of, manifests_of};
use super::fields::{Faults, Fields};
use super::keeping;
use super::kinds::Submission;
use crate::command::{Deployment, ManifestName, SubmitManifest};
use crate::record::{DeploySpec, Drift, OnConflict, Placement, Planned, Rollout, WhenHeld};
use crate::{Cause, Digest, limits};
use serde_json::Value;
use std::collections::BTreeMap;

/// A deployable as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The name.
    pub name: String,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// The user's annotations.
    pub annotations: BTreeMap<String, String>,
    /// The spec.
    pub asked: Deployment,
}

/// Reads a deployable, `value`, that was sent to the namespace `namespace`.
///
/// # Errors
/// Every fault found, with its path and what would be right.
pub fn read(value: Value, namespace: &str) -> Result<Read, Vec<Cause>> {
    let mut faults = Faults::default();
    let mut root = Fields::of("", value, &mut faults);
    let metadata = head_of(&mut root, "Deployable", namespace, &mut faults);
    let asked = match root.take("spec") {
        Some(spec) => Some(spec_of(spec, namespace, &mut faults)),
        None => {
            faults.add("spec", "must be there, with manifests");
            None
        }
    };
    if let Some((ManifestName::Generate(_), _, _)) = &metadata {
        faults.add("metadata.generateName", "is not taken: what is kept in sync has a name");
    }
    root.finish(&mut faults);
    match (metadata, asked, faults.0.is_empty()) {
        (Some((ManifestName::Fixed(name), labels, annotations)), Some(asked), true) => {
            Ok(Read { name, labels, annotations, asked })
        }
        _ => Err(faults.0),
    }
}

fn spec_of(value: Value, namespace: &str, faults: &mut Faults) -> Deployment {
    let mut spec = Fields::of("spec", value, faults);
    let placement = spec.take("placement").map(|value| placement_of(value, faults)).unwrap_or_default();
    let drift = match spec.text("drift", faults).as_deref() {
        None | Some("Correct") => Drift::Correct,
        Some("Report") => Drift::Report,
        Some("Freeze") => Drift::Freeze,
        Some(other) => {
            faults.add("spec.drift", format!("must be Correct, Report or Freeze, not {other:?}"));
            Drift::Correct
        }
    };
    let on_conflict = match spec.text("onConflict", faults).as_deref() {
        None | Some("Report") => OnConflict::Report,
        Some("Force") => OnConflict::Force,
        Some(other) => {
            faults.add("spec.onConflict", format!("must be Report or Force, not {other:?}"));
            OnConflict::Report
        }
    };
    let rollout = spec.take("rollout").map(|value| rollout_of(value, faults)).unwrap_or_default();
    let approvals = spec.take("approvals").map(|value| super::approvals::rule_of(value, faults));
    let prune = match spec.take("prune") {
        None => true,
        Some(Value::Bool(prune)) => prune,
        Some(other) => {
            faults.add("spec.prune", format!("must be true or false, not {other}"));
            true
        }
    };
    let ignore = ignored(&mut spec, faults);
    let allocations = keeping::allocations_of(&mut spec, faults);
    let locks = keeping::locks_of(&mut spec, WhenHeld::Refuse, faults);
    let (manifests, bytes) = manifests_of(&mut spec, namespace, 1, Submission::Deployable, faults);
    keeping::check_places(&allocations, &manifests, &bytes, faults);
    spec.finish(faults);
    let planned: Vec<Planned> =
        manifests.into_iter().enumerate().filter_map(|(i, one)| planned(i, one, faults)).collect();
    let spec =
        DeploySpec { placement, drift, on_conflict, ignore, prune, rollout, approvals, allocations, locks };
    keeping::check_deployable(&spec, faults);
    Deployment { digest: digest(&spec, &bytes), spec, planned, manifests: bytes }
}

/// A run's placement, without what is of runs alone: a deployable is on all of its clusters.
fn placement_of(value: Value, faults: &mut Faults) -> Placement {
    for field in ["weights", "onLoss", "lossAfter", "fanOut", "spreadByLabel"] {
        if value.get(field).is_some_and(|value| !value.is_null()) {
            faults.add(format!("spec.placement.{field}"), "is for runs: a deployable is on all its clusters");
        }
    }
    super::placement::placement_of(value, faults)
}

fn rollout_of(value: Value, faults: &mut Faults) -> Rollout {
    let mut fields = Fields::of("spec.rollout", value, faults);
    let max = u32::try_from(limits::CLUSTERS_MAX).unwrap_or(u32::MAX);
    let given = fields.take("maxUnavailable");
    let number = given.as_ref().and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let max_unavailable = number.filter(|number| (1..=max).contains(number));
    if let (Some(given), None) = (&given, max_unavailable) {
        let words = format!("must be a number of clusters, 1 to {max}, not {given}");
        faults.add(fields.path("maxUnavailable"), words);
    }
    let order = fields.texts("order", faults);
    if order.len() > limits::PLACEMENT_CLUSTERS_MAX {
        let max = limits::PLACEMENT_CLUSTERS_MAX;
        faults.add(fields.path("order"), format!("names at most {max} clusters; the others follow by name"));
    }
    let min_ready_ms = fields.duration("minReady", faults).unwrap_or_default();
    fields.finish(faults);
    if max_unavailable.is_none() && given.is_none() && (!order.is_empty() || min_ready_ms > 0) {
        let words = "must say on how many clusters at a time; without it all are changed at once";
        faults.add("spec.rollout.maxUnavailable", words);
    }
    Rollout { max_unavailable, order, min_ready_ms }
}

fn ignored(spec: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let ignore = spec.texts("ignore", faults);
    if ignore.len() > limits::IGNORED_MAX {
        faults.add("spec.ignore", format!("at most {}", limits::IGNORED_MAX));
    }
    const OURS: [&str; 5] =
        ["/apiVersion", "/kind", "/metadata", "/metadata/labels", "/metadata/annotations"];
    for (i, pointer) in ignore.iter().enumerate() {
        if !pointer.starts_with('/') || pointer.len() > limits::POINTER_BYTES_MAX {
            faults.add(format!("spec.ignore[{i}]"), "must be a JSON pointer, such as /spec/replicas");
        } else if OURS.contains(&pointer.as_str()) || pointer.starts_with("/metadata/name") {
            faults.add(format!("spec.ignore[{i}]"), format!("{pointer} cannot be left to others"));
        }
    }
    ignore
}

fn planned(i: usize, manifest: SubmitManifest, faults: &mut Faults) -> Option<Planned> {
    let SubmitManifest { kind, namespace, name, digest, offset, length } = manifest;
    match name {
        ManifestName::Fixed(name) => Some(Planned { kind, namespace, name, digest, offset, length }),
        ManifestName::Generate(_) => {
            let field = format!("spec.manifests[{i}].metadata.generateName");
            faults.add(field, "is not taken: what is kept in sync has a name");
            None
        }
    }
}

/// Of all that is asked for: another one is another generation.
fn digest(spec: &DeploySpec, manifests: &[u8]) -> Digest {
    // A Vec takes all.
    let mut bytes = serde_json::to_vec(spec).unwrap_or_default();
    bytes.push(0);
    bytes.extend_from_slice(manifests);
    Digest::of(&bytes)
}
