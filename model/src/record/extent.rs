//! What one watch or listing covers.

use super::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Objects of a kind, in one namespace of a cluster or in all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Extent {
    /// The kind.
    pub kind: Kind,
    /// The namespace; empty: all.
    pub namespace: String,
}

impl Extent {
    /// In all namespaces.
    #[must_use]
    pub fn everywhere(kind: Kind) -> Self {
        Self { kind, namespace: String::new() }
    }

    /// The namespace, if it is one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }

    /// What it is called where a cluster refuses to have it read, as `jobs in risk`: with the plural of the kind where
    /// that is known here.
    #[must_use]
    pub fn called(&self) -> String {
        let resource = self.kind.plural().unwrap_or(self.kind.as_str());
        self.namespace().map_or_else(|| resource.to_owned(), |namespace| format!("{resource} in {namespace}"))
    }

    /// True if there can be an object that is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.kind == other.kind && (self.covers(&other.namespace) || other.covers(&self.namespace))
    }

    /// True if objects of its kind in that namespace are in it.
    #[must_use]
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespace().is_none_or(|own| own == namespace)
    }
}

/// As in "Job in risk".
impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "{} in {namespace}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

/// Where on a cluster kinds are watched and listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WatchScope {
    /// Each kind in all namespaces at once.
    #[default]
    Cluster,
    /// Each kind in each namespace where something of it is, or is to be: no right on the whole cluster is needed.
    Namespaces,
}

impl WatchScope {
    /// All of them.
    pub const ALL: [WatchScope; 2] = [WatchScope::Cluster, WatchScope::Namespaces];

    /// As users write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WatchScope::Cluster => "Cluster",
            WatchScope::Namespaces => "Namespaces",
        }
    }
}
