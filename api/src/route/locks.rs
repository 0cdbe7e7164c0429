//! `locks`, and taking, keeping and giving them back.

use super::kept::{Kept, Named, Written, respond};
use crate::api::Shared;
use crate::ask::Ask;
use crate::noun::Noun;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tallyman_model::command::{AcquireLock, AddLock, ReleaseLock, RemoveLock, RenewLock, Target, UpdateLock};
use tallyman_model::record::Resource;
use tallyman_model::{Cause, Command, Uid, manifest};

pub(super) struct Locks;

impl Kept for Locks {
    const NOUN: Noun = Noun::Locks;
    const RESOURCE: Resource = Resource::Lock;

    fn remove(target: Target) -> Command {
        Command::RemoveLock(RemoveLock { target })
    }
}

impl Written for Locks {
    fn add(uid: Uid, namespace: &str, value: Value) -> Result<Command, Vec<Cause>> {
        let read = manifest::read_lock(value, namespace)?;
        Ok(Command::AddLock(AddLock {
            uid,
            namespace: namespace.to_owned(),
            name: read.titled.name,
            labels: read.titled.labels,
            annotations: read.titled.annotations,
            permits: read.permits,
        }))
    }

    fn update(target: Target, value: Value) -> Result<Command, Vec<Cause>> {
        let read = manifest::read_lock(value, &target.namespace)?;
        let (labels, annotations) = (read.titled.labels, read.titled.annotations);
        Ok(Command::UpdateLock(UpdateLock { target, labels, annotations, permits: read.permits }))
    }
}

/// `POST .../acquire {owner, permits, ttl}`
pub(super) async fn acquire(
    State(api): State<Shared>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Failure> {
    act(&api, named, request, |target, value| {
        let manifest::ReadAcquire { owner, permits, ttl_ms } = manifest::read_acquire(value)?;
        Ok(Command::AcquireLock(AcquireLock { target, owner, permits, ttl_ms }))
    })
    .await
}

/// `POST .../renew {token, ttl}`
pub(super) async fn renew(
    State(api): State<Shared>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Failure> {
    act(&api, named, request, |target, value| {
        let (token, ttl_ms) = manifest::read_token(value, true)?;
        Ok(Command::RenewLock(RenewLock { target, token, ttl_ms }))
    })
    .await
}

/// `POST .../release {token}`
pub(super) async fn release(
    State(api): State<Shared>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Failure> {
    act(&api, named, request, |target, value| {
        let (token, _) = manifest::read_token(value, false)?;
        Ok(Command::ReleaseLock(ReleaseLock { target, token }))
    })
    .await
}

/// Proposes what is asked of one lock.
async fn act(
    api: &Shared,
    (namespace, name): (String, String),
    request: Request,
    command: impl FnOnce(Target, Value) -> Result<Command, Vec<Cause>>,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let target = Target { revision: ask.if_match()?, ..Target::named(&namespace, &name) };
    let command = command(target, value).map_err(|causes| Failure::faults(Noun::Locks, &name, causes))?;
    let written = ask.propose(&namespace, &bytes, command).await?;
    respond::<Locks>(&ask, StatusCode::OK, &written)
}
