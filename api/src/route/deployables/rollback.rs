//! `POST .../rollback {revision}`: takes up an earlier revision again.

use super::{Named, respond};
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tallyman_model::command::{Rollback, Target};
use tallyman_model::{Cause, Command};

pub(in crate::route) async fn rollback(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.maybe_document(body).await?;
    let target = Target { revision: ask.if_match()?, ..Target::named(&namespace, &name) };
    let command = Command::Rollback(Rollback { target, to: to(value.as_ref())? });
    let written = ask.propose(&namespace, &bytes, command).await?;
    respond(&ask, StatusCode::OK, &written, None).await
}

/// The revision that is named; `None`: the one before.
fn to(value: Option<&Value>) -> Result<Option<u32>, Failure> {
    let Some(value) = value else { return Ok(None) };
    let refuse = || {
        let message = "send {\"revision\": N}, or nothing for the one before".to_owned();
        Failure::invalid(message.clone(), vec![Cause { field: "revision".to_owned(), message }])
    };
    let map = value.as_object().ok_or_else(refuse)?;
    if map.keys().any(|field| !matches!(field.as_str(), "revision" | "kind" | "apiVersion")) {
        return Err(refuse());
    }
    match map.get("revision") {
        None | Some(Value::Null) => Ok(None),
        Some(number) => {
            number.as_u64().and_then(|number| u32::try_from(number).ok()).map(Some).ok_or_else(refuse)
        }
    }
}
