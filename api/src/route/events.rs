//! `events`: what the ledger says of runs, in the form in which `kubectl describe` and `kubectl get events` show what
//! happened. Nothing is kept for it; `auditrecords` tell the same in full.

use super::namespaces;
use crate::answer;
use crate::api::Shared;
use crate::ask::Ask;
use crate::audit;
use crate::filter::{self, Term};
use crate::list::{Items, table_or_list};
use crate::noun::Noun;
use crate::render;
use crate::status::Failure;
use crate::view;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tallyman_model::ledger::{LedgerRecord, Subject};
use tallyman_model::{Phase, query, time};

/// The newest records of the ledger that are looked through where no run is named.
const SCANNED_MAX: u64 = 2_000;
/// Records that are read at once.
const CHUNK: usize = 256;
/// Events in one answer: the newest.
const EVENTS_MAX: usize = 500;

/// `GET` of all namespaces.
pub(super) async fn list_all(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    list_in(&ask, None).await
}

/// `GET` of one namespace.
pub(super) async fn list(
    State(api): State<Shared>,
    Path(namespace): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    namespaces::check(&namespace)?;
    list_in(&ask, Some(&namespace)).await
}

async fn list_in(ask: &Ask, namespace: Option<&str>) -> Result<Response, Failure> {
    if ask.params.flag("watch")? == Some(true) {
        return Err(Failure::no_such_method("watch", "events"));
    }
    let terms = filter::terms(&ask.params)?;
    for (field, _, _) in &terms {
        if field_of(field, &LedgerRecord::default(), &Subject::default()).is_none() {
            return Err(Failure::bad_request(format!(
                "fieldSelector: events cannot be selected by {field:?}"
            )));
        }
    }
    ask.await_read().await?;
    let revision = ask.api.backend().revision();
    let mut found = Vec::new();
    for record in records(ask, namespace, &terms).await? {
        for subject in record.subjects.iter().filter(|subject| subject.resource == Noun::Runnables.plural()) {
            let is_asked = |(field, value, equal): &Term| {
                field_of(field, &record, subject).is_none_or(|is| (is == *value) == *equal)
            };
            if namespace.is_none_or(|namespace| namespace == subject.namespace) && terms.iter().all(is_asked)
            {
                found.push(shown(ask, &record, subject)?);
            }
        }
    }
    let mut items = Items::default();
    found.iter().skip(found.len().saturating_sub(EVENTS_MAX)).for_each(|event| items.push(event));
    let columns = ask.wants_table().then(columns);
    let bytes = table_or_list("EventList", "v1", columns, revision, None, &items);
    Ok(answer::json(StatusCode::OK, bytes, revision, 0))
}

/// The records of one run if it is named and there, else the newest of all.
async fn records(ask: &Ask, namespace: Option<&str>, terms: &[Term]) -> Result<Vec<LedgerRecord>, Failure> {
    let named = |wanted: &str| {
        terms.iter().find(|(field, _, equal)| field == wanted && *equal).map(|(_, value, _)| value.as_str())
    };
    let backend = ask.api.backend();
    let (namespace, name) = (namespace.or(named("involvedObject.namespace")), named("involvedObject.name"));
    if let (Some(namespace), Some(name)) = (namespace, name) {
        let run = view::with(backend, None, |view, _| query::runnable(view, namespace, name))?;
        if let Some(run) = run {
            let of = |seq: &u64| Ok(audit::record(backend, *seq)?.map(|line| line.record));
            return run.history.iter().filter_map(|seq| of(seq).transpose()).collect();
        }
    }
    let (last, _) = backend.ledger_head();
    let mut records = Vec::new();
    let mut from = last.saturating_sub(SCANNED_MAX) + 1;
    loop {
        let entries = backend.ledger(from, CHUNK)?;
        for entry in &entries {
            records.push(audit::parse(entry)?);
        }
        from += CHUNK as u64;
        if entries.len() < CHUNK || from > last {
            return Ok(records);
        }
        tokio::task::yield_now().await;
    }
}

/// What can be selected by; `None` for what cannot.
fn field_of(field: &str, record: &LedgerRecord, subject: &Subject) -> Option<String> {
    Some(match field {
        "involvedObject.kind" => Noun::Runnables.kind().to_owned(),
        "involvedObject.apiVersion" => render::API_VERSION.to_owned(),
        "involvedObject.name" => subject.name.clone(),
        "involvedObject.namespace" | "metadata.namespace" => subject.namespace.clone(),
        "involvedObject.uid" => subject.uid.clone(),
        "metadata.name" => name(record, subject),
        "reason" => reason(record),
        "type" => kind(subject).to_owned(),
        _ => return None,
    })
}

fn name(record: &LedgerRecord, subject: &Subject) -> String {
    format!("{}.{}", subject.name, record.seq)
}

/// The verb, as events write reasons.
fn reason(record: &LedgerRecord) -> String {
    let mut letters = record.verb.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn kind(subject: &Subject) -> &'static str {
    let bad = [Phase::Failed, Phase::Lost].map(Phase::as_str).contains(&subject.phase.as_str());
    if bad { "Warning" } else { "Normal" }
}

/// The phase after it, and what the ledger says beside the verb.
fn message(record: &LedgerRecord, subject: &Subject) -> String {
    let by = match record.user.as_str() {
        "system:leader" => String::new(),
        user => format!("by {user}"),
    };
    let parts = [subject.phase.as_str(), &by, &record.detail, &subject.message];
    let mut said: Vec<&str> = Vec::new();
    parts.into_iter().filter(|part| !part.is_empty()).for_each(|part| {
        if !said.iter().any(|known| known.contains(part)) {
            said.push(part);
        }
    });
    said.join(": ")
}

fn shown(ask: &Ask, record: &LedgerRecord, subject: &Subject) -> Result<Vec<u8>, Failure> {
    let at = time::format(record.at_ms);
    let (kind, reason, message) = (kind(subject), reason(record), message(record, subject));
    let metadata = json!({
        "name": name(record, subject), "namespace": subject.namespace, "creationTimestamp": at,
        "resourceVersion": record.revision.to_string(),
    });
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": metadata, "type": kind, "reason": reason, "message": message,
        "involvedObject": {
            "apiVersion": render::API_VERSION, "kind": Noun::Runnables.kind(), "namespace": subject.namespace,
            "name": subject.name, "uid": subject.uid, "resourceVersion": subject.revision.to_string(),
        },
        "source": {"component": "tallyman", "host": record.leader},
        "reportingComponent": "tallyman", "reportingInstance": record.leader,
        "firstTimestamp": at, "lastTimestamp": at, "count": 1,
    });
    if ask.rows()?.is_none() {
        return Ok(event.to_string().into_bytes());
    }
    let age = render::age(ask.api.now_ms().saturating_sub(record.at_ms));
    let object = format!("{}/{}", Noun::Runnables.singular(), subject.name);
    Ok(json!({"cells": [age, kind, reason, object, message], "object": event}).to_string().into_bytes())
}

/// As Kubernetes shows events.
fn columns() -> Value {
    let column = |name: &str| json!({"name": name, "type": "string", "format": "", "description": name, "priority": 0});
    Value::Array(["Last Seen", "Type", "Reason", "Object", "Message"].map(column).to_vec())
}
