//! `POST` of a list: each item is decided by itself, as if it had been sent alone.
//!
//! The answer is a list of as many items in the same order: the runnable, or the `Status` that says why it was not
//! taken. 201: all were taken; 207: not all were. The items are proposed at the same time, so that they are committed
//! together; in which order is not said.

use super::document;
use crate::answer;
use crate::ask::{Ask, Written};
use crate::metadata;
use crate::noun::Noun;
use crate::overload::Admission;
use crate::prefer::Prefer;
use crate::render;
use crate::status::Failure;
use crate::wait::{Goal, Wait};
use axum::http::StatusCode;
use axum::response::Response;
use futures::StreamExt;
use futures::future::join_all;
use serde_json::{Map, Value};
use tallyman_model::{Command, Revision, manifest};

/// Items of one list.
const ITEMS_MAX: usize = 1_000;
/// Items that are proposed at the same time.
const AT_ONCE_MAX: usize = 128;

/// True for a list of runnables.
pub(super) fn is_list(value: &Value) -> bool {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    matches!(
        (text("apiVersion"), text("kind")),
        ("v1", "List") | (render::API_VERSION, "List" | "RunnableList")
    )
}

/// Takes each item of a list.
pub(super) async fn create(ask: &Ask, namespace: &str, list: Value) -> Result<Response, Failure> {
    if ask.params.get("dryRun").is_some() {
        let message = "dryRun is not served for a List: try its items one by one; nothing was done";
        return Err(Failure::invalid(message, Vec::new()));
    }
    let items = items(list)?;
    // The items are let in one by one.
    ask.admission.leave();
    let taking = items.into_iter().enumerate().map(|(i, item)| take(ask, namespace, i, item));
    let mut taken: Vec<Result<Taken, Failure>> =
        futures::stream::iter(taking).buffered(AT_ONCE_MAX).collect().await;
    if let Some(failure) = nothing_was_done(&taken) {
        return Err(failure);
    }
    let wait = Wait::preferred(ask);
    if let Some(wait) = &wait {
        join_all(taken.iter_mut().flatten().map(|taken| wait.follow(ask, &mut taken.written, Goal::Created)))
            .await;
    }
    let prefer = Prefer { wait_s: wait.map(|wait| wait.seconds), ..Prefer::of(&ask.headers) };
    Ok(prefer.applied(respond(ask, &taken)?))
}

/// The items, each with the type that the list may leave out.
fn items(list: Value) -> Result<Vec<Value>, Failure> {
    let Value::Object(mut list) = list else { return Err(Failure::bad_request("send one List")) };
    let Some(Value::Array(mut items)) = list.remove("items") else {
        return Err(Failure::bad_request("items: a List has a list of items"));
    };
    if let Some(field) =
        list.keys().find(|field| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"))
    {
        return Err(Failure::bad_request(format!("{field}: unknown field of a List")));
    }
    if items.is_empty() || items.len() > ITEMS_MAX {
        let count = items.len();
        return Err(Failure::bad_request(format!("items: there are {count}; send 1 to {ITEMS_MAX} at once")));
    }
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        let mut complete = |field: &str, value: &str| {
            item.entry(field).or_insert_with(|| Value::String(value.to_owned()));
        };
        complete("apiVersion", render::API_VERSION);
        complete("kind", Noun::Runnables.kind());
    }
    Ok(items)
}

/// An item that was taken.
struct Taken {
    written: Written,
    manifests: Vec<u8>,
}

async fn take(ask: &Ask, namespace: &str, i: usize, mut item: Value) -> Result<Taken, Failure> {
    let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    metadata::annotations_fit(Noun::Runnables, &name, &item)?;
    let key = ask.key_of_item(namespace, i, &mut item)?;
    let submit = manifest::accept(item, namespace, ask.api.options.env.uid())
        .map_err(|causes| Failure::faults(Noun::Runnables, &name, causes))?;
    let manifests = submit.manifests.clone();
    let admission = Admission::of_write();
    admission.begin_write(&ask.api.overload, ask.path()).await?;
    let written = ask.propose_with(key, Command::Submit(Box::new(submit))).await?;
    Ok(Taken { written, manifests })
}

/// If every item failed for want of a leader or of room, the request as a whole did: it can be sent again as it is.
fn nothing_was_done(taken: &[Result<Taken, Failure>]) -> Option<Failure> {
    let mut last = None;
    for one in taken {
        match one {
            Err(failure) if matches!(failure.code.as_u16(), 429 | 503) => last = Some(failure),
            _ => return None,
        }
    }
    last.cloned()
}

fn respond(ask: &Ask, taken: &[Result<Taken, Failure>]) -> Result<Response, Failure> {
    let (mut revision, mut oldest_ms) = (Revision(0), 0);
    let mut items = crate::list::Items::default();
    for one in taken {
        let bytes = match one {
            Ok(Taken { written, manifests }) => {
                revision = revision.max(written.done.revision);
                match written.done.record.as_deref() {
                    Some(record) => {
                        let (bytes, ms) = document(ask, record, Some(manifests), written.shown_at)?;
                        oldest_ms = oldest_ms.max(ms);
                        bytes
                    }
                    None => Failure::not_found(Noun::Runnables, "").document().to_string().into_bytes(),
                }
            }
            Err(failure) => failure.document().to_string().into_bytes(),
        };
        items.push(&bytes);
    }
    let revision = if revision == Revision(0) { ask.api.backend().revision() } else { revision };
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".to_owned(), Value::String(revision.to_string()));
    let mut bytes = serde_json::json!({"kind": "List", "apiVersion": "v1", "metadata": metadata}).to_string();
    bytes.pop();
    let bytes = [bytes.as_bytes(), b",\"items\":[", &items.json, b"]}"].concat();
    let all = taken.iter().all(Result::is_ok);
    let status = if all { StatusCode::CREATED } else { StatusCode::MULTI_STATUS };
    Ok(answer::json(status, bytes, revision, oldest_ms))
}
