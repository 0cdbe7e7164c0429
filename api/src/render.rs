//! Records as the documents that clients see. Rows hold codes; the words are made here.

mod age;
mod approvals;
mod audit;
mod cluster;
mod conditions;
mod deployable;
mod diagnosis;
mod diff;
mod foreign;
mod keeping;
mod lock;
mod pool;
mod replica;
mod runnable;
mod status_rule;

pub(crate) use age::age;
pub(crate) use audit::audit;
pub(crate) use cluster::ACTIVE_MAX;
pub use conditions::CONDITIONS;
pub(crate) use conditions::{cluster_of, making};
pub(crate) use deployable::{Kept, cells as deployable_cells};
pub(crate) use diagnosis::message;
pub(crate) use diff::DiffDocument;
pub(crate) use lock::cells as lock_cells;
pub(crate) use pool::{allocation_cells, cells as pool_cells};

use crate::backend::StateHash;
use crate::table::Include;
use serde::Serialize;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use tallyman_model::limits::WATCHED_NAMESPACES_MAX;
use tallyman_model::record::{Cluster, Head, Meta, Parent, Record};
use tallyman_model::{Damaged, Ordinal, Revision, View, query, time};
use tallyman_raft::Status;

pub(crate) const API_VERSION: &str = "tallyman.dev/v1";

/// What a document is made from beside its record, and what was learnt on the way.
pub(crate) struct Scene<'a> {
    pub(crate) view: &'a dyn View,
    pub(crate) status: &'a Status,
    inside: Option<Inside>,
    /// Wall time, ms since 1970.
    pub(crate) now_ms: u64,
    /// When each cluster whose observations are shown was last known to have said all, ms since 1970.
    observed_ms: RefCell<BTreeMap<Ordinal, Option<u64>>>,
    stale: RefCell<Stale>,
    meta: RefCell<Option<Rc<Meta>>>,
    pub(crate) include: Include,
}

/// Clusters whose picture is older than it should be, and what to say of each.
pub(crate) type Stale = BTreeMap<String, String>;

/// A cluster that answers says something at least at each sweep; nothing for longer than this is told.
const STALE_CLUSTER_MS_MAX: u64 = 15 * 60 * 1_000;

/// What only the replica that answers knows of itself.
pub(crate) struct Inside {
    pub(crate) state_hash: StateHash,
    pub(crate) lag_ms: Option<u64>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(view: &'a dyn View, status: &'a Status, now_ms: u64) -> Self {
        let (observed_ms, stale, meta) = Default::default();
        Self { view, status, inside: None, now_ms, observed_ms, stale, meta, include: Include::default() }
    }

    /// For rows.
    pub(crate) fn with_include(self, include: Include) -> Self {
        Self { include, ..self }
    }

    /// For documents of replicas.
    pub(crate) fn with_inside(self, inside: Option<Inside>) -> Self {
        Self { inside, ..self }
    }

    /// The age of the oldest picture of a cluster that was shown; 0: none was.
    pub(crate) fn oldest_cluster_ms(&self) -> u64 {
        let observed = self.observed_ms.borrow();
        observed.values().flatten().map(|at| self.now_ms.saturating_sub(*at)).max().unwrap_or(0)
    }

    /// The group's counters.
    pub(crate) fn meta(&self) -> Result<Rc<Meta>, Damaged> {
        if let Some(meta) = self.meta.borrow().as_ref() {
            return Ok(Rc::clone(meta));
        }
        let meta = Rc::new(query::meta(self.view)?);
        *self.meta.borrow_mut() = Some(Rc::clone(&meta));
        Ok(meta)
    }

    /// What is to be said of the pictures that were shown.
    pub(crate) fn stale(&self) -> Stale {
        self.stale.borrow().clone()
    }

    /// How long ago that was, ms since 1970; for people.
    pub(crate) fn age(&self, at_ms: Option<u64>) -> String {
        at_ms.map_or_else(|| "<none>".to_owned(), |at_ms| age(self.now_ms.saturating_sub(at_ms)))
    }

    /// When the picture of a cluster was last known to be complete, ms since 1970: by its watches or by a sweep.
    pub(crate) fn observed_ms(&self, cluster: Ordinal) -> Result<Option<u64>, Damaged> {
        if let Some(known) = self.observed_ms.borrow().get(&cluster) {
            return Ok(*known);
        }
        let mut at_ms = None;
        if let Some(Record::Cluster(record)) = query::record(self.view, cluster)? {
            let extents = query::extents(self.view, &record, WATCHED_NAMESPACES_MAX)?.all;
            for extent in extents.into_iter().filter(|extent| extent.kind.is_watched()) {
                let watched = query::watch(self.view, cluster, &extent)?.map(|watch| watch.observed_ms);
                at_ms = [at_ms, watched].into_iter().flatten().min();
            }
            at_ms = at_ms.max(Some(record.swept_ms).filter(|swept_ms| *swept_ms > 0));
            self.judge(&record, at_ms);
        }
        self.observed_ms.borrow_mut().insert(cluster, at_ms);
        Ok(at_ms)
    }

    fn judge(&self, cluster: &Cluster, at_ms: Option<u64>) {
        let name = &cluster.head.name;
        let picture = match at_ms {
            Some(_) => format!("what is shown of it is {} old", self.age(at_ms)),
            None => "nothing is known of it".to_owned(),
        };
        let old = at_ms.is_some_and(|at_ms| self.now_ms.saturating_sub(at_ms) > STALE_CLUSTER_MS_MAX);
        let words = match cluster.reachable {
            Some(false) => format!("cluster {name} is out of reach: {picture}"),
            _ if old => format!("cluster {name} has said nothing for long: {picture}"),
            _ => return,
        };
        self.stale.borrow_mut().insert(name.clone(), words);
    }
}

