//! All objects of a cluster under one lock, with one growing resourceVersion.

mod image;
mod indexes;
mod page;
mod write;

pub(crate) use image::Checkpoint;
pub(crate) use page::Asked;
pub(crate) use write::new_namespace;

pub(crate) use page::Page;

use crate::history::{Change, Compacted, Event, History};
use crate::journal::{BASE, Journal};
use crate::kind::{Kind, PerKind};
use crate::object::Object;
use indexes::Indexes;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Objects that a controller should look at again.
pub(crate) type Dirty = BTreeSet<(Kind, String)>;

/// The shared state, and what wakes those who wait for it to change.
#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    signals: Arc<Signals>,
}

#[derive(Debug)]
struct Signals {
    /// The version of the latest change of each kind.
    changed: PerKind<watch::Sender<u64>>,
    /// There is something dirty.
    work: Notify,
}

/// The objects of one kind.
#[derive(Debug)]
struct Table {
    objects: BTreeMap<String, Arc<Object>>,
    history: History,
}

/// Everything that the API serves.
#[derive(Debug)]
pub(crate) struct State {
    version: u64,
    tables: PerKind<Table>,
    indexes: Indexes,
    dirty: Dirty,
    journal: Option<Journal>,
    /// Nothing may be written any more.
    is_closed: bool,
    signals: Arc<Signals>,
    /// A namespace is made when it is first used.
    makes_namespaces: bool,
}

impl Store {
    /// An empty store, or what is kept in `dir`.
    ///
    /// # Errors
    /// As of [`Journal::open`].
    pub(crate) fn open(
        dir: Option<&Path>,
        history_events_max: usize,
        makes_namespaces: bool,
    ) -> io::Result<Self> {
        let changed = PerKind::new(|| watch::Sender::new(0));
        let signals = Arc::new(Signals { changed, work: Notify::new() });
        let table = || Table { objects: BTreeMap::new(), history: History::new(history_events_max) };
        let mut state = State {
            version: 0,
            tables: PerKind::new(table),
            indexes: Indexes::default(),
            dirty: Dirty::new(),
            journal: None,
            is_closed: false,
            signals: Arc::clone(&signals),
            makes_namespaces,
        };
        if let Some(dir) = dir {
            state.load(dir)?;
        }
        Ok(Self { state: Mutex::new(state), signals })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of changes of a kind.
    pub(crate) fn changes(&self, kind: Kind) -> watch::Receiver<u64> {
        self.signals.changed.of(kind).subscribe()
    }

    /// Waits until a controller has something to look at.
    pub(crate) async fn work(&self) {
        self.signals.work.notified().await;
    }
}

impl State {
    fn load(&mut self, dir: &Path) -> io::Result<()> {
        let journal = Journal::open(dir, |floor, entry| {
            self.version = self.version.max(floor);
            let Some(entry) = entry else {
                return Kind::ALL.iter().for_each(|kind| self.tables.of_mut(*kind).history.compact(floor));
            };
            match Change::from_str(&entry.change) {
                Some(change) => self.apply(entry.kind, change, entry.object),
                None => self.apply_base(entry.kind, entry.object),
            }
        })?;
        self.journal = Some(journal);
        self.rewrite_if_due()
    }

    /// Ends all writing, and lets go of the directory.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.journal = None;
    }

    fn all(&self) -> impl Iterator<Item = &Object> {
        Kind::ALL.iter().flat_map(|kind| self.tables.of(*kind).objects.values().map(AsRef::as_ref))
    }

