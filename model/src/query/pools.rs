//! What readers ask of pools.

use crate::{Damaged, Key, Ordinal, Tag, View};

/// How many values of a pool are allocated. Nobody walks over them.
///
/// # Errors
/// [`Damaged`] when the state cannot be read.
pub fn allocated(view: &dyn View, pool: Ordinal) -> Result<usize, Damaged> {
    let slot = |slot| Key::lookup(Tag::Slot, pool.0, Ordinal(slot));
    view.count(slot(0), slot(u64::MAX), usize::MAX)
}
