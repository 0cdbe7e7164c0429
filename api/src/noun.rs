//! The resources of the API and what they are called.

use tallyman_model::Command;
use tallyman_model::command::ManifestName;

/// A resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noun {
    /// `runnables`
    Runnables,
    /// `deployables`
    Deployables,
    /// `pools`
    Pools,
    /// `allocations`
    Allocations,
    /// `locks`
    Locks,
    /// `clusters`
    Clusters,
    /// `statusrules`
    StatusRules,
    /// `replicas`
    Replicas,
    /// `auditrecords`
    AuditRecords,
}

impl Noun {
    /// All resources.
    pub(crate) const ALL: [Noun; 9] = [
        Noun::Runnables,
        Noun::Deployables,
        Noun::Pools,
        Noun::Allocations,
        Noun::Locks,
        Noun::Clusters,
        Noun::StatusRules,
        Noun::Replicas,
        Noun::AuditRecords,
    ];

    /// What a user's command is about; the name is empty where it is still to be made.
    #[must_use]
    pub(crate) fn subject(command: &Command) -> Option<(Self, String)> {
        let (noun, name) = match command {
            Command::Submit(submit) => match &submit.name {
                ManifestName::Fixed(name) => (Noun::Runnables, name.as_str()),
                ManifestName::Generate(_) => (Noun::Runnables, ""),
            },
            Command::Patch(patch) => (Noun::Runnables, patch.target.name.as_str()),
            Command::Cancel(cancel) => (Noun::Runnables, cancel.target.name.as_str()),
            Command::Approve(approve) => (Noun::Runnables, approve.target.name.as_str()),
            Command::Retry(retry) => (Noun::Runnables, retry.target.name.as_str()),
            Command::Move(moving) => (Noun::Runnables, moving.target.name.as_str()),
            Command::Delete(delete) => (Noun::Runnables, delete.target.name.as_str()),
            Command::Deploy(deploy) => (Noun::Deployables, deploy.name.as_str()),
            Command::Redeploy(redeploy) => (Noun::Deployables, redeploy.target.name.as_str()),
            Command::Rollback(rollback) => (Noun::Deployables, rollback.target.name.as_str()),
            Command::ApproveGeneration(approve) => (Noun::Deployables, approve.0.target.name.as_str()),
            Command::PauseRollout(pause) => (Noun::Deployables, pause.target.name.as_str()),
            Command::Withdraw(withdraw) => (Noun::Deployables, withdraw.target.name.as_str()),
            Command::AddPool(add) => (Noun::Pools, add.name.as_str()),
            Command::UpdatePool(update) => (Noun::Pools, update.target.name.as_str()),
            Command::RemovePool(remove) => (Noun::Pools, remove.target.name.as_str()),
            Command::Allocate(allocate) => (Noun::Pools, allocate.pool.as_str()),
            Command::Deallocate(free) => (Noun::Allocations, free.target.name.as_str()),
            Command::AddLock(add) => (Noun::Locks, add.name.as_str()),
            Command::UpdateLock(update) => (Noun::Locks, update.target.name.as_str()),
            Command::RemoveLock(remove) => (Noun::Locks, remove.target.name.as_str()),
            Command::AcquireLock(acquire) => (Noun::Locks, acquire.target.name.as_str()),
            Command::RenewLock(renew) => (Noun::Locks, renew.target.name.as_str()),
            Command::ReleaseLock(release) => (Noun::Locks, release.target.name.as_str()),
            Command::AddCluster(add) => (Noun::Clusters, add.name.as_str()),
            Command::UpdateCluster(update) => (Noun::Clusters, update.name.as_str()),
            Command::Drain(drain) => (Noun::Clusters, drain.name.as_str()),
            Command::RemoveCluster(remove) => (Noun::Clusters, remove.name.as_str()),
            Command::PutStatusRule(put) => (Noun::StatusRules, put.name.as_str()),
            Command::RemoveStatusRule(remove) => (Noun::StatusRules, remove.name.as_str()),
            _ => return None,
        };
        Some((noun, name.to_owned()))
    }

    /// As in a path.
    #[must_use]
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Noun::Runnables => "runnables",
            Noun::Deployables => "deployables",
            Noun::Pools => "pools",
            Noun::Allocations => "allocations",
            Noun::Locks => "locks",
            Noun::Clusters => "clusters",
            Noun::StatusRules => "statusrules",
            Noun::Replicas => "replicas",
            Noun::AuditRecords => "auditrecords",
        }
    }

    /// One of them.
    #[must_use]
    pub(crate) fn singular(self) -> &'static str {
        match self {
            Noun::Runnables => "runnable",
            Noun::Deployables => "deployable",
            Noun::Pools => "pool",
            Noun::Allocations => "allocation",
            Noun::Locks => "lock",
            Noun::Clusters => "cluster",
            Noun::StatusRules => "statusrule",
            Noun::Replicas => "replica",
            Noun::AuditRecords => "auditrecord",
        }
    }

    /// As in a document.
    #[must_use]
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Noun::Runnables => "Runnable",
            Noun::Deployables => "Deployable",
            Noun::Pools => "Pool",
            Noun::Allocations => "Allocation",
            Noun::Locks => "Lock",
            Noun::Clusters => "Cluster",
            Noun::StatusRules => "StatusRule",
            Noun::Replicas => "Replica",
            Noun::AuditRecords => "AuditRecord",
        }
    }

    /// What the client may do with it, in Kubernetes' words.
    #[must_use]
    pub(crate) fn verbs(self) -> &'static [&'static str] {
        match self {
            Noun::Runnables => &["create", "delete", "get", "list", "patch", "watch"],
            Noun::Allocations => &["delete", "get", "list", "watch"],
            Noun::Clusters | Noun::Deployables | Noun::Pools | Noun::Locks | Noun::StatusRules => {
                &["create", "delete", "get", "list", "patch", "update", "watch"]
            }
            Noun::Replicas => &["get", "list"],
            Noun::AuditRecords => &["get", "list", "watch"],
        }
    }

    /// True if each of them is in a namespace.
    #[must_use]
    pub(crate) fn is_namespaced(self) -> bool {
        use Noun::{Allocations, Deployables, Locks, Pools, Runnables};
        matches!(self, Runnables | Deployables | Pools | Allocations | Locks)
    }
}
