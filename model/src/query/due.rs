//! The due work of a lane.

use crate::{Damaged, Key, Lane, Ordinal, View};

/// The records with work in `lane` for `cluster` (0: none) that is due at `now_ms`, the longest due first, each once.
///
/// # Errors
/// [`Damaged`] when the state cannot be read.
pub fn due(
    view: &dyn View,
    lane: Lane,
    cluster: Ordinal,
    now_ms: u64,
    limit: usize,
) -> Result<Vec<Ordinal>, Damaged> {
    let from = Key::lane(lane, cluster, 0, Ordinal(0));
    let to = Key::lane(lane, cluster, now_ms.saturating_add(1), Ordinal(0));
    let mut ordinals = Vec::new();
    for (key, _) in view.page(from, to, limit)? {
        if !ordinals.contains(&key.ordinal()) {
            ordinals.push(key.ordinal());
        }
    }
    Ok(ordinals)
}

/// When the next work of `lane` for `cluster` is due, ms since 1970.
///
/// # Errors
/// [`Damaged`] when the state cannot be read.
pub fn next_due(view: &dyn View, lane: Lane, cluster: Ordinal) -> Result<Option<u64>, Damaged> {
    let from = Key::lane(lane, cluster, 0, Ordinal(0));
    let to = Key::lane(lane, cluster, u64::MAX, Ordinal(u64::MAX));
    Ok(view.page(from, to, 1)?.first().map(|(key, _)| key.b))
}
