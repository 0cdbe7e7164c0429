//! The resources of the API and what they are called.

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
