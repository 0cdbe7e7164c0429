//! Status rules: what an object's status means for a run. One file per kind; those that users make are in `custom`.

pub mod cel;
mod custom;
pub mod decision;
pub mod diagnosis;
mod differ;
pub mod event;
mod health;
mod job;
mod owned;
pub mod pod;
pub mod profile;
mod workflow;
pub mod workload;

pub use custom::Rules;
pub use differ::{changes, departures};
pub use health::{health, is_ruled};
pub use owned::Owned;

use crate::command::Observation;
use crate::manifest::marks;
use crate::record::{Described, Kind, Owner, Seen};
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

/// The projection of an object of `kind`, as a kube-apiserver sends it, where users have made no rules.
///
/// `None` if it lacks what every object has: name, UID, resourceVersion.
#[must_use]
pub fn project(kind: &Kind, object: &Value) -> Option<Observation> {
    Rules::default().project(kind, object)
}

/// The projection of an object of `kind` of which only the metadata was read. Of its status it says nothing.
///
/// `None` if it lacks what every object has: name, UID, resourceVersion.
#[must_use]
pub fn project_metadata(kind: &Kind, object: &Value) -> Option<Observation> {
    observation(kind, object, Default::default())
}

impl Rules {
    /// The projection of an object of `kind`, as a kube-apiserver sends it.
    ///
    /// `None` if it lacks what every object has: name, UID, resourceVersion.
    #[must_use]
    pub fn project(&self, kind: &Kind, object: &Value) -> Option<Observation> {
        observation(kind, object, self.judged(kind, object))
    }

    /// False if the metadata of an object of `kind` is all that [`project`](Self::project) reads.
    #[must_use]
    pub fn reads_all(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Job | Kind::Workflow => true,
            Kind::ConfigMap | Kind::WorkflowTemplate => false,
            Kind::Other(_) => kind.completes() || self.revision(kind).is_some(),
        }
    }

    /// What of `object`, as a kube-apiserver sends it, is ours, and how it does.
    #[must_use]
    pub fn owned(&self, kind: &Kind, object: &Value) -> Owned {
        let (health, mut health_message) = self.health(kind, object).unwrap_or_else(|| health(kind, object));
        truncate(&mut health_message);
        Owned { health, health_message, ..owned::owned(object) }
    }

    fn judged(&self, kind: &Kind, object: &Value) -> (Seen, Option<Verdict>) {
        let (seen, verdict) = match kind {
            Kind::Job => job::judge(object),
            Kind::Workflow => workflow::judge(object),
            Kind::ConfigMap | Kind::WorkflowTemplate => return Default::default(),
            Kind::Other(_) if kind.completes() => pod::judge(object),
            Kind::Other(_) => return self.judge(kind, object),
        };
        (seen, Some(verdict))
    }
}

fn observation(kind: &Kind, object: &Value, judged: (Seen, Option<Verdict>)) -> Option<Observation> {
    let metadata = object.get("metadata")?;
    let text = |field: &str| metadata.get(field).and_then(Value::as_str);
    let label =
        |key: &str| metadata.pointer("/labels").and_then(|labels| labels.get(key)).and_then(Value::as_str);
    let annotation =
        |key: &str| metadata.pointer("/annotations").and_then(|all| all.get(key)).and_then(Value::as_str);
    let finalizers = metadata.get("finalizers").and_then(Value::as_array);
    // The Pods of what was sent have its labels, through its template.
    let is_sent = kind.as_str() != "Pod" || !is_controlled(metadata);
    let (mut seen, verdict) = judged;
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
        group: label(marks::GROUP).filter(|_| is_sent).and_then(Uid::parse),
        submission: label(marks::SUBMISSION_UID).filter(|_| is_sent).and_then(Uid::parse),
        attempt: annotation(marks::ATTEMPT).and_then(|number| number.parse().ok()),
        digest: annotation(marks::DIGEST).map(str::to_owned),
        held: finalizers.is_some_and(|all| all.iter().any(|name| name == marks::HOLD)),
        described: label(marks::GROUP).is_none().then(|| Box::new(described(metadata))),
        seen,
        verdict,
    })
}

/// Some other object of its cluster made it.
fn is_controlled(metadata: &Value) -> bool {
    controller(metadata).is_some()
}

fn controller(metadata: &Value) -> Option<&Value> {
    let owners = metadata.get("ownerReferences").and_then(Value::as_array)?;
    owners.iter().find(|one| one.get("controller") == Some(&Value::Bool(true)))
}

/// What is shown of it if it was not submitted here.
fn described(metadata: &Value) -> Described {
    let labels = metadata.get("labels").and_then(Value::as_object).into_iter().flatten();
    let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    let owner = controller(metadata).map(|owner| {
        let text = |field: &str| owner.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        Owner { api_version: text("apiVersion"), kind: text("kind"), name: text("name"), uid: text("uid") }
    });
    Described { labels: labels.take(limits::LABELS_MAX).collect(), owner }
}

/// Cuts a message that came from outside to what a record may hold, at a character.
pub fn truncate(message: &mut String) {
    truncate_to(message, limits::MESSAGE_BYTES_MAX);
}

/// Cuts a text to that many bytes, at a character.
pub(crate) fn truncate_to(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
}
