//! One object on one cluster that a runnable asked for.

use super::ReadBack;
use crate::{Ordinal, ReplicaId, Revision};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Who may act: one leadership of one process. Every kube write is made under one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Permit {
    /// The Raft term.
    pub term: u64,
    /// The leader of that term.
    pub leader: ReplicaId,
    /// The random number of the leader's process.
    pub incarnation: u64,
}

/// A kube write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// POST the object.
    Create,
    /// DELETE it, by UID.
    Delete,
    /// PATCH away our hold finalizer, by UID.
    Release,
    /// PATCH our labels, annotations and hold back, by UID.
    Relabel,
    /// PATCH the field by which the kind is stopped, by UID.
    Stop,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Action::Create => "create",
            Action::Delete => "delete",
            Action::Release => "release the hold of",
            Action::Relabel => "put the marks back on",
            Action::Stop => "stop",
        })
    }
}

/// A committed decision to make one kube write, until its outcome is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What.
    pub action: Action,
    /// By whom.
    pub permit: Permit,
    /// Log index of the intent: its identity.
    pub index: u64,
    /// When it was committed, ms since 1970.
    pub at_ms: u64,
    /// The request may or may not have taken effect: it must be read back.
    pub unknown: bool,
}

/// What is known of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ObjectState {
    /// Not created, or not known to be.
    Absent,
    /// Exists under the recorded UID.
    Live,
    /// Was seen to be gone, by UID; or was never made and never will be.
    Gone,
}

/// The condition of a main object that decides what it is: of several that hold, the last here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// It does not run until somebody lets it.
    Suspended,
    /// It ended well.
    Complete,
    /// It ended badly.
    Failed,
}

impl Condition {
    /// As the kind's own status has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Condition::Suspended => "Suspended",
            Condition::Complete => "Complete",
            Condition::Failed => "Failed",
        }
    }
}

/// The projection of an object's status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When the observation was committed, ms since 1970.
    pub at_ms: u64,
    /// The cluster's resourceVersion of it.
    pub resource_version: String,
    /// The cluster's timeline that the resourceVersion belongs to.
    pub timeline: u32,
    /// When it was made, ms since 1970 on the cluster's clock.
    pub created_ms: Option<u64>,
    /// Something of it runs.
    pub active: u32,
    /// Parts that are there and do not run, as far as it counts them.
    pub waiting: u32,
    /// Parts that ended well.
    pub succeeded: u32,
    /// Parts that ended badly.
    pub failed: u32,
    /// When it says it started, ms since 1970 on the cluster's clock.
    pub started_ms: Option<u64>,
    /// When it says it ended.
    pub finished_ms: Option<u64>,
    /// From when it has been asked to go (deletionTimestamp).
    pub deleting_ms: Option<u64>,
    /// Finalizers beside our hold, in their order, at most
    /// [`FINALIZERS_MAX`](crate::limits::FINALIZERS_MAX): what a release of the hold must leave.
    pub finalizers: Vec<String>,
    /// What it says of itself.
    pub condition: Option<Condition>,
    /// The reason and message of that condition.
    pub message: String,
    /// The revision of the [`StatusRule`](super::StatusRule) by which it was read; `None`: by none.
    pub rule: Option<Revision>,
}

impl Seen {
    /// It has been asked to go.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.deleting_ms.is_some()
    }

    /// True if this is newer than what the cluster said of the same object at `resource_version` of `timeline`: a
    /// restored etcd counts its versions from an earlier one, so they order within a timeline only.
    #[must_use]
    pub fn is_after(&self, timeline: u32, resource_version: &str) -> bool {
        match self.timeline.cmp(&timeline) {
            Ordering::Less => false,
            Ordering::Equal => is_older(resource_version, &self.resource_version),
            Ordering::Greater => true,
        }
    }
}

/// Decimal resourceVersions order by length, then digits; others do not order.
pub(crate) fn is_older(this: &str, that: &str) -> bool {
    let decimal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    decimal(this) && decimal(that) && (this.len(), this) < (that.len(), that)
}

