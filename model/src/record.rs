//! The records: what the inventory keeps, one row each.

mod approval;
mod block;
mod cluster;
mod credentials;
mod deployable;
mod diagnosis;
mod extent;
mod fan_out;
mod foreign;
mod hanging;
mod hub;
mod installation;
mod kind;
mod lock;
mod loss;
mod making;
mod member;
mod meta;
mod object;
mod order;
mod pause;
mod pool;
mod preflight;
mod receipt;
mod requirement;
mod runnable;
mod status_rule;
mod values;
mod watch;

pub use approval::{Approval, ApprovalRule, Approvals, Decision, Person};
pub use block::{Fit, Piece, WantedValue};
pub use cluster::{Cluster, Stray, WrittenOff};
pub use credentials::{Credentials, Provider, Server, User};
pub use deployable::{
    Approved, Bundle, Counts, DeploySpec, Deployable, Drift, OnConflict, Rollout, Withdrawal,
};
pub use diagnosis::{Diagnosis, Finding, PodSeen};
pub use extent::{Extent, WatchScope};
pub use fan_out::{Cascade, Cascaded, FanOut, Parent};
pub use foreign::{Described, Foreign, ForeignSelector, Owner, Unshown};
pub use hub::{HUB_GROUP, Hub, Profile};
pub use installation::{
    Difference, Differences, Drifted, Health, Installation, SyncAction, SyncIntent, Synced,
};
pub use kind::{Kind, OtherKind};
pub use lock::{Hold, Lock};
pub use loss::{Leaving, Loss, Miss, OnLoss};
pub use making::{Making, ReadBack};
pub use member::{Expected, JoinAs, Member, MemberState};
pub use meta::{Lineage, Meta, Origin, Pace};
pub(crate) use object::is_older;
pub use object::{Action, Condition, Intent, Object, ObjectState, Permit, Seen};
pub use pause::Paused;
pub use pool::{Allocation, Pool};
pub use preflight::{Checked, Preflight, PreflightVerdict};
pub use receipt::Receipt;
pub use requirement::Requirement;
pub use runnable::{
    Asked, Attempt, AttemptPhase, Ending, Given, Held, OnLate, Placement, Planned, RunSpec, Runnable,
    WantedAllocation, WantedLock, WhenHeld,
};
pub use status_rule::{Expressions, StatusRule};
pub use values::{Family, Span, Subnets, Values, name_slot, parse_cidr};
pub use watch::Watch;

use crate::{Ordinal, Revision, Uid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What every record that the API shows has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The row key.
    pub ordinal: Ordinal,
    /// The revision of the last change.
    pub revision: Revision,
    /// The revision of the creation.
    pub created_revision: Revision,
    /// Never reused.
    pub uid: Uid,
    /// The tenant; empty for records without one.
    pub namespace: String,
    /// Unique in its resource and namespace.
    pub name: String,
    /// As users set them.
    pub labels: BTreeMap<String, String>,
    /// As users set them.
    pub annotations: BTreeMap<String, String>,
    /// When the creating entry was proposed, ms since 1970.
    pub created_ms: u64,
    /// Who created it.
    pub created_by: String,
}

/// One record of the inventory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A submission that runs to completion.
    Runnable(Runnable),
    /// A workload cluster.
    Cluster(Cluster),
    /// The answer to a request with an idempotency key.
    Receipt(Receipt),
    /// How far a watch has come.
    Watch(Watch),
    /// A replica of the group.
    Member(Member),
    /// A submission that is kept in sync.
    Deployable(Deployable),
    /// One generation of a deployable.
    Bundle(Bundle),
    /// A deployable on one cluster.
    Installation(Installation),
    /// Values that are given out.
    Pool(Pool),
    /// A value that was given out.
    Allocation(Allocation),
    /// A lock or semaphore.
    Lock(Lock),
    /// What the status of a kind means.
    StatusRule(StatusRule),
    /// Work on a cluster that was not submitted here.
    Foreign(Foreign),
}

/// The resources of the API, as codes of [`Tag::Resource`](crate::Tag::Resource).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Resource {
    /// `runnables`: those that were submitted here, and those that are only shown.
    Runnable = 1,
    /// `clusters`
    Cluster = 2,
    /// Not shown.
    Receipt = 3,
    /// Not shown.
    Watch = 4,
    /// `replicas`
    Member = 5,
    /// `deployables`
    Deployable = 6,
    /// Not shown by itself.
    Bundle = 7,
    /// Not shown by itself.
    Installation = 8,
    /// `pools`
    Pool = 9,
    /// `allocations`
    Allocation = 10,
    /// `locks`
    Lock = 11,
    /// `statusrules`
    StatusRule = 12,
}

impl Resource {
    /// True if users find each of them in a namespace.
    #[must_use]
    pub fn is_namespaced(self) -> bool {
        use Resource::{Allocation, Deployable, Lock, Pool, Runnable};
        matches!(self, Runnable | Deployable | Pool | Allocation | Lock)
    }
}

