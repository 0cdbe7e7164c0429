//! `deployables`.

mod approvals;
mod delete;
mod diff;
mod patch;
mod revisions;
mod rollback;
mod rollout;

pub(super) use approvals::approve;
pub(super) use delete::delete;
pub(super) use diff::diff;
pub(super) use patch::patch;
pub(super) use revisions::revisions;
pub(super) use rollback::rollback;
pub(super) use rollout::rollout;

use super::namespaces;
use crate::answer;
use crate::api::Shared;
use crate::ask::{Ask, Written};
use crate::metadata;
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::{list, view, watch};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tallyman_model::command::{Deploy, Redeploy, Target};
use tallyman_model::record::Resource;
use tallyman_model::{Command, Revision, manifest};
use tallyman_raft::ReadMode;

type Named = Path<(String, String)>;

/// `GET` of all namespaces: a list, or a watch.
pub(super) async fn list_all(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    list_or_watch(ask, None).await
}

/// `GET` of one namespace: a list, or a watch.
pub(super) async fn list(
    State(api): State<Shared>,
    Path(namespace): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    namespaces::check(&namespace)?;
    list_or_watch(ask, Some(&namespace)).await
}

async fn list_or_watch(ask: Ask, namespace: Option<&str>) -> Result<Response, Failure> {
    if ask.watches()? {
        return watch::records(ask, Noun::Deployables, Resource::Deployable, namespace).await;
    }
    list::list(&ask, Noun::Deployables, Resource::Deployable, namespace).await
}

/// `GET` of one.
pub(super) async fn get(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    namespaces::check(&namespace)?;
    list::get(&ask, Noun::Deployables, Resource::Deployable, &namespace, &name).await
}

/// `POST`: takes a deployable.
pub(super) async fn create(
    State(api): State<Shared>,
    Path(namespace): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    write(&ask, &namespace, &bytes, StatusCode::CREATED, deploy(&ask, &namespace, value)?).await
}

/// `PUT`: a new spec is a new revision.
pub(super) async fn replace(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let asked = ask.if_match()?;
    let command = redeploy(&namespace, &name, value, asked)?;
    write(&ask, &namespace, &bytes, StatusCode::OK, command).await
}

/// Proposes what was written, and answers with the deployable as it is after it.
async fn write(
    ask: &Ask,
    namespace: &str,
    body: &[u8],
    status: StatusCode,
    command: Command,
) -> Result<Response, Failure> {
    // What is only rehearsed is in no row.
    let manifests = if ask.dry_run { manifests(&command) } else { None };
    let written = ask.propose(namespace, body, command).await?;
    respond(ask, status, &written, manifests).await
}

fn manifests(command: &Command) -> Option<Vec<Value>> {
    let asked = match command {
        Command::Deploy(deploy) => &deploy.asked,
        Command::Redeploy(redeploy) => &redeploy.asked,
        _ => return None,
    };
    let manifest =
        |plan: &tallyman_model::record::Planned| serde_json::from_slice(plan.json(&asked.manifests)?).ok();
    asked.planned.iter().map(manifest).collect()
}

/// The command that takes what was written.
fn deploy(ask: &Ask, namespace: &str, value: Value) -> Result<Command, Failure> {
    let read = read(namespace, None, value)?;
    Ok(Command::Deploy(Box::new(Deploy {
        uid: ask.api.options.env.uid(),
        namespace: namespace.to_owned(),
        name: read.name,
        labels: read.labels,
        annotations: read.annotations,
        asked: read.asked,
    })))
}

/// The command that has the deployable of that name be as it was written, at the revision in it or `asked`.
fn redeploy(namespace: &str, name: &str, value: Value, asked: Option<Revision>) -> Result<Command, Failure> {
    let said = value.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    let said = said.filter(|said| !said.is_empty()).map(|said| {
        said.parse()
            .map(Revision)
            .map_err(|_| Failure::bad_request("metadata.resourceVersion is no revision"))
    });
    let revision = match (asked, said) {
        (Some(asked), _) => Some(asked),
        (None, said) => said.transpose()?,
    };
    let read = read(namespace, Some(name), value)?;
    Ok(Command::Redeploy(Box::new(Redeploy {
        target: Target { revision, ..Target::named(namespace, name) },
        labels: read.labels,
        annotations: read.annotations,
        asked: read.asked,
    })))
}

fn read(namespace: &str, name: Option<&str>, mut value: Value) -> Result<manifest::Read, Failure> {
    let said = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if name.is_some_and(|name| name != said) {
        return Err(Failure::bad_request("metadata.name must be the name in the path"));
    }
    metadata::annotations_fit(Noun::Deployables, &said, &value)?;
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        // What was read of one that is being removed.
        metadata.remove("deletionTimestamp");
        metadata.remove("finalizers");
    }
    manifest::read(value, namespace).map_err(|causes| Failure::faults(Noun::Deployables, &said, causes))
}

/// The answer to a write: the deployable as it is after it.
/// `manifests` are given where they are in no row.
async fn respond(
    ask: &Ask,
    status: StatusCode,
    written: &Written,
    manifests: Option<Vec<Value>>,
) -> Result<Response, Failure> {
    let Some(record) = written.done.record.as_deref() else {
        return Ok(answer::written(answer::gone(Noun::Deployables, "", "", written.done.revision), written));
    };
    if !ask.dry_run {
        // The manifests are in another row: this replica may be behind the write that it passed on.
        let wait = ask.params.wait(&ask.headers)?;
        let _ = ask.api.backend().read(ReadMode::Token(written.done.revision), wait).await;
    }
    let replica = ask.status();
    let now_ms = ask.api.now_ms();
    let (mut bytes, oldest_ms) = view::with(ask.api.backend(), None, |view, _| {
        let scene = Scene::new(view, &replica, now_ms);
        Ok((render::record(&scene, record, None, written.shown_at)?, scene.oldest_cluster_ms()))
    })?;
    if let Some(manifests) = manifests {
        let mut document: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        document["spec"]["manifests"] = Value::Array(manifests);
        bytes = document.to_string().into_bytes();
    }
    let response = answer::json(status, bytes, written.done.revision, oldest_ms);
    let revision = written.shown_at.unwrap_or(record.revision());
    Ok(answer::written(answer::with_etag(response, revision), written))
}
