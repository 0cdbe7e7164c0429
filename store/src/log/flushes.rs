//! How long the log's disk takes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Upper ends of the buckets of [`FlushTimes::buckets`], in seconds; one more bucket holds what took longer.
pub const FLUSH_BUCKETS_S: [f64; 13] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Flushes that ended longer ago say nothing about the disk as it is now.
const RECENT: Duration = Duration::from_millis(1500);
const RECENT_FLUSHES_MAX: usize = 1024;

/// How long flushes took: from the moment when something waited for one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlushTimes {
    /// How many there were.
    pub count: u64,
    /// Of all of them together.
    pub total: Duration,
    /// How many fell into each bucket of [`FLUSH_BUCKETS_S`], and into the last one.
    pub buckets: [u64; FLUSH_BUCKETS_S.len() + 1],
    /// How long that flush takes which is met at a random moment of the last 1.5 s with a flush under way, that of now
    /// included; `None`: there was none. One that hangs counts by its age, many short ones do not hide it.
    pub recent: Option<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct Flushes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    begun: Option<Instant>,
    /// When each of the last ones ended, and how long it took.
    ended: VecDeque<(Instant, Duration)>,
    times: FlushTimes,
}

impl Flushes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, now: Instant) {
        self.state().begun = Some(now);
    }

    pub(super) fn end(&self, now: Instant) {
        let mut state = self.state();
        let Some(begun) = state.begun.take() else { return };
        let took = now.saturating_duration_since(begun);
        let bucket = FLUSH_BUCKETS_S.iter().position(|end| took.as_secs_f64() <= *end);
        if let Some(bucket) = state.times.buckets.get_mut(bucket.unwrap_or(FLUSH_BUCKETS_S.len())) {
            *bucket += 1;
        }
        state.times.count += 1;
        state.times.total += took;
        if state.ended.len() == RECENT_FLUSHES_MAX {
            state.ended.pop_front();
        }
        state.ended.push_back((now, took));
    }

    pub(super) fn times(&self, now: Instant) -> FlushTimes {
        let state = self.state();
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < RECENT;
        let ended = state.ended.iter().filter(|(at, _)| is_recent(at)).map(|(_, took)| *took);
        let under_way = state.begun.map(|begun| now.saturating_duration_since(begun));
        let lengths: Vec<f64> = ended.chain(under_way).map(|took| took.as_secs_f64()).collect();
        let (sum, squares) = lengths.iter().fold((0.0, 0.0), |(sum, squares), s| (sum + s, squares + s * s));
        let recent = (sum > 0.0).then(|| Duration::from_secs_f64(squares / sum));
        FlushTimes { recent, ..state.times.clone() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test of times")]
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What is said at the end of these flushes, one right after the other.
    fn after(lengths: &[u64]) -> (Flushes, Instant) {
        let (flushes, mut now) = (Flushes::default(), Instant::now());
        for length in lengths {
            flushes.begin(now);
            now += ms(*length);
            flushes.end(now);
        }
        (flushes, now)
    }

    #[test]
    fn flushes_are_counted_by_their_length() {
        let (flushes, now) = after(&[1, 1, 300, 9000]);
        let times = flushes.times(now);
        assert_eq!((times.count, times.total), (4, ms(9302)));
        assert_eq!((times.buckets[1], times.buckets[9], times.buckets[13]), (2, 1, 1));
    }

    #[test]
    fn one_that_hangs_is_not_hidden_by_many_short_ones_before_it() {
        let (flushes, now) = after(&[1; 100]);
        assert!(flushes.times(now).recent.unwrap() < ms(2));
        flushes.begin(now);
        assert!(flushes.times(now + ms(1)).recent.unwrap() < ms(2));
        assert!(flushes.times(now + ms(500)).recent.unwrap() > ms(400));
        assert!(flushes.times(now + ms(5000)).recent.unwrap() > ms(4900));
    }

    #[test]
    fn what_was_long_ago_says_nothing_about_now() {
        let (flushes, now) = after(&[500, 500]);
        assert!(flushes.times(now + ms(1000)).recent.unwrap() >= ms(499));
        assert_eq!(flushes.times(now + ms(2000)).recent, None);
    }
}
