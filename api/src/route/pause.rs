//! Sending nothing, for the group or for one tenant, and sending again. For operators.

use super::operator::{for_real, respond, wrong};
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tallyman_model::command::{Pause, Resume};
use tallyman_model::manifest::names;
use tallyman_model::record::{Meta, Paused};
use tallyman_model::{Command, time};

/// Bytes of a reason: it is kept with the group's counters.
const WHY_BYTES_MAX: usize = 256;

/// `POST {tenant, reason}`: nothing is sent from now on.
pub(super) async fn pause(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    change(&api, request, |tenant, why| Command::Pause(Pause { tenant, why })).await
}

/// `POST {tenant, reason}`: sending goes on.
pub(super) async fn resume(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    change(&api, request, |tenant, why| Command::Resume(Resume { tenant, why })).await
}

async fn change(
    api: &Shared,
    request: Request,
    command: impl FnOnce(Option<String>, String) -> Command,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(api, request)?;
    ask.require_master()?;
    for_real(&ask)?;
    let (bytes, value) = ask.maybe_document(body).await?;
    let (tenant, why) = asked(&value.unwrap_or_else(|| json!({})))?;
    let written = ask.propose("", &bytes, command(tenant, why)).await?;
    Ok(respond(&ask, &json!({"revision": written.done.revision.to_string()})))
}

/// The tenant and the reason.
fn asked(value: &Value) -> Result<(Option<String>, String), Failure> {
    let map = value.as_object().ok_or_else(|| wrong("reason", "send an object with it".to_owned()))?;
    if let Some(other) = map.keys().find(|key| !matches!(key.as_str(), "tenant" | "reason")) {
        return Err(wrong(other, "unknown field; only tenant and reason are taken".to_owned()));
    }
    let text = |field: &str| match map.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(field, "must be a string".to_owned())),
    };
    let tenant = text("tenant")?;
    if let Some(Err(why)) = tenant.as_deref().map(names::label) {
        return Err(wrong("tenant", why));
    }
    let why = text("reason")?.unwrap_or_default();
    if why.len() > WHY_BYTES_MAX {
        return Err(wrong("reason", format!("at most {WHY_BYTES_MAX} bytes")));
    }
    Ok((tenant, why))
}

/// A pause as it is shown.
pub(super) fn document(pause: &Paused) -> Value {
    json!({"by": pause.by, "at": time::format(pause.at_ms), "reason": pause.why})
}

/// The tenants that are paused.
pub(super) fn tenants(meta: &Meta) -> Vec<Value> {
    let tenant = |(tenant, pause): (&String, &Paused)| {
        let mut document = document(pause);
        document["tenant"] = json!(tenant);
        document
    };
    meta.paused_tenants.iter().map(tenant).collect()
}
