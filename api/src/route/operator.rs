//! What operators ask of one replica: for members of `system:masters` only, and also while the group is not open.

use super::{confirm_stops, pause};
use crate::answer;
use crate::api::{Shared, waiting};
use crate::ask::Ask;
use crate::status::Failure;
use crate::view;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tallyman_model::limits::REPLICAS_MAX;
use tallyman_model::{Cause, ReplicaId, query, time};
use tallyman_raft::Role;

/// `POST {expect}`: makes a group of blank replicas, once.
pub(super) async fn init(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, body) = Ask::open_blank(&api, request)?;
    ask.require_master()?;
    for_real(&ask)?;
    let (_, value) = ask.document(body).await?;
    let expect = only(&value, "expect")?.as_u64().and_then(|expect| usize::try_from(expect).ok());
    let expect = expect.filter(|expect| (1..=REPLICAS_MAX).contains(expect));
    let expect =
        expect.ok_or_else(|| wrong("expect", format!("must be a number from 1 to {REPLICAS_MAX}")))?;
    let members = api.backend().init(expect).await?;
    let members: Vec<_> = members.iter().map(ReplicaId::to_string).collect();
    Ok(respond(&ask, &json!({ "members": members })))
}

/// `POST {to}`: hands leadership over; without `to`, to the replica that is furthest.
pub(super) async fn transfer_leader(
    State(api): State<Shared>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, body) = Ask::open_blank(&api, request)?;
    ask.require_master()?;
    for_real(&ask)?;
    api.gate()?;
    let (_, value) = ask.maybe_document(body).await?;
    let to = match value.as_ref().map(|value| only(value, "to")).transpose()? {
        None | Some(Value::Null) => None,
        Some(value) => {
            let id = value.as_str().and_then(ReplicaId::parse);
            Some(id.ok_or_else(|| wrong("to", "must be a replica's id, as r2".to_owned()))?)
        }
    };
    let leader = api.backend().transfer_leader(to).await?;
    Ok(respond(&ask, &json!({"leader": leader.to_string()})))
}

/// `GET`: what this replica knows of itself, without a leader.
pub(super) async fn status(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open_blank(&api, request)?;
    ask.require_master()?;
    let status = ask.status();
    let ids = |ids: &[ReplicaId]| ids.iter().map(ReplicaId::to_string).collect::<Vec<_>>();
    let (ledger_records, ledger_head) = api.backend().ledger_head();
    let hash = api.backend().state_hash();
    let (meta, brakes) = view::with(api.backend(), None, |view, _| {
        let meta = query::meta(view)?;
        let brakes = confirm_stops::engaged(view, &meta)?;
        Ok((meta, brakes))
    })?;
    let lineage = meta.lineages.last().map(|lineage| {
        json!({
            "id": lineage.id.to_string(),
            "origin": lineage.origin.to_string(),
            "at": time::format(lineage.at_ms),
            "confirmed": lineage.confirmed,
        })
    });
    let waiting_for = match status.role {
        Role::Blank => Some(waiting(&status)),
        _ => {
            let reaches_none = status.leader.is_some() && !api.backend().has_quorum();
            status.waiting_for.clone().or_else(|| reaches_none.then(|| "a quorum".to_owned()))
        }
    };
    let document = json!({
        "group": {"name": api.options.group, "id": meta.group.to_string()},
        "devControl": api.options.dev_control,
        "id": status.id.map(|id| id.to_string()),
        "role": status.role.to_string(),
        "term": status.term,
        "leader": status.leader.map(|id| id.to_string()),
        "lastLog": status.last_log,
        "committed": status.committed,
        "applied": status.applied,
        "revision": api.backend().revision().to_string(),
        "voters": ids(&status.voters),
        "learners": ids(&status.learners),
        "lagMs": api.backend().lag_ms(),
        "roundTripMs": status.round_trip_us.map(|us| us as f64 / 1000.0),
        "stretchPercent": status.stretch_percent,
        "waitingFor": waiting_for,
        "refusedByPeer": status.refused_by_peer,
        "disk": {
            "availableBytes": status.disk.available_bytes,
            "reserveBytes": status.disk.reserve_bytes,
            "pressed": status.disk.is_pressed,
            "flushMs": status.disk.flush_ms,
        },
        "refusesSubmissions": status.refuses_submissions,
        "paused": meta.paused.as_ref().map(pause::document),
        "pausedTenants": pause::tenants(&meta),
        "brakes": brakes,
        "version": {"group": meta.version, "understands": status.understands},
        "fatal": status.fatal,
        "ledger": {"records": ledger_records, "hash": ledger_head.to_string()},
        "lineage": lineage,
        "stateHash": {"index": hash.index, "revision": hash.revision.to_string(), "hash": hash.hash},
    });
    Ok(respond(&ask, &document))
}

pub(super) fn respond(ask: &Ask, document: &Value) -> Response {
    answer::json(StatusCode::OK, document.to_string().into_bytes(), ask.api.backend().revision(), 0)
}

/// What is no command cannot be rehearsed.
pub(super) fn for_real(ask: &Ask) -> Result<(), Failure> {
    if ask.dry_run {
        return Err(wrong("dryRun", "is not served here; nothing was done".to_owned()));
    }
    Ok(())
}

/// The one field that a request has.
fn only<'a>(value: &'a Value, field: &str) -> Result<&'a Value, Failure> {
    let map = value.as_object().ok_or_else(|| wrong(field, "send an object with this field".to_owned()))?;
    if let Some(other) = map.keys().find(|known| *known != field) {
        return Err(wrong(other, format!("unknown field; only {field} is taken")));
    }
    map.get(field).ok_or_else(|| wrong(field, "must be there".to_owned()))
}

pub(super) fn wrong(field: &str, message: String) -> Failure {
    Failure::invalid(format!("{field}: {message}"), vec![Cause { field: field.to_owned(), message }])
}
