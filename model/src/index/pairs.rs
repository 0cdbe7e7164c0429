//! An ordered set of pairs of numbers, for values that are about as many as the records.

use std::collections::BTreeMap;
use std::ops::Bound;

/// A value and what is filed under it.
pub(super) type Pair = (u64, u64);

/// Pairs of one leaf at most.
const LEAF_PAIRS_MAX: usize = 256;
/// How many pairs a leaf grows by: less is unused than if it doubled.
const LEAF_PAIRS_STEP: usize = 32;

/// Sorted leaves under the first pair that each may hold. A set of the standard library takes half as much again for
/// random pairs, and three times as much for ascending ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    leaves: BTreeMap<Pair, Vec<Pair>>,
}

impl Pairs {
    pub(super) fn insert(&mut self, pair: Pair) {
        let Some((_, leaf)) = self.leaves.range_mut(..=pair).next_back() else {
            // What is smaller than all leaves begin with goes into one that begins with nothing.
            self.leaves.insert((0, 0), vec![pair]);
            return;
        };
        let Err(at) = leaf.binary_search(&pair) else { return };
        if leaf.len() < LEAF_PAIRS_MAX {
            if leaf.len() == leaf.capacity() {
                leaf.reserve_exact(LEAF_PAIRS_STEP);
            }
            leaf.insert(at, pair);
            return;
        }
        if at == leaf.len() {
            // Ascending pairs leave full leaves behind.
            self.leaves.insert(pair, vec![pair]);
            return;
        }
        let upper = leaf.split_off(LEAF_PAIRS_MAX / 2);
        leaf.shrink_to_fit();
        if let Some(first) = upper.first() {
            self.leaves.insert(*first, upper);
        }
        self.insert(pair);
    }

    pub(super) fn remove(&mut self, pair: Pair) {
        let Some((first, leaf)) = self.leaves.range_mut(..=pair).next_back() else { return };
        let Ok(at) = leaf.binary_search(&pair) else { return };
        leaf.remove(at);
        if leaf.capacity() - leaf.len() > LEAF_PAIRS_MAX / 2 {
            leaf.shrink_to(leaf.len() + LEAF_PAIRS_STEP);
        }
        if leaf.is_empty() {
            let first = *first;
            self.leaves.remove(&first);
        }
    }

    pub(super) fn contains(&self, pair: Pair) -> bool {
        let leaf = self.leaves.range(..=pair).next_back();
        leaf.is_some_and(|(_, leaf)| leaf.binary_search(&pair).is_ok())
    }

    /// Those from `low` on, ascending.
    pub(super) fn from(&self, low: Pair) -> impl Iterator<Item = Pair> + '_ {
        let first = self.leaves.range(..=low).next_back().map_or(low, |(first, _)| *first);
        let leaves = self.leaves.range((Bound::Included(first), Bound::Unbounded));
        leaves.flat_map(move |(_, leaf)| leaf.iter().skip(leaf.partition_point(|pair| *pair < low)).copied())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }
}

impl PartialEq for Pairs {
    /// Which leaf a pair is in depends on the order in which they came.
    fn eq(&self, other: &Self) -> bool {
        self.from((0, 0)).eq(other.from((0, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn pairs_are_an_ordered_set(steps in proptest::collection::vec((0..3u8, 0..40u64, 0..40u64), 0..3000), low in (0..40u64, 0..40u64), ascending in 0..2000u64) {
            let (mut pairs, mut truth) = (Pairs::default(), BTreeSet::new());
            for number in 0..ascending {
                pairs.insert((20, number));
                truth.insert((20, number));
            }
            for (step, a, b) in steps {
                if step == 0 {
                    pairs.remove((a, b));
                    truth.remove(&(a, b));
                } else {
                    pairs.insert((a, b));
                    truth.insert((a, b));
                }
            }
            prop_assert!(pairs.from(low).eq(truth.range(low..).copied()));
            for a in 0..40 {
                prop_assert_eq!(pairs.contains((a, 7)), truth.contains(&(a, 7)));
            }
            prop_assert!(pairs.leaves.values().all(|leaf| leaf.len() <= LEAF_PAIRS_MAX));
            let mut again = Pairs::default();
            truth.iter().rev().for_each(|pair| again.insert(*pair));
            prop_assert!(again == pairs);
            truth.iter().for_each(|pair| again.remove(*pair));
            prop_assert!(again.is_empty() && (again == pairs) == truth.is_empty());
        }
    }
}