    /// The version of the latest change of anything.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn get(&self, kind: Kind, key: &str) -> Option<&Arc<Object>> {
        self.tables.of(kind).objects.get(key)
    }

    /// Whether an object with this uid is there.
    pub(crate) fn has_uid(&self, uid: &str) -> bool {
        self.indexes.place(uid).is_some()
    }

    /// The objects that name `uid` as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Arc<Object>> {
        let places = self.indexes.dependents(uid);
        places.filter_map(|(kind, key)| self.get(*kind, key)).cloned().collect()
    }

    /// How many objects a namespace holds.
    pub(crate) fn population(&self, namespace: &str) -> usize {
        self.indexes.population(namespace)
    }

    /// All objects whose keys begin with `prefix`, in order.
    pub(crate) fn with_prefix(&self, kind: Kind, prefix: &str) -> Vec<Arc<Object>> {
        let all = self.tables.of(kind).objects.range(prefix.to_owned()..);
        all.take_while(|(key, _)| key.starts_with(prefix)).map(|(_, object)| Arc::clone(object)).collect()
    }

    /// The changes of a kind after `version`; see [`History::after`].
    pub(crate) fn events(
        &self,
        kind: Kind,
        version: u64,
        events_max: usize,
    ) -> Result<Vec<Event>, Compacted> {
        self.tables.of(kind).history.after(version, events_max)
    }

    /// Whether changes of a kind may be followed from `version` on; see [`History::check_start`].
    pub(crate) fn check_start(&self, kind: Kind, version: u64) -> Result<(), Compacted> {
        self.tables.of(kind).history.check_start(version)
    }

    /// Forgets all changes: watches and pages from before get 410.
    pub(crate) fn compact(&mut self) {
        for kind in Kind::ALL {
            self.tables.of_mut(kind).history.compact(self.version);
        }
    }

    /// Takes at most `objects_max` of the objects that a controller should look at.
    pub(crate) fn take_dirty(&mut self, objects_max: usize) -> Vec<(Kind, String)> {
        let mut taken = Vec::new();
        while taken.len() < objects_max {
            let Some(next) = self.dirty.pop_first() else { break };
            taken.push(next);
        }
        taken
    }

    /// Marks everything as to be looked at, as a controller that starts does.
    pub(crate) fn mark_all(&mut self) {
        let all: Vec<_> = self.all().map(|object| (object.kind, object.key.clone())).collect();
        self.dirty.extend(all);
        self.signals.work.notify_one();
    }

    /// Makes a change durable, then visible.
    fn commit(&mut self, change: Change, object: Object) -> io::Result<Arc<Object>> {
        if self.is_closed {
            return Err(io::Error::other("the cluster is stopped"));
        }
        if let Some(journal) = &mut self.journal {
            journal.append(change.as_str(), &object)?;
        }
        let object = Arc::new(object);
        self.apply(object.kind, change, Arc::clone(&object));
        if let Err(error) = self.rewrite_if_due() {
            tracing::warn!(%error, "failed to make the file of a simulated cluster smaller");
        }
        Ok(object)
    }

    fn apply(&mut self, kind: Kind, change: Change, object: Arc<Object>) {
        let table = self.tables.of_mut(kind);
        let previous = match change {
            Change::Deleted => table.objects.remove(&object.key),
            Change::Added | Change::Modified => table.objects.insert(object.key.clone(), Arc::clone(&object)),
        };
        self.version = object.version;
        if let Some(previous) = &previous {
            self.indexes.remove(previous);
        }
        if change != Change::Deleted {
            self.indexes.add(&object);
        }
        self.mark(change, &object, previous.as_deref());
        self.tables.of_mut(kind).history.push(Event { change, object, previous });
        self.signals.changed.of(kind).send_replace(self.version);
        self.signals.work.notify_one();
    }

    fn apply_base(&mut self, kind: Kind, object: Arc<Object>) {
        debug_assert!(object.version <= self.version, "{BASE} lines are not above the floor");
        self.indexes.add(&object);
        self.tables.of_mut(kind).objects.insert(object.key.clone(), object);
    }

    /// Marks what a controller may have to do something about after a change.
    fn mark(&mut self, change: Change, object: &Object, previous: Option<&Object>) {
        let owners = object.owners.iter().chain(previous.iter().flat_map(|previous| &previous.owners));
        self.dirty.extend(owners.filter_map(|uid| self.indexes.place(uid)).cloned());
        self.dirty.insert((object.kind, object.key.clone()));
        if change != Change::Deleted {
            return;
        }
        self.dirty.extend(self.indexes.dependents(&object.uid).cloned());
        if object.kind.is_namespaced() && self.indexes.population(&object.namespace) == 0 {
            self.dirty.insert((Kind::Namespace, object.namespace.clone()));
        }
    }
}
