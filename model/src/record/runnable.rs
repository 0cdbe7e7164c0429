//! A submission that runs to completion.

use super::{
    Action, ApprovalRule, Approvals, Checked, Diagnosis, FanOut, Head, Kind, Leaving, Loss, Object,
    ObjectState, OnLoss, Parent, Preflight, Requirement, Seen, WantedValue,
};
use crate::manifest;
use crate::selector::Selector;
use crate::{Digest, Ordinal, Phase, Reason, Revision};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a run may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// By name; empty: any that the selector matches.
    pub clusters: Vec<String>,
    /// By the cluster's labels; `None`: any.
    pub selector: Option<Selector>,
    /// What happens when its cluster is out of reach for long.
    pub on_loss: OnLoss,
    /// For how long.
    pub loss_after_ms: u64,
    /// Of how many runs a cluster is to have its share, beside those of others; 1 where nothing is said.
    pub weights: BTreeMap<String, u32>,
    /// It runs on each of them, and not on one.
    pub fan_out: bool,
    /// The label of clusters by whose values runs are shared out first.
    pub spread_by_label: Option<String>,
    /// By a placement decision that a hub tells of, as `NAMESPACE/NAME`.
    pub decision: Option<String>,
}

impl Placement {
    /// How many runs the cluster is to have beside those of others.
    #[must_use]
    pub fn weight(&self, cluster: &str) -> u32 {
        self.weights.get(cluster).copied().unwrap_or(1)
    }
}

impl Default for Placement {
    fn default() -> Self {
        let loss_after_ms = crate::limits::LOSS_AFTER_MS;
        let (clusters, weights) = (Vec::new(), BTreeMap::new());
        let (on_loss, fan_out) = (OnLoss::default(), false);
        Self {
            clusters,
            selector: None,
            on_loss,
            loss_after_ms,
            weights,
            fan_out,
            spread_by_label: None,
            decision: None,
        }
    }
}

/// What happens when a run is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnLate {
    /// It is shown and goes on.
    #[default]
    Alert,
    /// It is stopped and ends Failed.
    Stop,
}

/// What was asked for, beside the manifests; immutable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Where it may go.
    pub placement: Placement,
    /// How often the main object is tried, 1..=[`ATTEMPTS_MAX`](crate::limits::ATTEMPTS_MAX).
    pub attempts_max: u32,
    /// The delay before attempt 2; doubled for each further one.
    pub backoff_ms: u64,
    /// How long after acceptance, or approval if it needs one, it may start.
    pub start_by_ms: u64,
    /// How long after acceptance it must have ended.
    pub finish_by_ms: Option<u64>,
    /// What happens when it has not.
    pub on_late: OnLate,
    /// How long after the end its objects stay on the cluster.
    pub ttl_after_finished_ms: u64,
    /// Who must agree before anything of it reaches a cluster.
    pub approvals: Option<ApprovalRule>,
    /// Values that it is given when it is accepted, at most [`RUN_ALLOCATIONS_MAX`](crate::limits::RUN_ALLOCATIONS_MAX).
    pub allocations: Vec<WantedAllocation>,
    /// Locks without which it is not placed, at most [`RUN_LOCKS_MAX`](crate::limits::RUN_LOCKS_MAX).
    pub locks: Vec<WantedLock>,
    /// How long its main object goes on after it started, in ms: its own `activeDeadlineSeconds`, and the time that its
    /// Pods have to stop. `None`: nothing says so.
    pub main_runs_ms: Option<u64>,
    /// Whether a cluster is asked before the run is placed there.
    pub preflight: Preflight,
    /// What must be on a cluster before the run is sent there, at most
    /// [`REQUIREMENTS_MAX`](crate::limits::REQUIREMENTS_MAX).
    pub requires: Vec<Requirement>,
}

/// A value that a submission asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedAllocation {
    /// What its manifests call it.
    pub name: String,
    /// Of which pool.
    pub pool: String,
    /// Which value, or how many.
    pub wanted: WantedValue,
}

/// A value that a submission was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// What its manifests call it.
    pub name: String,
    /// Of which pool.
    pub pool: String,
    /// The value.
    pub value: String,
    /// The record of it; `None` once it was given back. Of a run of a fan-out it is its parent's.
    pub allocation: Option<Ordinal>,
}

impl Given {
    /// The value that manifests call so.
    #[must_use]
    pub fn value<'a>(all: &'a [Self], name: &str) -> Option<&'a str> {
        all.iter().find(|given| given.name == name).map(|given| given.value.as_str())
    }
}

/// A lock that a submission asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedLock {
    /// Its name.
    pub name: String,
    /// How many permits.
    pub permits: u32,
    /// What happens while others hold it.
    pub when_held: WhenHeld,
    /// It is a key of which one submission at a time is active: the lock needs not be there before.
    pub is_key: bool,
}

/// What happens to a submission while others hold a lock that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhenHeld {
    /// It is accepted, and placed when it is its turn.
    Wait,
    /// It is not accepted.
    Refuse,
}

