//! A deployable on one cluster.

use super::{Drift, Kind, ObjectState, Permit};
use crate::{Ordinal, Revision, Uid};
use serde::{Deserialize, Serialize};

/// A kube write of something that is kept in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncAction {
    /// POST the object.
    Create,
    /// PATCH it by server-side apply, by UID.
    Apply,
    /// DELETE it, by UID.
    Delete,
    /// PATCH our labels and annotations away, by UID: it stays and is ours no more.
    Release,
}

impl std::fmt::Display for SyncAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Apply => "apply",
            Self::Delete => "delete",
            Self::Release => "release",
        })
    }
}

/// A committed decision to make one kube write, until its outcome is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncIntent {
    /// What.
    pub action: SyncAction,
    /// Of which generation.
    pub generation: u32,
    /// By whom.
    pub permit: Permit,
    /// Log index of the intent: its identity.
    pub index: u64,
    /// When it was committed, ms since 1970.
    pub at_ms: u64,
    /// The request may or may not have taken effect: it must be read back.
    pub unknown: bool,
}

/// How an object does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Health {
    /// It does what it is for, or is of a kind that only exists.
    Healthy,
    /// It is on its way.
    #[default]
    Progressing,
    /// It says that it fails.
    Degraded,
}

impl Health {
    /// The word that users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Progressing => "Progressing",
            Self::Degraded => "Degraded",
        }
    }
}

/// Somebody else changed what was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drifted {
    /// The object is gone, not changed.
    pub gone: bool,
    /// The field manager who changed the object last beside us; empty: it is not known.
    pub by: String,
    /// When it was found, ms since 1970.
    pub since_ms: u64,
}

/// One field of which two forms of an object differ. Values are JSON, cut at
/// [`DIFFERENCE_BYTES_MAX`](crate::limits::DIFFERENCE_BYTES_MAX) bytes and then ending in `…`; `None`: it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// A JSON pointer to it.
    pub pointer: String,
    /// As it was applied.
    pub before: Option<String>,
    /// As it is there, or is to be.
    pub after: Option<String>,
    /// So its cluster answered to the apply itself: a webhook or the kind's own rules made it, nobody changed it since.
    pub admitted: bool,
}

impl Difference {
    fn len_bytes(&self) -> usize {
        let values = [&self.before, &self.after].into_iter().flatten().map(String::len);
        self.pointer.len() + values.sum::<usize>()
    }
}

/// The fields of which two forms of an object differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// At most [`DIFFERENCES_MAX`](crate::limits::DIFFERENCES_MAX).
    pub fields: Vec<Difference>,
    /// How many more there are.
    pub more: u32,
}

impl Differences {
    /// Bytes that they take.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.fields.iter().map(Difference::len_bytes).sum()
    }

    /// Of all that they say but what is [`admitted`](Difference::admitted).
    #[must_use]
    pub fn digest(&self) -> crate::Digest {
        let said: Vec<_> = self.fields.iter().map(|one| (&one.pointer, &one.before, &one.after)).collect();
        // A Vec takes all.
        crate::Digest::of(&serde_json::to_vec(&(said, self.more)).unwrap_or_default())
    }

    /// Marks those that a kube-apiserver's answer to an apply shows.
    pub fn admit(&mut self) {
        self.fields.iter_mut().for_each(|one| one.admitted = true);
    }

    /// Marks those that were marked before and are as they were.
    pub fn admit_known(&mut self, known: &Self) {
        for one in &mut self.fields {
            let is_it = |other: &&Difference| (&other.pointer, &other.after) == (&one.pointer, &one.after);
            one.admitted = known.fields.iter().find(is_it).is_some_and(|other| other.admitted);
        }
    }
}

/// One object that is kept in sync on one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace on the cluster.
    pub namespace: String,
    /// Its name there.
    pub name: String,
    /// Which manifest of the wanted generation it is.
    pub planned: u16,
    /// It should exist.
    pub wanted: bool,
    /// If it should not: it stays and is released, not deleted.
    pub keep: bool,
    /// What is known.
    pub state: ObjectState,
    /// Its UID on the cluster.
    pub uid: Option<String>,
    /// Its resourceVersion when it was read last.
    pub resource_version: String,
    /// It has been asked to go.
    pub deleting: bool,
    /// The kube write that is under way.
    pub pending: Option<SyncIntent>,
    /// When the next kube write for it may be made, ms since 1970.
    pub due_ms: u64,
    /// Failed tries of the current kube write.
    pub tries: u32,
    /// A create of it was committed: its name is claimed.
    pub create_intended: bool,
    /// Until when a create whose outcome was never known may still take effect, ms since 1970; 0: none.
    pub doubt_until_ms: u64,
    /// The generation that was applied last.
    pub applied: Option<u32>,
    /// What was ours after that, see [`Owned`](crate::rule::Owned).
    pub owned: Option<crate::Digest>,
    /// Where it differs from what was applied last.
    pub differences: Differences,
    /// Of all of them, as they were seen: kept ones may be cut.
    pub differences_digest: crate::Digest,
    /// Somebody else changed it since.
    pub drift: Option<Drifted>,
    /// How often in a row it was applied again because of that.
    pub corrections: u32,
    /// When that was last, ms since 1970.
    pub corrected_ms: u64,
    /// How it does.
    pub health: Health,
    /// What it says of that.
    pub health_message: String,
    /// The words of the last refusal or failure.
    pub message: String,
}

