//! What of a cluster is watched and listed.

use super::{record, tracked};
use crate::record::{Cluster, Extent, Kind, Record, WatchScope};
use crate::{Damaged, Key, Ordinal, Tag, View, lookup};
use std::collections::BTreeSet;

/// Records that are asked which extent a code stands for. Two extents of one cluster hardly ever have the same one.
const HOLDERS_MAX: usize = 4;
/// Kinds of one namespace that are looked for, on the mean.
const KINDS_OF_NAMESPACE_MAX: usize = 8;

/// What of a cluster is watched and listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    /// Each once, in order.
    pub all: Vec<Extent>,
    /// There are more namespaces than were asked for.
    pub is_cut: bool,
}

/// What is to be watched and listed on a cluster: the [`tracked`] kinds, where its scope is the cluster. Else those of
/// which something is in a namespace, or is to be, in each of these; and what every cluster serves in those that its
/// record names. Of at most `namespaces_max` namespaces, those of the record first.
///
/// # Errors
/// [`Damaged`].
pub fn extents(view: &dyn View, cluster: &Cluster, namespaces_max: usize) -> Result<Extents, Damaged> {
    let ordinal = cluster.head.ordinal;
    if cluster.watch_scope == WatchScope::Cluster {
        let all = tracked(view, ordinal)?.into_iter().map(Extent::everywhere).collect();
        return Ok(Extents { all, is_cut: false });
    }
    let (mut all, mut namespaces) = (BTreeSet::new(), BTreeSet::new());
    for namespace in cluster.watch_namespaces.iter().take(namespaces_max) {
        namespaces.insert(namespace.clone());
        let everywhere = Kind::KNOWN.into_iter().filter(Kind::is_everywhere);
        all.extend(everywhere.map(|kind| Extent { kind, namespace: namespace.clone() }));
    }
    let mut is_cut = cluster.watch_namespaces.len() > namespaces_max;
    let to = Key::lookup(Tag::Extents, lookup::extents_from(Ordinal(ordinal.0 + 1)), Ordinal(0));
    let mut value = lookup::extents_from(ordinal);
    for look in 0.. {
        let page = view.page(Key::lookup(Tag::Extents, value, Ordinal(0)), to, HOLDERS_MAX)?;
        let Some(first) = page.first().map(|(key, _)| key.a) else { break };
        if look >= namespaces_max.saturating_mul(KINDS_OF_NAMESPACE_MAX) {
            is_cut = true;
            break;
        }
        for (key, _) in page.iter().filter(|(key, _)| key.a == first) {
            let held = record(view, key.ordinal())?.map(|record| held(&record)).unwrap_or_default();
            for extent in held.into_iter().filter(|extent| lookup::extent(ordinal, extent) == first) {
                if namespaces.len() >= namespaces_max && !namespaces.contains(&extent.namespace) {
                    is_cut = true;
                    continue;
                }
                namespaces.insert(extent.namespace.clone());
                all.insert(extent);
            }
        }
        // Also where there are enough namespaces: of these other kinds may follow.
        value = first + 1;
    }
    Ok(Extents { all: all.into_iter().collect(), is_cut })
}

/// Where objects of a record are, or are to be.
fn held(record: &Record) -> Vec<Extent> {
    let extent =
        |kind: &Kind, namespace: &String| Extent { kind: kind.clone(), namespace: namespace.clone() };
    match record {
        Record::Runnable(run) => run.planned.iter().map(|plan| extent(&plan.kind, &plan.namespace)).collect(),
        Record::Installation(one) => {
            one.objects.iter().map(|object| extent(&object.kind, &object.namespace)).collect()
        }
        _ => Vec::new(),
    }
}
