//! Registering a cluster, changing its settings, taking it out.

use crate::answer;
use crate::api::Shared;
use crate::ask::{Ask, Written};
use crate::body::{self, Format};
use crate::cluster_body::ClusterBody;
use crate::delete_options::DeleteOptions;
use crate::global_head;
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::route::runnables::words;
use crate::status::Failure;
use crate::view;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tallyman_model::command::{AddCluster, Drain, RemoveCluster, UpdateCluster};
use tallyman_model::record::Cluster;
use tallyman_model::{Cause, Command, Revision, query};
use tallyman_raft::ReadMode;

/// How often a patch is applied anew because the cluster changed meanwhile.
const TRIES_MAX: usize = 5;

/// `POST`
pub(in crate::route) async fn create(
    State(api): State<Shared>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let read = ClusterBody::read(value, None)?;
    let written = ask.propose("", &bytes, add(&ask, read)).await?;
    respond(&ask, StatusCode::CREATED, &written)
}

fn add(ask: &Ask, read: ClusterBody) -> Command {
    Command::AddCluster(AddCluster {
        uid: ask.api.options.env.uid(),
        name: read.name,
        labels: read.labels,
        annotations: read.annotations,
        credentials: read.credentials,
        via: read.via,
        cordoned: read.cordoned,
        paused: read.paused,
        log_link: read.log_link,
        hub: read.hub,
        observe: read.observe,
        watch_scope: read.watch_scope,
        watch_namespaces: read.watch_namespaces,
    })
}

/// `PUT`
pub(in crate::route) async fn replace(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let read = ClusterBody::read(value, Some(&name))?;
    let revision = ask.if_match()?.or(read.revision);
    let written = ask.propose("", &bytes, update(read, revision)).await?;
    respond(&ask, StatusCode::OK, &written)
}

fn update(read: ClusterBody, revision: Option<Revision>) -> Command {
    Command::UpdateCluster(UpdateCluster {
        name: read.name,
        revision,
        labels: Some(read.labels),
        annotations: Some(read.annotations),
        credentials: Some(read.credentials),
        via: Some(read.via),
        cordoned: Some(read.cordoned),
        paused: Some(read.paused),
        log_link: Some(read.log_link),
        hub: Some(read.hub),
        observe: Some(read.observe),
        watch: Some((read.watch_scope, read.watch_namespaces)),
        confirm_identity: None,
    })
}

