//! The requests that are under way for one watch.

use super::{Turns, WatchOptions};
use crate::api::{ClusterApi, Page, WatchEvent, WatchStream};
use crate::error::CallError;
use crate::limits::{WATCH_DELAY_MS_MAX, WATCH_DELAY_MS_MIN};
use crate::machine::{Change, Failure, Input};
use futures::StreamExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::record::Extent;

pub(super) struct Io {
    api: Arc<dyn ClusterApi>,
    extent: Extent,
    selector: Arc<str>,
    turns: Turns,
    /// It was not let in when it asked last.
    pub(super) denied: bool,
    list: Option<(u64, Running<Page>)>,
    /// A page that came while the one before it was being committed.
    arrived: Option<Input>,
    opening: Option<(u64, Running<WatchStream>)>,
    probe: Option<(u64, BoxFuture<'static, String>)>,
    watch: Option<(u64, WatchStream)>,
}

type Running<T> = BoxFuture<'static, Result<T, CallError>>;

impl Io {
    pub(super) fn new(api: Arc<dyn ClusterApi>, options: &WatchOptions) -> Self {
        Self {
            api,
            extent: options.extent.clone(),
            selector: options.selector.as_str().into(),
            turns: options.turns.clone(),
            denied: false,
            list: None,
            arrived: None,
            opening: None,
            probe: None,
            watch: None,
        }
    }

    pub(super) fn start_list(&mut self, listing: u64, continue_token: Option<String>, limit: u32) {
        let (api, extent, selector) =
            (Arc::clone(&self.api), self.extent.clone(), Arc::clone(&self.selector));
        self.arrived = None;
        let call = async move { api.list(&extent, &selector, continue_token.as_deref(), limit).await };
        self.list = Some((listing, Box::pin(call)));
    }

    pub(super) fn start_watch(&mut self, watch: u64, from: String) {
        self.close_watch();
        let (api, extent, selector) =
            (Arc::clone(&self.api), self.extent.clone(), Arc::clone(&self.selector));
        let probe = newest(Arc::clone(&self.api), extent.clone());
        let open = async move { api.watch(&extent, &selector, &from).await };
        self.opening = Some((watch, Box::pin(open)));
        self.probe = Some((watch, Box::pin(probe)));
    }

    pub(super) fn close_watch(&mut self) {
        self.opening = None;
        self.probe = None;
        self.watch = None;
    }

    /// Has the others ask that were denied as well.
    fn note(&mut self, is_in: bool) {
        if is_in && std::mem::take(&mut self.denied) {
            self.turns.tell();
        }
    }

    /// True if a page waits for the one before it to be committed.
    pub(super) fn has_arrived(&self) -> bool {
        self.arrived.is_some()
    }

    /// The next input. Pages are kept back while not `takes_pages`, events are left in the socket while not
    /// `takes_events`. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, takes_pages: bool, takes_events: bool) -> Input {
        loop {
            if takes_pages && let Some(page) = self.arrived.take() {
                return page;
            }
            tokio::select! {
                Some((listing, result)) = finish(&mut self.list) => {
                    self.note(result.is_ok());
                    self.arrived = Some(page(listing, result));
                }
                Some((watch, result)) = finish(&mut self.opening) => match result {
                    Ok(stream) => {
                        self.note(true);
                        self.watch = Some((watch, stream));
                    }
                    Err(error) => return Input::WatchFailed { watch, failure: Failure::of(&error) },
                },
                Some((watch, resource_version)) = finish(&mut self.probe) => {
                    return Input::Probed { watch, resource_version };
                }
                Some(input) = next_event(&mut self.watch), if takes_events => return input,
                else => std::future::pending().await,
            }
        }
    }
}

/// Waits for the call in `slot` and empties it.
async fn finish<T>(slot: &mut Option<(u64, BoxFuture<'static, T>)>) -> Option<(u64, T)> {
    let (number, call) = slot.as_mut()?;
    let done = (*number, call.await);
    *slot = None;
    Some(done)
}

/// Asks until it is answered: without the answer a watch from a version of a former life of the cluster would stay
/// silent unnoticed.
async fn newest(api: Arc<dyn ClusterApi>, extent: Extent) -> String {
    let mut wait_ms = WATCH_DELAY_MS_MIN;
    loop {
        match api.newest(&extent).await {
            Ok(version) => return version,
            Err(error) => tracing::debug!(%error, %extent, "the newest version cannot be read"),
        }
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        wait_ms = (wait_ms * 2).min(WATCH_DELAY_MS_MAX);
    }
}

fn page(listing: u64, result: Result<Page, CallError>) -> Input {
    match result {
        Ok(page) => {
            if page.skipped > 0 {
                tracing::warn!(skipped = page.skipped, "objects of a listing cannot be read");
            }
            let Page { items, bytes, resource_version, continue_token, .. } = page;
            Input::Page { listing, items, bytes, resource_version, continue_token }
        }
        Err(error) => {
            tracing::debug!(%error, "a listing failed");
            Input::ListFailed { listing, failure: Failure::of(&error) }
        }
    }
}

async fn next_event(slot: &mut Option<(u64, WatchStream)>) -> Option<Input> {
    let (watch, stream) = slot.as_mut()?;
    let watch = *watch;
    let event = stream.next().await;
    let input = match event.unwrap_or(WatchEvent::Eof) {
        WatchEvent::Seen(item) => Input::Event { watch, change: Change::Seen(item) },
        WatchEvent::Deleted(item) => Input::Event { watch, change: Change::Deleted(item) },
        WatchEvent::Skipped { resource_version } => {
            Input::Passed { watch, resource_version, bookmark: false }
        }
        WatchEvent::Bookmark { resource_version } => {
            Input::Passed { watch, resource_version, bookmark: true }
        }
        WatchEvent::Error { code, reason, message, retry_after_s } => {
            *slot = None;
            let failure = Failure::in_stream(code, &reason, &message, retry_after_s);
            Input::WatchFailed { watch, failure }
        }
        WatchEvent::Eof => {
            *slot = None;
            Input::WatchEnded { watch }
        }
    };
    Some(input)
}
