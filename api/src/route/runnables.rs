//! `runnables`.

mod action;
mod approve;
mod delete;
mod patch;

pub(super) use action::{cancel, retry};
pub(super) use approve::approve;
pub(super) use delete::delete;
pub(super) use patch::patch;

use super::namespaces;
use crate::answer;
use crate::api::Shared;
use crate::ask::{Ask, Written};
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::{list, metadata, view, watch};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::record::{Record, Resource};
use tallyman_model::{Command, manifest, query};
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
    if ask.params.flag("watch")? == Some(true) {
        return watch::records(ask, Noun::Runnables, Resource::Runnable, namespace).await;
    }
    list::list(&ask, Noun::Runnables, Resource::Runnable, namespace).await
}

/// `GET` of one.
pub(super) async fn get(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    namespaces::check(&namespace)?;
    list::get(&ask, Noun::Runnables, Resource::Runnable, &namespace, &name).await
}

/// `POST`: takes a runnable.
pub(super) async fn create(
    State(api): State<Shared>,
    Path(namespace): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let name =
        value.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    metadata::annotations_fit(Noun::Runnables, &name, &value)?;
    let submit = manifest::accept(value, &namespace, api.options.env.uid())
        .map_err(|causes| Failure::faults(Noun::Runnables, &name, causes))?;
    let manifests = submit.manifests.clone();
    let written = ask.propose(&namespace, &bytes, Command::Submit(Box::new(submit))).await?;
    respond(&ask, &name, StatusCode::CREATED, &written, Some(&manifests)).await
}

/// `PUT`: a runnable's spec is immutable.
pub(super) async fn replace(
    State(api): State<Shared>,
    Path((_, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    ask.bytes(body).await?;
    let message = "a runnable is not replaced: its spec is immutable. PATCH changes labels and annotations; submit \
                   changed work under another name";
    let mut failure = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
    failure.allowed = Some("GET,HEAD,PATCH,DELETE");
    Err(failure.about(Noun::Runnables, &name))
}

/// The answer to a write: the run as it is after it.
async fn respond(
    ask: &Ask,
    name: &str,
    status: StatusCode,
    written: &Written,
    manifests: Option<&[u8]>,
) -> Result<Response, Failure> {
    let Some(record) = written.done.record.as_deref() else {
        return Ok(answer::written(gone(name, "", status, written), written));
    };
    if manifests.is_none() && !is_here(ask, record)? {
        // This replica is behind the write that it passed on. Without the manifests the answer is still right.
        let wait = ask.params.wait(&ask.headers)?;
        let _ = ask.api.backend().read(ReadMode::Token(written.done.revision), wait).await;
    }
    let replica = ask.status();
    let now_ms = ask.api.now_ms();
    let (bytes, oldest_ms) = view::with(ask.api.backend(), None, |view, _| {
        let scene = Scene::new(view, &replica, now_ms);
        Ok((render::record(&scene, record, manifests, None)?, scene.oldest_cluster_ms()))
    })?;
    let response = answer::json(status, bytes, written.done.revision, oldest_ms);
    Ok(answer::written(answer::with_etag(response, record.revision()), written))
}

fn is_here(ask: &Ask, record: &Record) -> Result<bool, Failure> {
    let uid = record.head().map(|head| head.uid);
    view::with(ask.api.backend(), None, |view, _| {
        let found = query::record(view, record.ordinal())?;
        Ok(found.is_some_and(|found| found.head().map(|head| head.uid) == uid))
    })
}

/// The run is not there any more: what was asked for is done.
fn gone(name: &str, uid: &str, status: StatusCode, written: &Written) -> Response {
    let details = serde_json::json!({"group": "tallyman.dev", "kind": "runnables", "name": name, "uid": uid});
    let document = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    answer::json(status, document.to_string().into_bytes(), written.done.revision, 0)
}
