//! What the items of a list or the objects of a watch are.

use crate::k8s;
use crate::noun::Noun;
use crate::{render, table};
use serde_json::Value;
use tallyman_model::record::Kind;

/// A resource of ours, or a kind of object on clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Ours(Noun),
    /// Objects of a kind, of one cluster or of all.
    Observed {
        kind: Kind,
        all: bool,
    },
}

impl From<Noun> for Listed {
    fn from(noun: Noun) -> Self {
        Self::Ours(noun)
    }
}

impl Listed {
    /// As in a document.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Listed::Ours(noun) => noun.kind(),
            Listed::Observed { kind, .. } => kind.as_str(),
        }
    }

    /// As in a document.
    pub(crate) fn api_version(&self) -> &str {
        match self {
            Listed::Ours(_) => render::API_VERSION,
            Listed::Observed { kind, .. } => kind.api_version(),
        }
    }

    /// The columns of its rows.
    pub(crate) fn columns(&self) -> Value {
        match self {
            Listed::Ours(noun) => table::columns(*noun),
            Listed::Observed { kind, all } => k8s::columns(kind, *all),
        }
    }
}
