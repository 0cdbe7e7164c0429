//! All objects of a cluster under one lock, with one growing resourceVersion.

mod definitions;
mod image;
mod indexes;
mod page;
mod write;

pub(crate) use image::Checkpoint;
pub(crate) use page::Asked;
pub(crate) use write::new_namespace;

pub(crate) use page::Page;

use crate::catalog::Catalog;
use crate::history::{Change, Compacted, Event, History};
use crate::journal::{BASE, Entry, Journal};
use crate::kind::Kind;
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
    /// There is something dirty.
    work: Arc<Notify>,
}

/// The objects of one kind. It stays when the kind is gone: its history goes on when it comes back.
#[derive(Debug)]
struct Table {
    objects: BTreeMap<String, Arc<Object>>,
    history: History,
    /// The version of the latest change; replaced where the watches of the kind end.
    changed: watch::Sender<u64>,
}

/// Everything that the API serves.
#[derive(Debug)]
pub(crate) struct State {
    version: u64,
    /// Nobody may start from below, whatever the kind.
    floor: u64,
    tables: BTreeMap<Kind, Table>,
    catalog: Arc<Catalog>,
    indexes: Indexes,
    dirty: Dirty,
    journal: Option<Journal>,
    /// Nothing may be written any more.
    is_closed: bool,
    work: Arc<Notify>,
    history_events_max: usize,
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
        let work = Arc::new(Notify::new());
        let mut state = State {
            version: 0,
            floor: 0,
            tables: BTreeMap::new(),
            catalog: Arc::default(),
            indexes: Indexes::default(),
            dirty: Dirty::new(),
            journal: None,
            is_closed: false,
            work: Arc::clone(&work),
            history_events_max,
            makes_namespaces,
        };
        state.recatalog();
        if let Some(dir) = dir {
            state.load(dir)?;
        }
        Ok(Self { state: Mutex::new(state), work })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a controller has something to look at.
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }
}

impl State {
    fn load(&mut self, dir: &Path) -> io::Result<()> {
        let journal = Journal::open(dir, |floor, entry: Option<Entry>| {
            let Some(entry) = entry else {
                self.version = floor;
                self.compact();
                return Ok(());
            };
            self.read(entry)
        })?;
        self.journal = Some(journal);
        self.rewrite_if_due()
    }

    fn read(&mut self, entry: Entry) -> io::Result<()> {
        let unknown = || {
            io::Error::new(io::ErrorKind::InvalidData, format!("the journal holds unknown {}", entry.kind))
        };
        let kind = self.catalog.filed(&entry.kind).ok_or_else(unknown)?;
        let object = Arc::new(Object::from_body(kind, entry.body)?);
        match Change::from_str(&entry.change) {
            Some(change) => self.apply(change, object),
            None => self.apply_base(object),
        }
        Ok(())
    }

