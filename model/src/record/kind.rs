//! The Kubernetes kinds that Tallyman can send.

use crate::manifest::names;
use crate::{Digest, limits};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A kind of Kubernetes object. Stored as its position: only ever append.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// `batch/v1 Job`
    Job,
    /// `v1 ConfigMap`
    ConfigMap,
    /// `argoproj.io/v1alpha1 Workflow`
    Workflow,
    /// `argoproj.io/v1alpha1 WorkflowTemplate`
    WorkflowTemplate,
    /// Any other. What it is called in paths, and whether its objects are in namespaces, is for each cluster to say.
    Other(Arc<OtherKind>),
}

/// The names of a kind that is none of [`Kind::KNOWN`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OtherKind {
    api_version: String,
    kind: String,
}

impl Kind {
    /// The kinds that Tallyman itself knows something of.
    pub const KNOWN: [Kind; 4] = [Kind::Job, Kind::ConfigMap, Kind::Workflow, Kind::WorkflowTemplate];

    /// The kind of these names; `None` if they cannot be names of a kind.
    #[must_use]
    pub fn parse(api_version: &str, kind: &str) -> Option<Self> {
        let is_it = |known: &Self| known.api_version() == api_version && known.as_str() == kind;
        if let Some(known) = Self::KNOWN.into_iter().find(is_it) {
            return Some(known);
        }
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let is_group = group.is_empty() != api_version.contains('/')
            && (group.is_empty() || names::subdomain(group, limits::KIND_GROUP_BYTES_MAX).is_ok());
        let is_kind = kind.starts_with(|first: char| first.is_ascii_alphabetic())
            && kind.len() <= limits::KIND_BYTES_MAX
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_group && names::label(version).is_ok() && is_kind).then(|| {
            let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
            Self::Other(Arc::new(OtherKind { api_version, kind }))
        })
    }

    /// The kind of the objects by which a hub tells of clusters.
    #[must_use]
    pub fn cluster_profile() -> Self {
        Self::of_hubs("ClusterProfile")
    }

    /// The kind of the objects by which a hub tells which of them to use.
    #[must_use]
    pub fn placement_decision() -> Self {
        Self::of_hubs("PlacementDecision")
    }

    fn of_hubs(kind: &str) -> Self {
        let api_version = format!("{}/v1alpha1", super::HUB_GROUP);
        Self::Other(Arc::new(OtherKind { api_version, kind: kind.to_owned() }))
    }

    /// As in a manifest.
    #[must_use]
    pub fn api_version(&self) -> &str {
        match self {
            Kind::Other(other) => &other.api_version,
            Kind::Job => "batch/v1",
            Kind::ConfigMap => "v1",
            Kind::Workflow | Kind::WorkflowTemplate => "argoproj.io/v1alpha1",
        }
    }

    /// The version within its group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version().rsplit('/').next().unwrap_or_default()
    }

    /// The API group; empty for the core.
    #[must_use]
    pub fn group(&self) -> &str {
        match self {
            Kind::Other(other) => other.api_version.rsplit_once('/').map_or("", |(group, _)| group),
            Kind::Job => "batch",
            Kind::ConfigMap => "",
            Kind::Workflow | Kind::WorkflowTemplate => "argoproj.io",
        }
    }

    /// As in a manifest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Other(other) => &other.kind,
            Kind::Job => "Job",
            Kind::ConfigMap => "ConfigMap",
            Kind::Workflow => "Workflow",
            Kind::WorkflowTemplate => "WorkflowTemplate",
        }
    }

    /// True if it is none of [`Kind::KNOWN`].
    #[must_use]
    pub fn is_other(&self) -> bool {
        matches!(self, Kind::Other(_))
    }

    /// True if both name the same objects: versions of a kind do.
    #[must_use]
    pub fn names_same(&self, other: &Self) -> bool {
        (self.group(), self.as_str()) == (other.group(), other.as_str())
    }

    /// True if it is a definition of a kind: such objects are in no namespace, and with one of them all objects of the kind
    /// that it defines would go, whoever made them.
    #[must_use]
    pub fn is_definition(&self) -> bool {
        (self.group(), self.as_str()) == ("apiextensions.k8s.io", "CustomResourceDefinition")
    }

    /// As in a path; `None` for a kind of which only a cluster that serves it can say.
    #[must_use]
    pub fn plural(&self) -> Option<&'static str> {
        match self {
            Kind::Job => Some("jobs"),
            Kind::ConfigMap => Some("configmaps"),
            Kind::Workflow => Some("workflows"),
            Kind::WorkflowTemplate => Some("workflowtemplates"),
            Kind::Other(_) => None,
        }
    }

    /// True if an object of it runs to an end that a built-in status rule knows.
    #[must_use]
    pub fn completes(&self) -> bool {
        match self {
            Kind::Job | Kind::Workflow => true,
            Kind::ConfigMap | Kind::WorkflowTemplate => false,
            Kind::Other(other) => (other.api_version.as_str(), other.kind.as_str()) == ("v1", "Pod"),
        }
    }

    /// True if an object of it is stopped by a field of its own and stays, with what it says of its end; others are
    /// stopped by their deletion.
    #[must_use]
    pub fn stops(&self) -> bool {
        matches!(self, Kind::Workflow)
    }

    /// True if every cluster serves it: it is looked at everywhere from the start, so that a missing right is told of
    /// before the first run needs it. Others are looked at where a run has an object of them.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        matches!(self, Kind::Job | Kind::ConfigMap)
    }

    /// The version of the group from which on it may be in the log.
    #[must_use]
    pub fn since(&self) -> u32 {
        match self {
            Kind::Job | Kind::ConfigMap => 0,
            Kind::Workflow | Kind::WorkflowTemplate | Kind::Other(_) => 3,
        }
    }

    /// True if it is watched; others are read by name.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.completes() || self.is_other()
    }

    /// The longest name an object of it may have. Those of Jobs and Workflows become labels of their Pods.
    #[must_use]
    pub fn name_bytes_max(&self) -> usize {
        match self {
            Kind::Job | Kind::Workflow | Kind::WorkflowTemplate => 63,
            Kind::ConfigMap | Kind::Other(_) => 253,
        }
    }

    /// What lookups have instead of the name: different for those that are known, nearly so for others.
    pub(crate) fn code(&self) -> u32 {
        match self {
            Kind::Job => 0,
            Kind::ConfigMap => 1,
            Kind::Workflow => 2,
            Kind::WorkflowTemplate => 3,
            Kind::Other(other) => {
                let hash = Digest::of(format!("{} {}", other.api_version, other.kind).as_bytes()).short();
                OTHERS_FROM | u32::try_from(hash % u64::from(OTHERS_FROM)).unwrap_or(0)
            }
        }
    }
}

