//! `runnables`.

mod action;
mod apply;
mod approve;
mod delete;
mod many;
mod patch;

pub(super) use action::{cancel, relocate, retry, words};
pub(super) use approve::approve;
pub(super) use approve::decision;
pub(super) use delete::delete;
pub(super) use patch::patch;

use super::namespaces;
use crate::answer;
use crate::api::Shared;
use crate::ask::{Ask, Written, annotated_key};
use crate::noun::Noun;
use crate::prefer::Prefer;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::wait::{Goal, Wait};
use crate::{list, metadata, view, watch};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::record::{Record, Resource};
use tallyman_model::{Command, Revision, manifest, query};
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
    let (bytes, mut value) = ask.document(body).await?;
    if many::is_list(&value) {
        namespaces::check(&namespace)?;
        return many::create(&ask, &namespace, value).await;
    }
    let key = ask.key(&namespace, &bytes, annotated_key(&mut value))?;
    let name = value.get("metadata").and_then(|metadata| metadata.get("name"));
    let name = name.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    metadata::annotations_fit(Noun::Runnables, &name, &value)?;
    let submit = manifest::accept(value, &namespace, api.options.env.uid())
        .map_err(|causes| Failure::faults(Noun::Runnables, &name, causes))?;
    let manifests = submit.manifests.clone();
    let written = ask.propose_with(key, Command::Submit(Box::new(submit))).await?;
    follow(&ask, &name, StatusCode::CREATED, written, Some(&manifests), Goal::Created).await
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

/// The answer to a write, when what it is for has come about, if the client prefers to wait for that.
async fn follow(
    ask: &Ask,
    name: &str,
    status: StatusCode,
    mut written: Written,
    manifests: Option<&[u8]>,
    goal: Goal,
) -> Result<Response, Failure> {
    let wait = Wait::preferred(ask);
    if let Some(wait) = &wait {
        wait.follow(ask, &mut written, goal).await;
    }
    let response = respond(ask, name, status, &written, manifests).await?;
    Ok(Prefer { wait_s: wait.map(|wait| wait.seconds), ..Prefer::of(&ask.headers) }.applied(response))
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
        return Ok(answer::written(answer::gone(Noun::Runnables, name, "", written.done.revision), written));
    };
    if manifests.is_none() && !is_here(ask, record)? {
        // This replica is behind the write that it passed on. Without the manifests the answer is still right.
        let wait = ask.params.wait(&ask.headers)?;
        let _ = ask.api.backend().read(ReadMode::Token(written.done.revision), wait).await;
    }
    let (bytes, oldest_ms) = document(ask, record, manifests, written.shown_at)?;
    let response = answer::json(status, bytes, written.done.revision, oldest_ms);
    let revision = written.shown_at.unwrap_or(record.revision());
    let response = answer::written(answer::with_etag(response, revision), written);
    Ok(Prefer { wait_s: None, ..Prefer::of(&ask.headers) }.applied(response))
}

/// The document of a run, as the client wants it, and the age of the oldest picture of a cluster in it.
fn document(
    ask: &Ask,
    record: &Record,
    manifests: Option<&[u8]>,
    shown_at: Option<Revision>,
) -> Result<(Vec<u8>, u64), Failure> {
    if Prefer::of(&ask.headers).minimal {
        return Ok((render::minimal(record, shown_at), 0));
    }
    let replica = ask.status();
    let now_ms = ask.api.now_ms();
    view::with(ask.api.backend(), None, |view, _| {
        let scene = Scene::new(view, &replica, now_ms);
        Ok((render::record(&scene, record, manifests, shown_at)?, scene.oldest_cluster_ms()))
    })
}

fn is_here(ask: &Ask, record: &Record) -> Result<bool, Failure> {
    let uid = record.head().map(|head| head.uid);
    view::with(ask.api.backend(), None, |view, _| {
        let found = query::record(view, record.ordinal())?;
        Ok(found.is_some_and(|found| found.head().map(|head| head.uid) == uid))
    })
}
