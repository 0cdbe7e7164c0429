//! Times, counted in buckets of nearly constant relative width.

/// A bucket is at most 2^-7 of its values wide: percentiles are right within 0.8 %.
const PRECISION_BITS: u32 = 7;

/// How often each value was seen. A bucket costs 8 bytes; 64-bit values need 7,424 of them at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

fn bucket(value: u64) -> usize {
    let exponent = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    ((exponent as usize) << PRECISION_BITS) + usize::try_from(value >> exponent).unwrap_or(usize::MAX)
}

/// The greatest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let exponent = (bucket >> PRECISION_BITS).saturating_sub(1);
    let within = bucket - (exponent << PRECISION_BITS);
    (u128::from(within as u64 + 1) << exponent).saturating_sub(1).try_into().unwrap_or(u64::MAX)
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        let at = bucket(value);
        if at >= self.buckets.len() {
            self.buckets.resize(at + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(at) {
            *count += 1;
        }
        self.count += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    /// Counts what another one counted.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest one; 0 without any.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Their mean; 0 without any.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The value that `share` of all (0 to 1) do not exceed; 0 without any.
    #[must_use]
    pub fn percentile(&self, share: f64) -> u64 {
        let rank = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(at).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_of_small_values_are_exact() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(0.5), 0);
        (1..=100).for_each(|value| histogram.record(value));
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| histogram.percentile(share)), [1, 50, 99, 100]);
        assert_eq!((histogram.count(), histogram.max(), histogram.mean()), (100, 100, 50.5));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_values_and_is_narrow(value in any::<u64>()) {
            let upper = upper(bucket(value));
            prop_assert!(upper >= value);
            prop_assert!(upper - value <= value >> PRECISION_BITS);
            prop_assert!(bucket(value) < 7_424);
        }

        #[test]
        fn two_added_are_as_one(one in proptest::collection::vec(0..1_000_000u64, 0..50), other in proptest::collection::vec(0..1_000_000u64, 0..50)) {
            let of = |values: &[u64]| {
                let mut histogram = Histogram::default();
                values.iter().for_each(|value| histogram.record(*value));
                histogram
            };
            let mut added = of(&one);
            added.add(&of(&other));
            prop_assert_eq!(added, of(&[one, other].concat()));
        }
    }
}
