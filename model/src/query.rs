//! What readers ask of a view.

mod deployables;
mod diff;
mod due;
mod extents;
mod foreign;
mod list;
mod pools;
mod requires;

pub use deployables::{bundle, bundle_manifests, deployable, deployables, installations, is_kept_in_sync};
pub use diff::{ClusterDiff, Diff, FieldDiff, ObjectDiff, diff};
pub use due::{due, next_due};
pub use extents::{Extents, extents};
pub(crate) use foreign::foreign_range;
pub use foreign::{
    foreign, foreign_count, foreign_count_of_kind, foreign_of_kind, foreign_room, foreign_watch,
};
pub use list::{FieldTest, Filter, Page, list};
pub use pools::allocated;
pub use requires::{Required, lacks};

use crate::record::{Cluster, Extent, Kind, Member, Meta, Record, Resource, Runnable, StatusRule, Watch};
use crate::{Damaged, Key, Ordinal, Row, Tag, Uid, View, limits, lookup};
use std::sync::Arc;

/// Clusters, replicas or watches that one listing of all gives.
const ALL_MAX: usize = 10_000;
/// Runs that are asked which kind a code stands for. Two kinds of one cluster hardly ever have the same one.
const KIND_HOLDERS_MAX: usize = 4;

/// The counters; the first ones before anything was written.
///
/// # Errors
/// [`Damaged`] as every function here, when the state cannot be read.
pub fn meta(view: &dyn View) -> Result<Meta, Damaged> {
    match view.get(Key::META)? {
        Some(Row::Meta(meta)) => Ok(*meta),
        None => Ok(Meta::default()),
        Some(_) => Err(Damaged::at(Key::META, "not the counters")),
    }
}

/// The record under an ordinal.
///
/// # Errors
/// [`Damaged`].
pub fn record(view: &dyn View, ordinal: Ordinal) -> Result<Option<Record>, Damaged> {
    let key = Key::record(ordinal);
    match view.get(key)? {
        Some(Row::Record(record)) => Ok(Some(Arc::unwrap_or_clone(record))),
        None => Ok(None),
        Some(_) => Err(Damaged::at(key, "not a record")),
    }
}

