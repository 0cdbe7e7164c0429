//! When a kube write that failed is made again.
//!
//! Full jitter: anywhere between at once and a bound that doubles with each failure, so that writes which failed
//! together do not come back together. And a budget: the more writes wait for a cluster, the wider they are spread, so
//! that all that is refused there does not become a load of its own.

use crate::{Damaged, Digest, Key, Lane, Ordinal, Txn, Uid, limits};

/// What waits for a cluster, as far as it matters.
const WAITING_COUNTED_MAX: usize = 15_000;
/// The lanes of writes.
const LANES: [Lane; 3] = [Lane::Send, Lane::Delete, Lane::Release];

/// The delay before the next try of one write of a run, after `tries` that failed, the same on all replicas. `waiting`:
/// how many runs have writes to make on the cluster.
pub(crate) fn delay_ms(run: Uid, object: usize, tries: u32, waiting: usize) -> u64 {
    let bound_ms = bound_ms(tries).max(spread_ms(waiting));
    let seed = [run.0.as_slice(), &(object as u64).to_be_bytes(), &tries.to_be_bytes()].concat();
    Digest::of(&seed).short() % (bound_ms + 1)
}

/// The longest delay after so many failures.
fn bound_ms(tries: u32) -> u64 {
    ((2 * limits::RETRY_DELAY_MS_MIN) << tries.min(16)).min(limits::RETRY_DELAY_MS_MAX)
}

/// Over how long so many tries are spread: each comes after half of that on average.
fn spread_ms(waiting: usize) -> u64 {
    let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
    waiting.saturating_mul(2 * 1000) / limits::RETRIES_PER_S_MAX
}

impl Txn<'_> {
    /// How many runs have kube writes to make on a cluster, now or later.
    pub(crate) fn waiting(&self, cluster: Ordinal) -> Result<usize, Damaged> {
        let mut waiting = 0;
        for lane in LANES {
            let key = |due_ms| Key::lane(lane, cluster, due_ms, Ordinal(0));
            waiting += self.page(key(0), key(u64::MAX), WAITING_COUNTED_MAX)?.len();
        }
        Ok(waiting.min(WAITING_COUNTED_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_delay_is_within_its_bound_and_the_same_on_all_replicas(uid in any::<[u8; 16]>(), object in 0..100_usize, tries in any::<u32>(), waiting in 0..20_000_usize) {
            let delay = delay_ms(Uid(uid), object, tries, waiting);
            let bound = limits::RETRY_DELAY_MS_MAX.max(waiting as u64 * 2000 / limits::RETRIES_PER_S_MAX);
            prop_assert!(delay <= bound, "{delay} > {bound}");
            prop_assert_eq!(delay, delay_ms(Uid(uid), object, tries, waiting));
        }
    }

    #[test]
    fn what_is_refused_all_at_once_is_tried_again_no_faster_than_the_budget_allows() {
        for waiting in [100_usize, 5_000, 15_000] {
            let uid = |i: usize| Uid(u128::try_from(i).unwrap_or(0).to_be_bytes());
            let mut delays: Vec<u64> = (0..waiting).map(|i| delay_ms(uid(i), 0, 20, waiting)).collect();
            delays.sort_unstable();
            let within_a_second = |at_ms: &u64| {
                let end = delays.partition_point(|other| *other < at_ms + 1000);
                end - delays.partition_point(|other| other < at_ms)
            };
            // They are spread twice as wide as the budget asks, and lie in it by chance.
            let most = delays.iter().map(within_a_second).max().unwrap_or(0);
            assert!(most as u64 <= limits::RETRIES_PER_S_MAX, "{most} tries in a second of {waiting}");
        }
    }

    #[test]
    fn the_first_tries_come_soon() {
        assert_eq!((bound_ms(0), bound_ms(1), bound_ms(60)), (1_000, 2_000, limits::RETRY_DELAY_MS_MAX));
    }
}
