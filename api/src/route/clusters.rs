//! `clusters`.

mod write;
mod write_off;

pub(super) use write::{confirm, create, delete, drain, patch, replace};
pub(super) use write_off::write_off;

use crate::api::Shared;
use crate::ask::Ask;
use crate::noun::Noun;
use crate::status::Failure;
use crate::{list, watch};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use tallyman_model::record::Resource;

/// `GET`: a list, or a watch.
pub(super) async fn list(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    if ask.watches()? {
        return watch::records(ask, Noun::Clusters, Resource::Cluster, None).await;
    }
    list::list(&ask, Noun::Clusters, Resource::Cluster, None).await
}

/// `GET` of one.
pub(super) async fn get(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    list::get(&ask, Noun::Clusters, Resource::Cluster, "", &name).await
}