/// A lock that a submission holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// Its record.
    pub lock: Ordinal,
    /// How many permits.
    pub permits: u32,
    /// The fencing token; another one for each attempt.
    pub token: Revision,
}

/// A manifest: which object, and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace on the cluster.
    pub namespace: String,
    /// Its name, resolved.
    pub name: String,
    /// Of its bytes.
    pub digest: Digest,
    /// Where its JSON starts in the joined manifests.
    pub offset: u32,
    /// How long its JSON is, in bytes.
    pub length: u32,
}

impl Planned {
    /// Its JSON in the joined manifests; `None` if they are not those that it was read from.
    #[must_use]
    pub fn json<'a>(&self, manifests: &'a [u8]) -> Option<&'a [u8]> {
        manifest::slice(manifests, self.offset, self.length)
    }
}

/// Who asked for something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The user.
    pub by: String,
    /// ms since 1970.
    pub at_ms: u64,
}

/// An end that is decided and not reached yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The terminal phase.
    pub phase: Phase,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub message: String,
}

/// Where one attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptPhase {
    /// Has its claims.
    Placed,
    /// Its first intent is committed.
    Sent,
    /// Its main object exists.
    Pending,
    /// Its main object runs.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Was stopped.
    Cancelled,
    /// Its main object went away without an end that we saw.
    Gone,
    /// Given up, as its run ended: its cluster was lost.
    Lost,
    /// Given up: the run goes on elsewhere.
    Moved,
}

impl AttemptPhase {
    /// True when it is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Placed | Self::Sent | Self::Pending | Self::Running)
    }

    /// The word that users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "Placed",
            Self::Sent => "Sent",
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Gone => "Gone",
            Self::Lost => "Lost",
            Self::Moved => "Moved",
        }
    }
}

/// One try to run on one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1, 2, ...
    pub number: u32,
    /// Where.
    pub cluster: Ordinal,
    /// Its name there, kept for after the cluster's record is gone.
    pub cluster_name: String,
    /// Where it is.
    pub phase: AttemptPhase,
    /// When it was placed, ms since 1970.
    pub placed_ms: u64,
    /// When its main object was first seen running.
    pub started_ms: Option<u64>,
    /// When its end was committed.
    pub finished_ms: Option<u64>,
    /// In words, what its main object said last.
    pub message: String,
    /// Since when it, or some of its Pods, has not run though it is there, ms since 1970; `None` while all runs.
    pub waits_since_ms: Option<u64>,
    /// Why it does not run, or why it failed, as far as that was looked into.
    pub diagnosis: Option<Box<Diagnosis>>,
    /// Its cluster was lost, the last time that it was.
    pub lost: Option<Loss>,
    /// It is, or was, to be taken off its cluster.
    pub leaving: Option<Leaving>,
    /// Until when it is left where it is though its cluster is drained, ms since 1970: nowhere else took it.
    pub stays_until_ms: u64,
    /// When it was found that its main object was still there after it had been given up, ms since 1970.
    pub overlap_ms: Option<u64>,
}

impl Attempt {
    /// One that was just placed on a cluster.
    pub(crate) fn placed(number: u32, cluster: Ordinal, cluster_name: String, placed_ms: u64) -> Self {
        Self {
            number,
            cluster,
            cluster_name,
            phase: AttemptPhase::Placed,
            placed_ms,
            started_ms: None,
            finished_ms: None,
            message: String::new(),
            waits_since_ms: None,
            diagnosis: None,
            lost: None,
            leaving: None,
            stays_until_ms: 0,
            overlap_ms: None,
        }
    }

    /// True while its cluster is out of reach for longer than `lossAfter`.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.is_some_and(|lost| lost.back_ms.is_none())
    }
}

