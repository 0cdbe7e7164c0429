//! Status rules: what an object's status means for a run. One file per kind.

pub mod diagnosis;
mod differ;
pub mod event;
mod health;
mod job;
mod owned;
pub mod pod;
mod workflow;
pub mod workload;

pub use differ::{changes, departures};
pub use health::health;
pub use owned::{Owned, owned};

use crate::command::Observation;
use crate::manifest::marks;
use crate::record::Kind;
use crate::{Uid, limits, time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a main object's status means for its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It exists and does not run yet.
    Pending,
    /// It runs.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Failed,
}

/// The projection of an object of `kind`, as a kube-apiserver sends it.
///
/// `None` if it lacks what every object has: name, UID, resourceVersion.
#[must_use]
pub fn project(kind: &Kind, object: &Value) -> Option<Observation> {
    let metadata = object.get("metadata")?;
    let text = |field: &str| metadata.get(field).and_then(Value::as_str);
    let label =
        |key: &str| metadata.pointer("/labels").and_then(|labels| labels.get(key)).and_then(Value::as_str);
    let annotation =
        |key: &str| metadata.pointer("/annotations").and_then(|all| all.get(key)).and_then(Value::as_str);
    let finalizers = metadata.get("finalizers").and_then(Value::as_array);
    let judged = match kind {
        Kind::Job => Some(job::judge(object)),
        Kind::Workflow => Some(workflow::judge(object)),
        Kind::ConfigMap | Kind::WorkflowTemplate | Kind::Other(_) => None,
    };
    let (mut seen, verdict) = judged.map_or_else(Default::default, |(seen, verdict)| (seen, Some(verdict)));
    seen.resource_version = text("resourceVersion")?.to_owned();
    seen.created_ms = text("creationTimestamp").and_then(time::parse);
    // That it goes counts also where the time cannot be read.
    seen.deleting_ms = text("deletionTimestamp").map(|at| time::parse(at).unwrap_or(0));
    let others =
        finalizers.into_iter().flatten().filter_map(Value::as_str).filter(|name| *name != marks::HOLD);
    seen.finalizers = others.take(limits::FINALIZERS_MAX).map(str::to_owned).collect();
    truncate(&mut seen.message);
    Some(Observation {
        kind: kind.clone(),
        namespace: text("namespace").unwrap_or_default().to_owned(),
        name: text("name")?.to_owned(),
        uid: text("uid")?.to_owned(),
        resource_version: seen.resource_version.clone(),
        gone: false,
        group: label(marks::GROUP).and_then(Uid::parse),
        submission: label(marks::SUBMISSION_UID).and_then(Uid::parse),
        attempt: annotation(marks::ATTEMPT).and_then(|number| number.parse().ok()),
        digest: annotation(marks::DIGEST).map(str::to_owned),
        held: finalizers.is_some_and(|all| all.iter().any(|name| name == marks::HOLD)),
        seen,
        verdict,
    })
}

/// Cuts a message that came from outside to what a record may hold, at a character.
pub(crate) fn truncate(message: &mut String) {
    truncate_to(message, limits::MESSAGE_BYTES_MAX);
}

/// Cuts a text to that many bytes, at a character.
pub(crate) fn truncate_to(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
}
