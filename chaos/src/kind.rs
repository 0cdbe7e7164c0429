//! The kinds of objects: those that every cluster has, and those that are defined in it.

use std::sync::Arc;

/// One kind of object, and everything that its name appears in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Namespace,
    Job,
    Pod,
    ConfigMap,
    Event,
    Deployment,
    StatefulSet,
    DaemonSet,
    CustomResourceDefinition,
    /// After the definitions: what is written kind by kind defines a kind before it is used.
    Custom(Arc<Custom>),
}

/// What of a kind that a `CustomResourceDefinition` defines never changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Custom {
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) name: String,
    pub(crate) is_namespaced: bool,
}

impl Kind {
    pub(crate) const BUILT_IN: [Self; 9] = [
        Self::Namespace,
        Self::Job,
        Self::Pod,
        Self::ConfigMap,
        Self::Event,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::CustomResourceDefinition,
    ];

    pub(crate) fn plural(&self) -> &str {
        match self {
            Self::Namespace => "namespaces",
            Self::Job => "jobs",
            Self::Pod => "pods",
            Self::ConfigMap => "configmaps",
            Self::Event => "events",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::CustomResourceDefinition => "customresourcedefinitions",
            Self::Custom(custom) => &custom.plural,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Namespace => "Namespace",
            Self::Job => "Job",
            Self::Pod => "Pod",
            Self::ConfigMap => "ConfigMap",
            Self::Event => "Event",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::CustomResourceDefinition => "CustomResourceDefinition",
            Self::Custom(custom) => &custom.name,
        }
    }

    /// The API group; the core group is "".
    pub(crate) fn group(&self) -> &str {
        match self {
            Self::Namespace | Self::Pod | Self::ConfigMap | Self::Event => "",
            Self::Job => "batch",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::CustomResourceDefinition => "apiextensions.k8s.io",
            Self::Custom(custom) => &custom.group,
        }
    }

    pub(crate) fn is_namespaced(&self) -> bool {
        match self {
            Self::Namespace | Self::CustomResourceDefinition => false,
            Self::Job | Self::Pod | Self::ConfigMap | Self::Event => true,
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => true,
            Self::Custom(custom) => custom.is_namespaced,
        }
    }

    pub(crate) fn is_custom(&self) -> bool {
        matches!(self, Self::Custom(_))
    }

    /// `jobs.batch`, as messages about a resource name it. The name of the definition of a custom kind.
    pub(crate) fn qualified_plural(&self) -> String {
        qualified(self.plural(), self.group())
    }

    /// `Job.batch`, as messages about a kind name it.
    pub(crate) fn qualified_name(&self) -> String {
        qualified(self.name(), self.group())
    }

    /// What it is called on file: `jobs`, or the name of its definition, which has a dot.
    pub(crate) fn filed_name(&self) -> String {
        if self.is_custom() { self.qualified_plural() } else { self.plural().to_owned() }
    }

    /// The key of an object within its kind: `NAMESPACE/NAME`, or the bare name.
    pub(crate) fn key(&self, namespace: &str, name: &str) -> String {
        if self.is_namespaced() { format!("{namespace}/{name}") } else { name.to_owned() }
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}
