//! Resources whose records are all that there is to them: pools, allocations and locks. What is read, written and
//! removed is done in one way for all of them.

use super::namespaces;
use crate::answer;
use crate::api::Shared;
use crate::ask::{self, Ask};
use crate::body::{self, Format};
use crate::delete_options::DeleteOptions;
use crate::metadata;
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::{list, view, watch};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tallyman_model::command::Target;
use tallyman_model::record::Resource;
use tallyman_model::{Cause, Command, Revision, Uid, query};
use tallyman_raft::ReadMode;

/// One of these resources.
pub(super) trait Kept {
    const NOUN: Noun;
    const RESOURCE: Resource;

    /// The command that removes it.
    fn remove(target: Target) -> Command;
}

/// One that users write.
pub(super) trait Written: Kept {
    /// The command that makes what was written.
    fn add(uid: Uid, namespace: &str, value: Value) -> Result<Command, Vec<Cause>>;

    /// The command that has what is there be as it was written.
    fn update(target: Target, value: Value) -> Result<Command, Vec<Cause>>;
}

pub(super) type Named = Path<(String, String)>;

/// How often a patch is applied anew because the record changed meanwhile.
const TRIES_MAX: usize = 5;

/// `GET` of all namespaces: a list, or a watch.
pub(super) async fn list_all<K: Kept>(
    State(api): State<Shared>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    list_or_watch::<K>(ask, None).await
}

/// `GET` of one namespace: a list, or a watch.
pub(super) async fn list<K: Kept>(
    State(api): State<Shared>,
    Path(namespace): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    namespaces::check(&namespace)?;
    list_or_watch::<K>(ask, Some(&namespace)).await
}

async fn list_or_watch<K: Kept>(ask: Ask, namespace: Option<&str>) -> Result<Response, Failure> {
    if ask.watches()? {
        return watch::records(ask, K::NOUN, K::RESOURCE, namespace).await;
    }
    list::list(&ask, K::NOUN, K::RESOURCE, namespace).await
}

/// `GET` of one.
pub(super) async fn get<K: Kept>(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    namespaces::check(&namespace)?;
    list::get(&ask, K::NOUN, K::RESOURCE, &namespace, &name).await
}

/// `POST`
pub(super) async fn create<K: Written>(
    State(api): State<Shared>,
    Path(namespace): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let command = add::<K>(&ask, &namespace, value)?;
    let written = ask.propose(&namespace, &bytes, command).await?;
    respond::<K>(&ask, StatusCode::CREATED, &written)
}

/// `PUT`
pub(super) async fn replace<K: Written>(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let command = update::<K>(&namespace, &name, value, ask.if_match()?)?;
    let written = ask.propose(&namespace, &bytes, command).await?;
    respond::<K>(&ask, StatusCode::OK, &written)
}

