//! One request from its head to its answer, faults included.

use crate::body::{Body, json, plain};
use crate::catalog::Catalog;
use crate::cluster::Shared;
use crate::faults::{End, Loss, Plan};
use crate::refusal::Refusal;
use crate::request::{Call, Resource, Target, Verb};
use crate::{discovery, verbs};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use std::sync::Arc;

/// What a kube-apiserver takes at most.
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// How much of a body that is too large is read and dropped, so that its sender sees the refusal.
const DROPPED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is withheld")]
pub(crate) struct Lost;

/// Answers one request. Its effect does not depend on whether the client waits for the answer.
///
/// # Errors
/// No answer is sent, and the connection is closed.
pub(crate) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Lost> {
    let (head, body) = request.into_parts();
    let call = Call::read(&head, &shared.store.lock().catalog());
    shared.counts.add(&call);
    let plan = shared.faults.plan(&call);
    let body = match read(body).await? {
        Ok(body) => body,
        Err(refusal) => return Ok(refusal.into()),
    };
    if !call.verb.is_write() {
        return perform(shared, call, body, plan).await;
    }
    let done = tokio::spawn(perform(shared, call, body, plan)).await;
    done.unwrap_or_else(|error| Ok(Refusal::internal(error).into()))
}

async fn read(mut body: Incoming) -> Result<Result<Vec<u8>, Refusal>, Lost> {
    let (mut kept, mut bytes) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Lost)?.into_data() else { continue };
        bytes += data.len();
        if bytes > DROPPED_BYTES_MAX {
            break;
        }
        if bytes <= BODY_BYTES_MAX {
            kept.extend_from_slice(&data);
        }
    }
    Ok(if bytes > BODY_BYTES_MAX { Err(Refusal::body_too_large(BODY_BYTES_MAX)) } else { Ok(kept) })
}

async fn perform(shared: Arc<Shared>, call: Call, body: Vec<u8>, plan: Plan) -> Result<Response<Body>, Lost> {
    tokio::select! {
        biased;
        () = shared.closed() => return Err(Lost),
        () = wait(&plan) => {}
    }
    match plan.end {
        None => Ok(dispatch(&shared, &call, &body).unwrap_or_else(Into::into)),
        Some(End::Refuse(refusal)) => Ok(refusal.into()),
        Some(End::LoseAnswer(loss)) => {
            drop(dispatch(&shared, &call, &body));
            match loss {
                Loss::Drop => Err(Lost),
                Loss::GatewayTimeout => {
                    let message = "Timeout: request did not complete within the allotted timeout";
                    Ok(Refusal::new(504, "Timeout", message).into())
                }
            }
        }
        Some(End::Hang(mut alive)) => {
            tokio::select! {
                // An error: the fault was removed.
                _ = alive.changed() => {}
                () = shared.closed() => {}
            }
            Err(Lost)
        }
    }
}

async fn wait(plan: &Plan) {
    if !plan.delay.is_zero() {
        tokio::time::sleep(plan.delay).await;
    }
    for gate in &plan.gates {
        gate.pass().await;
    }
}

fn dispatch(shared: &Arc<Shared>, call: &Call, body: &[u8]) -> Result<Response<Body>, Refusal> {
    match &call.target {
        Target::Document(path) => document(&shared.store.lock().catalog(), call.verb, path),
        Target::Unknown => Err(Refusal::no_such_resource()),
        Target::NoSubresource(kind, name) => Err(Refusal::not_found(kind, name)),
        Target::Resource(resource) => dispatch_resource(shared, call, resource, body),
    }
}

fn document(catalog: &Catalog, verb: Verb, path: &str) -> Result<Response<Body>, Refusal> {
    if discovery::is_health(path) {
        return Ok(plain(StatusCode::OK, "ok"));
    }
    let document = discovery::document(catalog, path).ok_or_else(Refusal::no_such_path)?;
    if verb == Verb::Get { Ok(json(StatusCode::OK, &document)) } else { Err(Refusal::method_not_allowed()) }
}

fn dispatch_resource(
    shared: &Arc<Shared>,
    call: &Call,
    resource: &Resource,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    // It may have gone while the request was held.
    shared.store.lock().served(&resource.kind, &resource.version)?;
    match call.verb {
        Verb::Get => verbs::get::get(shared, resource, call.form),
        Verb::List => verbs::list::list(shared, call, resource),
        Verb::Watch => verbs::watch::watch(shared, call, resource),
        Verb::Create => verbs::create::create(shared, call, resource, body),
        Verb::Patch if call.content_type == verbs::apply::CONTENT_TYPE => {
            verbs::apply::apply(shared, call, resource, body)
        }
        Verb::Update | Verb::Patch => verbs::change::change(shared, call, resource, body),
        Verb::Delete => verbs::delete::delete(shared, call, resource, body),
        Verb::Other => Err(Refusal::method_not_allowed()),
    }
}
