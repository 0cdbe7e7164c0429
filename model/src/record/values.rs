//! What a pool gives out. Each value has a slot: a number that stays the same however the pool grows, and under which
//! lookups know whether the value is taken.

use crate::Digest;
use serde::{Deserialize, Serialize};
// Addresses alone: there are no sockets in core.
use core::net::{Ipv4Addr, Ipv6Addr};

/// Slots in a row, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first slot.
    pub first: u64,
    /// The last slot; below [`u64::MAX`].
    pub last: u64,
}

/// Of which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

/// Subnets of one prefix length. A slot is the number of a subnet: its address without the host's bits, and of that
/// the last 64 bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnets {
    /// Of which addresses.
    pub family: Family,
    /// The prefix length of each subnet; as long as an address: single addresses.
    pub length: u8,
    /// What stands before the last 64 bits of every number.
    pub high: u64,
    /// The subnets of each CIDR block, in the order given.
    pub spans: Vec<Span>,
}

/// What a pool gives out, in the order in which it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Values {
    /// Integers; each is its slot.
    Integers(Vec<Span>),
    /// Parts of CIDR blocks.
    Subnets(Subnets),
    /// Names; the slot of each is its hash.
    Names(Vec<String>),
}

impl Span {
    /// How many slots.
    #[must_use]
    pub fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// True if they have a slot in common.
    #[must_use]
    pub fn meets(self, other: Span) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// All that a pool may have.
    pub const ALL: Span = Span { first: 0, last: u64::MAX - 1 };

    /// True if the slot is in it.
    #[must_use]
    pub fn holds(self, slot: u64) -> bool {
        (self.first..=self.last).contains(&slot)
    }

    /// True if all of `other` is in it.
    #[must_use]
    pub fn has(self, other: Span) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

impl Family {
    /// Bits of an address.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    fn address(self, number: u128) -> String {
        match self {
            Family::V4 => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).to_string(),
            Family::V6 => Ipv6Addr::from(number).to_string(),
        }
    }
}

/// Reads `ADDRESS/LENGTH`, or an address alone: family, address, prefix length.
#[must_use]
pub fn parse_cidr(text: &str) -> Option<(Family, u128, u8)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let (family, address) = match address.parse::<Ipv4Addr>() {
        Ok(address) => (Family::V4, u128::from(u32::from(address))),
        Err(_) => (Family::V6, u128::from(address.parse::<Ipv6Addr>().ok()?)),
    };
    let length = length.unwrap_or(family.bits());
    (length <= family.bits()).then_some((family, address, length))
}

/// `value` without its last `bits` bits.
fn above(value: u128, bits: u8) -> u128 {
    value.checked_shr(u32::from(bits)).unwrap_or(0)
}

fn below(value: u128, bits: u8) -> u128 {
    value.checked_shl(u32::from(bits)).unwrap_or(0)
}

impl Subnets {
    /// The number of the subnet of this length that holds `address`: what stands before its last 64 bits, and those.
    #[must_use]
    pub fn number(family: Family, length: u8, address: u128) -> (u64, u64) {
        let number = above(address, family.bits() - length);
        let (high, low) = (number >> 64, number & u128::from(u64::MAX));
        (u64::try_from(high).unwrap_or(0), u64::try_from(low).unwrap_or(0))
    }

    pub(super) fn address(&self, slot: u64) -> u128 {
        let number = (u128::from(self.high) << 64) | u128::from(slot);
        below(number, self.family.bits() - self.length)
    }

    /// The CIDR block of a span: a power of two of subnets.
    #[must_use]
    pub fn block(&self, span: Span) -> String {
        let bits = u8::try_from(span.count().ilog2()).unwrap_or(0);
        format!("{}/{}", self.family.address(self.address(span.first)), self.length.saturating_sub(bits))
    }

    /// From which to which address a span goes.
    fn reach(&self, span: Span) -> (u128, u128) {
        let hosts = below(1, self.family.bits() - self.length).wrapping_sub(1);
        (self.address(span.first), self.address(span.last) | hosts)
    }
}

/// The slot of a name.
#[must_use]
pub fn name_slot(name: &str) -> u64 {
    // The last number ends no span.
    Digest::of(name.as_bytes()).short().min(u64::MAX - 1)
}

impl Values {
    /// All slots, in the order in which they are given out.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        match self {
            Values::Integers(spans) => spans.clone(),
            Values::Subnets(subnets) => subnets.spans.clone(),
            Values::Names(names) => {
                let span = |slot| Span { first: slot, last: slot };
                names.iter().map(|name| span(name_slot(name))).collect()
            }
        }
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.spans().into_iter().fold(0, |sum, span| sum.saturating_add(span.count()))
    }

    /// True if the pool has all of these slots, in one range or CIDR block.
    #[must_use]
    pub fn has(&self, slots: Span) -> bool {
        match self {
            Values::Integers(spans) => spans.iter().any(|span| span.has(slots)),
            Values::Subnets(subnets) => subnets.spans.iter().any(|span| span.has(slots)),
            Values::Names(names) => {
                slots.count() == 1 && names.iter().any(|name| name_slot(name) == slots.first)
            }
        }
    }

    /// The value or block in these slots, as users see it; `None` if the pool does not have them.
    #[must_use]
    pub fn text(&self, slots: Span) -> Option<String> {
        if !self.has(slots) {
            return None;
        }
        match self {
            Values::Integers(_) if slots.count() == 1 => Some(slots.first.to_string()),
            Values::Integers(_) => Some(format!("{}-{}", slots.first, slots.last)),
            Values::Subnets(subnets) => {
                let single = subnets.length == subnets.family.bits() && slots.count() == 1;
                let address = || subnets.family.address(subnets.address(slots.first));
                Some(if single { address() } else { subnets.block(slots) })
            }
            Values::Names(names) => names.iter().find(|name| name_slot(name) == slots.first).cloned(),
        }
    }

    /// True if a slot means the same value in both.
    #[must_use]
    pub fn is_like(&self, other: &Values) -> bool {
        match (self, other) {
            (Values::Integers(_), Values::Integers(_)) | (Values::Names(_), Values::Names(_)) => true,
            (Values::Subnets(one), Values::Subnets(two)) => {
                (one.family, one.length, one.high) == (two.family, two.length, two.high)
            }
            _ => false,
        }
    }

    /// Something that both have, in words. Subnets of different lengths are compared by their addresses.
    #[must_use]
    pub fn overlap(&self, other: &Values) -> Option<String> {
        match (self, other) {
            (Values::Integers(one), Values::Integers(two)) => {
                let pairs = one.iter().flat_map(|span| two.iter().map(move |other| (*span, *other)));
                let (span, other) = pairs.into_iter().find(|(span, other)| span.meets(*other))?;
                Some(span.first.max(other.first).to_string())
            }
            (Values::Names(one), Values::Names(two)) => one.iter().find(|name| two.contains(name)).cloned(),
            (Values::Subnets(one), Values::Subnets(two)) if one.family == two.family => {
                let pairs =
                    one.spans.iter().flat_map(|span| two.spans.iter().map(move |other| (span, other)));
                let reaches = pairs.map(|(span, other)| (one.reach(*span), two.reach(*other)));
                let mut firsts = reaches
                    .filter(|((first, last), (other_first, other_last))| {
                        first <= other_last && other_first <= last
                    })
                    .map(|((first, _), (other_first, _))| first.max(other_first));
                firsts.next().map(|first| one.family.address(first))
            }
            _ => None,
        }
    }
}
