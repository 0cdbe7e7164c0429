//! Have the clusters that follow a hub's profiles know a placement decision of it: all of its slices at once.
//!
//! Reads the hub and all clusters; writes those that the decision names anew, or no more. Refused when the hub does not
//! tell of that namespace any more (`Outdated`), or a cluster is in as many decisions as it may be (`TooMany`): then none
//! of it is taken.

use crate::record::{Cluster, Record};
use crate::{Damaged, Done, Ordinal, Refusal, RefusalKind, Txn, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A decision as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowDecision {
    /// The hub.
    pub hub: Ordinal,
    /// Its namespace there.
    pub namespace: String,
    /// What all of its slices are called together, as placements name it behind the namespace.
    pub name: String,
    /// The clusters that it names; none: it is gone, or names none.
    pub clusters: BTreeSet<Ordinal>,
}

impl FollowDecision {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(hub) = txn.cluster(self.hub)?.filter(|hub| hub.tells_of(&self.namespace)) else {
            return Ok(Err(Refusal::outdated("the cluster does not tell of others there any more")));
        };
        let name = format!("{}/{}", self.namespace, self.name);
        let (mut entered, mut left) = (Vec::new(), Vec::new());
        for mut cluster in txn.clusters()? {
            let is_named = self.names(&cluster, &name);
            let Some(profile) = cluster.profile.as_mut().filter(|profile| profile.hub == self.hub) else {
                continue;
            };
            if is_named
                && profile.decisions.len() >= limits::DECISIONS_MAX
                && !profile.decisions.contains(&name)
            {
                let message =
                    format!("cluster {:?} is in {} decisions", cluster.head.name, limits::DECISIONS_MAX);
                return Ok(Err(Refusal::new(RefusalKind::TooMany, message)));
            }
            let is_changed = match is_named {
                true => profile.decisions.insert(name.clone()),
                false => profile.decisions.remove(&name),
            };
            if is_changed {
                let names = if is_named { &mut entered } else { &mut left };
                names.push(cluster.head.name.clone());
                txn.put(Record::Cluster(cluster))?;
            }
        }
        if entered.is_empty() && left.is_empty() {
            return Ok(Ok(Done::unchanged(Record::Cluster(hub))));
        }
        let mut words = format!("decision {name}");
        for (what, names) in [("now names", entered), ("names no more", left)] {
            if !names.is_empty() {
                words.push_str(&format!("; {what} {}", names.join(", ")));
            }
        }
        crate::rule::truncate(&mut words);
        txn.say(words);
        let record = txn.put(Record::Cluster(hub))?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// True if it would change one of these.
    #[must_use]
    pub fn changes(&self, clusters: &[Cluster]) -> bool {
        let name = format!("{}/{}", self.namespace, self.name);
        let is_other = |cluster: &Cluster| cluster.is_decided(&name) != self.names(cluster, &name);
        clusters.iter().any(|cluster| cluster.follows(self.hub) && is_other(cluster))
    }

    /// True if it has the cluster, as it is. One whose profile is gone comes into no decision anew, and stays in those
    /// that still name it: profiles come back.
    fn names(&self, cluster: &Cluster, name: &str) -> bool {
        let is_gone = cluster.profile.as_ref().is_none_or(|profile| profile.gone_ms.is_some());
        self.clusters.contains(&cluster.head.ordinal) && (!is_gone || cluster.is_decided(name))
    }
}
