//! `pools`, and the `allocations` of what they give out.

use super::kept::{Kept, Named, Written, respond};
use crate::api::Shared;
use crate::ask::Ask;
use crate::noun::Noun;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tallyman_model::command::{AddPool, Allocate, Deallocate, RemovePool, Target, UpdatePool};
use tallyman_model::record::Resource;
use tallyman_model::{Cause, Command, Uid, manifest};

pub(super) struct Pools;
pub(super) struct Allocations;

impl Kept for Pools {
    const NOUN: Noun = Noun::Pools;
    const RESOURCE: Resource = Resource::Pool;

    fn remove(target: Target) -> Command {
        Command::RemovePool(RemovePool { target })
    }
}

impl Written for Pools {
    fn add(uid: Uid, namespace: &str, value: Value) -> Result<Command, Vec<Cause>> {
        let read = manifest::read_pool(value, namespace)?;
        Ok(Command::AddPool(AddPool {
            uid,
            namespace: namespace.to_owned(),
            name: read.titled.name,
            labels: read.titled.labels,
            annotations: read.titled.annotations,
            values: read.values,
            disjoint: read.disjoint,
        }))
    }

    fn update(target: Target, value: Value) -> Result<Command, Vec<Cause>> {
        let read = manifest::read_pool(value, &target.namespace)?;
        Ok(Command::UpdatePool(UpdatePool {
            target,
            labels: read.titled.labels,
            annotations: read.titled.annotations,
            values: read.values,
            disjoint: read.disjoint,
        }))
    }
}

impl Kept for Allocations {
    const NOUN: Noun = Noun::Allocations;
    const RESOURCE: Resource = Resource::Allocation;

    fn remove(target: Target) -> Command {
        Command::Deallocate(Deallocate { target })
    }
}

/// `POST .../allocations {key, value, size, align, prefixLength, ttl}`: 201 for a new allocation, 200 for one that was there.
pub(super) async fn allocate(
    State(api): State<Shared>,
    Path((namespace, pool)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let read =
        manifest::read_allocation(value).map_err(|causes| Failure::faults(Noun::Pools, &pool, causes))?;
    let command = Command::Allocate(Allocate {
        uid: ask.api.options.env.uid(),
        namespace: namespace.clone(),
        pool,
        key: read.key,
        wanted: read.wanted,
        ttl_ms: read.ttl_ms,
    });
    let written = ask.propose(&namespace, &bytes, command).await?;
    let head = written.done.record.as_deref().and_then(|record| record.head());
    let is_new = head.is_some_and(|head| head.created_revision == head.revision) && !written.done.unchanged;
    let status = if is_new || written.done.replayed { StatusCode::CREATED } else { StatusCode::OK };
    respond::<Allocations>(&ask, status, &written)
}
