//! Delays that grow, and differ between watches.

use crate::limits::{WATCH_DELAY_MS_MAX, WATCH_DELAY_MS_MIN};

/// The delay after `failures` in a row: doubled each time, then cut by up to half, by `seed`.
pub(super) fn after(failures: u32, seed: u64) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = (WATCH_DELAY_MS_MIN << doublings).min(WATCH_DELAY_MS_MAX);
    whole - mix(seed ^ u64::from(failures)) % (whole / 2 + 1)
}

/// SplitMix64.
fn mix(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_bound_and_spread() {
        for seed in 0..100 {
            assert!((WATCH_DELAY_MS_MIN / 2..=WATCH_DELAY_MS_MIN).contains(&after(1, seed)));
            assert!((WATCH_DELAY_MS_MAX / 2..=WATCH_DELAY_MS_MAX).contains(&after(u32::MAX, seed)));
        }
        let spread: std::collections::BTreeSet<u64> = (0..100).map(|seed| after(5, seed)).collect();
        assert!(spread.len() > 50);
    }
}
