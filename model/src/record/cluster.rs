//! A workload cluster.

use super::{
    Credentials, Extent, ForeignSelector, Head, Hub, Kind, Leaving, Miss, Profile, Unshown, WatchScope,
};
use crate::limits::OBSERVE_WATCHES_MAX;
use crate::{Cause, Ordinal, Refusal, RefusalKind, ReplicaId, time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An object with our marks that is not proven ours: reported, never touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stray {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID on the cluster.
    pub uid: String,
}

/// A cluster was given up as lost for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenOff {
    /// By whom.
    pub by: String,
    /// When, ms since 1970.
    pub at_ms: u64,
    /// Why, in their words.
    pub why: String,
    /// Runs that had something there and were given up so far.
    pub runs: u64,
    /// What they had there.
    pub objects: u64,
    /// All of it is given up.
    pub done: bool,
}

impl WrittenOff {
    /// In words.
    #[must_use]
    pub fn words(&self, cluster: &str) -> String {
        let at = time::format(self.at_ms);
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        format!("cluster {cluster} was written off by {} at {at}{why}", self.by)
    }
}

/// A cluster and what is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Name, labels and so on.
    pub head: Head,
    /// How it is reached.
    pub credentials: Credentials,
    /// The datacenter whose replicas reach it; empty: any replica does.
    pub via: String,
    /// Gets no new work.
    pub cordoned: bool,
    /// Runs that are to move and have not started are taken off it; until it is not cordoned any more.
    pub draining: Option<Leaving>,
    /// No kube writes; watching goes on.
    pub paused: bool,
    /// A template of links to the logs of its Pods, see [`log_link`](crate::log_link); empty: there are none.
    pub log_link: String,
    /// Which work is shown that was not submitted here, at most one of each kind and
    /// [`OBSERVE_MAX`](crate::limits::OBSERVE_MAX) in all.
    pub observe: Vec<ForeignSelector>,
    /// What of it is not shown.
    pub unshown: Vec<Unshown>,
    /// Where on it kinds are watched and listed.
    pub watch_scope: WatchScope,
    /// Namespaces in which that is done also while nothing is there, if it is done by namespaces; sorted.
    pub watch_namespaces: Vec<String>,
    /// Its identity: the UID of its kube-system namespace; `None` until first contact.
    pub kube_system_uid: Option<String>,
    /// The Kubernetes version that it reports.
    pub version: String,
    /// Grows with each rewind of its etcd.
    pub timeline: u32,
    /// Nothing is sent: it is not the cluster that it was.
    pub quarantined: bool,
    /// Whether the last contact worked; `None` before the first.
    pub reachable: Option<bool>,
    /// Since when, ms since 1970.
    pub reachable_since_ms: u64,
    /// How long it has been looked for in vain since it was last reached, in ms. Time in which nobody looked does not
    /// count.
    pub missed_ms: u64,
    /// The last of these looks; `None` since it was reached.
    pub missed: Option<Miss>,
    /// The replica that relayed when it was reached last; `None`: the leader reached it itself.
    pub relayed_by: Option<ReplicaId>,
    /// The words of the last failure.
    pub message: String,
    /// What it refuses our watches of, or has none of: the plural where it is known here, else the kind, and behind it
    /// ` in NAMESPACE` if it is watched there only; sorted, at most [`UNWATCHED_MAX`](crate::limits::UNWATCHED_MAX).
    pub unwatched: Vec<String>,
    /// The last finished sweep, ms since 1970; 0: none yet.
    pub swept_ms: u64,
    /// What sweeps found that is not proven ours, sorted, at most
    /// [`STRAYS_MAX`](crate::limits::STRAYS_MAX).
    pub strays: Vec<Stray>,
    /// How many there were, also beyond the shown ones.
    pub strays_count: u64,
    /// It is given up; then it is quarantined as well.
    pub written_off: Option<WrittenOff>,
    /// It tells of other clusters.
    pub hub: Option<Box<Hub>>,
    /// A hub tells of it: what that says is not for users to change.
    pub profile: Option<Box<Profile>>,
}

