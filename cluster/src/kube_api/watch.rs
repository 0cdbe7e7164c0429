//! Watches: chunked lines of JSON, one event each.

mod event;
mod lines;

use super::exchange::{Ask, read, send};
use super::form::Form;
use super::served::{learn, place};
use super::{KubeApi, path};
use crate::api::{WatchEvent, WatchStream};
use crate::error::{CallError, NotSent, Unknown};
use crate::version::is_position;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use lines::Lines;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::record::{Extent, Kind};
use tallyman_model::rule::Rules;

pub(super) async fn open(
    api: &KubeApi,
    extent: &Extent,
    selector: &str,
    from: &str,
) -> Result<WatchStream, CallError> {
    if !is_position(from) {
        return Err(CallError::unsent(NotSent::Request));
    }
    let seconds = timeout_s(api.timing.watch_s, &api.server, from);
    let place = place(api, &extent.kind).await?;
    let mut path = path::collection(&place, extent.namespace());
    let asked = seconds.to_string();
    let pairs = [
        ("watch", "true"),
        ("labelSelector", selector),
        ("resourceVersion", from),
        ("allowWatchBookmarks", "true"),
        ("timeoutSeconds", &asked),
    ];
    path::query(&mut path, &pairs);
    let form = Form::of(&api.rules(), &extent.kind);
    let ask = Ask::get(&path).at(&place).accepting(form.accept());
    let work = async {
        let answer = send(&api.watch, ask).await?;
        if answer.status().is_success() { Ok(answer) } else { Err(refused(read(answer).await)) }
    };
    let answer = tokio::time::timeout(api.timing.watch_open, work).await;
    let answer = answer.unwrap_or_else(|_| Err(CallError::lost(Unknown::Deadline)));
    let answer = learn(api, &extent.kind, answer).await?;
    let idle = Duration::from_secs(seconds) + api.timing.watch_grace;
    let reading = Reading { kind: extent.kind.clone(), form, rules: api.rules.clone() };
    Ok(events(reading, chunks(answer.into_body()), idle).boxed())
}

fn refused(answer: Result<Bytes, CallError>) -> CallError {
    answer.err().unwrap_or(CallError::lost(Unknown::Body))
}

/// Spread over the range, so that watches that were opened together do not end together.
fn timeout_s((min, max): (u64, u64), server: &str, from: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (server, from).hash(&mut hasher);
    min + hasher.finish() % (max.saturating_sub(min) + 1)
}

/// The body's chunks; ends when the body ends or breaks.
fn chunks(body: Incoming) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold(body.into_data_stream(), |mut body| async move { Some((body.next().await?.ok()?, body)) })
        .boxed()
}

/// How what a watch says is read.
struct Reading {
    kind: Kind,
    form: Form,
    /// The rules of users, as they are now.
    rules: tokio::sync::watch::Receiver<Arc<Rules>>,
}

struct Reader<S> {
    chunks: S,
    lines: Lines,
    ended: bool,
}

/// Decodes chunks to events. Ends with exactly one [`WatchEvent::Eof`] or [`WatchEvent::Error`]. `idle` is how long
/// the server may say nothing at all.
fn events<S>(reading: Reading, chunks: S, idle: Duration) -> impl Stream<Item = WatchEvent> + Send + 'static
where
    S: Stream<Item = Bytes> + Send + Unpin + 'static,
{
    let reader = Reader { chunks, lines: Lines::default(), ended: false };
    let reading = Arc::new(reading);
    stream::unfold(reader, move |mut reader| {
        let reading = Arc::clone(&reading);
        async move {
            if reader.ended {
                return None;
            }
            let event = reader.next(&reading, idle).await;
            reader.ended = matches!(event, WatchEvent::Eof | WatchEvent::Error { .. });
            Some((event, reader))
        }
    })
}

impl<S: Stream<Item = Bytes> + Unpin> Reader<S> {
    async fn next(&mut self, reading: &Reading, idle: Duration) -> WatchEvent {
        loop {
            if let Some(line) = self.lines.next() {
                match event::decode(reading, &line) {
                    Some(event) => return event,
                    None => return broken(),
                }
            }
            let chunk = tokio::time::timeout(idle, self.chunks.next()).await;
            match chunk {
                Ok(Some(chunk)) if self.lines.push(&chunk) => {}
                Ok(Some(_)) => return broken(),
                // What is left without a line end was cut off: it is sent again from the last whole event.
                Ok(None) | Err(_) => return WatchEvent::Eof,
            }
        }
    }
}

/// A line that is no event: what follows cannot be trusted, and what came before counts.
fn broken() -> WatchEvent {
    WatchEvent::Error {
        code: 0,
        reason: "Malformed".to_owned(),
        message: "the watch sent something that is no event".to_owned(),
        retry_after_s: None,
    }
}

#[cfg(test)]
mod tests;
