//! The cluster in memory as one life of a leader reaches it.

use crate::faults::{Fault, lost, refused, unsent};
use crate::memory_log::MemoryLog;
use crate::oracle::Sending;
use crate::sim::{Name, Sim};
use crate::sim_apply;
use futures::StreamExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tallyman_cluster::{
    Apply, Call, CallError, ClusterApi, Deleted, Identity, Look, Objects, Page, RefusedKind, WatchEvent,
    WatchStream,
};
use tallyman_leader::{ClusterFactory, FactoryError};
use tallyman_model::command::Observation;
use tallyman_model::record::{Cluster, Extent, Kind};
use tallyman_model::rule::event::Warning;
use tallyman_model::rule::pod::Examined;
use tallyman_model::rule::workload::Admission;
use tallyman_model::rule::{self, Rules};
use tallyman_model::selector::Selector;
use tokio::sync::watch;

/// As of a real one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

pub(crate) struct Factory {
    pub(crate) sims: BTreeMap<String, Arc<Sim>>,
    /// The log as this life sees it.
    pub(crate) log: Arc<MemoryLog>,
}

impl ClusterFactory for Factory {
    fn connect<'a>(
        &'a self,
        cluster: &'a Cluster,
        rules: watch::Receiver<Arc<Rules>>,
    ) -> BoxFuture<'a, Result<Arc<dyn ClusterApi>, FactoryError>> {
        let sim = Arc::clone(&self.sims[&cluster.head.name]);
        let (cluster, log) = (cluster.head.name.clone(), Arc::clone(&self.log));
        let api: Arc<dyn ClusterApi> = Arc::new(Api { cluster, sim, log, rules });
        Box::pin(async move { Ok(api) })
    }

    fn provider_of<'a>(
        &'a self,
        names: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<String>, FactoryError>> {
        Box::pin(
            async move { Ok(names.iter().find(|name| **name == "cloud").map(|name| (*name).to_owned())) },
        )
    }
}

struct Api {
    cluster: String,
    sim: Arc<Sim>,
    log: Arc<MemoryLog>,
    rules: watch::Receiver<Arc<Rules>>,
}

impl Api {
    /// One kube write with its boundaries and faults.
    async fn write<T>(
        &self,
        verb: &str,
        (kind, namespace, name): Name,
        effect: impl FnOnce() -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError>
    where
        T: Send + 'static,
    {
        let what = format!("{verb} {kind} {name}");
        let creates = verb == "create";
        Sending { cluster: &self.cluster, kind: &kind, namespace: &namespace, name: &name, creates }
            .check(&self.log.state, &self.log.permit);
        self.log.fuse.pass(&format!("before {what}")).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.sim.with(|inner| inner.down) {
            return Err(unsent());
        }
        let answer = match self.sim.next_fault(&what) {
            None => effect(),
            Some(Fault::Unsent) => Err(unsent()),
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::Stolen) => {
                let theirs = json!({"metadata": {"name": name, "namespace": namespace, "uid": "theirs"}});
                let key = (kind, namespace, name);
                if self.sim.get(key.0.clone(), &key.1, &key.2).is_none() {
                    self.sim.put(&key, Some(theirs));
                }
                Err(lost())
            }
            Some(Fault::Meddled) => {
                let key = (kind, namespace, name);
                if let Some(mut object) = self.sim.get(key.0.clone(), &key.1, &key.2) {
                    let finalizers = object["metadata"]["finalizers"].as_array_mut();
                    finalizers.expect("it has some").push(json!("a.example/meddler"));
                    self.sim.put(&key, Some(object));
                }
                effect()
            }
            Some(Fault::Replaced) => {
                let theirs = json!({"metadata": {"name": name, "namespace": namespace, "uid": "theirs",
                    "finalizers": ["a.example/theirs"]}});
                self.sim.put(&(kind, namespace, name), Some(theirs));
                effect()
            }
            Some(Fault::Refused(status, kind)) => Err(refused(status, kind)),
            Some(Fault::LostAfter) => {
                let _ = effect();
                Err(lost())
            }
            Some(Fault::Late(ms)) => {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    let _ = effect();
                });
                Err(lost())
            }
        };
        self.log.fuse.pass(&format!("after {what}")).await;
        answer
    }

    async fn read<T>(&self, answer: impl FnOnce(&Sim) -> Result<T, CallError>) -> Result<T, CallError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.sim.with(|inner| inner.down) { Err(unsent()) } else { answer(&self.sim) }
    }
}

