//! The resources of the API and what they are called.

use tallyman_model::Command;
use tallyman_model::command::ManifestName;

/// A resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noun {
    /// `runnables`
    Runnables,
    /// `clusters`
    Clusters,
    /// `replicas`
    Replicas,
    /// `auditrecords`
    AuditRecords,
}

impl Noun {
    /// All resources.
    pub(crate) const ALL: [Noun; 4] = [Noun::Runnables, Noun::Clusters, Noun::Replicas, Noun::AuditRecords];

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
            Noun::Clusters => &["create", "delete", "get", "list", "patch", "update", "watch"],
            Noun::Replicas => &["get", "list"],
            Noun::AuditRecords => &["get", "list", "watch"],
        }
    }

    /// True if each of them is in a namespace.
    #[must_use]
    pub(crate) fn is_namespaced(self) -> bool {
        self == Noun::Runnables
    }
}
