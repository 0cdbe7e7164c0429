//! The stream of one watcher: pulls events, waits for more, says now and then how far it is, and ends.

use super::{Terms, bookmark, line};
use crate::api::Shared;
use crate::noun::Noun;
use crate::status::Failure;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use prometheus_client::metrics::gauge::Gauge;
use std::convert::Infallible;
use std::time::Duration;
use tallyman_model::Revision;
use tokio::time::{Instant, sleep_until};

/// Changes that follow each other faster than this come to a watcher together.
const COALESCE: Duration = Duration::from_millis(5);

/// What a watch tells of.
pub(super) trait Source: Send + 'static {
    /// The next events as lines, and whether more can be pulled at once.
    fn pull(&mut self) -> Result<Pulled, Failure>;

    /// Everything up to here has been pulled.
    fn reached(&self) -> Revision;
}

/// Events.
#[derive(Default)]
pub(super) struct Pulled {
    pub(super) lines: Vec<u8>,
    pub(super) more: bool,
    /// What was there when the watch began has just been told in full.
    pub(super) ends_initial: bool,
}

struct Feed<S> {
    api: Shared,
    source: S,
    noun: Noun,
    as_table: bool,
    terms: Terms,
    bookmark_due: Instant,
    pulled: Instant,
    ended: bool,
    _open: Open,
}

/// Counts an open watch for as long as it lives.
struct Open(Gauge);

impl Open {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The answer to a watch.
pub(super) fn respond<S: Source>(
    api: Shared,
    source: S,
    noun: Noun,
    as_table: bool,
    terms: Terms,
) -> Response {
    let now = Instant::now();
    let open = Open::new(&api.metrics.watches);
    let feed = Feed {
        api,
        source,
        noun,
        as_table,
        terms,
        bookmark_due: now,
        pulled: now,
        ended: false,
        _open: open,
    };
    let stream = futures::stream::unfold(feed, |mut feed| async move {
        let lines = feed.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(lines)), feed))
    });
    let mut response = Response::new(Body::from_stream(stream));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

impl<S: Source> Feed<S> {
    /// The next lines; `None` at the end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.ended || *self.api.options.drain.borrow() || Instant::now() >= self.terms.deadline {
                return None;
            }
            self.pulled = Instant::now();
            match self.source.pull() {
                Ok(pulled) => {
                    let mut lines = pulled.lines;
                    if pulled.ends_initial && self.terms.announces_end {
                        lines.extend(bookmark(self.noun, self.as_table, self.source.reached(), true));
                    }
                    if !lines.is_empty() {
                        return Some(lines);
                    }
                    if pulled.more {
                        tokio::task::yield_now().await;
                        continue;
                    }
                }
                Err(failure) => {
                    self.ended = true;
                    return Some(line("ERROR", &failure.document()));
                }
            }
            if self.terms.bookmarks && Instant::now() >= self.bookmark_due {
                self.bookmark_due = Instant::now() + self.api.options.bookmark_every;
                return Some(bookmark(self.noun, self.as_table, self.source.reached(), false));
            }
            self.wait().await;
        }
    }

    /// Until there may be something to say, or it is time to end.
    async fn wait(&mut self) {
        let wake = if self.terms.bookmarks {
            self.terms.deadline.min(self.bookmark_due)
        } else {
            self.terms.deadline
        };
        let mut drain = self.api.options.drain.clone();
        let stopped = async {
            if drain.wait_for(|draining| *draining).await.is_err() {
                // Whoever could have asked for it is gone.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.api.backend().beyond(self.source.reached()) => {
                let ready = self.pulled + COALESCE;
                if Instant::now() < ready {
                    sleep_until(ready).await;
                }
            }
            () = sleep_until(wake) => {}
            () = stopped => {}
        }
    }
}
