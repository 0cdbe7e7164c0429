//! What becomes of runnables, told without a gap and without repeating anything, whichever server tells it.
//!
//! A watch that ends, breaks, or falls silent on a server that does not serve any more is taken up again where it was,
//! on the next server. Where what happened meanwhile is not kept any more, the state is read anew and what differs is
//! told, after a word that something may have been missed.

use crate::client::{Client, Lines, Opened, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::runnable::reference;
use crate::select::{self, Scope};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::timeout;

/// After so long without a word, the server is asked whether it still serves.
const SILENCE_S_MAX: u64 = 5;

/// What happened to a runnable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// It is there now.
    Added(Value),
    /// It has changed.
    Modified(Value),
    /// It is gone; what it was last.
    Deleted(Value),
    /// What follows was read anew: between it and what was told before, changes may have been missed.
    Gap,
}

impl Change {
    /// The event as the API writes it.
    pub(crate) fn event(&self) -> Option<Value> {
        let (kind, object) = match self {
            Change::Added(run) => ("ADDED", run),
            Change::Modified(run) => ("MODIFIED", run),
            Change::Deleted(run) => ("DELETED", run),
            Change::Gap => return None,
        };
        Some(json!({"type": kind, "object": object}))
    }
}

/// A stream of changes.
#[derive(Debug)]
pub(crate) struct Follow {
    client: Client,
    scope: Scope,
    /// Everything up to this revision has been told.
    version: u64,
    /// UID and revision of each runnable, as it was told last.
    known: BTreeMap<String, (String, u64)>,
    lines: Option<Lines>,
    ready: VecDeque<Change>,
}

/// What there is at the beginning.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) runs: Vec<Value>,
    /// Named ones that are not there.
    pub(crate) missing: Vec<select::Reference>,
}

impl Follow {
    /// Reads what there is, and goes on from there.
    ///
    /// # Errors
    /// Refused, or no answer.
    pub(crate) async fn start(client: &Client, scope: Scope) -> Result<(Self, Begun), Failure> {
        if client.is_curl() {
            // One request that shows what there is and what becomes of it.
            client.watch(&scope.watch().query("watch", "true")).await?;
        }
        let (begun, version) = read(client, &scope).await?;
        let mut follow = Self {
            client: client.clone(),
            scope,
            version,
            known: BTreeMap::new(),
            lines: None,
            ready: VecDeque::new(),
        };
        for run in &begun.runs {
            follow.note(run);
        }
        Ok((follow, begun))
    }

