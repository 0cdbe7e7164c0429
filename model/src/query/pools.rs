//! What readers ask of pools.

use crate::{Damaged, Key, Ordinal, Tag, View, limits, lookup};

/// How many values of a pool are allocated. Nobody walks over them.
///
/// # Errors
/// [`Damaged`] when the state cannot be read.
pub fn allocated(view: &dyn View, pool: Ordinal) -> Result<u64, Damaged> {
    let mut allocated = 0_u64;
    for level in 0..=limits::POOL_VALUES_MAX.ilog2() {
        let piece = |index| Key::lookup(Tag::Slot, lookup::taken(pool, level), Ordinal(index));
        let pieces = u64::try_from(view.count(piece(0), piece(u64::MAX), usize::MAX)?).unwrap_or(u64::MAX);
        allocated = allocated.saturating_add(pieces.saturating_mul(1 << level));
    }
    Ok(allocated)
}