/// A run and all that has become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runnable {
    /// Name, labels and so on.
    pub head: Head,
    /// What was asked for.
    pub spec: RunSpec,
    /// Of manifests and placement.
    pub digest: Digest,
    /// The manifests, in the order given.
    pub planned: Vec<Planned>,
    /// Which of them decides how it ended.
    pub main: u16,
    /// How many parts the joined manifests are stored in; 0: they are here.
    pub parts: u16,
    /// The joined manifests, if they are no longer than
    /// [`MANIFESTS_INLINE_BYTES_MAX`](crate::limits::MANIFESTS_INLINE_BYTES_MAX): one row costs less than two.
    #[serde(with = "crate::bytes")]
    pub manifests: Vec<u8>,
    /// Where it is.
    pub phase: Phase,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub message: String,
    /// When the phase began, ms since 1970.
    pub phase_since_ms: u64,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// What was made, or is to be, on which cluster.
    pub objects: Vec<Object>,
    /// From when it may be placed (again), ms since 1970.
    pub place_due_ms: u64,
    /// How often placing it failed in a row.
    pub place_tries: u32,
    /// By when it must have started, ms since 1970.
    pub start_deadline_ms: u64,
    /// By when it must have ended; `None` also after it was found late.
    pub finish_deadline_ms: Option<u64>,
    /// It was late.
    pub late: bool,
    /// The end that is to be committed as soon as nothing of the run is alive or in doubt.
    pub ending: Option<Ending>,
    /// Its stopping was asked for.
    pub cancel: Option<Asked>,
    /// Its removal was asked for.
    pub deletion: Option<Asked>,
    /// When its end was committed.
    pub finished_ms: Option<u64>,
    /// Until when the record stays after its end, ms since 1970; looked at only then.
    pub keep_until_ms: u64,
    /// How many attempts a person's retries added to `attempts_max`.
    pub attempts_added: u32,
    /// Positions of its ledger records, the last [`HISTORY_MAX`](crate::limits::HISTORY_MAX).
    pub history: Vec<u64>,
    /// Who agreed so far; `None` if nobody has to.
    pub approvals: Option<Approvals>,
    /// The values that it was given.
    pub allocations: Vec<Given>,
    /// The locks that it holds.
    pub locks: Vec<Held>,
    /// It would be placed if it held its locks, and stands in their queues.
    pub waits_for_locks: bool,
    /// It is a run on each of several clusters. Then it is never placed itself: its phase follows from its runs.
    pub fan_out: Option<FanOut>,
    /// It is a part of such a submission, whose approvals count for it and which has its manifests.
    pub parent: Option<Parent>,
    /// What clusters said when they were asked whether they would take it, the last of each, at most
    /// [`CHECKS_MAX`](crate::limits::CHECKS_MAX), oldest first.
    pub checks: Vec<Checked>,
    /// The cluster that is being asked.
    pub asking: Option<Ordinal>,
}

impl Runnable {
    /// The attempt that is under way or was the last.
    #[must_use]
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The main object of the last attempt.
    #[must_use]
    pub fn main_object(&self) -> Option<&Object> {
        let number = self.attempt()?.number;
        self.objects.iter().find(|object| object.planned == self.main && object.attempt == number)
    }

    /// True if nobody has to agree to it, or enough people agreed to what it is.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.approvals.as_ref().is_none_or(|approvals| approvals.are_met(self.digest))
    }

    /// The value that its manifests call so.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        Given::value(&self.allocations, name)
    }

    /// True if it has values that it did not give back yet.
    #[must_use]
    pub fn has_values(&self) -> bool {
        self.allocations.iter().any(|given| given.allocation.is_some())
    }

    /// True if it holds the lock of that name.
    #[must_use]
    pub fn holds(&self, lock: &str) -> bool {
        self.locks.iter().any(|held| held.name == lock)
    }

    /// The manifest of an object.
    #[must_use]
    pub fn plan(&self, object: &Object) -> Option<&Planned> {
        self.planned.get(usize::from(object.planned))
    }

    /// The object at `position` as people call it: kind, namespace/name, cluster.
    #[must_use]
    pub fn describe(&self, position: usize) -> String {
        let Some(object) = self.objects.get(position) else { return format!("object {position}") };
        let Some(plan) = self.plan(object) else { return object.name.clone() };
        let attempt = self.attempts.iter().find(|attempt| attempt.number == object.attempt);
        let cluster = attempt.map_or("", |attempt| attempt.cluster_name.as_str());
        format!("{} {}/{} on {cluster}", plan.kind, plan.namespace, object.name)
    }

    /// True if the object is the main one of any attempt.
    #[must_use]
    pub fn is_main(&self, object: &Object) -> bool {
        object.planned == self.main
    }

    /// True while the object is to stop by itself: it stays, and says what became of it.
    #[must_use]
    pub fn is_stopping(&self, object: &Object) -> bool {
        let stops = self.plan(object).is_some_and(|plan| plan.kind.stops());
        self.ending.is_some() && stops && object.wanted && self.is_main(object)
    }

    /// The kube write that is due for an object now or later, if none is under way.
    #[must_use]
    pub fn next_action(&self, object: &Object) -> Option<Action> {
        if object.pending.is_some() {
            return None;
        }
        let deleting = object.seen.as_ref().is_some_and(Seen::is_deleting);
        match object.state {
            ObjectState::Absent if object.wanted => Some(Action::Create),
            ObjectState::Live if object.held && (deleting || self.has_ended(object)) => Some(Action::Release),
            ObjectState::Live if !object.wanted => Some(Action::Delete),
            ObjectState::Live if self.is_stopping(object) && !deleting => Some(Action::Stop),
            ObjectState::Live if object.stripped && !deleting => Some(Action::Relabel),
            _ => None,
        }
    }

    /// True if the end that the object was held for is committed: of a main object, that of its attempt.
    #[must_use]
    pub fn has_ended(&self, object: &Object) -> bool {
        let attempt = self.attempts.iter().find(|attempt| attempt.number == object.attempt);
        attempt.is_none_or(|attempt| attempt.phase.is_terminal())
    }
}
