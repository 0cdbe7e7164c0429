//! The lookups in memory.

use super::pairs::Pairs;
use super::posting::Posting;
use crate::{Key, Ordinal, Tag};
use std::collections::BTreeMap;
use std::ops::Bound;

/// All lookups of an inventory, compact: bitmaps of ordinals where many share a value, ordered pairs where a value
/// has about one ordinal. Rebuilt by one scan of the rows at open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    postings: BTreeMap<(Tag, u64), Posting>,
    pairs: BTreeMap<Tag, Pairs>,
    /// By lane and cluster: when, and which record.
    lanes: BTreeMap<u64, Pairs>,
}

/// Lookups whose values are about as many as the records.
fn is_pair(tag: Tag) -> bool {
    matches!(tag, Tag::Name | Tag::Uid | Tag::Receipt | Tag::Claim)
}

impl Index {
    /// Adds a lookup; rows are not lookups and are ignored.
    pub fn set(&mut self, key: Key) {
        match key.tag {
            Tag::Row => {}
            Tag::Lane => self.lanes.entry(key.a).or_default().insert((key.b, key.c)),
            tag if is_pair(tag) => self.pairs.entry(tag).or_default().insert((key.a, key.b)),
            tag => {
                let posting = self.postings.entry((tag, key.a)).or_insert(Posting::One(key.b));
                posting.insert(key.b);
            }
        }
    }

    /// Takes a lookup away.
    pub fn unset(&mut self, key: Key) {
        match key.tag {
            Tag::Row => {}
            Tag::Lane => {
                if let Some(lane) = self.lanes.get_mut(&key.a) {
                    lane.remove((key.b, key.c));
                    if lane.is_empty() {
                        self.lanes.remove(&key.a);
                    }
                }
            }
            tag if is_pair(tag) => {
                if let Some(pairs) = self.pairs.get_mut(&tag) {
                    pairs.remove((key.a, key.b));
                    if pairs.is_empty() {
                        self.pairs.remove(&tag);
                    }
                }
            }
            tag => {
                let posting = self.postings.get_mut(&(tag, key.a));
                if posting.is_some_and(|posting| posting.remove(key.b)) {
                    self.postings.remove(&(tag, key.a));
                }
            }
        }
    }

    /// True if the lookup is there.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        match key.tag {
            Tag::Row => false,
            Tag::Lane => self.lanes.get(&key.a).is_some_and(|lane| lane.contains((key.b, key.c))),
            tag if is_pair(tag) => self.pairs.get(&tag).is_some_and(|pairs| pairs.contains((key.a, key.b))),
            tag => self.postings.get(&(tag, key.a)).is_some_and(|posting| posting.contains(key.b)),
        }
    }

    /// The first `limit` ordinals above `after` that have all of these lookups, ascending.
    #[must_use]
    pub fn meet(&self, lookups: &[(Tag, u64)], after: Ordinal, limit: usize) -> Vec<Ordinal> {
        let (nearly_unique, shared): (Vec<_>, Vec<_>) = lookups.iter().partition(|(tag, _)| is_pair(*tag));
        let mut postings = Vec::with_capacity(shared.len());
        for lookup in shared {
            let Some(posting) = self.postings.get(lookup) else { return Vec::new() };
            postings.push(posting);
        }
        let Some(((tag, value), others)) = nearly_unique.split_first() else {
            return Posting::meet(&mut postings, after.0, limit).into_iter().map(Ordinal).collect();
        };
        let has_all = |ordinal: &Ordinal| {
            let mut others = others.iter().map(|(tag, value)| Key::lookup(*tag, *value, *ordinal));
            others.all(|key| self.contains(key)) && postings.iter().all(|posting| posting.contains(ordinal.0))
        };
        let pairs = self.pairs.get(tag).into_iter().flat_map(|pairs| pairs.from((*value, after.next().0)));
        let ordinals = pairs.take_while(|(a, _)| a == value).map(|(_, ordinal)| Ordinal(ordinal));
        ordinals.filter(has_all).take(limit).collect()
    }

    /// At most `limit` lookups with `from <= key < to`, in key order.
    #[must_use]
    pub fn page(&self, from: Key, to: Key, limit: usize) -> Vec<Key> {
        if from >= to {
            return Vec::new();
        }
        let mut page = Vec::new();
        for tag in TAGS.into_iter().filter(|tag| (from.tag..=to.tag).contains(tag)) {
            if page.len() >= limit {
                break;
            }
            let low = if tag == from.tag { (from.a, from.b, from.c) } else { (0, 0, 0) };
            let high = if tag == to.tag { Bound::Excluded((to.a, to.b, to.c)) } else { Bound::Unbounded };
            self.page_of(tag, low, high, limit, &mut page);
        }
        page
    }

    fn page_of(&self, tag: Tag, low: Triple, high: Bound<Triple>, limit: usize, page: &mut Vec<Key>) {
        if tag == Tag::Lane {
            let lanes = self.lanes.range(low.0..);
            for (&a, lane) in lanes.take_while(|(a, _)| below(&Key { tag, a: **a, b: 0, c: 0 }, &high)) {
                let low = if a == low.0 { (low.1, low.2) } else { (0, 0) };
                let keys = lane.from(low).map(|(b, c)| Key { tag, a, b, c });
                page.extend(keys.take_while(|key| below(key, &high)).take(limit - page.len()));
                if page.len() >= limit {
                    return;
                }
            }
        } else if is_pair(tag) {
            let pairs = self.pairs.get(&tag).into_iter().flat_map(|pairs| pairs.from((low.0, low.1)));
            let keys = pairs.map(|(a, b)| Key { tag, a, b, c: 0 }).skip_while(|key| triple(key) < low);
            page.extend(keys.take_while(|key| below(key, &high)).take(limit - page.len()));
        } else {
            let postings = self.postings.range((tag, low.0)..).take_while(|((of, _), _)| *of == tag);
            for (&(_, a), posting) in postings {
                let low_b = if a == low.0 { low.1 } else { 0 };
                for b in posting.from(low_b) {
                    let key = Key { tag, a, b, c: 0 };
                    if triple(&key) < low {
                        continue;
                    }
                    if page.len() >= limit || !below(&key, &high) {
                        return;
                    }
                    page.push(key);
                }
            }
        }
    }

    /// How many lookups there are with `from <= key < to`, counted up to `max`.
    #[must_use]
    pub fn count(&self, from: Key, to: Key, max: usize) -> usize {
        let one_posting = from.tag == to.tag && from.a == to.a && !is_pair(from.tag) && from.tag != Tag::Lane;
        if !one_posting {
            return self.page(from, to, max).len();
        }
        let Some(posting) = self.postings.get(&(from.tag, from.a)) else { return 0 };
        usize::try_from(posting.count(from.b, to.b)).unwrap_or(usize::MAX).min(max)
    }
}

