//! `POST {text}`: leaves a remark in the ledger. In builds for the tests of upgrades alone.

use super::operator::{for_real, respond, wrong};
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tallyman_model::Command;
use tallyman_model::command::Remark;

pub(super) async fn remark(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    ask.require_master()?;
    for_real(&ask)?;
    let (bytes, value) = ask.document(body).await?;
    let text = value.get("text").and_then(Value::as_str);
    let text = text.ok_or_else(|| wrong("text", "must be there".to_owned()))?.to_owned();
    ask.propose("", &bytes, Command::Remark(Remark { text })).await?;
    Ok(respond(&ask, &json!({"remarked": true})))
}