/// `PATCH`: applied to the document as this replica shows it; it takes effect only at that revision. Server-side apply
/// makes what is not there; a spec that is applied is the whole new spec.
pub(super) async fn patch<K: Written>(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let format = body::format(&ask.headers)?;
    let bytes = ask.bytes(body).await?;
    let patch = body::parse(&bytes, format)?;
    let asked = ask.if_match()?;
    let mut tries = 0;
    loop {
        tries += 1;
        ask.await_mode(ReadMode::Linearizable).await?;
        let again = |failure: &Failure, reason: &str| failure.reason == reason && tries < TRIES_MAX;
        let Some((mut document, revision)) = shown::<K>(&ask, &namespace, &name)? else {
            if format != Format::ApplyPatch || asked.is_some() {
                return Err(Failure::not_found(K::NOUN, &name));
            }
            let mut value = patch.clone();
            if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.entry("name").or_insert_with(|| json!(name));
            }
            match ask.propose(&namespace, &bytes, add::<K>(&ask, &namespace, value)?).await {
                Ok(written) => return respond::<K>(&ask, StatusCode::CREATED, &written),
                // Somebody else made it meanwhile.
                Err(failure) if again(&failure, "AlreadyExists") => continue,
                Err(failure) => return Err(failure),
            }
        };
        match format {
            Format::JsonPatch => document = crate::patch::apply(&document, &patch)?,
            _ => {
                if format == Format::ApplyPatch && patch.get("spec").is_some() {
                    document["spec"] = Value::Null;
                }
                crate::patch::merge(&mut document, patch.clone());
            }
        }
        // A version in the patch is a condition; the one that was shown is one in any case.
        let said = patch.pointer("/metadata/resourceVersion").is_some();
        let at = asked.or((!said).then_some(revision));
        match ask.propose(&namespace, &bytes, update::<K>(&namespace, &name, document, at)?).await {
            Ok(written) => return respond::<K>(&ask, StatusCode::OK, &written),
            Err(failure) if again(&failure, "Conflict") && asked.is_none() && !said && changed(&failure) => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// True if a refusal says that the record is at another revision by now, not that the change cannot be made.
fn changed(failure: &Failure) -> bool {
    failure.causes.iter().any(|(_, cause)| cause.field == "metadata.resourceVersion")
}

/// `DELETE`
pub(super) async fn delete<K: Kept>(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (mut ask, body) = Ask::open(&api, request)?;
    let (bytes, options) = ask.maybe_document(body).await?;
    let asked = DeleteOptions::of(&ask, options)?.without_orphans()?;
    ask.dry_run = asked.dry_run;
    let target = Target { uid: asked.uid, revision: asked.revision, ..Target::named(&namespace, &name) };
    let written = ask.propose(&namespace, &bytes, K::remove(target)).await?;
    let uid = written.done.record.as_deref().and_then(|record| Some(record.head()?.uid.to_string()));
    let response = answer::gone(K::NOUN, &name, &uid.unwrap_or_default(), written.done.revision);
    Ok(answer::written(response, &written))
}

/// The answer to a write: the record as it is after it.
pub(super) fn respond<K: Kept>(
    ask: &Ask,
    status: StatusCode,
    written: &ask::Written,
) -> Result<Response, Failure> {
    let Some(record) = written.done.record.as_deref() else {
        return Ok(answer::written(answer::gone(K::NOUN, "", "", written.done.revision), written));
    };
    let (replica, now_ms) = (ask.status(), ask.api.now_ms());
    let bytes = view::with(ask.api.backend(), None, |view, _| {
        render::record(&Scene::new(view, &replica, now_ms), record, None, written.shown_at)
    })?;
    let response = answer::json(status, bytes, written.done.revision, 0);
    let revision = written.shown_at.unwrap_or(record.revision());
    Ok(answer::written(answer::with_etag(response, revision), written))
}

fn add<K: Written>(ask: &Ask, namespace: &str, mut value: Value) -> Result<Command, Failure> {
    let name = prepared::<K>(None, &mut value)?;
    K::add(ask.api.options.env.uid(), namespace, value)
        .map_err(|causes| Failure::faults(K::NOUN, &name, causes))
}

/// At the revision that the document says, or `asked`.
fn update<K: Written>(
    namespace: &str,
    name: &str,
    mut value: Value,
    asked: Option<Revision>,
) -> Result<Command, Failure> {
    prepared::<K>(Some(name), &mut value)?;
    let said = value.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    let said = said.filter(|said| !said.is_empty()).map(|said| {
        said.parse()
            .map(Revision)
            .map_err(|_| Failure::bad_request("metadata.resourceVersion is no revision"))
    });
    let revision = match asked {
        Some(asked) => Some(asked),
        None => said.transpose()?,
    };
    let target = Target { revision, ..Target::named(namespace, name) };
    K::update(target, value).map_err(|causes| Failure::faults(K::NOUN, name, causes))
}

/// Checks what is the same for all: the name, and how much there is. Gives the name.
fn prepared<K: Written>(name: Option<&str>, value: &mut Value) -> Result<String, Failure> {
    let said = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if name.is_some_and(|name| name != said) {
        return Err(Failure::bad_request("metadata.name must be the name in the path"));
    }
    metadata::annotations_fit(K::NOUN, &said, value)?;
    Ok(said)
}

/// The document as it is now, and its revision.
fn shown<K: Kept>(ask: &Ask, namespace: &str, name: &str) -> Result<Option<(Value, Revision)>, Failure> {
    let (status, now_ms) = (ask.status(), ask.api.now_ms());
    view::with(ask.api.backend(), None, |view, _| {
        let Some(record) = query::named(view, K::RESOURCE, namespace, name)? else { return Ok(None) };
        let bytes = render::record(&Scene::new(view, &status, now_ms), &record, None, None)?;
        Ok(Some((serde_json::from_slice(&bytes).unwrap_or(Value::Null), record.revision())))
    })
}
