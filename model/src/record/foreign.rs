//! Work on a cluster that was not submitted here, and that its `observe` selects: shown, and never touched.

use super::{Extent, Head, Kind, WatchScope, is_older};
use crate::command::Sighting;
use crate::rule::Verdict;
use crate::selector::Selector;
use crate::{Digest, Ordinal, Phase, Uid, limits};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Which work on a cluster is shown that was not submitted here. A cluster has one at most of each kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignSelector {
    /// Of which kind.
    pub kind: Kind,
    /// In which namespaces, sorted; empty: in all.
    pub namespaces: Vec<String>,
    /// With which labels.
    pub labels: Selector,
}

impl ForeignSelector {
    /// True if what is in that namespace may be selected.
    #[must_use]
    pub fn is_in(&self, namespace: &str) -> bool {
        self.namespaces.is_empty()
            || self.namespaces.binary_search_by(|one| one.as_str().cmp(namespace)).is_ok()
    }

    /// What is watched for it on a cluster of that scope: the kind, or the kind in each of its namespaces.
    #[must_use]
    pub fn extents(&self, scope: WatchScope) -> Vec<Extent> {
        let in_one = |namespace: &String| Extent { kind: self.kind.clone(), namespace: namespace.clone() };
        match scope {
            WatchScope::Cluster => vec![Extent::everywhere(self.kind.clone())],
            WatchScope::Namespaces => self.namespaces.iter().map(in_one).collect(),
        }
    }
}

/// Selected objects of one extent that are not shown, since there are too many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unshown {
    /// What they are, and where.
    pub extent: Extent,
    /// How many there were when it was counted last.
    pub count: u64,
}

/// What made an object, as the object says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// Its API version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID on the cluster.
    pub uid: String,
}

/// One object that was not submitted here, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// Namespace and labels are the object's, and so is the time of its creation.
    pub head: Head,
    /// Where it is.
    pub cluster: Ordinal,
    /// What the cluster is called.
    pub cluster_name: String,
    /// Its kind.
    pub kind: Kind,
    /// Its name on the cluster.
    pub object: String,
    /// Its UID there.
    pub object_uid: String,
    /// What made it.
    pub owner: Option<Owner>,
    /// Where it is: Pending, Running, Stopping, Succeeded or Failed.
    pub phase: Phase,
    /// A status rule says so; of other kinds only whether an object is there is known.
    pub is_judged: bool,
    /// What it says of itself, unless it runs: that changes with each of its steps.
    pub message: String,
    /// When it says that it started, ms since 1970 on the cluster's clock.
    pub started_ms: Option<u64>,
    /// When it ended, as it says or else as it was seen, ms since 1970.
    pub finished_ms: Option<u64>,
    /// Its resourceVersion when this was written.
    pub resource_version: String,
    /// The cluster's timeline that this belongs to.
    pub timeline: u32,
    /// When this was written, ms since 1970.
    pub seen_ms: u64,
    /// When it was seen to be gone from its cluster, or not selected any more, after it had ended, ms since 1970.
    pub gone_ms: Option<u64>,
}

/// Hexadecimal digits of a record's UID in its name.
const UID_DIGITS: usize = 8;

impl Foreign {
    /// The UID of the record of an object: always the same, so it is found by it.
    #[must_use]
    pub fn uid(cluster: Ordinal, kind: &Kind, object_uid: &str) -> Uid {
        let cluster = cluster.0.to_string();
        let parts = ["foreign", &cluster, kind.group(), kind.as_str(), object_uid];
        let digest = Digest::of(parts.join("\0").as_bytes());
        Uid::from_random(std::array::from_fn(|at| digest.0[at]))
    }

