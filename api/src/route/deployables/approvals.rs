//! `POST .../approvals`: one person's decision on the newest revision of a deployable.

use super::{Named, respond};
use crate::api::Shared;
use crate::ask::Ask;
use crate::noun::Noun;
use crate::route::runnables::decision;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::Command;
use tallyman_model::command::{ApproveGeneration, Target};

/// `POST .../approvals {decision, digest, reason}`: 201 for a decision, 200 for one that was made before.
pub(in crate::route) async fn approve(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let target = Target { revision: ask.if_match()?, ..Target::named(&namespace, &name) };
    let approve = decision(Noun::Deployables, target, &value)?;
    let command = Command::ApproveGeneration(ApproveGeneration(approve));
    let written = ask.propose(&namespace, &bytes, command).await?;
    let new = written.done.replayed || !written.done.unchanged;
    respond(&ask, if new { StatusCode::CREATED } else { StatusCode::OK }, &written, None).await
}
