//! `DELETE`: stops a run, removes its objects, then its record.

use super::{Named, respond};
use crate::answer;
use crate::api::Shared;
use crate::ask::Ask;
use crate::delete_options::DeleteOptions;
use crate::noun::Noun;
use crate::prefer::Prefer;
use crate::status::Failure;
use crate::wait::{Goal, Wait};
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
    let (mut ask, body) = Ask::open(&api, request)?;
    let (bytes, options) = ask.maybe_document(body).await?;
    let asked = DeleteOptions::of(&ask, options)?.without_orphans()?;
    ask.dry_run = asked.dry_run;
    let (uid, revision) = (asked.uid, asked.revision);
    let target = Target { uid, revision, ..Target::named(&namespace, &name) };
    let command = Command::Delete(Delete { target });
    let mut written = ask.propose(&namespace, &bytes, command).await?;
    let uid = written.done.record.as_deref().and_then(Record::head).map(|head| head.uid.to_string());
    let wait = Wait::preferred(&ask);
    if let Some(wait) = &wait {
        wait.follow(&ask, &mut written, Goal::Gone).await;
    }
    let response = match written.done.record.as_deref() {
        Some(record) if waits(record) => respond(&ask, &name, StatusCode::OK, &written, None).await?,
        _ => {
            let uid = uid.unwrap_or_default();
            answer::written(answer::gone(Noun::Runnables, &name, &uid, written.done.revision), &written)
        }
    };
    Ok(Prefer { wait_s: wait.map(|wait| wait.seconds), ..Prefer::of(&ask.headers) }.applied(response))
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
