//! Change a cluster's settings; its identity only by confirming the one that it shows.
//!
//! Reads the members, reads and writes the cluster; removes what is shown of it though it was not submitted here, and is
//! not selected any more. Refused when there is none of that name (`NotFound`), it is not at the revision
//! that was asked for, or is to be confirmed while what was written off with it is not given up yet (`Conflict`), or no
//! replica is in the datacenter that it is to be reached through, its watches cannot cover what it is to observe, or its hub
//! says what it is to be changed in (`Invalid`).
//! What tells of others no more lets go of those that followed it: they stay as they are.

use crate::record::{Cluster, Credentials, ForeignSelector, Hub, Record, Resource, WatchScope};
use crate::{Cause, Damaged, Done, Refusal, RefusalKind, Revision, Txn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to change; `None` leaves as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateCluster {
    /// The name.
    pub name: String,
    /// Only at this revision.
    pub revision: Option<Revision>,
    /// All labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// All annotations.
    pub annotations: Option<BTreeMap<String, String>>,
    /// How it is reached.
    pub credentials: Option<Credentials>,
    /// The datacenter whose replicas reach it; empty: any replica does.
    pub via: Option<String>,
    /// Gets no new work.
    pub cordoned: Option<bool>,
    /// No kube writes.
    pub paused: Option<bool>,
    /// See [`log_link`](crate::log_link); empty: no links.
    pub log_link: Option<String>,
    /// The namespaces in which it tells of other clusters, sorted; none: it is no hub.
    pub hub: Option<Vec<String>>,
    /// Which work is shown that was not submitted here. What is not selected any more is forgotten.
    pub observe: Option<Vec<ForeignSelector>>,
    /// Where on it kinds are watched and listed, and the namespaces that [`Cluster::watch_namespaces`] is to have.
    pub watch: Option<(WatchScope, Vec<String>)>,
    /// The kube-system UID that the cluster shows now is accepted as its identity; ends a quarantine.
    pub confirm_identity: Option<String>,
}

impl UpdateCluster {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(Record::Cluster(mut cluster)) = txn.named(Resource::Cluster, "", &self.name)? else {
            let message = format!("clusters.tallyman.dev {:?} not found", self.name);
            return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
        };
        if self.revision.is_some_and(|revision| revision != cluster.head.revision) {
            let message = format!("cluster {:?} has changed; read it again and repeat the change", self.name);
            return Ok(Err(Refusal::changed(message)));
        }
        if let Some(refusal) = self.owned(&cluster) {
            return Ok(Err(refusal));
        }
        let before = cluster.clone();
        set(&mut cluster.head.labels, self.labels.as_ref());
        set(&mut cluster.head.annotations, self.annotations.as_ref());
        set(&mut cluster.credentials, self.credentials.as_ref());
        if let Some(via) = self.via.as_ref().filter(|via| **via != cluster.via) {
            if let Err(refusal) = txn.known_datacenter(via)? {
                return Ok(Err(refusal));
            }
            cluster.via.clone_from(via);
        }
        set(&mut cluster.cordoned, self.cordoned.as_ref());
        if !cluster.cordoned {
            cluster.draining = None;
        }
        set(&mut cluster.paused, self.paused.as_ref());
        set(&mut cluster.log_link, self.log_link.as_ref());
        set(&mut cluster.observe, self.observe.as_ref());
        if let Some((scope, namespaces)) = &self.watch {
            cluster.watch_scope = *scope;
            cluster.watch_namespaces.clone_from(namespaces);
        }
        if let Some(refusal) = cluster.unobservable() {
            return Ok(Err(refusal));
        }
        if let Some(uid) = &self.confirm_identity {
            if cluster.written_off.as_ref().is_some_and(|off| !off.done) {
                let message = format!("what runs have on cluster {:?} is being given up still", self.name);
                return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
            }
            cluster.written_off = None;
            if cluster.kube_system_uid.as_ref() != Some(uid) {
                cluster.timeline += 1;
            }
            cluster.kube_system_uid = Some(uid.clone());
            cluster.quarantined = false;
        }
        if let Some(namespaces) = &self.hub {
            retell(&mut cluster, namespaces);
        }
        if cluster == before {
            return Ok(Ok(Done::unchanged(Record::Cluster(cluster))));
        }
        if (&before.observe, before.watch_scope) != (&cluster.observe, cluster.watch_scope) {
            cluster.forget_unshown();
            txn.forget_foreign(cluster.head.ordinal, Some(&cluster))?;
        }
        txn.say(words(&before, &cluster));
        if before.hub != cluster.hub {
            let_go(txn, &cluster)?;
        }
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// Refuses to change what its hub says of a cluster.
    fn owned(&self, cluster: &Cluster) -> Option<Refusal> {
        let profile = cluster.profile.as_ref()?;
        let labels = |labels: &BTreeMap<String, String>| -> Vec<Option<String>> {
            profile.labels.iter().map(|key| labels.get(key).cloned()).collect()
        };
        let is_other = [
            ("spec.server", self.credentials.as_ref().is_some_and(|wanted| *wanted != cluster.credentials)),
            (
                "metadata.labels",
                self.labels.as_ref().is_some_and(|wanted| labels(wanted) != labels(&cluster.head.labels)),
            ),
        ];
        let message = format!("comes from {}: change it there", profile.words());
        let cause = |(field, _): (&str, bool)| Cause { field: field.to_owned(), message: message.clone() };
        let causes: Vec<Cause> = is_other.into_iter().filter(|(_, is)| *is).map(cause).collect();
        let words = format!("cluster {:?} follows {}", self.name, profile.words());
        (!causes.is_empty()).then(|| Refusal { causes, ..Refusal::new(RefusalKind::Invalid, words) })
    }
}

/// Other namespaces; what could not be followed of the same ones stays known.
fn retell(cluster: &mut Cluster, namespaces: &[String]) {
    if cluster.hub.as_ref().is_none_or(|hub| hub.namespaces != namespaces) {
        cluster.hub = Hub::of(namespaces);
    }
}

/// What a hub tells of no more is a cluster like any other.
fn let_go(txn: &mut Txn<'_>, hub: &Cluster) -> Result<(), Damaged> {
    let ordinal = hub.head.ordinal;
    for mut cluster in txn.clusters()?.into_iter().filter(|cluster| cluster.follows(ordinal)) {
        if cluster.profile.as_ref().is_some_and(|profile| !hub.tells_of(&profile.namespace)) {
            cluster.profile = None;
            txn.put(Record::Cluster(cluster))?;
        }
    }
    Ok(())
}

/// What changed, as the ledger tells it.
fn words(before: &Cluster, after: &Cluster) -> String {
    let mut words: Vec<String> = Vec::new();
    for (was, is, yes, no) in [
        (before.cordoned, after.cordoned, "cordoned", "uncordoned"),
        (before.paused, after.paused, "paused", "resumed"),
        (before.quarantined, after.quarantined, "quarantined", "out of quarantine"),
    ] {
        if was != is {
            words.push(if is { yes } else { no }.to_owned());
        }
    }
    if before.written_off.is_some() && after.written_off.is_none() {
        words.push("written off no more".to_owned());
    }
    if before.kube_system_uid != after.kube_system_uid {
        let uid = after.kube_system_uid.as_deref().unwrap_or_default();
        words.push(format!("confirmed as kube-system UID {uid}"));
    }
    for (is_changed, what) in [
        (before.credentials != after.credentials, "credentials"),
        (before.via != after.via, "via"),
        (before.log_link != after.log_link, "log link"),
        (before.hub != after.hub, "hub"),
        (before.observe != after.observe, "observe"),
        (before.watch_scope != after.watch_scope, "watch scope"),
        (before.watch_namespaces != after.watch_namespaces, "namespaces to be watched"),
        (before.head.labels != after.head.labels, "labels"),
        (before.head.annotations != after.head.annotations, "annotations"),
    ] {
        if is_changed {
            words.push(what.to_owned());
        }
    }
    words.join(", ")
}

fn set<T: Clone>(slot: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        slot.clone_from(value);
    }
}
