//! The ordinals that share a value.

use roaring::RoaringTreemap;

/// Ordinals. Many values have only one, and a bitmap of one takes ten times the room.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Posting {
    One(u64),
    /// More than one.
    Many(Box<RoaringTreemap>),
}

impl Posting {
    pub(super) fn insert(&mut self, ordinal: u64) {
        match self {
            Self::One(one) if *one == ordinal => {}
            Self::One(one) => *self = Self::Many(Box::new(RoaringTreemap::from([*one, ordinal]))),
            Self::Many(many) => {
                many.insert(ordinal);
            }
        }
    }

    /// Takes one away. True: it was the last one, and there is no posting any more.
    pub(super) fn remove(&mut self, ordinal: u64) -> bool {
        match self {
            Self::One(one) => *one == ordinal,
            Self::Many(many) => {
                if many.remove(ordinal)
                    && many.len() == 1
                    && let Some(one) = many.min()
                {
                    *self = Self::One(one);
                }
                false
            }
        }
    }

    pub(super) fn contains(&self, ordinal: u64) -> bool {
        match self {
            Self::One(one) => *one == ordinal,
            Self::Many(many) => many.contains(ordinal),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.len(),
        }
    }

    /// How many there are with `from <= ordinal < to`. What lies beside that costs nothing.
    pub(super) fn count(&self, from: u64, to: u64) -> u64 {
        match self {
            Self::One(one) => u64::from((from..to).contains(one)),
            Self::Many(many) => many.range_cardinality(from..to),
        }
    }

    /// Those from `low` on, ascending.
    pub(super) fn from(&self, low: u64) -> impl Iterator<Item = u64> + '_ {
        let (one, many) = match self {
            Self::One(one) => (Some(*one).filter(|one| *one >= low), None),
            Self::Many(many) => {
                let mut ordinals = many.iter();
                ordinals.advance_to(low);
                (None, Some(ordinals))
            }
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The first `limit` ordinals above `after` that all of `postings` have, ascending. Whole bitmaps are
    /// intersected, word by word: of millions that takes less than to look at some thousands one by one.
    pub(super) fn meet(postings: &mut [&Self], after: u64, limit: usize) -> Vec<u64> {
        postings.sort_by_key(|posting| posting.len());
        let low = after.saturating_add(1);
        match postings {
            [] => Vec::new(),
            [only] => only.from(low).take(limit).collect(),
            [Self::Many(fewest), Self::Many(next), rest @ ..] => {
                let mut all = fewest.as_ref() & next.as_ref();
                for posting in rest {
                    // They are sorted: whoever has more than one comes last.
                    if let Self::Many(many) = posting {
                        all &= many.as_ref();
                    }
                }
                let mut ordinals = all.iter();
                ordinals.advance_to(low);
                ordinals.take(limit).collect()
            }
            [fewest, rest @ ..] => {
                let in_all = |ordinal: &u64| rest.iter().all(|posting| posting.contains(*ordinal));
                fewest.from(low).filter(in_all).take(limit).collect()
            }
        }
    }
}