type Triple = (u64, u64, u64);

fn triple(key: &Key) -> Triple {
    (key.a, key.b, key.c)
}

fn below(key: &Key, high: &Bound<Triple>) -> bool {
    match high {
        Bound::Excluded(end) => triple(key) < *end,
        Bound::Included(end) => triple(key) <= *end,
        Bound::Unbounded => true,
    }
}

/// All lookup tags in key order.
const TAGS: [Tag; 26] = [
    Tag::Name,
    Tag::Uid,
    Tag::Receipt,
    Tag::Receipts,
    Tag::Claim,
    Tag::Resource,
    Tag::Tenant,
    Tag::Phase,
    Tag::Cluster,
    Tag::Active,
    Tag::Objects,
    Tag::Tracked,
    Tag::Extents,
    Tag::Installed,
    Tag::Label,
    Tag::LabelKey,
    Tag::DeadLetter,
    Tag::Watches,
    Tag::Child,
    Tag::Slot,
    Tag::Disjoint,
    Tag::Waits,
    Tag::Ruled,
    Tag::Foreign,
    Tag::ForeignGone,
    Tag::Lane,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const SHARED: [Tag; 3] = [Tag::Tenant, Tag::Phase, Tag::Label];

    fn key() -> impl Strategy<Value = Key> {
        let tag = proptest::sample::select(&[Tag::Name, Tag::Tenant, Tag::Phase, Tag::Label, Tag::Lane][..]);
        (tag, 0..3u64, 0..40u64, 0..4u64).prop_map(|(tag, a, b, c)| match tag {
            Tag::Lane => Key { tag, a, b, c },
            _ => Key { tag, a, b: b * 5000, c: 0 },
        })
    }

    proptest! {
        #[test]
        fn an_index_is_an_ordered_set_of_lookups_that_can_be_intersected(steps in proptest::collection::vec((any::<bool>(), key()), 1..600), from in key(), to in key(), limit in 0..50usize, after in 0..100_000u64) {
            let (mut index, mut truth) = (Index::default(), BTreeSet::new());
            for (is_set, key) in steps {
                if is_set {
                    index.set(key);
                    truth.insert(key);
                } else {
                    index.unset(key);
                    truth.remove(&key);
                }
            }
            let wanted: Vec<Key> = truth.iter().filter(|key| from <= **key && **key < to).copied().collect();
            prop_assert_eq!(index.count(from, to, usize::MAX), wanted.len());
            prop_assert_eq!(index.page(from, to, limit), wanted.into_iter().take(limit).collect::<Vec<_>>());
            for lookups in [vec![(SHARED[0], 0)], SHARED.map(|tag| (tag, 1)).to_vec(), vec![(Tag::Name, 2), (SHARED[1], 1)]] {
                let has_all = |ordinal: &u64| lookups.iter().all(|(tag, value)| truth.contains(&Key::lookup(*tag, *value, Ordinal(*ordinal))));
                let ordinals: BTreeSet<u64> = truth.iter().map(|key| key.b).filter(|ordinal| *ordinal > after).collect();
                let wanted = ordinals.into_iter().filter(has_all).take(limit).map(Ordinal);
                prop_assert_eq!(index.meet(&lookups, Ordinal(after), limit), wanted.collect::<Vec<_>>());
            }
            let mut again = Index::default();
            truth.iter().for_each(|key| again.set(*key));
            prop_assert!(again == index);
            truth.iter().for_each(|key| again.unset(*key));
            prop_assert!(again == Index::default());
        }
    }
}
