//! The watches of one cluster that are denied, or whose kind is not there, ask again one after the other.

use crate::limits::DENIED_PACE_MS;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Who of them may ask next. Clones share it; each cluster has its own.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    next_at: Arc<Mutex<Option<Instant>>>,
    let_in: watch::Sender<u64>,
}

impl Turns {
    /// Takes the turn.
    ///
    /// # Errors
    /// When there may be one.
    pub(super) fn take(&self) -> Result<(), Instant> {
        let now = Instant::now();
        let mut next_at = self.next_at.lock().unwrap_or_else(PoisonError::into_inner);
        match *next_at {
            Some(at) if at > now => Err(at),
            _ => {
                *next_at = Some(now + Duration::from_millis(DENIED_PACE_MS));
                Ok(())
            }
        }
    }

    /// One of them was let in: the others may be, too.
    pub(super) fn tell(&self) {
        self.let_in.send_modify(|count| *count += 1);
    }

    /// Changes when one was let in.
    pub(super) fn let_in(&self) -> watch::Receiver<u64> {
        self.let_in.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_lets_nobody_in_is_asked_by_one_at_a_time() {
        let turns = Turns::default();
        let mut asked = 0;
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            // Many of them, all of whose delays are over.
            asked += (0..100).filter(|_| turns.clone().take().is_ok()).count();
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(asked as u64, 60_000 / DENIED_PACE_MS);
    }
}
