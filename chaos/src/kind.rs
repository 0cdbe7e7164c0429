//! The kinds that a simulated cluster serves.

/// One kind of object, and everything that its name appears in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Namespace,
    Job,
    Pod,
    ConfigMap,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Namespace, Self::Job, Self::Pod, Self::ConfigMap];

    /// The kind behind `/apis/GROUP/VERSION/.../PLURAL`; the core group is "".
    pub(crate) fn at_path(group: &str, version: &str, plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural && kind.group() == group && version == "v1")
    }

    pub(crate) fn of_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }

    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Namespace => "namespaces",
            Self::Job => "jobs",
            Self::Pod => "pods",
            Self::ConfigMap => "configmaps",
        }
    }

    pub(crate) fn singular(self) -> &'static str {
        self.plural().trim_end_matches('s')
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Namespace => "Namespace",
            Self::Job => "Job",
            Self::Pod => "Pod",
            Self::ConfigMap => "ConfigMap",
        }
    }

    pub(crate) fn short_name(self) -> Option<&'static str> {
        match self {
            Self::Namespace => Some("ns"),
            Self::Job => None,
            Self::Pod => Some("po"),
            Self::ConfigMap => Some("cm"),
        }
    }

    pub(crate) fn group(self) -> &'static str {
        if self == Self::Job { "batch" } else { "" }
    }

    pub(crate) fn api_version(self) -> &'static str {
        if self == Self::Job { "batch/v1" } else { "v1" }
    }

    pub(crate) fn is_namespaced(self) -> bool {
        self != Self::Namespace
    }

    pub(crate) fn has_status(self) -> bool {
        self != Self::ConfigMap
    }

    /// Whether the server counts changes of the desired state in `metadata.generation`.
    pub(crate) fn has_generation(self) -> bool {
        matches!(self, Self::Job | Self::Pod)
    }

    /// `jobs.batch`, as messages about a resource name it.
    pub(crate) fn qualified_plural(self) -> String {
        qualified(self.plural(), self.group())
    }

    /// `Job.batch`, as messages about a kind name it.
    pub(crate) fn qualified_name(self) -> String {
        qualified(self.name(), self.group())
    }

    /// The key of an object within its kind: `NAMESPACE/NAME`, or the bare name.
    pub(crate) fn key(self, namespace: &str, name: &str) -> String {
        if self.is_namespaced() { format!("{namespace}/{name}") } else { name.to_owned() }
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// One value for each kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct PerKind<T> {
    namespaces: T,
    jobs: T,
    pods: T,
    config_maps: T,
}

impl<T> PerKind<T> {
    pub(crate) fn new(make: impl Fn() -> T) -> Self {
        Self { namespaces: make(), jobs: make(), pods: make(), config_maps: make() }
    }

    pub(crate) fn of(&self, kind: Kind) -> &T {
        match kind {
            Kind::Namespace => &self.namespaces,
            Kind::Job => &self.jobs,
            Kind::Pod => &self.pods,
            Kind::ConfigMap => &self.config_maps,
        }
    }

    pub(crate) fn of_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Namespace => &mut self.namespaces,
            Kind::Job => &mut self.jobs,
            Kind::Pod => &mut self.pods,
            Kind::ConfigMap => &mut self.config_maps,
        }
    }
}