/// An object, its claim, and the work that is due for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Which manifest, an index into [`Runnable::planned`](super::Runnable::planned).
    pub planned: u16,
    /// The attempt that it belongs to, or for a member the one that needed it first.
    pub attempt: u32,
    /// Where.
    pub cluster: Ordinal,
    /// Its name on the cluster (of attempt n > 1 of the main object: `NAME-aN`).
    pub name: String,
    /// Whether it should exist.
    pub wanted: bool,
    /// What is known.
    pub state: ObjectState,
    /// Its UID on the cluster.
    pub uid: Option<String>,
    /// The kube write that is under way.
    pub pending: Option<Intent>,
    /// When the next kube write for it may be made, ms since 1970.
    pub due_ms: u64,
    /// Failed tries of the current kube write.
    pub tries: u32,
    /// Our finalizer is on it.
    pub held: bool,
    /// Our labels, annotations or hold were taken off it.
    pub stripped: bool,
    /// A delete was sent and accepted.
    pub delete_sent: bool,
    /// Its cluster was written off: what is found there is not ours any more.
    pub given_up: bool,
    /// The brake has let it be stopped: it counts once.
    pub stop_counted: bool,
    /// A create of it was committed: an object with exactly its marks is ours.
    pub create_intended: bool,
    /// Until when a create that was sent may still take effect though its outcome was never known, ms since 1970;
    /// 0: none is in doubt. Also while the object lives or is gone: there may have been several requests.
    pub doubt_until_ms: u64,
    /// When its create was last sent: right after the intent was committed. `None`: none has left.
    pub sent_ms: Option<u64>,
    /// From when its UID is known: by the answer to the create, or by a watch that was faster.
    pub created_ms: Option<u64>,
    /// When a watch first told of that UID.
    pub observed_ms: Option<u64>,
    /// That it was read by its name, since no watch had told of it.
    pub read: Option<Box<ReadBack>>,
    /// Its last known status.
    pub seen: Option<Seen>,
    /// The words of the last refusal or failure.
    pub message: String,
}

impl Object {
    /// One that should exist, and of which nothing was sent yet.
    pub(crate) fn wanted(planned: u16, attempt: u32, cluster: Ordinal, name: String) -> Self {
        Self {
            planned,
            attempt,
            cluster,
            name,
            wanted: true,
            state: ObjectState::Absent,
            uid: None,
            pending: None,
            due_ms: 0,
            tries: 0,
            held: false,
            stripped: false,
            delete_sent: false,
            given_up: false,
            stop_counted: false,
            create_intended: false,
            doubt_until_ms: 0,
            sent_ms: None,
            created_ms: None,
            observed_ms: None,
            read: None,
            seen: None,
            message: String::new(),
        }
    }

    /// True if it does not exist, should not, and nothing that was sent can still make it.
    #[must_use]
    pub fn is_void(&self) -> bool {
        !self.wanted
            && self.state == ObjectState::Absent
            && self.pending.is_none()
            && self.doubt_until_ms == 0
    }

    /// True while it should not exist, does not as far as is known, and a request that was sent may still make it.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        let nothing = self.state == ObjectState::Gone || (self.state == ObjectState::Absent && !self.wanted);
        nothing && self.pending.is_none() && self.doubt_until_ms > 0
    }

    /// True while it does not exist as far as is known, and a create that was sent may have made it.
    #[must_use]
    pub fn may_exist(&self) -> bool {
        let unknown = self.pending.is_some_and(|intent| intent.unknown && intent.action == Action::Create);
        self.state != ObjectState::Live && (unknown || self.doubt_until_ms > 0)
    }

    /// True while its name is claimed on its cluster.
    #[must_use]
    pub fn claims(&self) -> bool {
        self.state != ObjectState::Gone || self.doubt_until_ms > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_versions_order_as_numbers_and_opaque_ones_do_not_order() {
        assert!(is_older("9", "10"));
        assert!(!is_older("10", "9"));
        assert!(!is_older("9", "9"));
        assert!(!is_older("a", "b"));
    }

    #[test]
    fn resource_versions_order_within_a_timeline_only() {
        let seen = Seen { timeline: 2, resource_version: "10".to_owned(), ..Seen::default() };
        assert!(seen.is_after(2, "9") && !seen.is_after(2, "10"));
        assert!(!seen.is_after(3, "9"), "a restored etcd begins below");
        assert!(seen.is_after(1, "11"), "what an earlier life said is over");
    }

    #[test]
    fn an_object_that_lives_is_certain_though_another_create_of_it_may_still_land() {
        let new = Object::wanted(0, 1, Ordinal(1), "a".to_owned());
        let absent = Object { create_intended: true, doubt_until_ms: 60_000, ..new };
        assert!(absent.may_exist());
        assert!(!Object { doubt_until_ms: 0, ..absent.clone() }.may_exist());
        assert!(!Object { state: ObjectState::Live, uid: Some("u".to_owned()), ..absent }.may_exist());
    }
}
