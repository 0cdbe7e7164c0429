//! A cluster in memory: objects, resourceVersions, finalizers, deletion, a Job controller.

use crate::faults::{Fault, refused};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tallyman_cluster::{CallError, Deleted, RefusedKind};
use tallyman_model::command::Observation;
use tallyman_model::record::{Extent, Kind};
use tallyman_model::rule;
use tokio::sync::watch;

pub(crate) type Name = (Kind, String, String);

/// One change: the object before and after it.
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl Event {
    pub(crate) fn is_in(&self, extent: &Extent) -> bool {
        self.kind == extent.kind && extent.covers(&self.namespace)
    }
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) version: u64,
    pub(crate) objects: BTreeMap<Name, Value>,
    pub(crate) events: Vec<Event>,
    /// Events up to this version are forgotten.
    pub(crate) floor: u64,
    pub(crate) namespaces: BTreeSet<String>,
    /// Every create that took effect: kind, name, uid.
    pub(crate) created: Vec<(Kind, String, String)>,
    /// Every kube write that arrived, as `verb kind name`.
    pub(crate) writes: Vec<String>,
    /// Every read of one object, as `kind name`.
    pub(crate) gets: Vec<String>,
    /// Dry runs of creates.
    pub(crate) rehearsed: Vec<String>,
    pub(crate) faults: BTreeMap<String, Vec<Fault>>,
    pub(crate) uids: u64,
    /// Job names that fail.
    pub(crate) failing: BTreeSet<String>,
    /// Job names whose Pods never run.
    pub(crate) stuck: BTreeSet<String>,
    /// What is answered to who asks for Pods, and for Warnings.
    pub(crate) pods: Vec<Value>,
    pub(crate) warnings: Vec<Value>,
    /// What Kueue keeps of every Job: they are suspended.
    pub(crate) workload: Option<Value>,
    /// Pods may not be read.
    pub(crate) pods_denied: bool,
    /// Every read of Pods or Warnings, by what selected them.
    pub(crate) looks: Vec<String>,
    pub(crate) run_ms: u64,
    /// How long after its end a Job is deleted by its cluster.
    pub(crate) ttl_ms: Option<u64>,
    /// Reads and writes reach nobody.
    pub(crate) down: bool,
    /// Kinds that somebody watched.
    pub(crate) watched: BTreeSet<Kind>,
    /// What somebody watched, each time that it was begun.
    pub(crate) extents: Vec<Extent>,
    /// Nothing may be watched.
    pub(crate) unwatched: bool,
    /// Where kinds may be listed and watched, if not everywhere.
    pub(crate) readable: Option<BTreeSet<String>>,
    /// What watches listed: who asks for one object only does not count, and sweeps are not told from watches.
    pub(crate) listings: Vec<Extent>,
    /// What was listed or watched though it may not be.
    pub(crate) denied: Vec<Extent>,
    pub(crate) identity: String,
    /// Watches of an earlier one are closed.
    pub(crate) restores: u64,
}

impl Inner {
    pub(crate) fn may_read(&mut self, extent: &Extent) -> Result<(), CallError> {
        if self.readable.as_ref().is_none_or(|readable| readable.contains(&extent.namespace)) {
            return Ok(());
        }
        self.denied.push(extent.clone());
        Err(refused(403, RefusedKind::Forbidden))
    }
}

/// The cluster. It lives longer than any leader.
pub(crate) struct Sim {
    pub(crate) inner: Mutex<Inner>,
    pub(crate) changed: watch::Sender<u64>,
}

