//! `POST .../approvals`: one person's decision on a held run.
//!
//! Whether it counts is decided where the command is applied; here only its form is checked.

use super::action::WORDS_BYTES_MAX;
use super::{Named, respond};
use crate::api::Shared;
use crate::ask::Ask;
use crate::noun::Noun;
use crate::status::Failure;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};
use tallyman_model::command::{Approve, Target};
use tallyman_model::record::Decision;
use tallyman_model::{Cause, Command, Digest};

/// `POST .../approvals {decision, digest, reason}`: 201 for a decision, 200 for one that was made before.
pub(in crate::route) async fn approve(
    State(api): State<Shared>,
    Path((namespace, name)): Named,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    let (bytes, value) = ask.document(body).await?;
    let target = Target { revision: ask.if_match()?, ..Target::named(&namespace, &name) };
    let command = Command::Approve(decision(Noun::Runnables, target, &value)?);
    let written = ask.propose(&namespace, &bytes, command).await?;
    let new = written.done.replayed || !written.done.unchanged;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    respond(&ask, &name, status, &written, None).await
}

/// The decision that was sent.
pub(in crate::route) fn decision(noun: Noun, target: Target, value: &Value) -> Result<Approve, Failure> {
    let name = &target.name;
    let Form { decision, digest, why } = Form::read(value).map_err(|causes| {
        let listed: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let message = format!("nothing was decided on {name:?}: {}", listed.join("; "));
        Failure::invalid(message, causes).about(noun, name)
    })?;
    Ok(Approve { target, decision, digest, why })
}

/// A well-formed decision.
struct Form {
    decision: Decision,
    digest: Digest,
    why: String,
}

const DECISION: &str = "must be Approve or Reject";
const DIGEST: &str = "must be the digest that was looked at, as status.digest shows it: sha256: and 64 hexadecimal \
                      digits";

impl Form {
    fn read(value: &Value) -> Result<Self, Vec<Cause>> {
        let none = Map::new();
        let map = value.as_object().unwrap_or(&none);
        let mut causes = Vec::new();
        let mut fault = |field: &str, message: String| {
            causes.push(Cause { field: field.to_owned(), message });
        };
        for field in map.keys() {
            if !matches!(field.as_str(), "decision" | "digest" | "reason" | "kind" | "apiVersion") {
                fault(field, "unknown field; decision, digest and reason are taken".to_owned());
            }
        }
        let text = |field: &str| map.get(field).and_then(Value::as_str);
        let decision = text("decision").and_then(Decision::parse);
        if decision.is_none() {
            fault("decision", DECISION.to_owned());
        }
        let digest = text("digest").and_then(Digest::parse);
        if digest.is_none() {
            fault("digest", DIGEST.to_owned());
        }
        let why = match map.get("reason") {
            None | Some(Value::Null) => "",
            Some(Value::String(why)) if why.len() <= WORDS_BYTES_MAX => why,
            Some(_) => {
                fault("reason", format!("must be a string of at most {WORDS_BYTES_MAX} bytes"));
                ""
            }
        };
        match (decision, digest) {
            (Some(decision), Some(digest)) if causes.is_empty() => {
                Ok(Self { decision, digest, why: why.to_owned() })
            }
            _ => Err(causes),
        }
    }
}