/// The record of that name.
///
/// # Errors
/// [`Damaged`].
pub fn named(
    view: &dyn View,
    resource: Resource,
    namespace: &str,
    name: &str,
) -> Result<Option<Record>, Damaged> {
    let hash = lookup::name_hash(resource, namespace, name);
    for ordinal in ordinals(view, Tag::Name, hash)? {
        if let Some(record) = record(view, ordinal)?
            && record.resource() == resource
            && record.head().is_some_and(|head| head.namespace == namespace && head.name == name)
        {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// The record with that UID.
///
/// # Errors
/// [`Damaged`].
pub fn by_uid(view: &dyn View, uid: Uid) -> Result<Option<Record>, Damaged> {
    for ordinal in ordinals(view, Tag::Uid, crate::index::uid_hash(uid))? {
        if let Some(record) = record(view, ordinal)?
            && record.head().is_some_and(|head| head.uid == uid)
        {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// The runnable of that name.
///
/// # Errors
/// [`Damaged`].
pub fn runnable(view: &dyn View, namespace: &str, name: &str) -> Result<Option<Runnable>, Damaged> {
    Ok(named(view, Resource::Runnable, namespace, name)?.and_then(|record| match record {
        Record::Runnable(run) => Some(run),
        _ => None,
    }))
}

/// The cluster of that name.
///
/// # Errors
/// [`Damaged`].
pub fn cluster(view: &dyn View, name: &str) -> Result<Option<Cluster>, Damaged> {
    Ok(named(view, Resource::Cluster, "", name)?.and_then(|record| match record {
        Record::Cluster(cluster) => Some(cluster),
        _ => None,
    }))
}

/// All clusters, in the order in which they were registered.
///
/// # Errors
/// [`Damaged`].
pub fn clusters(view: &dyn View) -> Result<Vec<Cluster>, Damaged> {
    let pick = |record| match record {
        Record::Cluster(cluster) => Some(cluster),
        _ => None,
    };
    all(view, Resource::Cluster, pick)
}

/// All status rules.
///
/// # Errors
/// [`Damaged`].
pub fn status_rules(view: &dyn View) -> Result<Vec<StatusRule>, Damaged> {
    let pick = |record| match record {
        Record::StatusRule(rule) => Some(rule),
        _ => None,
    };
    all(view, Resource::StatusRule, pick)
}

/// All replicas.
///
/// # Errors
/// [`Damaged`].
pub fn members(view: &dyn View) -> Result<Vec<Member>, Damaged> {
    let pick = |record| match record {
        Record::Member(member) => Some(member),
        _ => None,
    };
    all(view, Resource::Member, pick)
}

/// The cursor of one watch of what the group made.
///
/// # Errors
/// [`Damaged`].
pub fn watch(view: &dyn View, cluster: Ordinal, extent: &Extent) -> Result<Option<Watch>, Damaged> {
    watch_of(view, cluster, extent, false)
}

fn watch_of(
    view: &dyn View,
    cluster: Ordinal,
    extent: &Extent,
    is_foreign: bool,
) -> Result<Option<Watch>, Damaged> {
    for ordinal in ordinals(view, Tag::Name, crate::index::watch_hash(cluster, extent, is_foreign))? {
        if let Some(Record::Watch(watch)) = record(view, ordinal)?
            && watch.is_of(cluster, extent, is_foreign)
        {
            return Ok(Some(watch));
        }
    }
    Ok(None)
}

/// The kinds that are looked at on a cluster: those that every cluster serves, and those of which a run has an object
/// there, or may have.
///
/// # Errors
/// [`Damaged`].
pub fn tracked(view: &dyn View, cluster: Ordinal) -> Result<Vec<Kind>, Damaged> {
    let mut kinds: Vec<Kind> = Kind::KNOWN.into_iter().filter(Kind::is_everywhere).collect();
    let to = Key::lookup(Tag::Tracked, lookup::tracked(Ordinal(cluster.0 + 1), 0), Ordinal(0));
    let mut value = lookup::tracked(cluster, 0);
    while kinds.len() < limits::TRACKED_KINDS_MAX {
        let from = Key::lookup(Tag::Tracked, value, Ordinal(0));
        let page = view.page(from, to, KIND_HOLDERS_MAX)?;
        let Some(first) = page.first().map(|(key, _)| key.a) else { break };
        for (key, _) in page.iter().filter(|(key, _)| key.a == first) {
            let held: Vec<Kind> = match record(view, key.ordinal())? {
                Some(Record::Runnable(run)) => run.planned.into_iter().map(|plan| plan.kind).collect(),
                Some(Record::Installation(one)) => one.objects.into_iter().map(|one| one.kind).collect(),
                _ => continue,
            };
            let coded = held.into_iter().filter(|kind| lookup::tracked(cluster, kind.code()) == first);
            for kind in coded {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
        }
        value = first + 1;
    }
    kinds.sort_unstable();
    Ok(kinds)
}

/// The cursors of all kinds of which something of the group is or was watched on a cluster.
///
/// # Errors
/// [`Damaged`].
pub fn watches(view: &dyn View, cluster: Ordinal) -> Result<Vec<Watch>, Damaged> {
    let mut watches = Vec::new();
    for ordinal in ordinals(view, Tag::Watches, cluster.0)? {
        if let Some(Record::Watch(watch)) = record(view, ordinal)?
            && watch.foreign.is_none()
        {
            watches.push(watch);
        }
    }
    Ok(watches)
}

/// A runnable's manifests, joined: its own, or those of the submission that it is a part of.
///
/// # Errors
/// [`Damaged`], also when a part is missing.
pub fn manifests(view: &dyn View, run: &Runnable) -> Result<Vec<u8>, Damaged> {
    let Some(parent) = &run.parent else {
        return joined(view, run.head.ordinal, &run.manifests, run.parts);
    };
    match record(view, parent.ordinal)? {
        Some(Record::Runnable(parent)) => joined(view, parent.head.ordinal, &parent.manifests, parent.parts),
        _ => Err(Damaged::at(Key::record(parent.ordinal), "the manifests of its runs are missing")),
    }
}

fn joined(view: &dyn View, ordinal: Ordinal, inline: &[u8], parts: u16) -> Result<Vec<u8>, Damaged> {
    let mut bytes = inline.to_vec();
    for part in 1..=parts {
        let key = Key::part(ordinal, part);
        match view.get(key)? {
            Some(Row::Part(part)) => bytes.extend_from_slice(&part),
            _ => return Err(Damaged::at(key, "a part of the manifests is missing")),
        }
    }
    Ok(bytes)
}

/// How many runs are under way on a cluster, counted up to `max`.
///
/// # Errors
/// [`Damaged`].
pub fn active(view: &dyn View, cluster: Ordinal, max: usize) -> Result<usize, Damaged> {
    let key = |ordinal| Key::lookup(Tag::Active, cluster.0, ordinal);
    view.count(key(Ordinal(0)), key(Ordinal(u64::MAX)), max)
}

/// How many runs failed before a cluster took them, counted up to `max`.
///
/// # Errors
/// [`Damaged`].
pub fn dead_letters(view: &dyn View, max: usize) -> Result<usize, Damaged> {
    let key = |ordinal| Key::lookup(Tag::DeadLetter, 0, ordinal);
    view.count(key(Ordinal(0)), key(Ordinal(u64::MAX)), max)
}

/// The ordinals of runs whose last attempt is or was on a cluster, after `after`, at most `limit`.
///
/// # Errors
/// [`Damaged`].
pub fn on_cluster(
    view: &dyn View,
    cluster: Ordinal,
    after: Ordinal,
    limit: usize,
) -> Result<Vec<Ordinal>, Damaged> {
    let from = Key::lookup(Tag::Cluster, cluster.0, after.next());
    let to = Key::lookup(Tag::Cluster, cluster.0 + 1, Ordinal(0));
    Ok(view.page(from, to, limit)?.into_iter().map(|(key, _)| key.ordinal()).collect())
}

/// The runnables that claim the name of an object on a cluster: several where a member is shared.
///
/// # Errors
/// [`Damaged`].
pub fn claimants(
    view: &dyn View,
    cluster: Ordinal,
    kind: &Kind,
    namespace: &str,
    name: &str,
) -> Result<Vec<Runnable>, Damaged> {
    let mut runs = Vec::new();
    for ordinal in ordinals(view, Tag::Claim, lookup::claim_hash(cluster, kind, namespace, name))? {
        let Some(Record::Runnable(run)) = record(view, ordinal)? else { continue };
        let claims = |object: &crate::record::Object| {
            let planned = run
                .plan(object)
                .is_some_and(|plan| plan.kind.names_same(kind) && plan.namespace == namespace);
            planned && object.claims() && object.cluster == cluster && object.name == name
        };
        if run.objects.iter().any(claims) {
            runs.push(run);
        }
    }
    Ok(runs)
}

fn all<T>(
    view: &dyn View,
    resource: Resource,
    pick: impl Fn(Record) -> Option<T>,
) -> Result<Vec<T>, Damaged> {
    let mut found = Vec::new();
    for ordinal in ordinals(view, Tag::Resource, resource as u64)? {
        found.extend(record(view, ordinal)?.and_then(&pick));
    }
    Ok(found)
}

fn ordinals(view: &dyn View, tag: Tag, value: u64) -> Result<Vec<Ordinal>, Damaged> {
    let from = Key { tag, a: value, b: 0, c: 0 };
    let to = Key { tag, a: value, b: u64::MAX, c: u64::MAX };
    Ok(view.page(from, to, ALL_MAX)?.into_iter().map(|(key, _)| key.ordinal()).collect())
}
