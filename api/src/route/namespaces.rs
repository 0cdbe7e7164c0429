//! `namespaces`: a tenant is there as soon as somebody names it. kubectl looks its namespace up before it shows that
//! something in it was not found.

use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tallyman_model::Cause;
use tallyman_model::manifest::names;

/// `GET` of one.
pub(super) async fn get(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    answer(&ask, &name)
}

/// The namespace of that name.
///
/// # Errors
/// It can be the name of none.
pub(crate) fn answer(ask: &Ask, name: &str) -> Result<Response, Failure> {
    check(name)?;
    let document = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"},
    });
    let bytes = document.to_string().into_bytes();
    Ok(crate::answer::json(StatusCode::OK, bytes, ask.api.backend().revision(), 0))
}

/// Judges the namespace of a path.
///
/// # Errors
/// It can be the name of none.
pub(crate) fn check(namespace: &str) -> Result<(), Failure> {
    names::label(namespace).map_err(|why| {
        let message = format!("{namespace:?} is no namespace: its name {why}");
        let cause = Cause { field: "metadata.namespace".to_owned(), message: why };
        Failure::invalid(message, vec![cause])
    })
}
