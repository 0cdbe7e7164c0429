//! The lookups in memory.

use crate::{Key, Tag};
use roaring::RoaringTreemap;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// All lookups of an inventory, compact: bitmaps of ordinals where many share a value, ordered pairs where a value
/// has about one ordinal. Rebuilt by one scan of the rows at open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    postings: BTreeMap<(Tag, u64), RoaringTreemap>,
    pairs: BTreeSet<(Tag, u64, u64)>,
    lanes: BTreeSet<(u64, u64, u64)>,
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
            Tag::Lane => {
                self.lanes.insert((key.a, key.b, key.c));
            }
            tag if is_pair(tag) => {
                self.pairs.insert((tag, key.a, key.b));
            }
            tag => {
                self.postings.entry((tag, key.a)).or_default().insert(key.b);
            }
        }
    }

    /// Takes a lookup away.
    pub fn unset(&mut self, key: Key) {
        match key.tag {
            Tag::Row => {}
            Tag::Lane => {
                self.lanes.remove(&(key.a, key.b, key.c));
            }
            tag if is_pair(tag) => {
                self.pairs.remove(&(tag, key.a, key.b));
            }
            tag => {
                if let Some(posting) = self.postings.get_mut(&(tag, key.a)) {
                    posting.remove(key.b);
                    if posting.is_empty() {
                        self.postings.remove(&(tag, key.a));
                    }
                }
            }
        }
    }

    /// True if the lookup is there.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        match key.tag {
            Tag::Row => false,
            Tag::Lane => self.lanes.contains(&(key.a, key.b, key.c)),
            tag if is_pair(tag) => self.pairs.contains(&(tag, key.a, key.b)),
            tag => self.postings.get(&(tag, key.a)).is_some_and(|posting| posting.contains(key.b)),
        }
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
        let room = limit - page.len();
        if tag == Tag::Lane {
            let lanes = self.lanes.range((Bound::Included(low), high)).take(room);
            page.extend(lanes.map(|&(a, b, c)| Key { tag, a, b, c }));
        } else if is_pair(tag) {
            let pairs = self.pairs.range((tag, low.0, low.1)..).map(|&(tag, a, b)| Key { tag, a, b, c: 0 });
            let pairs = pairs.skip_while(|key| triple(key) < low);
            page.extend(pairs.take_while(|key| key.tag == tag && below(key, &high)).take(room));
        } else {
            for (&(_, a), posting) in
                self.postings.range((tag, low.0)..).take_while(|((of, _), _)| *of == tag)
            {
                let mut ordinals = posting.iter();
                if a == low.0 {
                    ordinals.advance_to(low.1);
                }
                for b in ordinals {
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
        let up_to = |ordinal: u64| ordinal.checked_sub(1).map_or(0, |last| posting.rank(last));
        let counted = up_to(to.b).saturating_sub(up_to(from.b));
        usize::try_from(counted).unwrap_or(usize::MAX).min(max)
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
const TAGS: [Tag; 14] = [
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
    Tag::Label,
    Tag::LabelKey,
    Tag::Lane,
];