/// The document of a record. `manifests` are given where the view does not have them; `revision` replaces the
/// record's own, for one that is gone.
pub(crate) fn record(
    scene: &Scene<'_>,
    record: &Record,
    manifests: Option<&[u8]>,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    match record {
        Record::Runnable(run) => runnable::document(scene, run, manifests, revision),
        Record::Foreign(one) => foreign::document(scene, one, revision),
        Record::Cluster(one) => cluster::document(scene, one, revision),
        Record::Member(member) => replica::document(scene, member),
        Record::Deployable(one) => deployable::document(scene, one, manifests, revision),
        Record::Pool(one) => pool::document(scene, one, revision),
        Record::Allocation(one) => pool::allocation(scene, one, revision),
        Record::Lock(one) => Ok(lock::document(one, revision)),
        Record::StatusRule(rule) => Ok(status_rule::document(rule, revision)),
        Record::Receipt(_) | Record::Watch(_) | Record::Bundle(_) | Record::Installation(_) => Ok(Vec::new()),
    }
}

/// What identifies a run, and no more.
pub(crate) fn minimal(record: &Record, revision: Option<Revision>) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Minimal<'a> {
        api_version: &'static str,
        kind: &'static str,
        metadata: Metadata<'a>,
    }
    let Record::Runnable(run) = record else { return Vec::new() };
    let deleted = run.deletion.as_ref().map(|asked| asked.at_ms);
    let metadata = Metadata::of(&run.head, revision).deleted(deleted);
    bytes(&Minimal { api_version: API_VERSION, kind: "Runnable", metadata })
}

/// Looks at the pictures of clusters that the document of a record shows, without making it.
pub(crate) fn pictures(scene: &Scene<'_>, record: &Record) -> Result<(), Damaged> {
    let cluster = match record {
        Record::Runnable(run) if run.phase.is_terminal() => None,
        Record::Runnable(run) => run.attempt().map(|attempt| attempt.cluster),
        Record::Foreign(foreign) if foreign.phase.is_terminal() => None,
        Record::Foreign(foreign) => Some(foreign.cluster),
        Record::Cluster(cluster) => Some(cluster.head.ordinal),
        Record::Deployable(deployable) => {
            for installation in query::installations(scene.view, deployable.head.ordinal)? {
                scene.observed_ms(installation.cluster)?;
            }
            None
        }
        Record::Member(_)
        | Record::Pool(_)
        | Record::Allocation(_)
        | Record::Lock(_)
        | Record::Receipt(_)
        | Record::Watch(_)
        | Record::Bundle(_)
        | Record::Installation(_)
        | Record::StatusRule(_) => None,
    };
    cluster.map_or(Ok(()), |cluster| scene.observed_ms(cluster).map(drop))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a, Spec, State> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: Spec,
    status: State,
}

/// Which record another one is a part of.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnerReference<'a> {
    api_version: &'static str,
    kind: &'static str,
    name: &'a str,
    uid: String,
    controller: bool,
}

/// The metadata of every document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    uid: String,
    /// Empty for what is not there yet.
    #[serde(skip_serializing_if = "String::is_empty")]
    resource_version: String,
    creation_timestamp: String,
    generation: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_references: Option<Box<[OwnerReference<'a>; 1]>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    finalizers: &'a [&'a str],
}

impl<'a> Metadata<'a> {
    pub(crate) fn of(head: &'a Head, revision: Option<Revision>) -> Self {
        Self {
            name: &head.name,
            namespace: &head.namespace,
            uid: head.uid.to_string(),
            resource_version: match revision.unwrap_or(head.revision) {
                Revision(0) => String::new(),
                revision => revision.to_string(),
            },
            creation_timestamp: time::format(head.created_ms),
            generation: 1,
            labels: &head.labels,
            annotations: &head.annotations,
            deletion_timestamp: None,
            owner_references: None,
            finalizers: &[],
        }
    }

    fn of_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// Of a run that is a part of another submission.
    fn owned(self, parent: Option<&'a Parent>) -> Self {
        let reference = |parent: &'a Parent| {
            let (name, uid) = (parent.name.as_str(), parent.uid.to_string());
            Box::new([OwnerReference {
                api_version: API_VERSION,
                kind: "Runnable",
                name,
                uid,
                controller: true,
            }])
        };
        Self { owner_references: parent.map(reference), ..self }
    }

    fn deleted(self, at_ms: Option<u64>) -> Self {
        const WAITING: &[&str] = &[tallyman_model::manifest::marks::OBJECTS];
        let finalizers = if at_ms.is_some() { WAITING } else { &[] };
        Self { deletion_timestamp: at_ms.map(time::format), finalizers, ..self }
    }
}

/// The JSON of something that always has one.
pub(crate) fn bytes(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_else(|error| {
        tracing::error!(%error, "failed to write a document");
        Value::Null.to_string().into_bytes()
    })
}

/// A selector in the form in which it is taken: labels that must be equal, or the one-line form.
fn selector(selector: &tallyman_model::selector::Selector) -> Value {
    use tallyman_model::selector::Test;
    let mut labels = serde_json::Map::new();
    for (key, test) in &selector.0 {
        if let Test::In(values) = test
            && let [value] = values.as_slice()
            && !labels.contains_key(key)
        {
            labels.insert(key.clone(), Value::String(value.clone()));
        }
    }
    if labels.len() == selector.0.len() {
        return serde_json::json!({ "matchLabels": labels });
    }
    Value::String(selector.to_string())
}
