//! `PATCH`: applied to the document as this replica shows it; it takes effect only at that revision. Server-side apply
//! makes the deployable if it is not there; a spec that is applied is the whole new spec.

use super::{Named, deploy, redeploy, write};
use crate::api::Shared;
use crate::ask::Ask;
use crate::body::{self, Format};
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::view;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tallyman_model::record::Record;
use tallyman_model::{Revision, query};
use tallyman_raft::ReadMode;

/// How often a patch is applied anew because the deployable changed meanwhile.
const TRIES_MAX: usize = 5;

pub(in crate::route) async fn patch(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let format = body::format(&ask.headers)?;
    let bytes = ask.bytes(body).await?;
    let patch = body::parse(&bytes, format)?;
    let asked = ask.if_match()?;
    let mut tries = 0;
    loop {
        tries += 1;
        ask.await_mode(ReadMode::Linearizable).await?;
        let Some((mut document, revision)) = shown(&ask, &namespace, &name)? else {
            if format != Format::ApplyPatch || asked.is_some() {
                return Err(Failure::not_found(Noun::Deployables, &name));
            }
            let mut value = patch.clone();
            if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.entry("name").or_insert_with(|| json!(name));
            }
            let command = deploy(&ask, &namespace, value)?;
            match write(&ask, &namespace, &bytes, StatusCode::CREATED, command).await {
                Ok(response) => return Ok(response),
                // Somebody else made it meanwhile.
                Err(failure) if failure.reason == "AlreadyExists" && tries < TRIES_MAX => continue,
                Err(failure) => return Err(failure),
            }
        };
        match format {
            Format::JsonPatch => document = crate::patch::apply(&document, &patch)?,
            _ => {
                if format == Format::ApplyPatch && patch.get("spec").is_some() {
                    document["spec"] = Value::Null;
                }
                crate::patch::merge(&mut document, patch.clone());
            }
        }
        // A version in the patch is a condition; the one that was shown is one in any case.
        let said = patch.pointer("/metadata/resourceVersion").is_some();
        let at = asked.or((!said).then_some(revision));
        let command = redeploy(&namespace, &name, document, at)?;
        match write(&ask, &namespace, &bytes, StatusCode::OK, command).await {
            Ok(response) => return Ok(response),
            Err(failure) if failure.reason == "Conflict" && asked.is_none() && !said && tries < TRIES_MAX => {
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// The document as it is now, and its revision.
fn shown(ask: &Ask, namespace: &str, name: &str) -> Result<Option<(Value, Revision)>, Failure> {
    let status = ask.status();
    let now_ms = ask.api.now_ms();
    view::with(ask.api.backend(), None, |view, _| {
        let Some(deployable) = query::deployable(view, namespace, name)? else { return Ok(None) };
        let revision = deployable.head.revision;
        let record = Record::Deployable(deployable);
        let bytes = render::record(&Scene::new(view, &status, now_ms), &record, None, None)?;
        Ok(Some((serde_json::from_slice(&bytes).unwrap_or(Value::Null), revision)))
    })
}