/// Codes of other kinds are in the upper half of [`Kind::CODE_BITS`].
const OTHERS_FROM: u32 = 1 << (Kind::CODE_BITS - 1);

impl Kind {
    /// A code is less than two to this power.
    pub(crate) const CODE_BITS: u32 = 24;
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_are_found_and_all_others_are_what_they_are_called() {
        for known in Kind::KNOWN {
            assert_eq!(Kind::parse(known.api_version(), known.as_str()), Some(known));
        }
        let spark = Kind::parse("sparkoperator.k8s.io/v1beta2", "SparkApplication").expect("a kind");
        assert_eq!((spark.group(), spark.version()), ("sparkoperator.k8s.io", "v1beta2"));
        assert_eq!((spark.to_string().as_str(), spark.plural()), ("SparkApplication", None));
        let service = Kind::parse("v1", "Service").expect("a kind");
        assert_eq!((service.group(), service.version(), service.since()), ("", "v1", 3));
    }

    #[test]
    fn what_cannot_be_a_path_is_no_kind() {
        for (api_version, kind) in [
            ("", "A"),
            ("/v1", "A"),
            ("a/", "A"),
            ("a/b/c", "A"),
            ("a..b/v1", "A"),
            ("A/v1", "A"),
            ("a/v1", ""),
            ("a/v1", "../jobs"),
            ("a?b/v1", "A"),
            ("v1", "1A"),
            ("-/v1", "A"),
        ] {
            assert_eq!(Kind::parse(api_version, kind), None, "{api_version} {kind}");
        }
    }
}