fn selects(selector: &str, object: &Value) -> bool {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    Selector::parse(selector).expect("a selector").matches(&labels.collect())
}

impl ClusterApi for Api {
    fn identity(&self) -> Call<'_, Identity> {
        Box::pin(self.read(|sim| {
            let kube_system_uid = sim.with(|inner| inner.identity.clone());
            Ok(Identity { kube_system_uid, version: "v1.36.3".to_owned() })
        }))
    }

    fn plural<'a>(&'a self, kind: &'a Kind) -> Call<'a, String> {
        Box::pin(async move { Ok(kind.plural().unwrap_or("others").to_owned()) })
    }

    fn list<'a>(
        &'a self,
        extent: &'a Extent,
        selector: &'a str,
        _: Option<&'a str>,
        limit: u32,
    ) -> Call<'a, Page> {
        Box::pin(self.read(move |sim| {
            sim.with(|inner| {
                inner.may_read(extent)?;
                if limit > 1 && extent.kind.is_watched() {
                    inner.listings.push(extent.clone());
                }
                let kind = &extent.kind;
                let objects = inner.objects.iter().filter(|((of, namespace, _), object)| {
                    of == kind && extent.covers(namespace) && selects(selector, object)
                });
                let items =
                    objects.filter_map(|(_, object)| self.rules.borrow().project(kind, object)).collect();
                let resource_version = inner.version.to_string();
                Ok(Page { items, skipped: 0, bytes: 0, resource_version, continue_token: None })
            })
        }))
    }

    fn objects<'a>(&'a self, kind: &'a Kind, namespaces: &'a [String]) -> Call<'a, Objects> {
        Box::pin(self.read(move |sim| {
            sim.with(|inner| {
                let is_wanted =
                    |(of, namespace, _): &Name| of == kind && namespaces.iter().any(|one| one == namespace);
                let wanted = inner.objects.iter().filter(|(name, _)| is_wanted(name));
                let items = wanted.map(|(_, object)| object.clone()).collect();
                Ok(Objects { items, resource_version: inner.version.to_string() })
            })
        }))
    }

    fn watch<'a>(&'a self, extent: &'a Extent, selector: &'a str, from: &'a str) -> Call<'a, WatchStream> {
        Box::pin(self.read(move |sim| {
            let kind = &extent.kind;
            sim.with(|inner| inner.may_read(extent))?;
            let from: u64 = from.parse().expect("versions are numbers here");
            if sim.with(|inner| inner.unwatched) {
                return Err(refused(403, RefusedKind::Forbidden));
            }
            if sim.with(|inner| from < inner.floor) {
                return Err(refused(410, RefusedKind::Expired));
            }
            let restores = sim.with(|inner| {
                inner.watched.insert(kind.clone());
                inner.extents.push(extent.clone());
                inner.restores
            });
            let wanted = (extent.clone(), selector.to_owned(), self.rules.clone());
            let state = (Arc::clone(&self.sim), self.sim.changed.subscribe(), from, wanted);
            let stream =
                futures::stream::unfold(state, move |(sim, mut changed, mut at, wanted)| async move {
                    loop {
                        changed.mark_unchanged();
                        if sim.with(|inner| inner.restores != restores) {
                            return None;
                        }
                        let next = sim.with(|inner| {
                            let after = inner.events.partition_point(|event| event.version <= at);
                            let event = inner.events[after..].iter().find(|event| event.is_in(&wanted.0))?;
                            at = event.version;
                            let rules = wanted.2.borrow();
                            Some(seen(
                                &rules,
                                &wanted.0.kind,
                                &wanted.1,
                                event.before.as_ref(),
                                event.after.as_ref(),
                                at,
                            ))
                        });
                        match next {
                            Some(Some(event)) => return Some((event, (sim, changed, at, wanted))),
                            Some(None) => {}
                            None => tokio::select! {
                                changed = changed.changed() => changed.ok()?,
                                () = tokio::time::sleep(BOOKMARK_EVERY) => {
                                    at = sim.with(|inner| inner.version);
                                    let bookmark = WatchEvent::Bookmark { resource_version: at.to_string() };
                                    return Some((bookmark, (sim, changed, at, wanted)));
                                }
                            },
                        }
                    }
                });
            Ok(stream.boxed())
        }))
    }

    fn get<'a>(&'a self, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Call<'a, Option<Observation>> {
        Box::pin(self.read(move |sim| {
            sim.with(|inner| inner.gets.push(format!("{kind} {name}")));
            Ok(sim
                .get(kind.clone(), namespace, name)
                .and_then(|object| self.rules.borrow().project(kind, &object)))
        }))
    }

    fn pods<'a>(&'a self, _: &'a str, selector: &'a str) -> Call<'a, (Vec<Examined>, bool)> {
        Box::pin(self.read(move |sim| {
            sim.with(|inner| {
                inner.looks.push(selector.to_owned());
                if inner.pods_denied {
                    return Err(refused(403, RefusedKind::Forbidden));
                }
                Ok((inner.pods.iter().filter_map(rule::pod::examine).collect(), false))
            })
        }))
    }

    fn warnings<'a>(&'a self, _: &'a str, uid: &'a str) -> Call<'a, Vec<Warning>> {
        Box::pin(self.read(move |sim| {
            sim.with(|inner| {
                inner.looks.push(uid.to_owned());
                Ok(inner.warnings.iter().filter_map(rule::event::warning).collect())
            })
        }))
    }

    fn admission<'a>(&'a self, _: &'a str, uid: &'a str) -> Call<'a, Option<Admission>> {
        Box::pin(self.read(move |sim| {
            sim.with(|inner| {
                inner.looks.push(uid.to_owned());
                Ok(inner.workload.as_ref().and_then(rule::workload::admission))
            })
        }))
    }

    fn create<'a>(&'a self, kind: &'a Kind, namespace: &'a str, body: &'a [u8]) -> Call<'a, Observation> {
        let object: Value = serde_json::from_slice(body).expect("a body is JSON");
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = (kind.clone(), namespace.to_owned(), name);
        let (sim, namespace, body) = (Arc::clone(&self.sim), namespace.to_owned(), body.to_vec());
        let kind = kind.clone();
        Box::pin(self.write("create", key, move || sim.create(&kind, &namespace, &body)))
    }

    fn rehearse<'a>(&'a self, kind: &'a Kind, namespace: &'a str, _: &'a [u8]) -> Call<'a, ()> {
        let what = format!("{kind} in {namespace}");
        Box::pin(self.read(move |sim| {
            sim.with(|inner| {
                inner.rehearsed.push(what);
                let is_there = inner.namespaces.contains(namespace);
                if is_there { Ok(()) } else { Err(refused(404, RefusedKind::NamespaceMissing)) }
            })
        }))
    }

    fn delete<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
    ) -> Call<'a, Deleted> {
        let (sim, key, uid) =
            (Arc::clone(&self.sim), (kind.clone(), namespace.to_owned(), name.to_owned()), uid.to_owned());
        Box::pin(self.write("delete", key.clone(), move || sim.delete(&key, Some(&uid))))
    }

    fn patch<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
        version: Option<&'a str>,
        patch: &'a Value,
    ) -> Call<'a, Observation> {
        let (sim, key, uid) =
            (Arc::clone(&self.sim), (kind.clone(), namespace.to_owned(), name.to_owned()), uid.to_owned());
        let (version, patch) = (version.map(str::to_owned), patch.clone());
        Box::pin(self.write("patch", key.clone(), move || sim.patch(&key, &uid, version.as_deref(), &patch)))
    }

    fn look<'a>(&'a self, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Call<'a, Option<Look>> {
        Box::pin(self.read(move |sim| {
            Ok(sim.get(kind.clone(), namespace, name).and_then(|object| sim_apply::look(kind, &object)))
        }))
    }

    fn apply<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        body: &'a [u8],
        how: Apply,
    ) -> Call<'a, Look> {
        let (sim, key) = (Arc::clone(&self.sim), (kind.clone(), namespace.to_owned(), name.to_owned()));
        let body: Value = serde_json::from_slice(body).expect("a body is JSON");
        Box::pin(self.write("apply", key.clone(), move || sim_apply::apply(&sim, &key, &body, how)))
    }
}

/// What a watch with that selector says of a change.
fn seen(
    rules: &Rules,
    kind: &Kind,
    selector: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    version: u64,
) -> Option<WatchEvent> {
    let was = before.filter(|object| selects(selector, object));
    let is = after.filter(|object| selects(selector, object));
    match (was, is) {
        (_, Some(object)) => rules.project(kind, object).map(WatchEvent::Seen),
        (Some(object), None) => {
            let mut item = rules.project(kind, object)?;
            item.gone = true;
            item.resource_version = version.to_string();
            item.seen.resource_version = version.to_string();
            Some(WatchEvent::Deleted(item))
        }
        (None, None) => None,
    }
}
