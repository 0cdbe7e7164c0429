//! The one-word states of a run, and the reasons beside them.

use crate::record::Runnable;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a run is. The first group is under way, the last three are terminal: only a person's retry leaves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Phase {
    /// Waits for approval.
    Held,
    /// Waits for a cluster.
    Accepted,
    /// Has a cluster and its claims there.
    Placed,
    /// An intent to create its first object is committed.
    Sent,
    /// Its main object exists and does not run yet.
    Pending,
    /// Its main object runs; of a fan-out, some of its runs are on their clusters or have ended.
    Running,
    /// It was asked to stop and has not stopped yet.
    Stopping,
    /// Its cluster has been out of reach for longer than `lossAfter`.
    Lost,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Stopped, and seen to have stopped.
    Cancelled,
}

impl Phase {
    /// All phases, in the order of their codes.
    pub const ALL: [Phase; 11] = [
        Phase::Held,
        Phase::Accepted,
        Phase::Placed,
        Phase::Sent,
        Phase::Pending,
        Phase::Running,
        Phase::Stopping,
        Phase::Lost,
        Phase::Succeeded,
        Phase::Failed,
        Phase::Cancelled,
    ];

    /// True for the three that only a person's retry leaves.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed | Phase::Cancelled)
    }

    /// The word, as users see and select it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Held => "Held",
            Phase::Accepted => "Accepted",
            Phase::Placed => "Placed",
            Phase::Sent => "Sent",
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Stopping => "Stopping",
            Phase::Lost => "Lost",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
            Phase::Cancelled => "Cancelled",
        }
    }

    /// The phase of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a run is where it is: a CamelCase word for scripts; the sentence for people stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// No cluster can take it now.
    NoCluster,
    /// Another runnable holds a name that it needs.
    NameHeld,
    /// An object of somebody else has a name that it needs.
    NameTaken,
    /// The cluster does not have the namespace.
    NamespaceMissing,
    /// The cluster refused an object for good.
    Refused,
    /// The cluster refused an object or could not be asked; it is tried again.
    Retrying,
    /// The outcome of a request is not known yet.
    OutcomeUnknown,
    /// It did not start by `startBy`.
    StartByPassed,
    /// It did not finish by `finishBy`.
    FinishByPassed,
    /// Its object went away without an end that we saw.
    ObjectGone,
    /// The main object ended well.
    Completed,
    /// The main object ended badly.
    ObjectFailed,
    /// A person asked for it.
    CancelRequested,
    /// Placed, sent, running: nothing to explain.
    None,
    /// Not enough people have approved it yet.
    AwaitingApproval,
    /// Somebody who may decide rejected it.
    Rejected,
    /// Not enough people approved it in time.
    ApprovalExpired,
    /// The cluster refuses it until somebody changes rights, credentials or what is installed there.
    NeedsOperator,
    /// Its tenant is paused.
    Paused,
    /// Its cluster was given up as lost for good.
    ClusterWrittenOff,
    /// Its cluster has been out of reach for longer than `lossAfter`.
    ClusterLost,
    /// It is taken off its cluster, and goes on elsewhere.
    Moving,
    /// Of a fan-out: some of its runs failed.
    RunsFailed,
    /// Others hold a lock that it needs, or come before it.
    LockHeld,
    /// No cluster that would take it has the deployables that it requires.
    AwaitingDeployable,
}

/// What helps against a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing: the same request is refused again.
    Permanent,
    /// Time.
    Transient,
    /// Somebody who changes rights, credentials or what is installed; until then the same request is refused again.
    Operator,
}

impl Reason {
    /// The word in conditions; empty for [`Reason::None`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::NoCluster => "NoCluster",
            Reason::NameHeld => "NameHeld",
            Reason::NameTaken => "NameTaken",
            Reason::NamespaceMissing => "NamespaceMissing",
            Reason::Refused => "Refused",
            Reason::Retrying => "Retrying",
            Reason::OutcomeUnknown => "OutcomeUnknown",
            Reason::StartByPassed => "StartByPassed",
            Reason::FinishByPassed => "FinishByPassed",
            Reason::ObjectGone => "ObjectGone",
            Reason::Completed => "Completed",
            Reason::ObjectFailed => "ObjectFailed",
            Reason::CancelRequested => "CancelRequested",
            Reason::None => "",
            Reason::AwaitingApproval => "AwaitingApproval",
            Reason::Rejected => "Rejected",
            Reason::ApprovalExpired => "ApprovalExpired",
            Reason::NeedsOperator => "NeedsOperator",
            Reason::Paused => "Paused",
            Reason::ClusterWrittenOff => "ClusterWrittenOff",
            Reason::ClusterLost => "ClusterLost",
            Reason::Moving => "Moving",
            Reason::LockHeld => "LockHeld",
            Reason::RunsFailed => "RunsFailed",
            Reason::AwaitingDeployable => "AwaitingDeployable",
        }
    }

    /// What helps a run that is not sent because of it; `None` where nothing stands in the way of sending.
    #[must_use]
    pub fn class(self) -> Option<Class> {
        match self {
            Reason::NameTaken | Reason::Refused => Some(Class::Permanent),
            Reason::NoCluster
            | Reason::NameHeld
            | Reason::NamespaceMissing
            | Reason::Retrying
            | Reason::LockHeld
            | Reason::AwaitingDeployable
            | Reason::Paused => Some(Class::Transient),
            Reason::NeedsOperator => Some(Class::Operator),
            _ => None,
        }
    }

    /// True if a run that failed with it was never given to a cluster.
    fn is_undelivered(self) -> bool {
        self == Reason::StartByPassed || matches!(self.class(), Some(Class::Permanent | Class::Operator))
    }
}

impl Runnable {
    /// True if it failed before a cluster took it: it was refused for good, or not taken by `startBy`. When what was
    /// in the way is gone a person may retry it.
    #[must_use]
    pub fn is_dead_letter(&self) -> bool {
        self.phase == Phase::Failed && self.reason.is_undelivered()
    }
}
