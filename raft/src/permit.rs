//! The proof of leadership, and the clock that it is checked on.
//!
//! tokio's clock stands still while the machine is suspended. An acknowledgement from before that would look young
//! after it, so ages are measured on a clock that counts suspension.

pub use tallyman_model::record::Permit;

use openraft::Instant as _;
use openraft_rt_tokio::TokioInstant;
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug)]
struct Sample {
    instant: TokioInstant,
    boot: Duration,
}

/// Time since the machine was booted, suspension included.
pub(crate) fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Tells how old a moment of tokio's clock is on the clock that counts suspension.
#[derive(Debug)]
pub(crate) struct SuspendClock {
    samples: Mutex<(Sample, Sample)>,
}

impl Default for SuspendClock {
    fn default() -> Self {
        let sample = Sample { instant: TokioInstant::now(), boot: boot_time() };
        Self { samples: Mutex::new((sample, sample)) }
    }
}

impl SuspendClock {
    /// To be called often: a moment's age is measured from a sample that is older than it. Moments that are older than
    /// between `apart` and twice as much are called too old.
    pub(crate) fn sample(&self, apart: Duration) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.1.instant.elapsed() >= apart {
            samples.0 = samples.1;
            samples.1 = Sample { instant: TokioInstant::now(), boot: boot_time() };
        }
    }

    /// The age of `moment`; `None`: older than all samples.
    pub(crate) fn age(&self, moment: TokioInstant) -> Option<Duration> {
        let samples = *self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let before = [samples.1, samples.0].into_iter().find(|sample| sample.instant <= moment)?;
        // Between sample and moment the machine may have been suspended: then this is more than the age, never less.
        Some(boot_time().saturating_sub(before.boot + (moment - before.instant)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_suspended_machine_makes_an_acknowledgement_old() {
        let clock = SuspendClock::default();
        let acked = TokioInstant::now();
        assert!(clock.age(acked).unwrap() < Duration::from_secs(60));
        // As if an hour had passed on the clock that counts suspension, and none on the other.
        let hour = Duration::from_secs(3600);
        let earlier = |sample: Sample| Sample { boot: sample.boot.saturating_sub(hour), ..sample };
        {
            let mut samples = clock.samples.lock().unwrap();
            *samples = (earlier(samples.0), earlier(samples.1));
        }
        assert!(clock.age(acked).unwrap() >= hour.min(boot_time() / 2));
    }

    #[test]
    fn a_moment_before_all_samples_has_no_age() {
        let before = TokioInstant::now() - Duration::from_secs(5);
        assert_eq!(SuspendClock::default().age(before), None);
    }
}
