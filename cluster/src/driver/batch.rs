//! What is to be committed, each object once.

use crate::ObjectKey;
use crate::machine::{Change, Emission};
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::command::Observation;
use tallyman_model::record::Extent;
use tokio::time::Instant;

/// What a watch saw, to be committed in one entry with its cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What is watched.
    pub extent: Extent,
    /// Objects in their last state, each once.
    pub items: Vec<Observation>,
    /// Objects that are gone or no longer selected, in their last state: which of the two is to be read.
    pub deleted: Vec<Observation>,
    /// If a listing ended with this batch: all that it named. What is known and not named is to be read by name.
    pub listed: Option<BTreeSet<ObjectKey>>,
    /// How far the watch has come with this batch; `None`: no further; empty: a listing has begun, and before its end
    /// there is no cursor.
    pub cursor: Option<String>,
    /// The timeline that the cursor belongs to.
    pub timeline: u32,
}

/// Emissions that wait to be committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    changes: BTreeMap<ObjectKey, Change>,
    listed: Option<BTreeSet<ObjectKey>>,
    cursor: Option<String>,
    timeline: u32,
    through: u64,
    first_at: Option<Instant>,
    urgent_at: Option<Instant>,
}

impl Pending {
    /// Adds what was seen; what is urgent takes with it all that waits.
    pub(super) fn add(&mut self, emission: Emission, now: Instant, is_urgent: bool) {
        for change in emission.changes {
            self.changes.insert(ObjectKey::of(change.item()), change);
        }
        self.cursor = emission.cursor.or(self.cursor.take());
        self.listed = emission.listed.or(self.listed.take());
        self.timeline = emission.timeline;
        self.through = emission.number;
        self.first_at.get_or_insert(now);
        if is_urgent {
            self.urgent_at.get_or_insert(now);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// When the first of it was added; `None` if there is nothing.
    pub(super) fn first_at(&self) -> Option<Instant> {
        self.first_at
    }

    /// When the first of it was added that is urgent.
    pub(super) fn urgent_at(&self) -> Option<Instant> {
        self.urgent_at
    }

    /// True if it only moves the cursor on.
    pub(super) fn is_quiet(&self) -> bool {
        let moves_on = self.cursor.as_deref().is_none_or(|cursor| !cursor.is_empty());
        self.changes.is_empty() && self.listed.is_none() && moves_on
    }

    /// The batch, and the number of its last emission.
    pub(super) fn take(&mut self, extent: &Extent) -> (Batch, u64) {
        let taken = std::mem::take(self);
        let mut batch = Batch {
            extent: extent.clone(),
            items: Vec::new(),
            deleted: Vec::new(),
            listed: taken.listed,
            cursor: taken.cursor,
            timeline: taken.timeline,
        };
        for change in taken.changes.into_values() {
            match change {
                Change::Seen(item) => batch.items.push(item),
                Change::Deleted(item) => batch.deleted.push(item),
            }
        }
        (batch, taken.through)
    }
}
