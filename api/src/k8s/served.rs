//! The kinds that are shown under a scope, and what they are called in paths.

use super::scope::Scope;
use tallyman_model::record::Kind;
use tallyman_model::{Damaged, Ordinal, View, query};

/// A kind as a cluster serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) kind: Kind,
    pub(crate) plural: String,
}

/// Those that are known everywhere.
pub(super) fn known() -> Vec<Served> {
    let served = |kind: Kind| {
        let plural = kind.plural()?.to_owned();
        Some(Served { kind, plural })
    };
    Kind::KNOWN.into_iter().filter_map(served).collect()
}

/// These, and those that were looked at on a cluster of the scope, by the name that it said. A cluster that is not
/// there has none.
pub(super) fn all(view: &dyn View, scope: &Scope) -> Result<Vec<Served>, Damaged> {
    let clusters: Vec<Ordinal> = match scope.cluster(view)? {
        Ok(Some(cluster)) => vec![cluster.head.ordinal],
        Ok(None) => query::clusters(view)?.into_iter().map(|cluster| cluster.head.ordinal).collect(),
        Err(_) => Vec::new(),
    };
    let mut served = known();
    for cluster in clusters {
        for watch in query::watches(view, cluster)?.into_iter().filter(|watch| watch.extent.kind.is_other()) {
            let one = Served { kind: watch.extent.kind, plural: watch.plural };
            if !served.contains(&one) {
                served.push(one);
            }
        }
    }
    Ok(served)
}

/// The kind at a path.
pub(super) fn find<'a>(
    served: impl IntoIterator<Item = &'a Served>,
    (group, version, plural): (&str, &str, &str),
) -> Option<&'a Served> {
    let is_it = |one: &&Served| {
        (one.kind.group(), one.kind.version(), one.plural.as_str()) == (group, version, plural)
    };
    served.into_iter().find(is_it)
}