impl Synced {
    /// True while its name is claimed on its cluster.
    #[must_use]
    pub fn claims(&self) -> bool {
        let there = self.state == ObjectState::Live || self.pending.is_some() || self.doubt_until_ms > 0;
        self.create_intended && (self.wanted || there)
    }

    /// True if it stays when it is not wanted any more.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.keep || self.kind.is_definition()
    }

    /// True if it should not exist, does not, and nothing that was sent can still make it.
    #[must_use]
    pub fn is_void(&self) -> bool {
        let there = self.state == ObjectState::Live || self.pending.is_some() || self.doubt_until_ms > 0;
        !self.wanted && !there
    }

    /// True if it should not exist, does not as far as is known, and a request that was sent may still make it.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        !self.wanted && self.state != ObjectState::Live && self.pending.is_none() && self.doubt_until_ms > 0
    }
}

/// A deployable on one cluster, and what is due there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// The row key.
    pub ordinal: Ordinal,
    /// The revision of the last change.
    pub revision: Revision,
    /// Whose it is.
    pub deployable: Ordinal,
    /// Its UID: the label of the objects.
    pub uid: Uid,
    /// Its tenant.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where.
    pub cluster: Ordinal,
    /// Its name, kept for after the cluster's record is gone.
    pub cluster_name: String,
    /// The wanted generation.
    pub generation: u32,
    /// Its record.
    pub bundle: Ordinal,
    /// The generation that it counts as, see [`Bundle::counts_as`](super::Bundle::counts_as).
    pub counts_as: u32,
    /// The newest generation of which all was applied here; 0: none.
    pub applied: u32,
    /// What changes of others lead to.
    pub drift: Drift,
    /// Since when all of the wanted generation is applied and healthy here, ms since 1970.
    pub ready_ms: Option<u64>,
    /// Nothing of it is wanted here any more.
    pub leaving: bool,
    /// That objects of it are deleted was counted by the [`brake`](crate::brake), for the wanted generation.
    pub stop_counted: bool,
    /// In the order of the bundle; what left it is behind.
    pub objects: Vec<Synced>,
}

impl Installation {
    /// True if the object is as the wanted generation has it, as far as we wrote it.
    #[must_use]
    pub fn is_synced(&self, object: &Synced) -> bool {
        object.state == ObjectState::Live && object.applied == Some(self.generation)
    }

    /// True if all of the wanted generation is applied, and nothing else is left.
    #[must_use]
    pub fn is_all_synced(&self) -> bool {
        !self.leaving && self.objects.iter().all(|object| object.wanted && self.is_synced(object))
    }

    /// True while nothing is written because somebody changed something.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.drift == Drift::Freeze && !self.leaving && self.is_drifted()
    }

    /// True if somebody else changed something.
    #[must_use]
    pub fn is_drifted(&self) -> bool {
        self.objects.iter().any(|object| object.drift.is_some())
    }

    /// True if something cannot be written.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.objects.iter().any(|object| object.tries > 0 && !object.message.is_empty())
    }

    /// How all of it does together.
    #[must_use]
    pub fn health(&self) -> Health {
        self.objects
            .iter()
            .filter(|object| object.wanted)
            .map(|object| object.health)
            .max()
            .unwrap_or_default()
    }

    /// The kube write that is due for an object now or later, if none is under way.
    #[must_use]
    pub fn next_action(&self, object: &Synced) -> Option<SyncAction> {
        if object.pending.is_some() || object.deleting && object.state == ObjectState::Live {
            return None;
        }
        let live = object.state == ObjectState::Live;
        if !object.wanted {
            // What left the bundle goes when all that is in it is there.
            let turn = self.leaving || self.objects.iter().all(|one| !one.wanted || self.is_synced(one));
            return match object.is_kept() {
                _ if !live || !turn => None,
                true => Some(SyncAction::Release),
                false => self.is_last(object).then_some(SyncAction::Delete),
            };
        }
        if self.is_frozen() || !self.is_turn(object) {
            return None;
        }
        let corrects = object.drift.is_none() || self.drift == Drift::Correct;
        match object.state {
            ObjectState::Live if object.applied != Some(self.generation) => Some(SyncAction::Apply),
            ObjectState::Live => (object.drift.is_some() && corrects).then_some(SyncAction::Apply),
            ObjectState::Absent | ObjectState::Gone => corrects.then_some(SyncAction::Create),
        }
    }

    /// The object at `position` as people call it.
    #[must_use]
    pub fn describe(&self, position: usize) -> String {
        let Some(object) = self.objects.get(position) else { return format!("object {position}") };
        let Synced { kind, namespace, name, .. } = object;
        let slash = if namespace.is_empty() { "" } else { "/" };
        format!("{kind} {namespace}{slash}{name} on {}", self.cluster_name)
    }
}
