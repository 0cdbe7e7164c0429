//! Brakes on stopping much at once, and that somebody agrees. For operators.

use super::operator::{for_real, respond, wrong};
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tallyman_model::brake::{Brake, Scope};
use tallyman_model::command::{ConfirmStops, StopsOf};
use tallyman_model::record::{Meta, Record};
use tallyman_model::{Command, Damaged, View, query, time};

/// Bytes of a reason.
const WHY_BYTES_MAX: usize = 1024;

/// `POST {cluster, reason}` or `{tenant, reason}`: what the brake holds back is stopped.
pub(super) async fn confirm(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    ask.require_master()?;
    for_real(&ask)?;
    let (bytes, value) = ask.document(body).await?;
    let command = Command::ConfirmStops(asked(&value)?);
    let written = ask.propose("", &bytes, command).await?;
    Ok(respond(&ask, &json!({"revision": written.done.revision.to_string()})))
}

fn asked(value: &Value) -> Result<ConfirmStops, Failure> {
    let map = value.as_object().ok_or_else(|| wrong("cluster", "send an object with it".to_owned()))?;
    if let Some(other) = map.keys().find(|key| !matches!(key.as_str(), "cluster" | "tenant" | "reason")) {
        return Err(wrong(other, "unknown field; only cluster, tenant and reason are taken".to_owned()));
    }
    let text = |field: &str| match map.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(field, "must be a string".to_owned())),
    };
    let of = match (text("cluster")?, text("tenant")?) {
        (Some(cluster), None) => StopsOf::Cluster(cluster),
        (None, Some(tenant)) => StopsOf::Tenant(tenant),
        _ => return Err(wrong("cluster", "name either a cluster or a tenant".to_owned())),
    };
    let why = text("reason")?.unwrap_or_default();
    if why.len() > WHY_BYTES_MAX {
        return Err(wrong("reason", format!("at most {WHY_BYTES_MAX} bytes")));
    }
    Ok(ConfirmStops { of, why })
}

/// The brakes that are engaged, as they are shown.
pub(super) fn engaged(view: &dyn View, meta: &Meta) -> Result<Vec<Value>, Damaged> {
    let mut engaged = Vec::new();
    for (scope, brake) in meta.engaged() {
        let (field, name) = match scope {
            Scope::Tenant(tenant) => ("tenant", tenant.clone()),
            Scope::Cluster(cluster) => match query::record(view, *cluster)? {
                Some(Record::Cluster(cluster)) => ("cluster", cluster.head.name),
                _ => continue,
            },
        };
        let Brake { stopped, engaged_ms, .. } = brake;
        engaged.push(json!({
            field: name,
            "at": engaged_ms.map(time::format),
            "stopped": stopped,
            "message": brake.words(&format!("{field} {name}")),
        }));
    }
    Ok(engaged)
}
