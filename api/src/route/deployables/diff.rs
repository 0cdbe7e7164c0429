//! `GET .../diff`: where what is wanted, what was applied and what was observed differ, from the inventory alone.

use super::Named;
use crate::answer;
use crate::api::Shared;
use crate::ask::Ask;
use crate::noun::Noun;
use crate::render::{self, DiffDocument};
use crate::status::Failure;
use crate::view;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::query;

pub(in crate::route) async fn diff(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    let exact = ask.await_read().await?;
    view::with(ask.api.backend(), exact, |view, revision| {
        let Some(deployable) = query::deployable(view, &namespace, &name)? else {
            return Ok(Err(Failure::not_found(Noun::Deployables, &name)));
        };
        let diff = query::diff(view, &deployable, ask.params.get("cluster"))?;
        let document = DiffDocument::of(&deployable, &diff, revision);
        Ok(Ok(answer::json(StatusCode::OK, render::bytes(&document), revision, 0)))
    })?
}
