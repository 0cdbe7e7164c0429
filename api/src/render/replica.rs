//! `Replica`. A replica knows the inside of itself only: what it does not know of the others is left out.

use super::{API_VERSION, Document, Metadata, Scene, bytes};
use serde::Serialize;
use tallyman_model::Damaged;
use tallyman_model::record::{Member, MemberState};

pub(super) fn document(scene: &Scene<'_>, member: &Member) -> Result<Vec<u8>, Damaged> {
    let status = scene.status;
    let itself = status.id == Some(member.id);
    let role = if itself {
        status.role.to_string()
    } else if status.leader == Some(member.id) {
        "leader".to_owned()
    } else if matches!(member.state, MemberState::Learner | MemberState::Joining { .. }) {
        "learner".to_owned()
    } else {
        "follower".to_owned()
    };
    let inside = scene.inside.as_ref().filter(|_| itself);
    Ok(bytes(&Document {
        api_version: API_VERSION,
        kind: "Replica",
        metadata: Metadata::of(&member.head, None),
        spec: Spec {
            datacenter: &member.datacenter,
            peer_address: &member.peer_address,
            api_url: &member.api_url,
        },
        status: State {
            role,
            voter: status.voters.contains(&member.id),
            state: member.state.to_string(),
            answered: itself,
            term: itself.then_some(status.term),
            last_log: itself.then_some(status.last_log),
            committed: itself.then_some(status.committed),
            applied: itself.then_some(status.applied),
            lag_ms: inside.and_then(|inside| inside.lag_ms),
            state_hash: inside.map(|inside| Hash {
                index: inside.state_hash.index,
                revision: inside.state_hash.revision.to_string(),
                hash: inside.state_hash.hash.clone(),
            }),
        },
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    datacenter: &'a str,
    peer_address: &'a str,
    #[serde(rename = "apiURL")]
    api_url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State {
    role: String,
    voter: bool,
    /// What it is to be.
    state: String,
    /// It is the replica that answered, so the rest is there.
    answered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_log: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_hash: Option<Hash>,
}

#[derive(Serialize)]
struct Hash {
    index: u64,
    revision: String,
    hash: String,
}
