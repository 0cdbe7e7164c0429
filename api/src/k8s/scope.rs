//! One cluster, or all of them.

use crate::noun::Noun;
use crate::status::Failure;
use tallyman_model::record::Cluster;
use tallyman_model::{Damaged, View, query};

/// Whose objects are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    One(String),
}

impl Scope {
    /// The scope that a path below `/k8s` begins with, and what follows.
    pub(super) fn parse<'a, 'b>(path: &'a [&'b str]) -> Option<(Self, &'a [&'b str])> {
        match path {
            ["all", rest @ ..] => Some((Self::All, rest)),
            ["clusters", name, rest @ ..] => Some((Self::One((*name).to_owned()), rest)),
            _ => None,
        }
    }

    /// The cluster; `None`: all. The inner error is that there is no such cluster.
    pub(crate) fn cluster(&self, view: &dyn View) -> Result<Result<Option<Cluster>, Failure>, Damaged> {
        let Scope::One(name) = self else { return Ok(Ok(None)) };
        Ok(query::cluster(view, name)?.map(Some).ok_or_else(|| Failure::not_found(Noun::Clusters, name)))
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::All => f.write_str("all"),
            Scope::One(name) => write!(f, "clusters/{name}"),
        }
    }
}
