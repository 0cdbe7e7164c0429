//! Register a cluster.
//!
//! Reads the name and the members; writes the cluster. Refused when the name is taken (`AlreadyExists`), no
//! replica is in the datacenter that it is reached through, or its watches cannot cover what it is to observe (`Invalid`).

use super::Principal;
use crate::record::{Cluster, Credentials, ForeignSelector, Head, Hub, Record, Resource, WatchScope};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn, Uid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A cluster to be registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddCluster {
    /// Random, made by whoever took the request. Not the identity of the cluster itself.
    pub uid: Uid,
    /// Its name.
    pub name: String,
    /// Labels that placements select on.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// How it is reached.
    pub credentials: Credentials,
    /// The datacenter whose replicas reach it; empty: any replica does.
    pub via: String,
    /// Gets no work yet.
    pub cordoned: bool,
    /// No kube writes yet.
    pub paused: bool,
    /// See [`log_link`](crate::log_link); empty: no links.
    pub log_link: String,
    /// The namespaces in which it tells of other clusters, sorted; empty: it is no hub.
    pub hub: Vec<String>,
    /// Which work is shown that was not submitted here.
    pub observe: Vec<ForeignSelector>,
    /// Where on it kinds are watched and listed.
    pub watch_scope: WatchScope,
    /// See [`Cluster::watch_namespaces`].
    pub watch_namespaces: Vec<String>,
}

impl AddCluster {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.named(Resource::Cluster, "", &self.name)?.is_some() {
            let message = format!("clusters.tallyman.dev {:?} already exists", self.name);
            return Ok(Err(Refusal::new(RefusalKind::AlreadyExists, message)));
        }
        if let Err(refusal) = txn.known_datacenter(&self.via)? {
            return Ok(Err(refusal));
        }
        let cluster = Cluster {
            head: Head {
                ordinal: txn.new_ordinal(),
                uid: self.uid,
                name: self.name.clone(),
                labels: self.labels.clone(),
                annotations: self.annotations.clone(),
                created_ms: txn.now_ms(),
                created_by: by.user.clone(),
                ..Head::default()
            },
            credentials: self.credentials.clone(),
            via: self.via.clone(),
            cordoned: self.cordoned,
            paused: self.paused,
            log_link: self.log_link.clone(),
            hub: Hub::of(&self.hub),
            observe: self.observe.clone(),
            watch_scope: self.watch_scope,
            watch_namespaces: self.watch_namespaces.clone(),
            timeline: 1,
            ..Cluster::default()
        };
        if let Some(refusal) = cluster.unobservable() {
            return Ok(Err(refusal));
        }
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
