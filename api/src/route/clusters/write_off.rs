//! Giving up a cluster that is lost for good.

use super::write::respond;
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::command::WriteOffCluster;
use tallyman_model::{Cause, Command};

/// Bytes of a reason: it stands on each run that is given up.
const WHY_BYTES_MAX: usize = 256;

/// `POST .../write-off {reason}`: what runs have there is given up; those under way end `Failed`.
pub(in crate::route) async fn write_off(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let why = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.get("reason")?.as_str());
    let why = why.filter(|why| !why.is_empty() && why.len() <= WHY_BYTES_MAX).ok_or_else(|| {
        let message = format!("send {{\"reason\": \"...\"}}, in 1 to {WHY_BYTES_MAX} bytes");
        Failure::invalid(message.clone(), vec![Cause { field: "reason".to_owned(), message }])
    })?;
    let why = why.to_owned();
    let command = Command::WriteOffCluster(WriteOffCluster { name, revision: ask.if_match()?, why });
    let written = ask.propose("", &bytes, command).await?;
    respond(&ask, StatusCode::OK, &written)
}
