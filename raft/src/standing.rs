//! Elections that cross on their way.
//!
//! Two replicas that stand within half a round trip of each other would both be told that they could win, both vote for
//! themselves, and both begin anew a whole election timeout later. So of two that ask for the same term at the same
//! time one gives way: it tells the other that it could win, and is not told so itself.

use crate::types::Types;
use openraft::raft::VoteRequest;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What this replica last asked the others: whether they would elect it.
#[derive(Default)]
pub(crate) struct Standing(Mutex<Option<(Instant, VoteRequest<Types>)>>);

impl Standing {
    /// This replica asks `now`.
    pub(crate) fn asks(&self, request: &VoteRequest<Types>, now: Instant) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The same question goes to each of the others.
        if last.as_ref().is_none_or(|(_, asked)| asked != request) {
            *last = Some((now, request.clone()));
        }
    }

    /// True if this replica asked for the same term less than `within` before `now`, and goes before whoever asks now: by its log,
    /// as in elections, or else by its id.
    pub(crate) fn goes_before(&self, other: &VoteRequest<Types>, now: Instant, within: Duration) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rank = |of: &VoteRequest<Types>| (of.last_log_id, of.vote.leader_id.voted_for);
        last.as_ref().is_some_and(|(at, own)| {
            now.saturating_duration_since(*at) < within
                && own.vote.leader_id.term == other.vote.leader_id.term
                && rank(own) > rank(other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Vote, log_id};

    const WITHIN: Duration = Duration::from_millis(150);

    fn asked(now: Instant, term: u64, id: u64, last: (u64, u64)) -> (Standing, VoteRequest<Types>) {
        let request = VoteRequest::new(Vote::new(term, id), Some(log_id(last.0, last.1)));
        let standing = Standing::default();
        standing.asks(&request, now);
        (standing, request)
    }

    #[test]
    fn of_two_that_ask_for_a_term_at_once_one_gives_way_and_it_is_not_the_one_with_the_longer_log() {
        let (now, logs) = (Instant::now(), [(3, 7), (3, 8), (4, 1)]);
        for (one_log, other_log) in logs.iter().flat_map(|one| logs.map(|other| (*one, other))) {
            let (one, one_asks) = asked(now, 5, 1, one_log);
            let (other, other_asks) = asked(now, 5, 2, other_log);
            let other_goes = other.goes_before(&one_asks, now, WITHIN);
            assert_ne!(one.goes_before(&other_asks, now, WITHIN), other_goes);
            assert_eq!(other_goes, other_log >= one_log);
        }
    }

    #[test]
    fn who_asked_some_time_ago_or_for_another_term_or_never_gives_way() {
        let (now, ms) = (Instant::now(), Duration::from_millis);
        let (second, second_asks) = asked(now, 5, 2, (3, 7));
        let first_asks = asked(now, 5, 1, (3, 7)).1;
        assert!(!Standing::default().goes_before(&first_asks, now, WITHIN));
        assert!(!second.goes_before(&asked(now, 6, 1, (3, 7)).1, now, WITHIN));
        // What goes to the next of the others a little later is the same question.
        second.asks(&second_asks, now + ms(5));
        assert!(second.goes_before(&first_asks, now + WITHIN - ms(1), WITHIN));
        assert!(!second.goes_before(&first_asks, now + WITHIN, WITHIN));
    }
}
