//! `DELETE`: removes the objects from the clusters, or with `propagationPolicy: Orphan` releases them, then the record.

use super::{Named, respond};
use crate::answer;
use crate::api::Shared;
use crate::ask::Ask;
use crate::delete_options::DeleteOptions;
use crate::noun::Noun;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::Command;
use tallyman_model::command::{Target, Withdraw};
use tallyman_model::record::Record;

pub(in crate::route) async fn delete(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (mut ask, body) = Ask::open(&api, request)?;
    let (bytes, options) = ask.maybe_document(body).await?;
    let asked = DeleteOptions::of(&ask, options)?;
    ask.dry_run = asked.dry_run;
    let target = Target { uid: asked.uid, revision: asked.revision, ..Target::named(&namespace, &name) };
    let command = Command::Withdraw(Withdraw { target, orphan: asked.orphan });
    let written = ask.propose(&namespace, &bytes, command).await?;
    match written.done.record.as_deref() {
        Some(Record::Deployable(deployable)) if deployable.counts.clusters > 0 => {
            respond(&ask, StatusCode::OK, &written, None).await
        }
        _ => {
            let response = answer::gone(Noun::Deployables, &name, "", written.done.revision);
            Ok(answer::written(response, &written))
        }
    }
}
