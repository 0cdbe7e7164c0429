//! Watches: a stream of events in the order of revisions, without gaps; or a word that there is a gap.
//!
//! As JSON lines, `{"type", "object"}`, or with `Accept: text/event-stream` as server-sent events: `id` is the
//! revision, `event` the type, `data` the same line. `Last-Event-ID` goes on after it, on any replica.
//!
//! Nothing is queued for a watcher: it pulls what changed since the revision that it has reached, so a slow one
//! costs a buffer and in the end hears that it is too late. What many watch is read and written out once.

mod feed;
mod form;
mod ledger;
mod objects;
mod records;
mod window;

pub(crate) use form::Form;
pub(crate) use ledger::ledger;
pub(crate) use objects::objects;
pub(crate) use records::records;

use crate::ask::Ask;
use crate::audit::Line;
use crate::status::Failure;
use std::time::Duration;
use tallyman_model::Revision;
use tallyman_raft::{Change, ReadMode};
use tokio::time::Instant;
use window::Window;

/// How long a watch lasts unless it says otherwise; clients start anew where they were.
const WATCH_SECONDS: u64 = 3_600;
/// How long a watch may last.
const WATCH_SECONDS_MAX: u64 = 24 * 3_600;
/// Bytes of events that wait in one watch for its client to read; one event more, if that is longer.
const WATCHER_BYTES_MAX: usize = 64 * 1024;

/// What all watches of one replica share.
#[derive(Default)]
pub(crate) struct Windows {
    records: Window<Change>,
    ledger: Window<Line>,
}

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
        let sse = ask.wants_events();
        let bookmarks = params.flag("allowWatchBookmarks")?.unwrap_or(sse);
        // A browser that comes back repeats the URL that it began with: where it was stands in the header.
        let last = if sse { last_event(ask)? } else { None };
        let initial = initial.filter(|_| last.is_none());
        let revision = match last {
            Some(last) => Some(last),
            None => params.revision()?,
        };
        if params.get("continue").is_some() {
            return Err(Failure::bad_request(
                "continue is for lists: a watch goes on from a resourceVersion",
            ));
        }
        match params.get("resourceVersionMatch") {
            None => {}
            Some("NotOlderThan") if initial.is_some() || last.is_some() => {}
            Some(_) => {
                let words = "a watch takes resourceVersionMatch=NotOlderThan with sendInitialEvents only";
                return Err(Failure::bad_request(words));
            }
        }
        let mode = match (params.get("consistency"), revision) {
            (None | Some("linearizable"), None) => ReadMode::Linearizable,
            (Some("stale"), None) | (None, Some(Revision(0))) => ReadMode::Stale,
            (None, Some(revision)) => ReadMode::Token(revision),
            (Some(_), Some(revision)) if last.is_some() => ReadMode::Token(revision),
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
        // Only a bookmark tells a reader of server-sent events from where to go on after the beginning.
        Ok(Self { from, announces_end: initial == Some(true) || sse, bookmarks, deadline })
    }
}

/// The revision of the last event that a reader of server-sent events has.
fn last_event(ask: &Ask) -> Result<Option<Revision>, Failure> {
    let Some(value) = ask.headers.get("last-event-id").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let revision = value.to_str().ok().and_then(|text| text.trim().parse().ok()).map(Revision);
    let wrong = "Last-Event-ID is not an id that a watch gave: leave it out to begin with what there is";
    revision.map(Some).ok_or_else(|| Failure::bad_request(wrong))
}
