//! Watches: a stream of JSON lines that follows the changes of one kind.

use crate::body::Body;
use crate::cluster::Shared;
use crate::form::Form;
use crate::history::{Change, Compacted, Event};
use crate::kind::Kind;
use crate::meta;
use crate::object::Object;
use crate::refusal::Refusal;
use crate::selector::Selector;
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How many changes, or initial objects, one chunk of the stream is made of.
const CHUNK_EVENTS_MAX: usize = 256;

/// What a watch was opened with.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) kind: Kind,
    pub(crate) api_version: String,
    pub(crate) form: Form,
    /// Tells of changes of the kind, until it is served no more.
    pub(crate) changes: watch::Receiver<u64>,
    pub(crate) prefix: String,
    pub(crate) selector: Selector,
    /// Changes after this version are told.
    pub(crate) version: u64,
    /// Told first, as added.
    pub(crate) initial: VecDeque<Arc<Object>>,
    /// A bookmark says where the initial objects end.
    pub(crate) marks_initial_end: bool,
    pub(crate) has_bookmarks: bool,
    pub(crate) timeout: Duration,
}

/// An open watch.
struct Watching {
    shared: Arc<Shared>,
    opening: Opening,
    silence: watch::Receiver<bool>,
    generation: watch::Receiver<u64>,
    ends_at: Instant,
    bookmark_at: Instant,
    is_started: bool,
    is_over: bool,
}

/// The stream of a watch.
pub(crate) fn stream(shared: Arc<Shared>, opening: Opening) -> Body {
    let mut generation = shared.faults.watch_generation();
    generation.mark_unchanged();
    let watching = Watching {
        silence: shared.faults.silence(),
        generation,
        ends_at: Instant::now() + opening.timeout,
        bookmark_at: Instant::now() + shared.bookmark_interval,
        is_started: false,
        is_over: false,
        opening,
        shared,
    };
    let chunks = futures::stream::unfold(watching, |mut watching| async move {
        let chunk = watching.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(chunk))), watching))
    });
    StreamBody::new(chunks).boxed_unsync()
}

