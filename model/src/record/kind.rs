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
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 2] = [Kind::Job, Kind::ConfigMap];

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
        }
    }

    /// The API group; empty for the core.
    #[must_use]
    pub fn group(self) -> &'static str {
        match self {
            Kind::Job => "batch",
            Kind::ConfigMap => "",
        }
    }

    /// As in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Job => "Job",
            Kind::ConfigMap => "ConfigMap",
        }
    }

    /// As in a path.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Job => "jobs",
            Kind::ConfigMap => "configmaps",
        }
    }

    /// True if an object of it runs to an end that a status rule knows.
    #[must_use]
    pub fn completes(self) -> bool {
        matches!(self, Kind::Job)
    }

    /// True if it is watched; others are read by name.
    #[must_use]
    pub fn is_watched(self) -> bool {
        self.completes()
    }

    /// The longest name an object of it may have. A Job's name becomes a label of its Pods.
    #[must_use]
    pub fn name_bytes_max(self) -> usize {
        match self {
            Kind::Job => 63,
            Kind::ConfigMap => 253,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
