//! What is shown of clusters though it was not submitted here.

use super::{by_uid, watch_of};
use crate::record::{Extent, Foreign, Kind, Record, Watch};
use crate::{Damaged, Key, Ordinal, Tag, View, limits, lookup};

/// The record of an object that was not submitted here.
///
/// # Errors
/// [`Damaged`] as every function here, when the state cannot be read.
pub fn foreign(
    view: &dyn View,
    cluster: Ordinal,
    kind: &Kind,
    uid: &str,
) -> Result<Option<Foreign>, Damaged> {
    Ok(by_uid(view, Foreign::uid(cluster, kind, uid))?.and_then(pick))
}

/// The ordinals of all that is shown of one kind on a cluster; another kind may have the same code.
///
/// # Errors
/// [`Damaged`].
pub fn foreign_of_kind(view: &dyn View, cluster: Ordinal, kind: &Kind) -> Result<Vec<Ordinal>, Damaged> {
    let (from, to) = range_of_kind(cluster, kind);
    let page = view.page(from, to, limits::FOREIGN_OF_CLUSTER_MAX)?;
    Ok(page.into_iter().map(|(key, _)| key.ordinal()).collect())
}

/// How many objects of one kind on a cluster are shown, with those of another kind that has the same code.
///
/// # Errors
/// [`Damaged`].
pub fn foreign_count_of_kind(view: &dyn View, cluster: Ordinal, kind: &Kind) -> Result<usize, Damaged> {
    let (from, to) = range_of_kind(cluster, kind);
    view.count(from, to, limits::FOREIGN_OF_CLUSTER_MAX)
}

/// How many objects of a cluster are shown.
///
/// # Errors
/// [`Damaged`].
pub fn foreign_count(view: &dyn View, cluster: Ordinal) -> Result<usize, Damaged> {
    let (from, to) = foreign_range(cluster);
    view.count(from, to, limits::FOREIGN_OF_CLUSTER_MAX)
}

/// How many more objects of a cluster may be shown: those that are gone make room.
///
/// # Errors
/// [`Damaged`].
pub fn foreign_room(view: &dyn View, cluster: Ordinal) -> Result<usize, Damaged> {
    let key = |ordinal| Key::lookup(Tag::ForeignGone, cluster.0, ordinal);
    let gone = view.count(key(Ordinal(0)), key(Ordinal(u64::MAX)), limits::FOREIGN_OF_CLUSTER_MAX)?;
    Ok((limits::FOREIGN_OF_CLUSTER_MAX + gone).saturating_sub(foreign_count(view, cluster)?))
}

/// The cursor of the watch of an extent that looks for what was not submitted here.
///
/// # Errors
/// [`Damaged`].
pub fn foreign_watch(view: &dyn View, cluster: Ordinal, extent: &Extent) -> Result<Option<Watch>, Damaged> {
    watch_of(view, cluster, extent, true)
}

/// Where the lookups of all that is shown of a cluster begin, and where those behind them do.
pub(crate) fn foreign_range(cluster: Ordinal) -> (Key, Key) {
    let from = |cluster| Key::lookup(Tag::Foreign, lookup::tracked(cluster, 0), Ordinal(0));
    (from(cluster), from(cluster.next()))
}

fn range_of_kind(cluster: Ordinal, kind: &Kind) -> (Key, Key) {
    let key = |ordinal| Key::lookup(Tag::Foreign, lookup::tracked(cluster, kind.code()), ordinal);
    (key(Ordinal(0)), key(Ordinal(u64::MAX)))
}

fn pick(record: Record) -> Option<Foreign> {
    match record {
        Record::Foreign(foreign) => Some(foreign),
        _ => None,
    }
}