impl Record {
    /// The row key.
    #[must_use]
    pub fn ordinal(&self) -> Ordinal {
        match self {
            Record::Runnable(run) => run.head.ordinal,
            Record::Cluster(cluster) => cluster.head.ordinal,
            Record::Receipt(receipt) => receipt.ordinal,
            Record::Watch(watch) => watch.ordinal,
            Record::Member(member) => member.head.ordinal,
            Record::Deployable(deployable) => deployable.head.ordinal,
            Record::Bundle(bundle) => bundle.ordinal,
            Record::Installation(installation) => installation.ordinal,
            Record::Pool(pool) => pool.head.ordinal,
            Record::Allocation(allocation) => allocation.head.ordinal,
            Record::Lock(lock) => lock.head.ordinal,
            Record::StatusRule(rule) => rule.head.ordinal,
            Record::Foreign(foreign) => foreign.head.ordinal,
        }
    }

    /// The revision of the last change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Record::Runnable(run) => run.head.revision,
            Record::Cluster(cluster) => cluster.head.revision,
            Record::Receipt(receipt) => receipt.revision,
            Record::Watch(watch) => watch.revision,
            Record::Member(member) => member.head.revision,
            Record::Deployable(deployable) => deployable.head.revision,
            Record::Bundle(bundle) => bundle.revision,
            Record::Installation(installation) => installation.revision,
            Record::Pool(pool) => pool.head.revision,
            Record::Allocation(allocation) => allocation.head.revision,
            Record::Lock(lock) => lock.head.revision,
            Record::StatusRule(rule) => rule.head.revision,
            Record::Foreign(foreign) => foreign.head.revision,
        }
    }

    /// Which resource it is one of.
    #[must_use]
    pub fn resource(&self) -> Resource {
        match self {
            Record::Runnable(_) | Record::Foreign(_) => Resource::Runnable,
            Record::Cluster(_) => Resource::Cluster,
            Record::Receipt(_) => Resource::Receipt,
            Record::Watch(_) => Resource::Watch,
            Record::Member(_) => Resource::Member,
            Record::Deployable(_) => Resource::Deployable,
            Record::Bundle(_) => Resource::Bundle,
            Record::Installation(_) => Resource::Installation,
            Record::Pool(_) => Resource::Pool,
            Record::Allocation(_) => Resource::Allocation,
            Record::Lock(_) => Resource::Lock,
            Record::StatusRule(_) => Resource::StatusRule,
        }
    }

    /// What the API shows of every record; `None` for the ones that it does not show.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        match self {
            Record::Runnable(run) => Some(&run.head),
            Record::Cluster(cluster) => Some(&cluster.head),
            Record::Member(member) => Some(&member.head),
            Record::Deployable(deployable) => Some(&deployable.head),
            Record::Pool(pool) => Some(&pool.head),
            Record::Allocation(allocation) => Some(&allocation.head),
            Record::Lock(lock) => Some(&lock.head),
            Record::StatusRule(rule) => Some(&rule.head),
            Record::Foreign(foreign) => Some(&foreign.head),
            Record::Receipt(_) | Record::Watch(_) | Record::Bundle(_) | Record::Installation(_) => None,
        }
    }

    pub(crate) fn stamp(&mut self, revision: Revision) {
        let (slot, created) = match self {
            Record::Runnable(run) => (&mut run.head.revision, Some(&mut run.head.created_revision)),
            Record::Cluster(cluster) => {
                (&mut cluster.head.revision, Some(&mut cluster.head.created_revision))
            }
            Record::Member(member) => (&mut member.head.revision, Some(&mut member.head.created_revision)),
            Record::Receipt(receipt) => (&mut receipt.revision, None),
            Record::Watch(watch) => (&mut watch.revision, None),
            Record::Deployable(deployable) => {
                (&mut deployable.head.revision, Some(&mut deployable.head.created_revision))
            }
            Record::Bundle(bundle) => (&mut bundle.revision, None),
            Record::Installation(installation) => (&mut installation.revision, None),
            Record::Pool(pool) => (&mut pool.head.revision, Some(&mut pool.head.created_revision)),
            Record::Allocation(allocation) => {
                (&mut allocation.head.revision, Some(&mut allocation.head.created_revision))
            }
            Record::Lock(lock) => (&mut lock.head.revision, Some(&mut lock.head.created_revision)),
            Record::StatusRule(rule) => (&mut rule.head.revision, Some(&mut rule.head.created_revision)),
            Record::Foreign(foreign) => {
                (&mut foreign.head.revision, Some(&mut foreign.head.created_revision))
            }
        };
        *slot = revision;
        if let Some(created) = created
            && *created == Revision(0)
        {
            *created = revision;
        }
    }
}