impl Sim {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        let inner = Inner {
            version: 100,
            floor: 100,
            namespaces: BTreeSet::from(["risk".to_owned(), "desk".to_owned()]),
            run_ms: 2_000,
            identity: format!("identity-of-{name}"),
            ..Inner::default()
        };
        Arc::new(Self { inner: Mutex::new(inner), changed: watch::Sender::new(0) })
    }

    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap())
    }

    /// The next writes like `create Job report` go wrong so.
    pub(crate) fn fault(&self, write: &str, faults: &[Fault]) {
        let faults = faults.iter().rev().copied().collect();
        self.with(|inner| inner.faults.insert(write.to_owned(), faults));
    }

    pub(crate) fn next_fault(&self, write: &str) -> Option<Fault> {
        self.with(|inner| {
            inner.writes.push(write.to_owned());
            inner.faults.get_mut(write).and_then(Vec::pop)
        })
    }

    pub(crate) fn created(&self, kind: Kind, name: &str) -> usize {
        self.with(|inner| inner.created.iter().filter(|(k, n, _)| (k, n.as_str()) == (&kind, name)).count())
    }

    pub(crate) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
        let key = (kind, namespace.to_owned(), name.to_owned());
        self.with(|inner| inner.objects.get(&key).cloned())
    }

    pub(crate) fn writes(&self) -> Vec<String> {
        self.with(|inner| inner.writes.clone())
    }

    /// Puts `after` in the place of what is there, and tells the watches.
    pub(crate) fn put(&self, name: &Name, after: Option<Value>) -> Option<Value> {
        let version = self.with(|inner| {
            inner.version += 1;
            let version = inner.version;
            let mut after = after;
            if let Some(object) = &mut after {
                object["metadata"]["resourceVersion"] = json!(version.to_string());
            }
            let before = match &after {
                Some(object) => inner.objects.insert(name.clone(), object.clone()),
                None => inner.objects.remove(name),
            };
            inner.events.push(Event {
                version,
                kind: name.0.clone(),
                namespace: name.1.clone(),
                before,
                after,
            });
            version
        });
        self.changed.send_replace(version);
        self.with(|inner| inner.objects.get(name).cloned())
    }

    pub(crate) fn create(
        self: &Arc<Self>,
        kind: &Kind,
        namespace: &str,
        body: &[u8],
    ) -> Result<Observation, CallError> {
        let mut object: Value = serde_json::from_slice(body).expect("a body is JSON");
        let name = object["metadata"]["name"].as_str().expect("it has a name").to_owned();
        let key = (kind.clone(), namespace.to_owned(), name.clone());
        let uid = self.with(|inner| {
            if !inner.namespaces.contains(namespace) {
                return Err(refused(404, RefusedKind::NamespaceMissing));
            }
            if inner.objects.contains_key(&key) {
                return Err(refused(409, RefusedKind::AlreadyExists));
            }
            inner.uids += 1;
            let uid = format!("{}-{}", inner.identity, inner.uids);
            inner.created.push((kind.clone(), name.clone(), uid.clone()));
            Ok(uid)
        })?;
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["namespace"] = json!(namespace);
        let stored = self.put(&key, Some(object)).expect("it was put");
        match kind {
            Kind::Job => drop(tokio::spawn(run_job(Arc::clone(self), key, uid))),
            Kind::Workflow => drop(tokio::spawn(run_workflow(Arc::clone(self), key, uid))),
            Kind::ConfigMap | Kind::WorkflowTemplate | Kind::Other(_) => {}
        }
        Ok(rule::project(kind, &stored).expect("it can be projected"))
    }

    pub(crate) fn delete(self: &Arc<Self>, name: &Name, uid: Option<&str>) -> Result<Deleted, CallError> {
        let Some(mut object) = self.get(name.0.clone(), &name.1, &name.2) else {
            return Err(refused(404, RefusedKind::NotFound));
        };
        if uid.is_some_and(|uid| object["metadata"]["uid"] != uid) {
            return Err(refused(409, RefusedKind::Conflict));
        }
        let going = |object: &Value| {
            Deleted::Going(Box::new(rule::project(&name.0, object).expect("it can be projected")))
        };
        if object["metadata"]["deletionTimestamp"].is_string() {
            return Ok(going(&object));
        }
        object["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
        let mut finalizers = finalizers(&object);
        if !name.0.is_watched() {
            let stays = self.settle(name, object);
            return Ok(stays.map_or(Deleted::Gone, |object| going(&object)));
        }
        finalizers.push("foregroundDeletion".to_owned());
        object["metadata"]["finalizers"] = json!(finalizers);
        let stored = self.put(name, Some(object)).expect("it was put");
        let (sim, name) = (Arc::clone(self), name.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            sim.finalize(&name, "foregroundDeletion");
        });
        Ok(going(&stored))
    }

    /// Takes a finalizer off; an object that was asked to go and has none left goes.
    pub(crate) fn finalize(&self, name: &Name, finalizer: &str) {
        let Some(mut object) = self.get(name.0.clone(), &name.1, &name.2) else { return };
        let left: Vec<_> = finalizers(&object).into_iter().filter(|one| one != finalizer).collect();
        object["metadata"]["finalizers"] = json!(left);
        self.settle(name, object);
    }

    pub(crate) fn settle(&self, name: &Name, object: Value) -> Option<Value> {
        let goes = object["metadata"]["deletionTimestamp"].is_string() && finalizers(&object).is_empty();
        self.put(name, if goes { None } else { Some(object) })
    }

    pub(crate) fn patch(
        &self,
        name: &Name,
        uid: &str,
        version: Option<&str>,
        patch: &Value,
    ) -> Result<Observation, CallError> {
        let Some(mut object) = self.get(name.0.clone(), &name.1, &name.2) else {
            return Err(refused(404, RefusedKind::NotFound));
        };
        let metadata = &object["metadata"];
        if metadata["uid"] != uid || version.is_some_and(|version| metadata["resourceVersion"] != version) {
            return Err(refused(409, RefusedKind::Conflict));
        }
        merge(&mut object, patch);
        let last = object.clone();
        let stored = self.settle(name, object).unwrap_or(last);
        Ok(rule::project(&name.0, &stored).expect("it can be projected"))
    }

    /// The history is that of a backup, at this version and without objects.
    pub(crate) fn restore(&self, version: u64) {
        self.restore_with(version, BTreeMap::new());
    }

    /// The history is that of a backup, at this version and with these objects.
    pub(crate) fn restore_with(&self, version: u64, mut objects: BTreeMap<Name, Value>) {
        for object in objects.values_mut() {
            object["metadata"]["resourceVersion"] = json!(version.to_string());
        }
        self.with(|inner| {
            inner.version = version;
            inner.floor = 0;
            inner.events.clear();
            inner.objects = objects;
            inner.restores += 1;
        });
        self.changed.send_replace(version);
    }

    /// Forgets all events: watches from before get 410.
    pub(crate) fn compact(&self) {
        self.with(|inner| inner.floor = inner.version);
    }
}