impl Cluster {
    /// True if work may be placed on it now.
    #[must_use]
    pub fn takes_work(&self) -> bool {
        !self.is_cordoned() && self.writable()
    }

    /// True if it gets no new work, by a person's word or its hub's.
    #[must_use]
    pub fn is_cordoned(&self) -> bool {
        self.cordoned || self.hindrance().is_some()
    }

    /// Why it gets no new work by what its hub says, in words.
    #[must_use]
    pub fn hindrance(&self) -> Option<&str> {
        self.profile.as_ref()?.hindrance.as_deref()
    }

    /// The placement decisions of its hub that name it, each as `NAMESPACE/NAME`; `None` where no hub tells of it.
    #[must_use]
    pub fn decisions(&self) -> Option<&BTreeSet<String>> {
        self.profile.as_ref().map(|profile| &profile.decisions)
    }

    /// True if a placement decision of its hub, `NAMESPACE/NAME`, names it.
    #[must_use]
    pub fn is_decided(&self, decision: &str) -> bool {
        self.decisions().is_some_and(|decisions| decisions.contains(decision))
    }

    /// True if it follows a profile of that hub.
    #[must_use]
    pub fn follows(&self, hub: Ordinal) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.hub == hub)
    }

    /// True if its objects in that namespace tell of other clusters.
    #[must_use]
    pub fn tells_of(&self, namespace: &str) -> bool {
        self.hub.as_ref().is_some_and(|hub| hub.namespaces.iter().any(|known| known == namespace))
    }

    /// True if it selects that, and one of the watches for it is that of the extent.
    #[must_use]
    pub fn observes(&self, selector: &ForeignSelector, extent: &Extent) -> bool {
        self.observe.contains(selector) && selector.extents(self.watch_scope).contains(extent)
    }

    /// Why its watches cannot cover what it is to observe, with what to change.
    pub(crate) fn unobservable(&self) -> Option<Refusal> {
        if self.watch_scope == WatchScope::Cluster {
            return None;
        }
        let unnamed = self.observe.iter().enumerate().filter(|(_, one)| one.namespaces.is_empty());
        let mut causes: Vec<Cause> = unnamed
            .map(|(at, _)| Cause {
                field: format!("spec.observe[{at}].namespaces"),
                message: "must name the namespaces: with watchScope Namespaces nothing is watched in all"
                    .to_owned(),
            })
            .collect();
        if self.observe.iter().map(|one| one.namespaces.len()).sum::<usize>() > OBSERVE_WATCHES_MAX {
            let message = format!(
                "at most {OBSERVE_WATCHES_MAX} namespaces in all with watchScope Namespaces: each is a watch"
            );
            causes.push(Cause { field: "spec.observe".to_owned(), message });
        }
        let words = format!("cluster {:?} cannot be observed so", self.head.name);
        (!causes.is_empty()).then(|| Refusal { causes, ..Refusal::new(RefusalKind::Invalid, words) })
    }

    /// How much of a kind is selected and not shown.
    #[must_use]
    pub fn unshown(&self, kind: &Kind) -> u64 {
        self.unshown.iter().filter(|unshown| unshown.extent.kind == *kind).map(|unshown| unshown.count).sum()
    }

    /// Forgets how much there was of what is not selected any more.
    pub(crate) fn forget_unshown(&mut self) {
        let extents: Vec<Extent> =
            self.observe.iter().flat_map(|selector| selector.extents(self.watch_scope)).collect();
        self.unshown.retain(|unshown| extents.contains(&unshown.extent));
    }

    /// How much of that it was when the watch of the extent counted it last.
    #[must_use]
    pub fn unshown_of(&self, extent: &Extent) -> u64 {
        self.unshown.iter().find(|unshown| unshown.extent == *extent).map_or(0, |unshown| unshown.count)
    }

    /// True if kube writes may be sent to it now.
    #[must_use]
    pub fn writable(&self) -> bool {
        !self.paused && !self.quarantined && self.kube_system_uid.is_some()
    }
}
