//! `replicas`.

use crate::api::Shared;
use crate::ask::Ask;
use crate::list;
use crate::noun::Noun;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use tallyman_model::record::Resource;

/// `GET`: a list.
pub(super) async fn list(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    if ask.watches()? {
        return Err(Failure::no_such_method("watch", "replicas"));
    }
    list::list(&ask, Noun::Replicas, Resource::Member, None).await
}

/// `GET` of one.
pub(super) async fn get(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    list::get(&ask, Noun::Replicas, Resource::Member, "", &name).await
}
