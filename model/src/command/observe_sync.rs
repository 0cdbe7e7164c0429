//! Record what reads of what is kept in sync found.
//!
//! Reads and writes the installation, and its deployable if that looks different then. What is not known under that
//! UID, or has a kube write under way, is left alone. Refused as `Outdated` when the installation is gone.

use super::conclude_sync::gone;
use super::install;
use crate::record::{Differences, Drifted, Health, ObjectState, Record, Synced};
use crate::{Damaged, Digest, Done, Ordinal, Refusal, Txn, rule};
use serde::{Deserialize, Serialize};

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Its UID on the cluster.
    pub uid: String,
    /// Its resourceVersion there.
    pub resource_version: String,
    /// It has been asked to go.
    pub deleting: bool,
    /// What of it is ours, see [`Owned`](crate::rule::Owned).
    pub owned: Option<Digest>,
    /// Who changed it last beside us.
    pub changed_by: Option<String>,
    /// How it does.
    pub health: Health,
    /// What it says of that.
    pub health_message: String,
    /// Where it differs from what was applied; `None`: that was not looked at.
    pub differences: Option<Differences>,
}

/// What a read of one object found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// The object's UID when the read began.
    pub uid: String,
    /// What is there under that UID; `None`: it is gone.
    pub looked: Option<Looked>,
}

/// What reads found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveSync {
    /// The installation.
    pub installation: Ordinal,
    /// What was found of each object that is not as it was.
    pub sights: Vec<Sight>,
}

impl ObserveSync {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(Record::Installation(mut installation)) = txn.record(self.installation)? else {
            return Ok(Err(Refusal::outdated("the installation is gone")));
        };
        let (now, before) = (txn.now_ms(), installation.clone());
        for sight in &self.sights {
            let known = |object: &&mut Synced| {
                object.uid.as_ref() == Some(&sight.uid)
                    && object.state == ObjectState::Live
                    && object.pending.is_none()
            };
            let Some(object) = installation.objects.iter_mut().find(known) else { continue };
            match &sight.looked {
                Some(looked) => see(object, looked, now),
                None => {
                    gone(object, now);
                    object.due_ms = object.due_ms.min(now);
                }
            }
        }
        if installation == before {
            return Ok(Ok(Done::at(txn)));
        }
        let found = |object: &&Synced| object.drift.is_some();
        let drifted: Vec<String> = installation
            .objects
            .iter()
            .filter(found)
            .map(|object| format!("{} {}/{}", object.kind, object.namespace, object.name))
            .collect();
        txn.say(match drifted.is_empty() {
            true => format!("on {}", installation.cluster_name),
            false => format!("on {}, changed by others: {}", installation.cluster_name, drifted.join(", ")),
        });
        install::changed(txn, installation)?;
        Ok(Ok(Done::at(txn)))
    }
}

/// Takes what was seen of an object that is there.
pub(super) fn see(object: &mut Synced, looked: &Looked, now: u64) {
    object.resource_version.clone_from(&looked.resource_version);
    object.deleting = looked.deleting;
    object.health = looked.health;
    object.health_message.clone_from(&looked.health_message);
    rule::truncate(&mut object.health_message);
    if let Some(seen) = &looked.differences {
        let mut differences = seen.clone();
        differences.admit_known(&object.differences);
        object.differences_digest = seen.digest();
        object.differences = differences;
    }
    // Before the first apply nothing is ours in that way.
    let Some(owned) = object.owned else { return };
    if looked.owned == Some(owned) {
        object.drift = None;
    } else if object.drift.is_none() {
        let by = looked.changed_by.clone().unwrap_or_default();
        object.drift = Some(Drifted { gone: false, by, since_ms: now });
    }
}
