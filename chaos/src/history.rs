//! The latest changes of one kind, in memory: what watches follow and old pages are made of.

use crate::object::Object;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

impl Change {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }

    pub(crate) fn from_str(text: &str) -> Option<Self> {
        [Self::Added, Self::Modified, Self::Deleted].into_iter().find(|change| change.as_str() == text)
    }
}

/// One change. Of a deletion `object` is the last state, at the version of the deletion.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) change: Change,
    pub(crate) object: Arc<Object>,
    pub(crate) previous: Option<Arc<Object>>,
}

/// The versions that were asked for are no longer known; all above `floor` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compacted {
    pub(crate) floor: u64,
}

/// A ring of at most `events_max` changes in order of version.
#[derive(Debug)]
pub(crate) struct History {
    events: VecDeque<Event>,
    /// Nobody may start from below.
    floor: u64,
    /// The version of the newest change that is gone.
    dropped: u64,
    events_max: usize,
}

impl History {
    /// A history of what comes after `floor`.
    pub(crate) fn from(floor: u64, events_max: usize) -> Self {
        Self { events: VecDeque::new(), floor, dropped: 0, events_max }
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.events.push_back(event);
        while self.events.len() > self.events_max {
            if let Some(dropped) = self.events.pop_front() {
                self.dropped = dropped.object.version;
                self.floor = self.floor.max(self.dropped);
            }
        }
    }

    /// Forgets all changes up to and with `version`.
    pub(crate) fn compact(&mut self, version: u64) {
        let first = self.events.partition_point(|event| event.object.version <= version);
        if let Some(last) = self.events.drain(..first).next_back() {
            self.dropped = last.object.version;
        }
        self.floor = self.floor.max(version);
    }

    /// Whether changes may be followed from `version` on.
    ///
    /// # Errors
    /// They are no longer all known.
    pub(crate) fn check_start(&self, version: u64) -> Result<(), Compacted> {
        if version < self.floor { Err(Compacted { floor: self.floor }) } else { Ok(()) }
    }

    /// The changes after `version`, oldest first, at most `events_max` of them, for one who has followed so far:
    /// a compaction that drops nothing that he wants does not stop him.
    ///
    /// # Errors
    /// They are no longer all known.
    pub(crate) fn after(&self, version: u64, events_max: usize) -> Result<Vec<Event>, Compacted> {
        if version < self.dropped {
            return Err(Compacted { floor: self.floor });
        }
        let first = self.events.partition_point(|event| event.object.version <= version);
        Ok(self.events.range(first..).take(events_max).cloned().collect())
    }

    /// The lowest version that changes may be followed from.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Forgets everything: the past was another one, which ended at `version`.
    pub(crate) fn restart(&mut self, version: u64) {
        self.events.clear();
        (self.floor, self.dropped) = (version, version);
    }

    /// What the objects that changed after `version` were at `version`; none where there was no object.
    ///
    /// # Errors
    /// The changes since are no longer all known.
    pub(crate) fn undone(&self, version: u64) -> Result<BTreeMap<&str, Option<&Arc<Object>>>, Compacted> {
        self.check_start(version)?;
        let first = self.events.partition_point(|event| event.object.version <= version);
        let newest_first = self.events.range(first..).rev();
        Ok(newest_first.map(|event| (event.object.key.as_str(), event.previous.as_ref())).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::kind::Kind;
    use serde_json::json;

    fn event(version: u64) -> Event {
        let value = json!({"metadata": {"name": "a", "namespace": "n"}});
        let object = Arc::new(Object::new(&Kind::Job, value, version).unwrap());
        Event { change: Change::Modified, object, previous: None }
    }

    #[test]
    fn a_ring_that_is_full_forgets_the_oldest() {
        let mut history = History::from(0, 3);
        (1..=5).for_each(|version| history.push(event(version)));
        assert_eq!(history.after(1, 9).unwrap_err(), Compacted { floor: 2 });
        let versions: Vec<u64> =
            history.after(2, 2).unwrap().iter().map(|event| event.object.version).collect();
        assert_eq!(versions, [3, 4]);
    }

    #[test]
    fn a_compacted_history_still_serves_from_its_end() {
        let mut history = History::from(0, 9);
        (1..=5).for_each(|version| history.push(event(version)));
        history.compact(5);
        assert!(history.check_start(4).is_err() && history.undone(4).is_err());
        assert!(history.check_start(5).is_ok() && history.after(5, 9).unwrap().is_empty());
    }

    #[test]
    fn a_follower_who_missed_nothing_goes_on_after_a_compaction() {
        let mut history = History::from(0, 9);
        (1..=5).for_each(|version| history.push(event(version)));
        history.compact(9);
        assert!(history.after(5, 9).unwrap().is_empty());
        assert!(history.after(4, 9).is_err());
    }
}
