//! When to look at an object again: at most one time for each.

use crate::kind::Kind;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::{Instant, sleep_until};

type Place = (Kind, String);

#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, Place)>,
    by_place: BTreeMap<Place, Instant>,
}

impl Timers {
    /// Sets, moves or removes the time of an object.
    pub(super) fn set(&mut self, place: Place, at: Option<Instant>) {
        if let Some(former) = self.by_place.remove(&place) {
            self.by_time.remove(&(former, place.clone()));
        }
        if let Some(at) = at {
            self.by_place.insert(place.clone(), at);
            self.by_time.insert((at, place));
        }
    }

    /// Takes what is due, at most `places_max`.
    pub(super) fn due(&mut self, now: Instant, places_max: usize) -> Vec<Place> {
        let mut due = Vec::new();
        while due.len() < places_max && self.by_time.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, place)) = self.by_time.pop_first() else { break };
            self.by_place.remove(&place);
            due.push(place);
        }
        due
    }

    /// Waits for the first time; for ever if there is none.
    pub(super) async fn wait(&self) {
        match self.by_time.first() {
            Some((at, _)) => sleep_until(*at).await,
            None => std::future::pending().await,
        }
    }
}
