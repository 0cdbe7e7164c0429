//! Have a cluster's record follow a `ClusterProfile` of a hub.
//!
//! Reads the hub and all clusters; writes the cluster that follows the profile, or a new one of the profile's name. When
//! the profile is gone the cluster gets nothing new, and stays in the decisions that it was in; after
//! [`PROFILE_GONE_MS`](crate::limits::PROFILE_GONE_MS) the record is removed, unless there is something of ours on the
//! cluster. Refused when the hub does not tell of that namespace any more (`Outdated`), or the name is another cluster's
//! (`AlreadyExists`).

use super::remove_cluster;
use crate::record::{Cluster, Credentials, Head, Profile, Record, Resource};
use crate::{Damaged, Done, Ordinal, Refusal, RefusalKind, Txn, Uid, rule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A profile as its hub has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowProfile {
    /// The hub.
    pub hub: Ordinal,
    /// The profile's namespace.
    pub namespace: String,
    /// The profile's name.
    pub name: String,
    /// Random: the UID of a new record.
    pub uid: Uid,
    /// What it says; `None`: it is gone.
    pub says: Option<ProfileSays>,
}

/// What a profile says of its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileSays {
    /// Labels that placements select on.
    pub labels: BTreeMap<String, String>,
    /// How the cluster is reached; `None`: in no way that there is here, and `hindrance` says why.
    pub credentials: Option<Credentials>,
    /// What it says of the health of the control plane; empty: nothing.
    pub health: String,
    /// Why the cluster gets nothing new, in words.
    pub hindrance: Option<String>,
}

impl FollowProfile {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(hub) = txn.cluster(self.hub)?.filter(|hub| hub.tells_of(&self.namespace)) else {
            return Ok(Err(Refusal::outdated("the cluster does not tell of others there any more")));
        };
        let before = txn.clusters()?.into_iter().find(|cluster| self.is_of(cluster));
        let mut cluster = match (&before, &self.says) {
            (Some(cluster), _) => cluster.clone(),
            (None, Some(says)) if says.credentials.is_some() => {
                if txn.named(Resource::Cluster, "", &self.name)?.is_some() {
                    let message = format!("clusters.tallyman.dev {:?} already exists", self.name);
                    return Ok(Err(Refusal::new(RefusalKind::AlreadyExists, message)));
                }
                self.new_cluster(txn, &hub)
            }
            // There is nothing to reach yet, or no more.
            (None, _) => return Ok(Ok(Done::unchanged(Record::Cluster(hub)))),
        };
        if self.says.is_none()
            && cluster.profile.as_ref().is_some_and(|profile| profile.is_forgotten(txn.now_ms()))
            && remove_cluster::is_empty(txn, cluster.head.ordinal)?
        {
            txn.say("has been gone from its hub for long, and has nothing of ours");
            remove_cluster::take_out(txn, cluster.head.ordinal)?;
            return Ok(Ok(Done::with(txn, Arc::new(Record::Cluster(cluster)))));
        }
        self.follow(&mut cluster, txn.now_ms());
        if before.as_ref() == Some(&cluster) {
            return Ok(Ok(Done::unchanged(Record::Cluster(cluster))));
        }
        txn.say(words(before.as_ref(), &cluster));
        let record = txn.put(Record::Cluster(cluster))?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// True if that is the record that follows it.
    #[must_use]
    pub fn is_of(&self, cluster: &Cluster) -> bool {
        cluster.profile.as_ref().is_some_and(|profile| profile.is(self.hub, &self.namespace, &self.name))
    }

    /// True if it would change the record that follows it.
    #[must_use]
    pub fn changes(&self, cluster: &Cluster, now_ms: u64) -> bool {
        let mut followed = cluster.clone();
        self.follow(&mut followed, now_ms);
        let is_over = |profile: &Profile| self.says.is_none() && profile.is_forgotten(now_ms);
        followed != *cluster || cluster.profile.as_deref().is_some_and(is_over)
    }

    fn new_cluster(&self, txn: &mut Txn<'_>, hub: &Cluster) -> Cluster {
        let profile = Profile {
            hub: self.hub,
            hub_name: hub.head.name.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            ..Profile::default()
        };
        Cluster {
            head: Head {
                ordinal: txn.new_ordinal(),
                uid: self.uid,
                name: self.name.clone(),
                created_ms: txn.now_ms(),
                created_by: profile.words(),
                ..Head::default()
            },
            profile: Some(Box::new(profile)),
            timeline: 1,
            ..Cluster::default()
        }
    }

    /// Labels that people gave stay; those that came from the profile go with it.
    fn follow(&self, cluster: &mut Cluster, now_ms: u64) {
        let Some(profile) = cluster.profile.as_mut() else { return };
        let Some(says) = &self.says else {
            profile.gone_ms = profile.gone_ms.or(Some(now_ms));
            profile.hindrance = Some(format!("{} is gone", profile.words()));
            return;
        };
        profile.gone_ms = None;
        profile.health.clone_from(&says.health);
        profile.hindrance.clone_from(&says.hindrance);
        profile.hindrance.iter_mut().chain([&mut profile.health]).for_each(rule::truncate);
        for key in std::mem::take(&mut profile.labels) {
            cluster.head.labels.remove(&key);
        }
        profile.labels = says.labels.keys().cloned().collect();
        cluster.head.labels.extend(says.labels.clone());
        if let Some(credentials) = &says.credentials {
            cluster.credentials.clone_from(credentials);
        }
    }
}

/// What changed, as the ledger tells it.
fn words(before: Option<&Cluster>, after: &Cluster) -> String {
    let hindrance = |cluster: &Cluster| cluster.hindrance().map(str::to_owned);
    let health = |cluster: &Cluster| cluster.profile.as_ref().map(|profile| profile.health.clone());
    let mut words = Vec::new();
    match before {
        None => words.push(format!("follows {}", after.head.created_by)),
        Some(before) => {
            let changed = [
                (before.credentials != after.credentials, "credentials"),
                (before.head.labels != after.head.labels, "labels"),
                (health(before) != health(after), "health as its hub says it"),
            ];
            words.extend(changed.into_iter().filter(|(is, _)| *is).map(|(_, what)| what.to_owned()));
        }
    }
    if before.and_then(hindrance) != hindrance(after) {
        words.push(match hindrance(after) {
            Some(why) => format!("gets nothing new: {why}"),
            None => "may get work again".to_owned(),
        });
    }
    words.join(", ")
}
