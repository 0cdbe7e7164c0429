//! `PATCH` of labels and annotations.
//!
//! A merge patch that only names labels and annotations becomes a command as it is. Any other is looked at beside the
//! document as this replica shows it: what it says of the spec must be what the run was made from, and what it takes
//! away without naming it takes effect only if the run is still at that revision.

use super::{Named, apply, respond};
use crate::api::Shared;
use crate::ask::Ask;
use crate::body::{self, Format};
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::{metadata, view};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use tallyman_model::command::{Patch, Target};
use tallyman_model::record::{Record, Resource, Runnable};
use tallyman_model::{Command, Revision, manifest, query};
use tallyman_raft::ReadMode;

/// How often a patch is applied anew because the run changed meanwhile.
pub(super) const TRIES_MAX: usize = 5;

pub(in crate::route) async fn patch(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let format = body::format(&ask.headers)?;
    let bytes = ask.bytes(body).await?;
    let value = body::parse(&bytes, format)?;
    if format == Format::ApplyPatch {
        return apply::apply(&ask, &namespace, &name, &bytes, value).await;
    }
    let asked = ask.if_match()?;
    let is_merge = format != Format::JsonPatch;
    if is_merge && metadata::names_all(&value) {
        let command = command(&value, None, &namespace, &name, asked)?;
        let written = ask.propose(&namespace, &bytes, command).await?;
        return respond(&ask, &name, StatusCode::OK, &written, None).await;
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let shown = Shown::read(&ask, &namespace, &name).await?;
        let shown = shown.ok_or_else(|| Failure::not_found(Noun::Runnables, &name))?;
        let patched = if is_merge { value.clone() } else { difference(&shown.document, &value)? };
        if let Some(patch) = patched.get("spec") {
            let mut spec = shown.document.get("spec").cloned().unwrap_or_default();
            crate::patch::merge(&mut spec, patch.clone());
            shown.same_spec(&name, spec)?;
        }
        // What is named can be set whatever else has changed; the rest was read.
        let read = !is_merge || metadata::removes_all(&value);
        let revision = asked.or(read.then_some(shown.run.head.revision));
        let command = command(&patched, Some(&shown), &namespace, &name, revision)?;
        match ask.propose(&namespace, &bytes, command).await {
            Ok(written) => return respond(&ask, &name, StatusCode::OK, &written, None).await,
            Err(failure) if failure.reason == "Conflict" && asked.is_none() && tries < TRIES_MAX => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// A run as it is now.
pub(super) struct Shown {
    pub(super) run: Runnable,
    document: Value,
    manifests: Vec<u8>,
}

impl Shown {
    /// The newest state of it; `None` if there is no such run.
    ///
    /// # Errors
    /// 409: it was not submitted here.
    pub(super) async fn read(ask: &Ask, namespace: &str, name: &str) -> Result<Option<Self>, Failure> {
        ask.await_mode(ReadMode::Linearizable).await?;
        let status = ask.status();
        let now_ms = ask.api.now_ms();
        view::with(ask.api.backend(), None, |view, _| {
            let run = match query::named(view, Resource::Runnable, namespace, name)? {
                Some(Record::Runnable(run)) => run,
                Some(Record::Foreign(foreign)) => return Ok(Err(foreign.untouchable())),
                _ => return Ok(Ok(None)),
            };
            let manifests = query::manifests(view, &run)?;
            let record = Record::Runnable(run.clone());
            let bytes = render::record(&Scene::new(view, &status, now_ms), &record, Some(&manifests), None)?;
            let document = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            Ok(Ok(Some(Self { run, document, manifests })))
        })?
        .map_err(|why| Failure::conflict(why).about(Noun::Runnables, name))
    }

    /// Judges a spec that is sent for the run. A run's spec never changes, so the answer stays right for its UID.
    ///
    /// # Errors
    /// 422: it is not what the run was made from.
    pub(super) fn same_spec(&self, name: &str, spec: Value) -> Result<(), Failure> {
        let document = json!({
            "apiVersion": render::API_VERSION, "kind": Noun::Runnables.kind(), "metadata": {"name": name}, "spec": spec,
        });
        let asked = manifest::accept(document, &self.run.head.namespace, self.run.head.uid)
            .map_err(|causes| Failure::faults(Noun::Runnables, name, causes))?;
        let causes = manifest::differences(&self.run, &self.manifests, &asked);
        if causes.is_empty() {
            return Ok(());
        }
        let fields: Vec<_> = causes.iter().map(|cause| cause.field.as_str()).collect();
        let message = format!(
            "the spec of runnable {name:?} is immutable: submit changed work under another name (changed: {})",
            fields.join(", ")
        );
        Err(Failure::invalid(message, causes).about(Noun::Runnables, name))
    }
}

/// What a JSON patch changes, as a merge patch.
fn difference(document: &Value, patch: &Value) -> Result<Value, Failure> {
    let patched = crate::patch::apply(document, patch)?;
    let strip = |document: &Value| {
        let mut document = document.clone();
        if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("labels");
            metadata.remove("annotations");
        }
        document
    };
    if strip(document) != strip(&patched) {
        return Err(Failure::invalid("only labels and annotations of a runnable can be patched", Vec::new()));
    }
    let mut metadata = Map::new();
    for field in ["labels", "annotations"] {
        let of = |document: &Value| document.get("metadata").and_then(|all| all.get(field)).cloned();
        let (before, after) = (of(document).unwrap_or(json!({})), of(&patched).unwrap_or(json!({})));
        let mut changed = after.clone();
        if let (Some(before), Some(after)) = (before.as_object(), changed.as_object_mut()) {
            for key in before.keys() {
                after.entry(key.clone()).or_insert(Value::Null);
            }
        }
        metadata.insert(field.to_owned(), changed);
    }
    Ok(json!({ "metadata": metadata }))
}

/// The command of a merge patch. The run is needed to take away what is not named, and to judge what cannot change.
pub(super) fn command(
    patch: &Value,
    shown: Option<&Shown>,
    namespace: &str,
    name: &str,
    revision: Option<Revision>,
) -> Result<Command, Failure> {
    let changes = metadata::changes(patch, shown.map(|shown| &shown.document), namespace, name)?;
    let revision = revision.or(changes.revision);
    let uid = changes.uid.or(shown.map(|shown| shown.run.head.uid));
    Ok(Command::Patch(Patch {
        target: Target { uid, revision, ..Target::named(namespace, name) },
        labels: changes.labels,
        annotations: changes.annotations,
    }))
}
