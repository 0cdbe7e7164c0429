//! `DELETE`: stops a run, removes its objects, then its record.

use super::{Named, gone, respond};
use crate::answer;
use crate::api::Shared;
use crate::ask::Ask;
use crate::delete_options::DeleteOptions;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::Command;
use tallyman_model::command::{Delete, Target};
use tallyman_model::record::Record;

pub(in crate::route) async fn delete(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, options) = ask.maybe_document(body).await?;
    let asked = DeleteOptions::of(&ask, options)?.without_orphans()?;
    let (uid, revision) = (asked.uid, asked.revision);
    let target = Target { uid, revision, ..Target::named(&namespace, &name) };
    let command = Command::Delete(Delete { target });
    let written = ask.propose(&namespace, &bytes, command).await?;
    match written.done.record.as_deref() {
        Some(record) if waits(record) => respond(&ask, &name, StatusCode::OK, &written, None).await,
        other => {
            let uid = other.and_then(Record::head).map_or_else(String::new, |head| head.uid.to_string());
            Ok(answer::written(gone(&name, &uid, StatusCode::OK, &written), &written))
        }
    }
}

/// True if objects are still there, so that the record stays until they are not.
fn waits(record: &Record) -> bool {
    match record {
        Record::Runnable(run) => {
            let left = run.objects.iter().any(|object| object.claims());
            left || !run.phase.is_terminal()
        }
        _ => false,
    }
}