    /// Everything up to this revision has been told.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The next change.
    ///
    /// # Errors
    /// Refused, or no server answered.
    pub(crate) async fn next(&mut self) -> Result<Change, Failure> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change);
            }
            let Some(lines) = &mut self.lines else {
                self.open().await?;
                continue;
            };
            match timeout(Duration::from_secs(SILENCE_S_MAX), lines.next()).await {
                Ok(event) => match event? {
                    Some(event) => self.take(&event).await?,
                    None => self.turn(),
                },
                Err(_) => {
                    let place = lines.place;
                    if !self.client.is_ready(place).await {
                        self.turn();
                    }
                }
            }
        }
    }

    async fn open(&mut self) -> Result<(), Failure> {
        let request = self.scope.watch().query("watch", "true").query("allowWatchBookmarks", "true");
        match self.client.watch(&request.query("resourceVersion", self.version)).await? {
            Opened::Lines(lines) => self.lines = Some(lines),
            Opened::Expired => self.read_anew().await?,
        }
        Ok(())
    }

    /// This watch is over; the next server is asked first.
    fn turn(&mut self) {
        if let Some(lines) = self.lines.take() {
            self.client.turn_from(lines.place);
        }
    }

    async fn take(&mut self, event: &Value) -> Result<(), Failure> {
        let run = event.get("object").cloned().unwrap_or_default();
        match text(event, "/type") {
            "ERROR" => {
                self.turn();
                if run.get("code").and_then(Value::as_u64) == Some(410) {
                    self.read_anew().await?;
                }
                return Ok(());
            }
            "BOOKMARK" => {}
            kind => self.tell(kind, &run),
        }
        self.version = self.version.max(revision(&run));
        Ok(())
    }

    /// Tells an event, unless it is known or of another runnable.
    fn tell(&mut self, kind: &str, run: &Value) {
        let known = self.known.get(&reference(run)).map_or(0, |(_, revision)| *revision);
        if !self.scope.has(run) || revision(run) <= known {
            return;
        }
        self.note(run);
        let change = match kind {
            "ADDED" => Change::Added(run.clone()),
            "DELETED" => {
                self.forget(run);
                Change::Deleted(run.clone())
            }
            _ => Change::Modified(run.clone()),
        };
        self.ready.push_back(change);
    }

    /// Named runs were read one by one, so what the watch says first may be older: their last revision is kept.
    fn forget(&mut self, run: &Value) {
        match self.scope {
            Scope::Selected(_) => self.known.remove(&reference(run)),
            Scope::Named(_) => self.known.insert(reference(run), (String::new(), revision(run))),
        };
    }

    fn note(&mut self, run: &Value) {
        self.known.insert(reference(run), (text(run, "/metadata/uid").to_owned(), revision(run)));
    }

    /// Reads the state again and tells what differs.
    async fn read_anew(&mut self) -> Result<(), Failure> {
        let (begun, version) = read(&self.client, &self.scope).await?;
        self.ready.push_back(Change::Gap);
        let before = std::mem::take(&mut self.known);
        for run in &begun.runs {
            match before.get(&reference(run)) {
                Some((uid, known)) if uid == text(run, "/metadata/uid") => {
                    if *known < revision(run) {
                        self.ready.push_back(Change::Modified(run.clone()));
                    }
                }
                earlier => {
                    if let Some((uid, _)) = earlier.filter(|(uid, _)| !uid.is_empty()) {
                        self.ready.push_back(Change::Deleted(stub(&reference(run), uid, version)));
                    }
                    self.ready.push_back(Change::Added(run.clone()));
                }
            }
            self.note(run);
        }
        for (reference, (uid, _)) in before {
            if !uid.is_empty() && !self.known.contains_key(&reference) {
                self.ready.push_back(Change::Deleted(stub(&reference, &uid, version)));
            }
        }
        self.version = version;
        Ok(())
    }
}

/// What is left to say of a runnable whose end was missed.
fn stub(reference: &str, uid: &str, version: u64) -> Value {
    let (namespace, name) = reference.split_once('/').unwrap_or_default();
    let metadata =
        json!({"namespace": namespace, "name": name, "uid": uid, "resourceVersion": version.to_string()});
    json!({"apiVersion": crate::bundle::API_VERSION, "kind": crate::bundle::KIND, "metadata": metadata})
}

/// The state now, and a revision up to which it includes everything.
async fn read(client: &Client, scope: &Scope) -> Result<(Begun, u64), Failure> {
    match scope {
        Scope::Selected(request) => {
            let list = select::list(client, request).await?;
            let version = revision(&list);
            let runs = crate::output::items(&list).into_iter().cloned().collect();
            Ok((Begun { runs, missing: Vec::new() }, version))
        }
        Scope::Named(named) => {
            let mut begun = Begun { runs: Vec::new(), missing: Vec::new() };
            let mut version = u64::MAX;
            for (namespace, name) in named {
                let read = Request::get(request::runnable(namespace, name));
                match client.read(&read).await {
                    Ok(answer) => {
                        version = version.min(answer.revision());
                        begun.runs.push(answer.body);
                    }
                    Err(failure) if failure.exit == Exit::NotFound => {
                        begun.missing.push((namespace.clone(), name.clone()));
                    }
                    Err(failure) => return Err(failure),
                }
            }
            Ok((begun, if version == u64::MAX { client.seen() } else { version }))
        }
    }
}

fn revision(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or_default()
}

#[cfg(test)]
#[path = "follow/tests.rs"]
mod tests;