    /// A new record of what was seen. Its name has colons, as no submission's can have.
    pub(crate) fn new(
        (cluster, cluster_name): (Ordinal, &str),
        kind: &Kind,
        item: &Sighting,
        (timeline, now): (u32, u64),
    ) -> Self {
        let uid = Self::uid(cluster, kind, &item.uid);
        let head = Head {
            uid,
            namespace: item.namespace.clone(),
            created_ms: item.created_ms.unwrap_or(now),
            ..Head::default()
        };
        let mut new = Self {
            head,
            cluster,
            cluster_name: cluster_name.to_owned(),
            kind: kind.clone(),
            object: item.name.clone(),
            object_uid: item.uid.clone(),
            owner: None,
            phase: Phase::Pending,
            is_judged: false,
            message: String::new(),
            started_ms: None,
            finished_ms: None,
            resource_version: String::new(),
            timeline,
            seen_ms: now,
            gone_ms: None,
        };
        new.take(item, timeline, now);
        new.name_with(UID_DIGITS);
        new
    }

    /// Gives it the longer name that nothing else has.
    pub(crate) fn name_in_full(&mut self) {
        self.name_with(usize::MAX);
    }

    fn name_with(&mut self, digits: usize) {
        let uid = self.head.uid.to_string();
        let uid = uid.get(..digits).unwrap_or(&uid);
        self.head.name = format!("{}:{}:{uid}", self.cluster_name, self.object);
    }

    /// Takes what was seen of it; true if that says anything that is to be written. What is older than what is known
    /// says nothing.
    pub fn see(&mut self, item: &Sighting, timeline: u32, now: u64) -> bool {
        let is_late = match self.timeline.cmp(&timeline) {
            Ordering::Less => false,
            Ordering::Equal => is_older(&item.resource_version, &self.resource_version),
            Ordering::Greater => true,
        };
        if is_late {
            return false;
        }
        let before = self.clone();
        self.take(item, timeline, now);
        let said =
            |one: &Self| Self { resource_version: String::new(), timeline: 0, seen_ms: 0, ..one.clone() };
        said(&before) != said(self)
    }

    fn take(&mut self, item: &Sighting, timeline: u32, now: u64) {
        self.head.labels.clone_from(&item.labels);
        self.owner.clone_from(&item.owner);
        self.is_judged = item.verdict.is_some();
        self.phase = match item.verdict {
            Some(Verdict::Succeeded) => Phase::Succeeded,
            Some(Verdict::Failed) => Phase::Failed,
            _ if item.deleting => Phase::Stopping,
            Some(Verdict::Pending) => Phase::Pending,
            Some(Verdict::Running) | None => Phase::Running,
        };
        self.message = if self.phase == Phase::Running { String::new() } else { item.message.clone() };
        self.started_ms = item.started_ms;
        self.finished_ms = match self.phase.is_terminal() {
            true => item.finished_ms.or(self.finished_ms).or(Some(now)),
            false => None,
        };
        self.resource_version.clone_from(&item.resource_version);
        (self.timeline, self.seen_ms, self.gone_ms) = (timeline, now, None);
    }

    /// Why it is where it is, as a word.
    #[must_use]
    pub fn reason_word(&self) -> &'static str {
        match self.phase {
            Phase::Succeeded => "Completed",
            Phase::Failed => "ObjectFailed",
            _ if !self.is_judged => "NoStatusRule",
            _ => "",
        }
    }

    /// Why it is where it is, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let is_gone = self.gone_ms.map(|_| format!("it is gone from cluster {}", self.cluster_name));
        let unjudged =
            (!self.is_judged).then(|| format!("no status rule says how a {} does: it is there", self.kind));
        let said = Some(self.message.clone()).filter(|said| !said.is_empty());
        [said, unjudged, is_gone].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// When it is forgotten, ms since 1970; `None` while it is there.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        self.gone_ms.map(|gone_ms| gone_ms + limits::FOREIGN_TTL_MS)
    }

    /// Why nothing is done to it here.
    #[must_use]
    pub fn untouchable(&self) -> String {
        let Self { kind, object, cluster_name, .. } = self;
        format!(
            "{:?} was not submitted here, and is only shown: whoever made {kind} {}/{object} changes it on cluster \
             {cluster_name} itself",
            self.head.name, self.head.namespace
        )
    }
}

/// What is shown of an object that was not submitted here, beside its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its labels, at most [`LABELS_MAX`](limits::LABELS_MAX).
    pub labels: BTreeMap<String, String>,
    /// What made it.
    pub owner: Option<Owner>,
}
