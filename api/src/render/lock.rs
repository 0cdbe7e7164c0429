//! `Lock`.

use super::{API_VERSION, Document, Metadata, bytes};
use serde::Serialize;
use serde_json::{Value, json};
use tallyman_model::record::{Hold, Lock};
use tallyman_model::{Revision, time};

#[derive(Serialize)]
struct Spec {
    permits: u32,
}

#[derive(Serialize)]
struct State<'a> {
    free: u32,
    holders: Vec<Holder<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Holder<'a> {
    owner: &'a str,
    permits: u32,
    token: u64,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl<'a> Holder<'a> {
    fn of(hold: &'a Hold) -> Self {
        Self {
            owner: &hold.owner,
            permits: hold.permits,
            token: hold.token.0,
            since: time::format(hold.since_ms),
            expires_at: hold.expires_ms.map(time::format),
        }
    }
}

pub(super) fn document(lock: &Lock, revision: Option<Revision>) -> Vec<u8> {
    bytes(&Document {
        api_version: API_VERSION,
        kind: "Lock",
        metadata: Metadata::of(&lock.head, revision),
        spec: Spec { permits: lock.permits },
        status: State { free: lock.free(), holders: lock.holders.iter().map(Holder::of).collect() },
    })
}

/// The row cells of people.
pub(crate) fn cells(lock: &Lock, age: &str) -> Vec<Value> {
    let holders = if lock.holders.is_empty() { "<none>".to_owned() } else { lock.held_words() };
    vec![json!(lock.head.name), json!(lock.permits), json!(lock.free()), json!(holders), json!(age)]
}