impl Watching {
    /// The next lines; none at the end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        while !self.is_over {
            if self.is_silent() {
                self.wait_for_sound().await?;
                continue;
            }
            let lines = self.initial().unwrap_or_else(|| self.changed());
            if !lines.is_empty() {
                return Some(lines);
            }
            tokio::select! {
                changed = self.opening.changes.changed() => changed.ok()?,
                () = sleep_until(self.bookmark_at), if self.opening.has_bookmarks => {
                    if !self.is_silent() {
                        return Some(self.bookmark());
                    }
                }
                _ = self.silence.changed() => {}
                () = sleep_until(self.ends_at) => return None,
                _ = self.generation.changed() => return None,
                () = self.shared.closed() => return None,
            }
        }
        None
    }

    fn is_silent(&self) -> bool {
        *self.silence.borrow()
    }

    async fn wait_for_sound(&mut self) -> Option<()> {
        tokio::select! {
            sound = self.silence.wait_for(|is_silent| !is_silent) => sound.ok().map(drop),
            _ = self.generation.changed() => None,
            () = self.shared.closed() => None,
        }
    }

    /// The next initial objects; none once they are all told.
    fn initial(&mut self) -> Option<Vec<u8>> {
        let mut lines = Vec::new();
        let objects = self.opening.initial.len().min(CHUNK_EVENTS_MAX);
        let told: Vec<_> = self.opening.initial.drain(..objects).collect();
        for object in told {
            line(&mut lines, Change::Added, &object, &self.opening);
        }
        if self.opening.initial.is_empty() && self.opening.marks_initial_end {
            self.opening.marks_initial_end = false;
            bookmark(&mut lines, &self.opening, true);
        }
        (!lines.is_empty()).then_some(lines)
    }

    /// The lines of what has changed, "" if nothing of it is for this watch.
    fn changed(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        loop {
            self.opening.changes.mark_unchanged();
            let (events, current) = match self.read() {
                Ok(read) => read,
                Err(compacted) => {
                    let message =
                        format!("too old resource version: {} ({})", self.opening.version, compacted.floor);
                    error(&mut lines, &Refusal::expired(message));
                    self.is_over = true;
                    return lines;
                }
            };
            for event in &events {
                self.tell(&mut lines, event);
                self.opening.version = event.object.version;
            }
            let is_all = events.len() < CHUNK_EVENTS_MAX;
            if is_all {
                // What other kinds changed in between is not for this watch, and passed by.
                self.opening.version = self.opening.version.max(current);
            }
            if is_all || !lines.is_empty() {
                return lines;
            }
        }
    }

    /// The next changes of the kind, and the version that is current.
    fn read(&mut self) -> Result<(Vec<Event>, u64), Compacted> {
        let state = self.shared.store.lock();
        let (kind, version) = (&self.opening.kind, self.opening.version);
        if !self.is_started {
            state.check_start(kind, version)?;
            self.is_started = true;
        }
        Ok((state.events(kind, version, CHUNK_EVENTS_MAX)?, state.version()))
    }

    fn tell(&self, lines: &mut Vec<u8>, event: &Event) {
        if !event.object.key.starts_with(&self.opening.prefix) {
            return;
        }
        let opening = &self.opening;
        let was_seen =
            event.previous.as_ref().is_some_and(|previous| self.opening.selector.matches(previous));
        let is_seen = event.change != Change::Deleted && self.opening.selector.matches(&event.object);
        match (was_seen, is_seen) {
            (false, true) => line(lines, Change::Added, &event.object, opening),
            (true, true) => line(lines, Change::Modified, &event.object, opening),
            (true, false) if event.change == Change::Deleted => {
                line(lines, Change::Deleted, &event.object, opening);
            }
            (true, false) => {
                // An object that leaves the selection is told with its last state inside of it.
                let last = event
                    .previous
                    .as_ref()
                    .map(|previous| Object::new(&previous.kind, previous.value(), event.object.version));
                if let Some(Ok(last)) = last {
                    line(lines, Change::Deleted, &last, opening);
                }
            }
            (false, false) => {}
        }
    }

    fn bookmark(&mut self) -> Vec<u8> {
        self.bookmark_at = Instant::now() + self.shared.bookmark_interval;
        let mut lines = Vec::new();
        bookmark(&mut lines, &self.opening, false);
        lines
    }
}

fn line(lines: &mut Vec<u8>, change: Change, object: &Object, opening: &Opening) {
    lines.extend_from_slice(format!(r#"{{"type":"{}","object":"#, change.as_str()).as_bytes());
    opening.form.render_into(lines, object, &opening.api_version);
    lines.extend_from_slice(b"}\n");
}

fn bookmark(lines: &mut Vec<u8>, opening: &Opening, ends_initial: bool) {
    let mut object = json!({
        "kind": opening.kind.name(),
        "apiVersion": opening.api_version,
        "metadata": {"resourceVersion": opening.version.to_string(), "creationTimestamp": null},
    });
    if ends_initial {
        meta::set(&mut object, &["metadata", "annotations", "k8s.io/initial-events-end"], "true");
    }
    if opening.kind == Kind::Job {
        let template = json!({"metadata": {"creationTimestamp": null}, "spec": {"containers": null}});
        meta::set(&mut object, &["spec", "template"], template);
        meta::set(&mut object, &["status"], json!({}));
    }
    event(lines, "BOOKMARK", &opening.form.bookmark(object));
}

fn error(lines: &mut Vec<u8>, refusal: &Refusal) {
    event(lines, "ERROR", &refusal.to_value());
}

fn event(lines: &mut Vec<u8>, kind: &str, object: &Value) {
    lines.extend_from_slice(json!({"type": kind, "object": object}).to_string().as_bytes());
    lines.push(b'\n');
}