    /// Ends all writing, and lets go of the directory.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.journal = None;
    }

    fn all(&self) -> impl Iterator<Item = &Object> {
        self.tables.values().flat_map(|table| table.objects.values().map(AsRef::as_ref))
    }

    fn table(&mut self, kind: &Kind) -> &mut Table {
        self.tables.entry(kind.clone()).or_insert_with(|| Table {
            objects: BTreeMap::new(),
            history: History::from(self.floor, self.history_events_max),
            changed: watch::Sender::new(self.version),
        })
    }

    /// The version of the latest change of anything.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn get(&self, kind: &Kind, key: &str) -> Option<&Arc<Object>> {
        self.tables.get(kind)?.objects.get(key)
    }

    /// Whether an object with this uid is there.
    pub(crate) fn has_uid(&self, uid: &str) -> bool {
        self.indexes.place(uid).is_some()
    }

    /// The objects that name `uid` as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Arc<Object>> {
        let places = self.indexes.dependents(uid);
        places.filter_map(|(kind, key)| self.get(kind, key)).cloned().collect()
    }

    /// How many objects a namespace holds.
    pub(crate) fn population(&self, namespace: &str) -> usize {
        self.indexes.population(namespace)
    }

    /// All objects whose keys begin with `prefix`, in order.
    pub(crate) fn with_prefix(&self, kind: &Kind, prefix: &str) -> Vec<Arc<Object>> {
        let all =
            self.tables.get(kind).into_iter().flat_map(|table| table.objects.range(prefix.to_owned()..));
        all.take_while(|(key, _)| key.starts_with(prefix)).map(|(_, object)| Arc::clone(object)).collect()
    }

    /// The changes of a kind after `version`; see [`History::after`].
    pub(crate) fn events(
        &self,
        kind: &Kind,
        version: u64,
        events_max: usize,
    ) -> Result<Vec<Event>, Compacted> {
        self.tables.get(kind).map_or(Ok(Vec::new()), |table| table.history.after(version, events_max))
    }

    /// Whether changes of a kind may be followed from `version` on; see [`History::check_start`].
    pub(crate) fn check_start(&self, kind: &Kind, version: u64) -> Result<(), Compacted> {
        self.tables.get(kind).map_or(Ok(()), |table| table.history.check_start(version))
    }

    /// Forgets all changes: watches and pages from before get 410.
    pub(crate) fn compact(&mut self) {
        self.floor = self.version;
        for table in self.tables.values_mut() {
            table.history.compact(self.version);
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
        let all: Vec<_> = self.all().map(|object| (object.kind.clone(), object.key.clone())).collect();
        self.dirty.extend(all);
        self.work.notify_one();
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
        self.apply(change, Arc::clone(&object));
        if let Err(error) = self.rewrite_if_due() {
            tracing::warn!(%error, "failed to make the file of a simulated cluster smaller");
        }
        Ok(object)
    }

    fn apply(&mut self, change: Change, object: Arc<Object>) {
        self.version = object.version;
        let table = self.table(&object.kind);
        let previous = match change {
            Change::Deleted => table.objects.remove(&object.key),
            Change::Added | Change::Modified => table.objects.insert(object.key.clone(), Arc::clone(&object)),
        };
        if let Some(previous) = &previous {
            self.indexes.remove(previous);
        }
        if change != Change::Deleted {
            self.indexes.add(&object);
        }
        self.mark(change, &object, previous.as_deref());
        let (version, event) = (object.version, Event { change, object: Arc::clone(&object), previous });
        let table = self.table(&object.kind);
        table.changed.send_replace(version);
        table.history.push(event.clone());
        if object.kind == Kind::CustomResourceDefinition {
            self.redefine(&event);
        }
        self.work.notify_one();
    }

    fn apply_base(&mut self, object: Arc<Object>) {
        debug_assert!(object.version <= self.version, "{BASE} lines are not above the floor");
        self.indexes.add(&object);
        let is_definition = object.kind == Kind::CustomResourceDefinition;
        self.table(&object.kind).objects.insert(object.key.clone(), object);
        if is_definition {
            self.recatalog();
        }
    }

    /// Marks what a controller may have to do something about after a change.
    fn mark(&mut self, change: Change, object: &Object, previous: Option<&Object>) {
        let owners = object.owners.iter().chain(previous.iter().flat_map(|previous| &previous.owners));
        self.dirty.extend(owners.filter_map(|uid| self.indexes.place(uid)).cloned());
        self.dirty.insert((object.kind.clone(), object.key.clone()));
        if change != Change::Deleted {
            return;
        }
        self.dirty.extend(self.indexes.dependents(&object.uid).cloned());
        if object.kind.is_namespaced() && self.indexes.population(&object.namespace) == 0 {
            self.dirty.insert((Kind::Namespace, object.namespace.clone()));
        }
        if object.kind.is_custom() && self.is_empty(&object.kind) {
            self.dirty.insert((Kind::CustomResourceDefinition, object.kind.qualified_plural()));
        }
    }
}
