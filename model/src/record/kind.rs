//! The Kubernetes kinds that Tallyman can send.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of Kubernetes object. Stored as its position: only ever append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// `batch/v1 Job`
    Job,
    /// `v1 ConfigMap`
    ConfigMap,
    /// `argoproj.io/v1alpha1 Workflow`
    Workflow,
    /// `argoproj.io/v1alpha1 WorkflowTemplate`
    WorkflowTemplate,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 4] = [Kind::Job, Kind::ConfigMap, Kind::Workflow, Kind::WorkflowTemplate];

    /// The kind of these names, if it is one that can be sent.
    #[must_use]
    pub fn parse(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.api_version() == api_version && known.as_str() == kind)
    }

    /// As in a manifest.
    #[must_use]
    pub fn api_version(self) -> &'static str {
        match self {
            Kind::Job => "batch/v1",
            Kind::ConfigMap => "v1",
            Kind::Workflow | Kind::WorkflowTemplate => "argoproj.io/v1alpha1",
        }
    }

    /// The version within its group.
    #[must_use]
    pub fn version(self) -> &'static str {
        self.api_version().rsplit('/').next().unwrap_or_default()
    }

    /// The API group; empty for the core.
    #[must_use]
    pub fn group(self) -> &'static str {
        match self {
            Kind::Job => "batch",
            Kind::ConfigMap => "",
            Kind::Workflow | Kind::WorkflowTemplate => "argoproj.io",
        }
    }

    /// As in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Job => "Job",
            Kind::ConfigMap => "ConfigMap",
            Kind::Workflow => "Workflow",
            Kind::WorkflowTemplate => "WorkflowTemplate",
        }
    }

    /// As in a path.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Job => "jobs",
            Kind::ConfigMap => "configmaps",
            Kind::Workflow => "workflows",
            Kind::WorkflowTemplate => "workflowtemplates",
        }
    }

    /// True if an object of it runs to an end that a status rule knows.
    #[must_use]
    pub fn completes(self) -> bool {
        matches!(self, Kind::Job | Kind::Workflow)
    }

    /// True if an object of it is stopped by a field of its own and stays, with what it says of its end; others are
    /// stopped by their deletion.
    #[must_use]
    pub fn stops(self) -> bool {
        matches!(self, Kind::Workflow)
    }

    /// True if every cluster serves it: it is looked at everywhere from the start, so that a missing right is told of
    /// before the first run needs it. Others are looked at where a run has an object of them.
    #[must_use]
    pub fn is_everywhere(self) -> bool {
        matches!(self, Kind::Job | Kind::ConfigMap)
    }

    /// The version of the group from which on it may be in the log.
    #[must_use]
    pub fn since(self) -> u32 {
        match self {
            Kind::Job | Kind::ConfigMap => 0,
            Kind::Workflow | Kind::WorkflowTemplate => 3,
        }
    }

    /// True if it is watched; others are read by name.
    #[must_use]
    pub fn is_watched(self) -> bool {
        self.completes()
    }

    /// The longest name an object of it may have. Those of Jobs and Workflows become labels of their Pods.
    #[must_use]
    pub fn name_bytes_max(self) -> usize {
        match self {
            Kind::Job | Kind::Workflow | Kind::WorkflowTemplate => 63,
            Kind::ConfigMap => 253,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
