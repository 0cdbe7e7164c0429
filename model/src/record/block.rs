//! Several values of a pool in a row, given out as one.

use super::values::{name_slot, parse_cidr};
use super::{Span, Subnets, Values};
use serde::{Deserialize, Serialize};

/// What is asked of a pool. By default the first value that is free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedValue {
    /// Which value or block, as users write it; `None`: the first one that is free.
    pub value: Option<String>,
    /// How many integers in a row; `None`: as many as `value` has, or one.
    pub size: Option<u64>,
    /// The first integer is to be a multiple of this.
    pub align: Option<u64>,
    /// The prefix length of the block of addresses; `None`: that of `value`, or of the pool.
    pub prefix_length: Option<u8>,
}

/// The same in slots of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The first slot; `None`: of the first block that is free.
    pub first: Option<u64>,
    /// How many slots, at least 1.
    pub count: u64,
    /// The first slot is to be a multiple of this, at least 1.
    pub align: u64,
}

/// A part of a block: as many slots as a power of two, from a multiple of that on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The power.
    pub level: u32,
    /// Which one of those that are as long.
    pub index: u64,
}

impl WantedValue {
    /// Exactly this value.
    #[must_use]
    pub fn exactly(value: String) -> Self {
        Self { value: Some(value), ..Self::default() }
    }

    /// True if it is said how much is wanted.
    #[must_use]
    pub fn says_size(&self) -> bool {
        self.value.is_some() || self.size.is_some() || self.prefix_length.is_some()
    }
}

impl Span {
    /// The fewest pieces that make it up, in order: twice as many as its length has binary digits at most.
    #[must_use]
    pub fn pieces(self) -> Vec<Piece> {
        let (mut pieces, mut left, mut first) = (Vec::new(), self.count(), self.first);
        while left > 0 {
            let level = first.trailing_zeros().min(left.ilog2());
            pieces.push(Piece { level, index: first.checked_shr(level).unwrap_or(0) });
            left -= 1 << level;
            first = first.saturating_add(1 << level);
        }
        pieces
    }
}

impl Values {
    /// What is asked for in slots, whether or not the pool has them; in words why that cannot be asked of it.
    ///
    /// # Errors
    /// What would be right.
    pub fn fit(&self, wanted: &WantedValue) -> Result<Fit, String> {
        let WantedValue { value, size, align, prefix_length } = wanted;
        let no_value = || format!("{:?} is no value of it", value.as_deref().unwrap_or_default());
        if prefix_length.is_some() && !matches!(self, Values::Subnets(_)) {
            return Err("prefixLength is for pools of cidrs".to_owned());
        }
        if (size.is_some() || align.is_some()) && !matches!(self, Values::Integers(_)) {
            return Err("size and align are for pools of integers: of cidrs a block is asked for by its \
                        prefixLength, and names are given out one by one"
                .to_owned());
        }
        match self {
            Values::Names(names) => {
                let found = value.as_ref().map(|value| {
                    names.iter().find(|name| *name == value).map(|name| name_slot(name)).ok_or_else(no_value)
                });
                Ok(Fit { first: found.transpose()?, count: 1, align: 1 })
            }
            Values::Integers(_) => {
                let block = value.as_deref().map(|value| integers(value).ok_or_else(no_value)).transpose()?;
                let single = size.unwrap_or(1);
                let count =
                    block.map_or(single, |(first, last)| last.map_or(single, |last| last - first + 1));
                if size.is_some_and(|size| size != count) {
                    return Err(format!("value has {count} integers, and size says otherwise"));
                }
                let (first, align) = (block.map(|(first, _)| first), align.unwrap_or(1).max(1));
                match first.filter(|first| !first.is_multiple_of(align)) {
                    Some(first) => Err(format!("{first} is no multiple of {align}, as align says")),
                    None => Ok(Fit { first, count: count.max(1), align }),
                }
            }
            Values::Subnets(subnets) => subnets
                .fit(value.as_deref(), *prefix_length)
                .map_err(|why| if why.is_empty() { no_value() } else { why }),
        }
    }
}

/// `A` or `A-B`, the smaller one first.
fn integers(text: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (first.parse().ok()?, Some(last.parse().ok()?)),
        None => (text.parse().ok()?, None),
    };
    let is_span = first < u64::MAX && last.is_none_or(|last| first <= last && last < u64::MAX);
    is_span.then_some((first, last))
}

impl Subnets {
    /// See [`Values::fit`]; without words: that is no value of the pool.
    fn fit(&self, value: Option<&str>, prefix_length: Option<u8>) -> Result<Fit, String> {
        let given = value.map(|value| parse_cidr(value).ok_or_else(String::new)).transpose()?;
        let length = given.map_or(prefix_length.unwrap_or(self.length), |(_, _, length)| length);
        if prefix_length.is_some_and(|asked| asked != length) {
            return Err(format!("value is a /{length}, and prefixLength says otherwise"));
        }
        let bits = self.length.checked_sub(length).filter(|bits| *bits < 64).ok_or_else(|| match value {
            Some(_) => String::new(),
            None => format!("prefixLength must be at most {}, that of the pool", self.length),
        })?;
        let count = 1 << bits;
        let Some((family, address, _)) = given else { return Ok(Fit { first: None, count, align: count }) };
        let (high, first) = Subnets::number(family, self.length, address);
        let is_one = family == self.family && high == self.high && self.address(first) == address;
        match is_one && first.is_multiple_of(count) {
            true => Ok(Fit { first: Some(first), count, align: count }),
            false => Err(String::new()),
        }
    }
}
