//! `statusrules`: what the status of other kinds means.

use crate::api::Shared;
use crate::ask::{Ask, Written};
use crate::body::{self, Format};
use crate::delete_options::DeleteOptions;
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::{answer, global_head, list, status_rule_body, view, watch};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tallyman_model::command::{PutStatusRule, RemoveStatusRule};
use tallyman_model::record::{Record, Resource, StatusRule};
use tallyman_model::{Command, Revision, query};
use tallyman_raft::ReadMode;

/// How often a patch is applied anew because the rule changed meanwhile.
const TRIES_MAX: usize = 5;

/// `GET`: a list, or a watch.
pub(super) async fn list(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    if ask.watches()? {
        return watch::records(ask, Noun::StatusRules, Resource::StatusRule, None).await;
    }
    list::list(&ask, Noun::StatusRules, Resource::StatusRule, None).await
}

/// `GET` of one.
pub(super) async fn get(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    list::get(&ask, Noun::StatusRules, Resource::StatusRule, "", &name).await
}

/// `POST`
pub(super) async fn create(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let put = status_rule_body::read(value, None, Some(ask.api.options.env.uid()))?;
    respond(&ask, StatusCode::CREATED, &ask.propose("", &bytes, command(put)).await?)
}

/// `PUT`
pub(super) async fn replace(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let mut put = status_rule_body::read(value, Some(&name), None)?;
    put.revision = ask.if_match()?.or(put.revision);
    respond(&ask, StatusCode::OK, &ask.propose("", &bytes, command(put)).await?)
}

/// `PATCH`: applied to the document as this replica shows it; it takes effect only at that revision. Server-side apply
/// is a merge patch here that makes the rule if it is not there.
pub(super) async fn patch(
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
        let (put, status) = match current(&ask, &name) {
            Ok(rule) => {
                let revision = asked.or(Some(rule.head.revision));
                (PutStatusRule { revision, ..patched(&ask, rule, format, &patch)? }, StatusCode::OK)
            }
            Err(failure)
                if failure.reason == "NotFound" && format == Format::ApplyPatch && asked.is_none() =>
            {
                let put = status_rule_body::read(patch.clone(), None, Some(ask.api.options.env.uid()))?;
                if put.name != name {
                    return Err(Failure::bad_request("metadata.name must be the name in the path"));
                }
                (put, StatusCode::CREATED)
            }
            Err(failure) => return Err(failure),
        };
        match ask.propose("", &bytes, command(put)).await {
            Ok(written) => return respond(&ask, status, &written),
            // Somebody else made or changed it meanwhile; that another rule is for the kind stays so.
            Err(failure)
                if matches!(failure.reason, "Conflict" | "AlreadyExists")
                    && asked.is_none()
                    && tries < TRIES_MAX => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// `DELETE`: runs that go by it go on without.
pub(super) async fn delete(
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
        let rule = current(&ask, &name)?;
        if rule.head.uid != uid {
            let message = format!("{name:?} is another status rule now, with UID {}", rule.head.uid);
            return Err(Failure::conflict(message).about(Noun::StatusRules, &name));
        }
        revision = revision.or(Some(rule.head.revision));
    }
    let command = Command::RemoveStatusRule(RemoveStatusRule { name: name.clone(), revision });
    let written = ask.propose("", &bytes, command).await?;
    let response = answer::gone(Noun::StatusRules, &name, "", written.done.revision);
    Ok(answer::written(response, &written))
}

fn command(put: PutStatusRule) -> Command {
    Command::PutStatusRule(Box::new(put))
}

fn current(ask: &Ask, name: &str) -> Result<StatusRule, Failure> {
    let found =
        view::with(ask.api.backend(), None, |view, _| query::named(view, Resource::StatusRule, "", name))?;
    match found {
        Some(Record::StatusRule(rule)) => Ok(rule),
        _ => Err(Failure::not_found(Noun::StatusRules, name)),
    }
}

fn patched(ask: &Ask, rule: StatusRule, format: Format, patch: &Value) -> Result<PutStatusRule, Failure> {
    let name = rule.head.name.clone();
    let bytes = document(ask, &Record::StatusRule(rule), None)?;
    let mut shown: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    if format == Format::JsonPatch {
        shown = crate::patch::apply(&shown, patch)?;
    } else {
        crate::patch::merge(&mut shown, patch.clone());
    }
    status_rule_body::read(shown, Some(&name), None)
}

fn document(ask: &Ask, record: &Record, shown_at: Option<Revision>) -> Result<Vec<u8>, Failure> {
    let (status, now_ms) = (ask.status(), ask.api.now_ms());
    view::with(ask.api.backend(), None, |view, _| {
        render::record(&Scene::new(view, &status, now_ms), record, None, shown_at)
    })
}

fn respond(ask: &Ask, status: StatusCode, written: &Written) -> Result<Response, Failure> {
    let Some(record) = written.done.record.as_deref() else {
        // Answered again under its idempotency key, after the rule was taken away.
        let document =
            serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        let bytes = document.to_string().into_bytes();
        return Ok(answer::written(answer::json(status, bytes, written.done.revision, 0), written));
    };
    let bytes = document(ask, record, written.shown_at)?;
    let response = answer::json(status, bytes, written.done.revision, 0);
    let revision = written.shown_at.unwrap_or(record.revision());
    Ok(answer::written(answer::with_etag(response, revision), written))
}