fn finalizers(object: &Value) -> Vec<String> {
    let all = object["metadata"]["finalizers"].as_array();
    all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(crate) fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    for (name, change) in changes {
        if change.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut value[name.as_str()], change);
        }
    }
}

/// A controller says something of an object that is still there.
fn update(sim: &Sim, name: &Name, uid: &str, status: Value) {
    let Some(mut object) = sim.get(name.0.clone(), &name.1, &name.2) else { return };
    if object["metadata"]["uid"] == uid && !object["metadata"]["deletionTimestamp"].is_string() {
        object["status"] = status;
        sim.put(name, Some(object));
    }
}

async fn run_workflow(sim: Arc<Sim>, name: Name, uid: String) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    let started_at = "2027-01-15T08:00:00Z";
    update(&sim, &name, &uid, json!({"phase": "Running", "startedAt": started_at}));
    let mut changed = sim.changed.subscribe();
    let shut_down = async {
        let stops = |_: &u64| {
            sim.get(name.0.clone(), &name.1, &name.2)
                .is_some_and(|object| object["spec"]["shutdown"].is_string())
        };
        changed.wait_for(stops).await.map(drop)
    };
    let run_ms = sim.with(|inner| inner.run_ms);
    let stopped = tokio::time::timeout(Duration::from_millis(run_ms), shut_down).await.is_ok();
    let phase = if stopped { "Failed" } else { "Succeeded" };
    update(&sim, &name, &uid, json!({"phase": phase, "startedAt": started_at}));
}

async fn run_job(sim: Arc<Sim>, name: Name, uid: String) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    while sim.with(|inner| inner.stuck.contains(&name.2)) {
        let suspended =
            json!({"conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]});
        let waits = json!({"startTime": "2027-01-15T08:00:00Z", "active": 1, "ready": 0});
        let is_queued = sim.with(|inner| inner.workload.is_some());
        update(&sim, &name, &uid, if is_queued { suspended } else { waits });
        let mut changed = sim.changed.subscribe();
        let freed = |_: &u64| sim.with(|inner| !inner.stuck.contains(&name.2));
        if changed.wait_for(freed).await.is_err() {
            return;
        }
    }
    let started_at = "2027-01-15T08:00:00Z";
    update(&sim, &name, &uid, json!({"active": 1, "ready": 1, "startTime": started_at}));
    let (run_ms, fails) = sim.with(|inner| (inner.run_ms, inner.failing.contains(&name.2)));
    tokio::time::sleep(Duration::from_millis(run_ms)).await;
    let kind = if fails { "Failed" } else { "Complete" };
    let condition = json!({"type": kind, "status": "True", "reason": "Because"});
    update(&sim, &name, &uid, json!({"succeeded": 1, "conditions": [condition]}));
    if let Some(ttl_ms) = sim.with(|inner| inner.ttl_ms) {
        tokio::time::sleep(Duration::from_millis(ttl_ms)).await;
        // It may be another object by now.
        let _ = sim.delete(&name, Some(&uid));
    }
}
