//! Records as the documents that clients see. Rows hold codes; the words are made here.

mod approvals;
mod audit;
mod cluster;
mod conditions;
mod replica;
mod runnable;

pub(crate) use audit::audit;

use crate::backend::StateHash;
use serde::Serialize;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tallyman_model::record::{Head, Kind, Record};
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
}

/// What only the replica that answers knows of itself.
pub(crate) struct Inside {
    pub(crate) state_hash: StateHash,
    pub(crate) lag_ms: Option<u64>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(view: &'a dyn View, status: &'a Status, now_ms: u64) -> Self {
        Self { view, status, inside: None, now_ms, observed_ms: RefCell::default() }
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

    /// When the picture of a cluster was last known to be complete, ms since 1970.
    pub(crate) fn observed_ms(&self, cluster: Ordinal) -> Result<Option<u64>, Damaged> {
        if let Some(known) = self.observed_ms.borrow().get(&cluster) {
            return Ok(*known);
        }
        let mut oldest = None;
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_watched()) {
            let at = query::watch(self.view, cluster, kind)?.map(|watch| watch.observed_ms);
            oldest = [oldest, at].into_iter().flatten().min();
        }
        self.observed_ms.borrow_mut().insert(cluster, oldest);
        Ok(oldest)
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
        Record::Cluster(one) => cluster::document(scene, one, revision),
        Record::Member(member) => replica::document(scene, member),
        Record::Receipt(_) | Record::Watch(_) => Ok(Vec::new()),
    }
}

/// What identifies a run, and no more.
pub(crate) fn minimal(record: &Record) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Minimal<'a> {
        api_version: &'static str,
        kind: &'static str,
        metadata: Metadata<'a>,
    }
    let Record::Runnable(run) = record else { return Vec::new() };
    let deleted = run.deletion.as_ref().map(|asked| asked.at_ms);
    let metadata = Metadata::of(&run.head, None).deleted(deleted);
    bytes(&Minimal { api_version: API_VERSION, kind: "Runnable", metadata })
}

/// Looks at the pictures of clusters that the document of a record shows, without making it.
pub(crate) fn pictures(scene: &Scene<'_>, record: &Record) -> Result<(), Damaged> {
    let cluster = match record {
        Record::Runnable(run) => run.attempt().map(|attempt| attempt.cluster),
        Record::Cluster(cluster) => Some(cluster.head.ordinal),
        Record::Member(_) | Record::Receipt(_) | Record::Watch(_) => None,
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

/// The metadata of every document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    uid: String,
    resource_version: String,
    creation_timestamp: String,
    generation: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_timestamp: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    finalizers: &'a [&'a str],
}

impl<'a> Metadata<'a> {
    pub(crate) fn of(head: &'a Head, revision: Option<Revision>) -> Self {
        Self {
            name: &head.name,
            namespace: &head.namespace,
            uid: head.uid.to_string(),
            resource_version: revision.unwrap_or(head.revision).to_string(),
            creation_timestamp: time::format(head.created_ms),
            generation: 1,
            labels: &head.labels,
            annotations: &head.annotations,
            deletion_timestamp: None,
            finalizers: &[],
        }
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
    let mut terms = Vec::new();
    for (key, test) in &selector.0 {
        if let Test::In(values) = test
            && let [value] = values.as_slice()
            && !labels.contains_key(key)
        {
            labels.insert(key.clone(), Value::String(value.clone()));
        }
        terms.push(match test {
            Test::In(values) => format!("{key} in ({})", values.join(",")),
            Test::NotIn(values) => format!("{key} notin ({})", values.join(",")),
            Test::Exists => key.clone(),
            Test::Absent => format!("!{key}"),
        });
    }
    if labels.len() == selector.0.len() {
        return serde_json::json!({ "matchLabels": labels });
    }
    Value::String(terms.join(","))
}
