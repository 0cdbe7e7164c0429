//! How far behind this replica's state is.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What the leader said at some time that it had committed.
#[derive(Clone, Copy, Debug)]
struct Said {
    at: Instant,
    index: u64,
}

/// Words of the leader that are kept.
const SAID_MAX: usize = 64;
/// Words within this time are one.
const SAID_APART: Duration = Duration::from_millis(20);

/// What the leader said it had committed, and when.
#[derive(Debug, Default)]
pub(crate) struct Lag(Mutex<VecDeque<Said>>);

impl Lag {
    /// The leader says now that it has committed up to `index`.
    pub(crate) fn said(&self, index: u64) {
        self.said_at(Instant::now(), index);
    }

    fn said_at(&self, at: Instant, index: u64) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = said.len() < 2;
        match said.back_mut() {
            Some(last) if last.index == index => last.at = at,
            Some(last) if at.duration_since(last.at) < SAID_APART && !first => {}
            _ => {
                if said.len() == SAID_MAX {
                    said.pop_front();
                }
                said.push_back(Said { at, index });
            }
        }
    }

    /// How old the state is that includes everything up to `applied`; `None`: no leader was heard yet.
    pub(crate) fn behind(&self, applied: u64) -> Option<Duration> {
        self.behind_at(Instant::now(), applied)
    }

    /// How long ago the leader said something; `None`: it never did.
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.behind(u64::MAX)
    }

    fn behind_at(&self, now: Instant, applied: u64) -> Option<Duration> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = said.iter().rev().find(|said| said.index <= applied);
        reached.or(said.front()).map(|said| now.saturating_duration_since(said.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_as_far_behind_as_the_last_word_that_it_has_caught_up_with() {
        let (lag, ms, start) = (Lag::default(), Duration::from_millis, Instant::now());
        assert_eq!(lag.behind_at(start, 0), None);
        lag.said_at(start, 5);
        lag.said_at(start + ms(100), 9);
        let now = start + ms(150);
        assert_eq!(lag.behind_at(now, 9), Some(ms(50)));
        assert_eq!(lag.behind_at(now, 8), Some(ms(150)));
        assert_eq!(lag.behind_at(now, 4), Some(ms(150)));
        lag.said_at(now, 9);
        assert_eq!(lag.behind_at(now, 20), Some(Duration::ZERO));
    }
}
