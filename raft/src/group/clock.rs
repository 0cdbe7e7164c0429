//! The leader's clock against its peers'.

use super::inner::{Inner, Member};
use crate::transport::{Request, Response};
use futures::future::join_all;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

impl Inner {
    /// Asks the other voters what time it is, and keeps how far this clock is ahead of the median.
    pub(crate) async fn compare_clocks(&self, member: &Member) {
        let voters = self.other_voters(member);
        let asked = voters.iter().map(|(id, address)| self.ahead_of(*id, address));
        let mut ahead: Vec<i64> = join_all(asked).await.into_iter().flatten().collect();
        ahead.push(0);
        self.skew_ms.store(median(ahead), Ordering::Relaxed);
    }

    /// How far this clock is ahead of a peer's, in ms; `None`: it did not answer.
    async fn ahead_of(&self, id: u64, address: &str) -> Option<i64> {
        let wait = Duration::from_millis(self.timing().dial_ms_max);
        let (asked_ms, asked) = (self.options.env.now_ms(), Instant::now());
        let Ok(Response::Clock(peer_ms)) = self.ask(address, Some(id), &Request::Clock, wait).await else {
            return None;
        };
        // The peer looked at its clock about half-way.
        let here_ms = asked_ms + u64::try_from(asked.elapsed().as_millis() / 2).unwrap_or(0);
        i64::try_from(i128::from(here_ms) - i128::from(peer_ms)).ok()
    }
}

/// The middle one, this clock's own 0 among them; of the two middle ones that which is nearer to 0, so that one wrong
/// peer out of two does not stop the group.
fn median(mut ahead: Vec<i64>) -> i64 {
    ahead.sort_unstable();
    let middle = ahead.len() / 2;
    let upper = ahead.get(middle).copied().unwrap_or(0);
    let lower = if ahead.len().is_multiple_of(2) {
        ahead.get(middle.wrapping_sub(1)).copied().unwrap_or(upper)
    } else {
        upper
    };
    if lower.unsigned_abs() < upper.unsigned_abs() { lower } else { upper }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn one_wrong_clock_is_outvoted_and_a_wrong_leader_is_not() {
        assert_eq!(median(vec![0]), 0);
        assert_eq!(median(vec![90_000, 0, 0]), 0);
        assert_eq!(median(vec![90_000, 0]), 0);
        assert_eq!(median(vec![-90_000, 0]), 0);
        assert_eq!(median(vec![90_000, 90_001, 0]), 90_000);
        assert_eq!(median(vec![-90_000, -90_001, 0, 5]), 0);
    }
}
