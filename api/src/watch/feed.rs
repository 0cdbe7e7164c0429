//! The stream of one watcher: pulls events, waits for more, says now and then how far it is, and ends.

use super::{Form, Terms};
use crate::api::Shared;
use crate::listed::Listed;
use crate::overload::Watching;
use crate::status::Failure;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tallyman_model::Revision;
use tokio::time::{Instant, sleep_until};

/// Changes that follow each other faster than this come to a watcher together.
const COALESCE: Duration = Duration::from_millis(5);
/// Proxies collect what they pass on, unless they are told not to.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a watch tells of.
pub(super) trait Source: Send + 'static {
    /// The next events, and whether more can be pulled at once.
    fn pull(&mut self) -> Result<Pulled, Failure>;

    /// Everything up to here has been pulled.
    fn reached(&self) -> Revision;
}

/// Events: about [`WATCHER_BYTES_MAX`](super::WATCHER_BYTES_MAX) at most.
#[derive(Default)]
pub(super) struct Pulled {
    pub(super) events: Vec<Bytes>,
    /// From where a client that has these events may go on: what the last of them says of itself.
    pub(super) last: Revision,
    pub(super) more: bool,
    /// What was there when the watch began has just been told in full.
    pub(super) ends_initial: bool,
}

struct Feed<S> {
    api: Shared,
    source: S,
    listed: Listed,
    form: Form,
    terms: Terms,
    /// What was pulled and not taken yet.
    ready: VecDeque<Bytes>,
    bookmark_due: Instant,
    /// Up to here the client knows that it has everything.
    told: Revision,
    /// When something was said last.
    said: Instant,
    pulled: Instant,
    ended: bool,
    _watching: Watching,
}

/// The answer to a watch.
pub(super) fn respond<S: Source>(
    api: Shared,
    source: S,
    listed: impl Into<Listed>,
    form: Form,
    terms: Terms,
    watching: Watching,
) -> Response {
    let now = Instant::now();
    let feed = Feed {
        api,
        source,
        listed: listed.into(),
        form,
        told: terms.from.unwrap_or_default(),
        terms,
        ready: form.opening().map(Bytes::from).into_iter().collect(),
        bookmark_due: now,
        said: now,
        pulled: now,
        ended: false,
        _watching: watching,
    };
    let stream = futures::stream::unfold(feed, |mut feed| async move {
        let bytes = feed.next().await?;
        Some((Ok::<_, Infallible>(bytes), feed))
    });
    let mut response = Response::new(Body::from_stream(stream));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

impl<S: Source> Feed<S> {
    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.said = Instant::now();
                return Some(bytes);
            }
            if self.ended || *self.api.options.drain.borrow() || Instant::now() >= self.terms.deadline {
                return None;
            }
            self.pulled = Instant::now();
            match self.source.pull() {
                Ok(pulled) => {
                    let more = pulled.more;
                    self.take(pulled);
                    if !self.ready.is_empty() {
                        continue;
                    }
                    if more {
                        tokio::task::yield_now().await;
                        continue;
                    }
                }
                Err(failure) => {
                    self.ended = true;
                    self.ready.push_back(self.form.error(&failure).into());
                    continue;
                }
            }
            self.fill_silence();
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    fn take(&mut self, pulled: Pulled) {
        let reached = self.source.reached();
        if self.terms.from.is_some() {
            self.told = self.told.max(pulled.last);
        }
        self.ready.extend(pulled.events);
        if pulled.ends_initial {
            self.terms.from = Some(reached);
            if self.terms.announces_end {
                self.told = reached;
                self.ready.push_back(self.form.bookmark(&self.listed, reached, true).into());
            }
        }
    }

    /// Says how far the watch is, or that it is still there, if it is time for that.
    fn fill_silence(&mut self) {
        let now = Instant::now();
        if self.terms.bookmarks && now >= self.bookmark_due {
            self.bookmark_due = now + self.api.options.bookmark_every;
            let reached = self.source.reached();
            // A form that has heartbeats needs no bookmark to say that nothing is new.
            if self.form.heartbeat().is_none() || reached > self.told {
                self.told = reached;
                self.ready.push_back(self.form.bookmark(&self.listed, reached, false).into());
            }
        }
        if let Some(heartbeat) = self.form.heartbeat()
            && now >= self.said + self.api.options.heartbeat_every
        {
            self.ready.push_back(Bytes::from_static(heartbeat.as_bytes()));
        }
    }

    /// Until there may be something to say, or it is time to end.
    async fn wait(&mut self) {
        let mut wake = self.terms.deadline;
        if self.terms.bookmarks {
            wake = wake.min(self.bookmark_due);
        }
        if self.form.heartbeat().is_some() {
            wake = wake.min(self.said + self.api.options.heartbeat_every);
        }
        tokio::select! {
            () = self.api.backend().beyond(self.source.reached()) => {
                let ready = self.pulled + COALESCE;
                if Instant::now() < ready {
                    sleep_until(ready).await;
                }
            }
            () = sleep_until(wake) => {}
            () = self.api.stopping() => {}
        }
    }
}
