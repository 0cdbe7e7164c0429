//! A cluster with its whole history, of which it still tells a part.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallyman_model::command::Observation;
use tallyman_model::record::Kind;

/// An object of one run, as far as the log keeps it: its UID, and what it says of itself.
pub(super) type Thing = (String, u32);
/// Things by run.
pub(super) type Live = BTreeMap<usize, Thing>;

#[derive(Clone)]
pub(super) struct Server {
    /// What is sent for each run.
    bodies: Vec<Value>,
    pub(super) version: u64,
    /// The state at each version since the beginning, or since the last restore.
    pub(super) history: BTreeMap<u64, Live>,
    /// At each version: the run, and its thing if it is gone with it.
    pub(super) events: Vec<(u64, usize, Option<Thing>)>,
    pub(super) compacted: u64,
    uids: u32,
}

impl Server {
    pub(super) fn new(bodies: Vec<Value>) -> Self {
        let history = BTreeMap::from([(10, Live::new())]);
        Self { bodies, version: 10, history, events: Vec::new(), compacted: 10, uids: 0 }
    }

    pub(super) fn now(&self) -> &Live {
        &self.history[&self.version]
    }

    /// Makes it, changes it, or deletes it.
    pub(super) fn write(&mut self, run: usize, delete: bool) {
        let mut live = self.now().clone();
        let known = live.remove(&run);
        if delete && known.is_none() {
            return;
        }
        self.version += 1;
        if !delete {
            let (uid, active) = known.clone().unwrap_or_else(|| {
                self.uids += 1;
                (format!("uid-{}", self.uids), 0)
            });
            live.insert(run, (uid, active + 1));
        }
        self.events.push((self.version, run, known.filter(|_| delete)));
        self.history.insert(self.version, live);
    }

    /// Another etcd, from a backup: fewer versions, other objects. Watches and listings of before are over.
    pub(super) fn restore(&mut self, to: u64) {
        self.version = to;
        self.history.retain(|&at, _| at <= to);
        self.events.retain(|&(at, ..)| at <= to);
        self.compacted = to;
    }

    /// The next `limit` runs after `after` at a version, and whether there are more.
    pub(super) fn page(&self, at: u64, after: Option<usize>, limit: usize) -> (Vec<usize>, bool) {
        let rest = self.history[&at].keys().copied().filter(|run| after.is_none_or(|after| *run > after));
        let mut page: Vec<usize> = rest.take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        (page, more)
    }

    /// The thing of `run` as a kube-apiserver would show it at a version.
    pub(super) fn item(&self, run: usize, (uid, active): &Thing, version: u64) -> Option<Observation> {
        let mut object = self.bodies.get(run)?.clone();
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        object["status"] = json!({"active": active, "ready": active});
        tallyman_model::rule::project(&Kind::Job, &object)
    }

    /// The version of the last change of `run` up to `at`.
    pub(super) fn changed(&self, run: usize, at: u64) -> u64 {
        let changes = self.events.iter().filter(|(version, of, _)| *of == run && *version <= at);
        changes.map(|(version, ..)| *version).next_back().unwrap_or(at)
    }
}
