//! `PATCH` of labels and annotations.
//!
//! A merge patch names what it changes, so it becomes a command as it is. A JSON patch is applied to the document
//! as this replica shows it, and takes effect only if the run is still at that revision.

use super::{Named, respond};
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
use tallyman_model::record::{Record, Resource};
use tallyman_model::{Command, Revision, query};
use tallyman_raft::ReadMode;

/// How often a patch is applied anew because the run changed meanwhile.
const TRIES_MAX: usize = 5;

pub(in crate::route) async fn patch(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let format = body::format(&ask.headers)?;
    let bytes = ask.bytes(body).await?;
    let value = body::parse(&bytes, format)?;
    let asked = ask.if_match()?;
    let is_merge = format != Format::JsonPatch;
    let names_all = is_merge && !removes_all(&value);
    if names_all {
        let command = command(&value, None, &namespace, &name, asked)?;
        let written = ask.propose(&namespace, &bytes, command).await?;
        return respond(&ask, &name, StatusCode::OK, &written, None).await;
    }
    let mut tries = 0;
    loop {
        tries += 1;
        ask.await_mode(ReadMode::Linearizable).await?;
        let (document, revision) = shown(&ask, &namespace, &name)?;
        let patched = if is_merge { value.clone() } else { difference(&document, &value)? };
        let command = command(&patched, Some(&document), &namespace, &name, asked.or(Some(revision)))?;
        match ask.propose(&namespace, &bytes, command).await {
            Ok(written) => return respond(&ask, &name, StatusCode::OK, &written, None).await,
            Err(failure) if failure.reason == "Conflict" && asked.is_none() && tries < TRIES_MAX => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// True if it takes away all labels or annotations without naming them.
fn removes_all(patch: &Value) -> bool {
    let metadata = patch.get("metadata");
    ["labels", "annotations"]
        .iter()
        .any(|field| metadata.and_then(|all| all.get(field)).is_some_and(Value::is_null))
}

/// The document as it is now, and its revision.
fn shown(ask: &Ask, namespace: &str, name: &str) -> Result<(Value, Revision), Failure> {
    let status = ask.status();
    let now_ms = ask.api.now_ms();
    view::with(ask.api.backend(), None, |view, _| {
        let Some(record) = query::named(view, Resource::Runnable, namespace, name)? else {
            return Ok(Err(Failure::not_found(Noun::Runnables, name)));
        };
        let bytes = render::record(&Scene::new(view, &status, now_ms), &record, None, None)?;
        let document = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Ok((document, Record::revision(&record))))
    })?
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

/// The command of a merge patch. `document` is needed to take away what is not named.
fn command(
    patch: &Value,
    document: Option<&Value>,
    namespace: &str,
    name: &str,
    revision: Option<Revision>,
) -> Result<Command, Failure> {
    let changes = metadata::changes(patch, document, namespace, name)?;
    let revision = revision.or(changes.revision);
    Ok(Command::Patch(Patch {
        target: Target { uid: changes.uid, revision, ..Target::named(namespace, name) },
        labels: changes.labels,
        annotations: changes.annotations,
    }))
}
