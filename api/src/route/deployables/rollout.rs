//! `POST .../rollout {paused}`: begins it on no more clusters, or goes on.

use super::{Named, respond};
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tallyman_model::command::{PauseRollout, Target};
use tallyman_model::{Cause, Command};

pub(in crate::route) async fn rollout(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let target = Target { revision: ask.if_match()?, ..Target::named(&namespace, &name) };
    let command = Command::PauseRollout(PauseRollout { target, paused: paused(&value)? });
    let written = ask.propose(&namespace, &bytes, command).await?;
    respond(&ask, StatusCode::OK, &written, None).await
}

fn paused(value: &Value) -> Result<bool, Failure> {
    let is_known = |field: &String| matches!(field.as_str(), "paused" | "kind" | "apiVersion");
    let map = value.as_object().filter(|map| map.keys().all(is_known));
    map.and_then(|map| map.get("paused")).and_then(Value::as_bool).ok_or_else(|| {
        let message = "send {\"paused\": true}, or false to go on".to_owned();
        Failure::invalid(message.clone(), vec![Cause { field: "paused".to_owned(), message }])
    })
}
