//! Who is of the group: replicas are added, promoted, replaced and removed. For operators. What is asked for is
//! recorded; the leader does it, step by step, as soon as it is safe.

use super::operator::{for_real, respond, wrong};
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use crate::view;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};
use tallyman_model::command::{DismissMember, ExpectMember, PreferDatacenter, PromoteMember};
use tallyman_model::limits::DATACENTER_BYTES_MAX;
use tallyman_model::quorum::Seen;
use tallyman_model::record::{Expected, JoinAs, Member, MemberState, Record};
use tallyman_model::{Command, ReplicaId, query};

/// `GET`: the members, who else may join, and the preferred datacenter.
pub(super) async fn list(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    ask.require_master()?;
    let exact = ask.await_read().await?;
    let (members, meta) =
        view::with(api.backend(), exact, |view, _| Ok((query::members(view)?, query::meta(view)?)))?;
    let status = ask.status();
    let document = json!({
        "members": members.iter().map(|one| member(one, status.voters.contains(&one.id))).collect::<Vec<_>>(),
        "expected": meta.expected.iter().map(expected).collect::<Vec<_>>(),
        "leader": status.leader.map(|id| id.to_string()),
        "preferredDatacenter": meta.preferred_datacenter,
    });
    Ok(respond(&ask, &document))
}

/// `POST`: one change.
pub(super) async fn change(
    State(api): State<Shared>,
    Path(verb): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let path = request.uri().path().to_owned();
    let (ask, body) = Ask::open(&api, request)?;
    ask.require_master()?;
    for_real(&ask)?;
    let (bytes, value) = ask.document(body).await?;
    let command = match verb.as_str() {
        "add" => add(&value)?,
        "promote" => promote(&value)?,
        "remove" => remove(&value)?,
        "replace" => replace(&value)?,
        "prefer" => prefer(&value)?,
        _ => return Err(Failure::no_such_path(&path)),
    };
    let expects = match &command {
        Command::ExpectMember(expect) => expect.part.map(|part| (expect.peer_address.clone(), part)),
        _ => None,
    };
    let written = ask.propose("", &bytes, command).await?;
    let document = match (written.done.record.as_deref(), expects) {
        (Some(Record::Member(one)), _) => member(one, ask.status().voters.contains(&one.id)),
        (_, Some((peer_address, part))) => expected(&Expected { peer_address, part }),
        _ => json!({}),
    };
    Ok(respond(&ask, &document))
}

fn member(member: &Member, votes: bool) -> Value {
    let replaces = match member.state {
        MemberState::Joining { replaces } => replaces,
        _ => None,
    };
    json!({
        "id": member.id.to_string(),
        "state": member.state.to_string(),
        "votes": votes,
        "replaces": replaces.map(|id| id.to_string()),
        "datacenter": member.datacenter,
        "peerAddress": member.peer_address,
        "apiURL": member.api_url,
    })
}

fn expected(expected: &Expected) -> Value {
    let (is_voter, replaces) = match expected.part {
        JoinAs::Learner => (false, None),
        JoinAs::Voter { replaces } => (true, replaces),
    };
    json!({
        "peerAddress": expected.peer_address,
        "joinsAs": if is_voter { "Voter" } else { "Learner" },
        "replaces": replaces.map(|id| id.to_string()),
    })
}

/// `{address, voter}`
fn add(value: &Value) -> Result<Command, Failure> {
    let fields = fields(value, &["address", "voter"])?;
    let part = match fields.get("voter") {
        None | Some(Value::Null | Value::Bool(false)) => JoinAs::Learner,
        Some(Value::Bool(true)) => JoinAs::Voter { replaces: None },
        Some(_) => return Err(wrong("voter", "must be true or false".to_owned())),
    };
    let peer_address = text(fields, "address")?.to_owned();
    Ok(Command::ExpectMember(ExpectMember { peer_address, part: Some(part) }))
}

/// `{id}`
fn promote(value: &Value) -> Result<Command, Failure> {
    let id = id(fields(value, &["id"])?, "id")?;
    Ok(Command::PromoteMember(PromoteMember { id, replaces: None, seen: Seen::default() }))
}

/// `{member}`: a replica's id, or the address of one that is only expected
fn remove(value: &Value) -> Result<Command, Failure> {
    let name = text(fields(value, &["member"])?, "member")?;
    Ok(match ReplicaId::parse(name) {
        Some(id) => Command::DismissMember(DismissMember { id, seen: Seen::default() }),
        None => Command::ExpectMember(ExpectMember { peer_address: name.to_owned(), part: None }),
    })
}

/// `{old, new}`: `new` is a learner's id, or the address of a replica that is yet to join
fn replace(value: &Value) -> Result<Command, Failure> {
    let fields = fields(value, &["old", "new"])?;
    let (replaces, new) = (Some(id(fields, "old")?), text(fields, "new")?);
    Ok(match ReplicaId::parse(new) {
        Some(id) => Command::PromoteMember(PromoteMember { id, replaces, seen: Seen::default() }),
        None => {
            let part = Some(JoinAs::Voter { replaces });
            Command::ExpectMember(ExpectMember { peer_address: new.to_owned(), part })
        }
    })
}

/// `{datacenter}`: null for none
fn prefer(value: &Value) -> Result<Command, Failure> {
    let fields = fields(value, &["datacenter"])?;
    let datacenter = match fields.get("datacenter") {
        Some(Value::Null) => "",
        _ => text(fields, "datacenter")?,
    };
    if datacenter.len() > DATACENTER_BYTES_MAX {
        return Err(wrong("datacenter", format!("must have at most {DATACENTER_BYTES_MAX} bytes")));
    }
    Ok(Command::PreferDatacenter(PreferDatacenter { datacenter: datacenter.to_owned() }))
}

fn fields<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, Failure> {
    let listed = known.join(" and ");
    let map = value.as_object().ok_or_else(|| wrong(&listed, "send an object with it".to_owned()))?;
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(other) => Err(wrong(other, format!("unknown field; {listed} is taken"))),
        None => Ok(map),
    }
}

fn text<'a>(fields: &'a Map<String, Value>, field: &str) -> Result<&'a str, Failure> {
    let found = fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    found.ok_or_else(|| wrong(field, "must be there, as text".to_owned()))
}

fn id(fields: &Map<String, Value>, field: &str) -> Result<ReplicaId, Failure> {
    ReplicaId::parse(text(fields, field)?)
        .ok_or_else(|| wrong(field, "must be a replica's id, as r2".to_owned()))
}
