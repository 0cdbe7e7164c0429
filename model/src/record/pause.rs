//! That nothing is sent, because a person said so.

use super::{Cluster, Meta, Runnable};
use crate::{Reason, brake, time};
use serde::{Deserialize, Serialize};

/// No kube writes, for the group or for a tenant; watching goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Who said so.
    pub by: String,
    /// Since when, ms since 1970.
    pub at_ms: u64,
    /// Why, in their words.
    pub why: String,
}

impl Paused {
    /// In a sentence about `what`.
    #[must_use]
    pub fn words(&self, what: &str) -> String {
        let mut words = format!("{what} is paused by {} since {}", self.by, time::format(self.at_ms));
        if !self.why.is_empty() {
            words.push_str(": ");
            words.push_str(&self.why);
        }
        words
    }
}

impl Meta {
    /// Why nothing is sent for a tenant, in words; `None` if that is not paused.
    #[must_use]
    pub fn paused_words(&self, tenant: &str) -> Option<String> {
        let group = self.paused.as_ref().map(|pause| pause.words("the group"));
        group.or_else(|| self.tenant_paused_words(tenant))
    }

    /// As [`paused_words`](Self::paused_words), of the tenant alone.
    #[must_use]
    pub fn tenant_paused_words(&self, tenant: &str) -> Option<String> {
        self.paused_tenants.get(tenant).map(|pause| pause.words(&format!("tenant {tenant}")))
    }
}

impl Runnable {
    /// What keeps Tallyman from sending what the run waits for, though nothing is wrong with the run: its group, tenant
    /// or cluster is paused, the cluster is not the one that it was, or a brake is engaged. `None` if nothing of that, or nothing is to be
    /// sent. `cluster`: that of its last attempt.
    #[must_use]
    pub fn held_up(&self, meta: &Meta, cluster: Option<&Cluster>) -> Option<(Reason, String)> {
        if !self.wants_cluster() && self.objects.iter().all(|object| self.next_action(object).is_none()) {
            return None;
        }
        if let Some(words) = meta.paused_words(&self.head.namespace) {
            return Some((Reason::Paused, words));
        }
        let cluster = cluster.filter(|_| !self.wants_cluster())?;
        let name = &cluster.head.name;
        if cluster.quarantined {
            return Some((
                Reason::NeedsOperator,
                format!("cluster {name} is quarantined: {}", cluster.message),
            ));
        }
        if cluster.paused {
            return Some((Reason::Paused, format!("cluster {name} is paused")));
        }
        let words = meta.braked_words(cluster.head.ordinal, name, &self.head.namespace);
        words.filter(|_| brake::may_hold(self)).map(|words| (Reason::NeedsOperator, words))
    }
}
