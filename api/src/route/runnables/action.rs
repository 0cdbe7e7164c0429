//! `cancel`, `retry` and `move`.

use super::{Named, follow};
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use crate::wait::Goal;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::command::{Cancel, Move, Retry, Target};
use tallyman_model::{Cause, Command};

/// Bytes of the words that a person gives.
pub(super) const WORDS_BYTES_MAX: usize = 1024;

/// `POST .../cancel {reason}`
pub(in crate::route) async fn cancel(
    State(api): State<Shared>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Failure> {
    act(&api, named, request, Goal::Ended, |target, why| Command::Cancel(Cancel { target, why })).await
}

/// `POST .../retry {reason}`
pub(in crate::route) async fn retry(
    State(api): State<Shared>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Failure> {
    act(&api, named, request, Goal::Created, |target, why| Command::Retry(Retry { target, why })).await
}

/// `POST .../move {reason}`
pub(in crate::route) async fn relocate(
    State(api): State<Shared>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Failure> {
    act(&api, named, request, Goal::Created, |target, why| Command::Move(Move { target, why })).await
}

/// Proposes what a person asks of one run, with the reason given.
async fn act(
    api: &Shared,
    (namespace, name): (String, String),
    request: Request,
    goal: Goal,
    command: impl FnOnce(Target, String) -> Command,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(api, request)?;
    let (bytes, why) = words(&ask, body).await?;
    let revision = ask.if_match()?;
    let target = Target { revision, ..Target::named(&namespace, &name) };
    let written = ask.propose(&namespace, &bytes, command(target, why)).await?;
    follow(&ask, &name, StatusCode::OK, written, None, goal).await
}

/// The body, and the reason in it.
pub(in crate::route) async fn words(ask: &Ask, body: Body) -> Result<(axum::body::Bytes, String), Failure> {
    let (bytes, value) = ask.maybe_document(body).await?;
    let Some(value) = value else { return Ok((bytes, String::new())) };
    let cause = |field: &str, message: &str| Cause { field: field.to_owned(), message: message.to_owned() };
    let refuse = |cause: Cause| Failure::invalid(format!("{}: {}", cause.field, cause.message), vec![cause]);
    let map =
        value.as_object().ok_or_else(|| Failure::bad_request("send {\"reason\": \"...\"} or nothing"))?;
    let unknown = |field: &&String| !matches!(field.as_str(), "reason" | "kind" | "apiVersion");
    if let Some(field) = map.keys().find(unknown) {
        return Err(refuse(cause(field, "unknown field; only reason is taken")));
    }
    let reason = match map.get("reason") {
        None => "",
        Some(reason) => reason.as_str().ok_or_else(|| refuse(cause("reason", "must be a string")))?,
    };
    if reason.len() > WORDS_BYTES_MAX {
        return Err(refuse(cause("reason", &format!("at most {WORDS_BYTES_MAX} bytes"))));
    }
    Ok((bytes, reason.to_owned()))
}