/// `PATCH`: applied to the document as this replica shows it; it takes effect only at that revision. Server-side apply
/// is a merge patch here that makes the cluster if it is not there.
pub(in crate::route) async fn patch(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let format = body::format(&ask.headers)?;
    let bytes = ask.bytes(body).await?;
    let patch = body::parse(&bytes, format)?;
    let asked = match ask.if_match()? {
        Some(revision) => Some(revision),
        None => global_head::revision(&patch)?,
    };
    let mut tries = 0;
    loop {
        tries += 1;
        ask.await_mode(ReadMode::Linearizable).await?;
        let (mut document, revision) = match shown(&ask, &name) {
            Ok(shown) => shown,
            Err(failure)
                if failure.reason == "NotFound" && format == Format::ApplyPatch && asked.is_none() =>
            {
                let read = ClusterBody::read(patch.clone(), None)?;
                if read.name != name {
                    return Err(Failure::bad_request("metadata.name must be the name in the path"));
                }
                match ask.propose("", &bytes, add(&ask, read)).await {
                    Ok(written) => return respond(&ask, StatusCode::CREATED, &written),
                    // Somebody else made it meanwhile.
                    Err(failure) if failure.reason == "AlreadyExists" && tries < TRIES_MAX => continue,
                    Err(failure) => return Err(failure),
                }
            }
            Err(failure) => return Err(failure),
        };
        if format == Format::JsonPatch {
            document = crate::patch::apply(&document, &patch)?;
        } else {
            crate::patch::merge(&mut document, patch.clone());
        }
        let read = ClusterBody::read(document, Some(&name))?;
        match ask.propose("", &bytes, update(read, asked.or(Some(revision)))).await {
            Ok(written) => return respond(&ask, StatusCode::OK, &written),
            Err(failure) if failure.reason == "Conflict" && asked.is_none() && tries < TRIES_MAX => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// `DELETE`: while runs have objects there, only with `propagationPolicy: Orphan`.
pub(in crate::route) async fn delete(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (mut ask, body) = Ask::open(&api, request)?;
    let (bytes, options) = ask.maybe_document(body).await?;
    let asked = DeleteOptions::of(&ask, options)?;
    ask.dry_run = asked.dry_run;
    let mut revision = asked.revision;
    if let Some(uid) = asked.uid {
        // A name's UID cannot change without its revision changing.
        ask.await_mode(ReadMode::Linearizable).await?;
        let cluster = current(&ask, &name)?;
        if cluster.head.uid != uid {
            let message = format!("{name:?} is another cluster record now, with UID {}", cluster.head.uid);
            return Err(Failure::conflict(message).about(Noun::Clusters, &name));
        }
        revision = revision.or(Some(cluster.head.revision));
    }
    let command =
        Command::RemoveCluster(RemoveCluster { name: name.clone(), revision, orphan: asked.orphan });
    let written = ask.propose("", &bytes, command).await?;
    let response = answer::gone(Noun::Clusters, &name, "", written.done.revision);
    Ok(answer::written(response, &written))
}

/// `POST .../confirm {kubeSystemUID}`: the cluster is now the one with that identity; ends a quarantine.
pub(in crate::route) async fn confirm(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let field = "kubeSystemUID";
    let uid = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.get(field)?.as_str());
    let uid = uid.filter(|uid| !uid.is_empty() && uid.len() <= 64).ok_or_else(|| {
        let message =
            "send {\"kubeSystemUID\": \"...\"}, the UID of the cluster's kube-system namespace".to_owned();
        Failure::invalid(message.clone(), vec![Cause { field: field.to_owned(), message }])
    })?;
    let confirm_identity = Some(uid.to_owned());
    let command = Command::UpdateCluster(UpdateCluster {
        name,
        revision: ask.if_match()?,
        confirm_identity,
        ..UpdateCluster::default()
    });
    let written = ask.propose("", &bytes, command).await?;
    respond(&ask, StatusCode::OK, &written)
}

/// `POST .../drain {reason}`: it gets no new work, and what is to move and has not started leaves it.
pub(in crate::route) async fn drain(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, why) = words(&ask, body).await?;
    let command = Command::Drain(Drain { name, revision: ask.if_match()?, why });
    let written = ask.propose("", &bytes, command).await?;
    respond(&ask, StatusCode::OK, &written)
}

fn current(ask: &Ask, name: &str) -> Result<Cluster, Failure> {
    let found = view::with(ask.api.backend(), None, |view, _| query::cluster(view, name))?;
    found.ok_or_else(|| Failure::not_found(Noun::Clusters, name))
}

/// The document as it is now, and its revision.
fn shown(ask: &Ask, name: &str) -> Result<(Value, Revision), Failure> {
    let cluster = current(ask, name)?;
    let revision = cluster.head.revision;
    let bytes = document(ask, &tallyman_model::Record::Cluster(cluster), None)?.0;
    Ok((serde_json::from_slice(&bytes).unwrap_or(Value::Null), revision))
}

fn document(
    ask: &Ask,
    record: &tallyman_model::Record,
    shown_at: Option<Revision>,
) -> Result<(Vec<u8>, u64), Failure> {
    let status = ask.status();
    let now_ms = ask.api.now_ms();
    view::with(ask.api.backend(), None, |view, _| {
        let scene = Scene::new(view, &status, now_ms);
        Ok((render::record(&scene, record, None, shown_at)?, scene.oldest_cluster_ms()))
    })
}

pub(super) fn respond(ask: &Ask, status: StatusCode, written: &Written) -> Result<Response, Failure> {
    let Some(record) = written.done.record.as_deref() else {
        // Answered again under its idempotency key, after the cluster was taken out.
        let document =
            serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        let bytes = document.to_string().into_bytes();
        return Ok(answer::written(answer::json(status, bytes, written.done.revision, 0), written));
    };
    let (bytes, oldest_ms) = document(ask, record, written.shown_at)?;
    let response = answer::json(status, bytes, written.done.revision, oldest_ms);
    let revision = written.shown_at.unwrap_or(record.revision());
    Ok(answer::written(answer::with_etag(response, revision), written))
}
