//! How long changes wait for others of the same watch: hardly at all, until there are many on all clusters together.

use crate::limits::{
    BATCH_LINGER_MS, BATCH_LINGER_MS_MAX, CALM_CHANGES_PER_S, CHANGES_PER_S_AND_LINGER_MS, PACED_OBJECTS_MAX,
    TIDE_WINDOW_MS,
};
use crate::machine::Change;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallyman_model::command::Observation;
use tallyman_model::rule::Verdict;
use tokio::time::Instant;

/// How many changes the watches that share it are told.
#[derive(Clone, Debug, Default)]
pub struct Tide(Arc<Mutex<Window>>);

#[derive(Debug, Default)]
struct Window {
    begun: Option<Instant>,
    changes: u64,
    per_s: u64,
}

impl Tide {
    /// Counts a change.
    pub fn note(&self, now: Instant) {
        self.at(now, 1);
    }

    /// How long changes wait now that say nothing but other counts.
    #[must_use]
    pub fn linger(&self, now: Instant) -> Duration {
        let above = self.at(now, 0).saturating_sub(CALM_CHANGES_PER_S);
        let linger_ms = BATCH_LINGER_MS + above / CHANGES_PER_S_AND_LINGER_MS;
        Duration::from_millis(linger_ms.min(BATCH_LINGER_MS_MAX))
    }

    fn at(&self, now: Instant, changes: u64) -> u64 {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(*window.begun.get_or_insert(now));
        if passed >= Duration::from_millis(TIDE_WINDOW_MS) {
            let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
            window.per_s = window.changes.saturating_mul(1_000) / passed_ms;
            window.changes = 0;
            window.begun = Some(now);
        }
        window.changes += changes;
        window.per_s
    }
}

/// Which changes of one watch say more than other counts.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// By UID. Those that have not changed for a while are forgotten: what they say next counts as news.
    known: BTreeMap<String, Known>,
    known_before: BTreeMap<String, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    says: u64,
    urgent_at: Instant,
}

impl Pace {
    /// True if somebody waits for this: it is new, ends, goes, or says something else than numbers. Not more than one
    /// in each `linger` for the same object, but for its end: one that goes back and forth is a flood, too.
    pub(super) fn is_urgent(&mut self, change: &Change, now: Instant, linger: Duration) -> bool {
        let Change::Seen(item) = change else { return true };
        let says = says(item);
        let known = self.known.get(&item.uid).or_else(|| self.known_before.get(&item.uid)).copied();
        let is_end = matches!(item.verdict, Some(Verdict::Succeeded | Verdict::Failed));
        let urgent = known.is_none_or(|known| {
            known.says != says && (is_end || item.seen.is_deleting() || now >= known.urgent_at + linger)
        });
        let urgent_at = known.filter(|_| !urgent).map_or(now, |known| known.urgent_at);
        if self.known.len() >= PACED_OBJECTS_MAX {
            self.known_before = std::mem::take(&mut self.known);
        }
        self.known.insert(item.uid.clone(), Known { says, urgent_at });
        urgent
    }
}

/// All that an object says but for counts and its version.
fn says(item: &Observation) -> u64 {
    let (mut hasher, seen) = (DefaultHasher::new(), &item.seen);
    (&item.group, &item.submission, &item.attempt, &item.digest, item.held, item.gone).hash(&mut hasher);
    item.verdict.map(|verdict| discriminant(&verdict)).hash(&mut hasher);
    seen.condition.map(|condition| discriminant(&condition)).hash(&mut hasher);
    (seen.started_ms, seen.finished_ms, seen.deleting_ms, &seen.finalizers, &seen.message).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
