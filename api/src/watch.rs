//! Watches: a stream of JSON lines, `{"type", "object"}`, in the order of revisions, without gaps; or a word that
//! there is a gap.
//!
//! Nothing is queued for a watcher: it pulls what changed since the revision that it has reached, so a slow one
//! costs a buffer and in the end hears that it is too late.

mod feed;
mod ledger;
mod records;

pub(crate) use ledger::ledger;
pub(crate) use records::records;

use crate::ask::Ask;
use crate::noun::Noun;
use crate::status::Failure;
use crate::{render, table};
use serde_json::json;
use std::time::Duration;
use tallyman_model::Revision;
use tallyman_raft::ReadMode;
use tokio::time::Instant;

/// How long a watch lasts unless it says otherwise; clients start anew where they were.
const WATCH_SECONDS: u64 = 3_600;
/// How long a watch may last.
const WATCH_SECONDS_MAX: u64 = 24 * 3_600;

/// From where, how long, and with what beside the events.
pub(crate) struct Terms {
    /// After this revision; `None`: from what there is.
    pub(crate) from: Option<Revision>,
    /// What is there already comes first, as ADDED events, and then a bookmark that says so.
    pub(crate) announces_end: bool,
    /// Now and then a bookmark says how far it is.
    pub(crate) bookmarks: bool,
    /// When it ends.
    pub(crate) deadline: Instant,
}

impl Terms {
    /// Reads the parameters of a watch and waits until this replica can start it.
    pub(crate) async fn of(ask: &Ask) -> Result<Self, Failure> {
        let params = &ask.params;
        let initial = params.flag("sendInitialEvents")?;
        let bookmarks = params.flag("allowWatchBookmarks")?.unwrap_or(false);
        let revision = params.revision()?;
        if params.get("continue").is_some() {
            return Err(Failure::bad_request(
                "continue is for lists: a watch goes on from a resourceVersion",
            ));
        }
        match params.get("resourceVersionMatch") {
            None => {}
            Some("NotOlderThan") if initial.is_some() => {}
            Some(_) => {
                let words = "a watch takes resourceVersionMatch=NotOlderThan with sendInitialEvents only";
                return Err(Failure::bad_request(words));
            }
        }
        let mode = match (params.get("consistency"), revision) {
            (None | Some("linearizable"), None) => ReadMode::Linearizable,
            (Some("stale"), None) | (None, Some(Revision(0))) => ReadMode::Stale,
            (None, Some(revision)) => ReadMode::Token(revision),
            _ => {
                return Err(Failure::bad_request(
                    "consistency: linearizable or stale, without resourceVersion",
                ));
            }
        };
        let seconds = match params.number("timeoutSeconds")? {
            None | Some(0) => WATCH_SECONDS,
            Some(seconds) => seconds.min(WATCH_SECONDS_MAX),
        };
        ask.await_mode(mode).await?;
        let from = match (initial, revision) {
            (Some(true), _) | (None, None | Some(Revision(0))) => None,
            (_, Some(revision)) if revision > Revision(0) => Some(revision),
            _ => Some(ask.api.backend().revision()),
        };
        let deadline = Instant::now() + Duration::from_secs(seconds);
        Ok(Self { from, announces_end: initial == Some(true), bookmarks, deadline })
    }
}

/// What stands before and after the object of an event.
fn frame(noun: Noun, kind: &str, as_table: bool, revision: Revision) -> (Vec<u8>, Vec<u8>) {
    let before = format!("{{\"type\":\"{kind}\",\"object\":");
    if !as_table {
        return (before.into_bytes(), b"}\n".to_vec());
    }
    let mut around = json!({
        "kind": "Table", "apiVersion": table::API_VERSION,
        "metadata": {"resourceVersion": revision.to_string()}, "columnDefinitions": table::columns(noun),
    })
    .to_string();
    around.pop();
    (format!("{before}{around},\"rows\":[").into_bytes(), b"]}}\n".to_vec())
}

/// A bookmark: everything up to `revision` has been told.
fn bookmark(noun: Noun, as_table: bool, revision: Revision, ends_initial: bool) -> Vec<u8> {
    let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
    if ends_initial {
        metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    let object = if as_table {
        json!({"kind": "Table", "apiVersion": table::API_VERSION, "metadata": metadata,
            "columnDefinitions": table::columns(noun), "rows": []})
    } else {
        json!({"kind": noun.kind(), "apiVersion": render::API_VERSION, "metadata": metadata})
    };
    line("BOOKMARK", &object)
}

fn line(kind: &str, object: &serde_json::Value) -> Vec<u8> {
    let mut bytes = json!({"type": kind, "object": object}).to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}
