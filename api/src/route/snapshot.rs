//! A backup of one replica, sent as it is read. For operators.

use super::operator::for_real;
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use futures::StreamExt;

/// `GET`: the file that `tallyman operator snapshot` reads. One that breaks off has no end, and is none.
pub(super) async fn take(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    ask.require_master()?;
    for_real(&ask)?;
    let backup = api.backend().backup().await?;
    let index = backup.head.last.map_or(0, |last| last.index);
    // A stream that failed is not ended in good order: whoever reads it learns that not all has come.
    let pieces = backup
        .pieces
        .map(|piece| piece.inspect_err(|error| tracing::error!(%error, why = ?error, "a backup broke off")));
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{index}.tallyman\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
