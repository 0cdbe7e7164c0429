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
    /// `clusters`
    Clusters,
    /// `replicas`
    Replicas,
    /// `auditrecords`
    AuditRecords,
}

impl Noun {
    /// All resources.
    pub(crate) const ALL: [Noun; 5] =
        [Noun::Runnables, Noun::Deployables, Noun::Clusters, Noun::Replicas, Noun::AuditRecords];

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
            Command::Withdraw(withdraw) => (Noun::Deployables, withdraw.target.name.as_str()),
            Command::AddCluster(add) => (Noun::Clusters, add.name.as_str()),
            Command::UpdateCluster(update) => (Noun::Clusters, update.name.as_str()),
            Command::Drain(drain) => (Noun::Clusters, drain.name.as_str()),
            Command::RemoveCluster(remove) => (Noun::Clusters, remove.name.as_str()),
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
            Noun::Clusters => "clusters",
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
            Noun::Clusters => "cluster",
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
            Noun::Clusters => "Cluster",
            Noun::Replicas => "Replica",
            Noun::AuditRecords => "AuditRecord",
        }
    }

    /// What the client may do with it, in Kubernetes' words.
    #[must_use]
    pub(crate) fn verbs(self) -> &'static [&'static str] {
        match self {
            Noun::Runnables => &["create", "delete", "get", "list", "patch", "watch"],
            Noun::Clusters | Noun::Deployables => {
                &["create", "delete", "get", "list", "patch", "update", "watch"]
            }
            Noun::Replicas => &["get", "list"],
            Noun::AuditRecords => &["get", "list", "watch"],
        }
    }

    /// True if each of them is in a namespace.
    #[must_use]
    pub(crate) fn is_namespaced(self) -> bool {
        matches!(self, Noun::Runnables | Noun::Deployables)
    }
}
