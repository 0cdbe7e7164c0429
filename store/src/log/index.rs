//! Which entries the log holds, and where each of them is.

use super::types::LogId;
use std::collections::VecDeque;
use std::sync::Arc;

/// The bytes of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: u64,
    pub(super) length: usize,
}

/// An entry that is to be read.
#[derive(Debug)]
pub(super) enum Found {
    Here(LogId, Arc<Vec<u8>>),
    At(LogId, Place),
}

/// What is kept of each entry; there may be hundreds of thousands.
#[derive(Debug)]
struct Slot {
    /// The length of its content.
    bytes: u32,
    /// The length of its record; 0: that is not written yet.
    length: u32,
    /// The position of its record, or the number of the batch that is going to write it.
    at: u64,
}

/// Entries from one index on that were made by one leader.
#[derive(Debug)]
struct Reign {
    first: u64,
    term: u64,
    leader: u64,
}

/// The entries that are held: without gaps, in order.
#[derive(Debug)]
pub(super) struct Index {
    first: u64,
    slots: VecDeque<Slot>,
    reigns: VecDeque<Reign>,
    total: u64,
    /// The contents of the newest entries: at least of those that are not written yet.
    contents: VecDeque<Arc<Vec<u8>>>,
    contents_bytes: usize,
    contents_bytes_max: usize,
}

impl Index {
    /// An empty one that keeps the contents of the newest entries, so many bytes of them.
    pub(super) fn new(contents_bytes_max: usize) -> Self {
        Self {
            first: 0,
            slots: VecDeque::new(),
            reigns: VecDeque::new(),
            total: 0,
            contents: VecDeque::new(),
            contents_bytes: 0,
            contents_bytes_max,
        }
    }

    /// The sum of the lengths of their contents.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn first(&self) -> Option<LogId> {
        self.id(self.first)
    }

    pub(super) fn holds(&self, id: LogId) -> bool {
        self.id(id.index) == Some(id)
    }

    fn next(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// The first entry whose content is in memory.
    fn warm_from(&self) -> u64 {
        self.next() - self.contents.len() as u64
    }

    fn id(&self, index: u64) -> Option<LogId> {
        let after = self.reigns.partition_point(|reign| reign.first <= index);
        let Reign { term, leader, .. } = *self.reigns.get(after.checked_sub(1)?)?;
        (index < self.next()).then_some(LogId { term, leader, index })
    }

    fn slot(&self, index: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }

    /// Takes the next entry, which batch `batch` is going to write.
    pub(super) fn push(&mut self, id: LogId, content: Arc<Vec<u8>>, batch: u64) {
        self.push_slot(id, Slot { bytes: content.len() as u32, length: 0, at: batch });
        self.contents_bytes += content.len();
        self.contents.push_back(content);
    }

    /// Takes the next entry, which was found in the files.
    pub(super) fn push_written(&mut self, id: LogId, bytes: usize, place: Place) {
        self.push_slot(id, Slot { bytes: bytes as u32, length: place.length as u32, at: place.position });
    }

    fn push_slot(&mut self, id: LogId, slot: Slot) {
        if self.slots.is_empty() {
            self.first = id.index;
            self.reigns.clear();
        }
        let goes_on = |reign: &Reign| (reign.term, reign.leader) == (id.term, id.leader);
        if !self.reigns.back().is_some_and(goes_on) {
            self.reigns.push_back(Reign { first: id.index, term: id.term, leader: id.leader });
        }
        self.total += u64::from(slot.bytes);
        self.slots.push_back(slot);
    }

    /// Batch `batch` has written entry `index`, unless another one is to be there meanwhile.
    pub(super) fn written(&mut self, index: u64, batch: u64, place: Place) {
        let at = index.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(slot) = at.and_then(|at| self.slots.get_mut(at))
            && (slot.length, slot.at) == (0, batch)
        {
            (slot.length, slot.at) = (place.length as u32, place.position);
        }
    }

    /// Lets contents go that are more than may be kept and can be read from the files.
    pub(super) fn cool(&mut self) {
        while self.contents_bytes > self.contents_bytes_max
            && self.slot(self.warm_from()).is_some_and(|slot| slot.length > 0)
            && let Some(content) = self.contents.pop_front()
        {
            self.contents_bytes -= content.len();
        }
    }

    pub(super) fn cut_from(&mut self, index: u64) {
        while self.next() > index
            && let Some(slot) = self.slots.pop_back()
        {
            self.total -= u64::from(slot.bytes);
            self.contents_bytes -= self.contents.pop_back().map_or(0, |content| content.len());
        }
        while self.reigns.pop_back_if(|reign| reign.first >= index).is_some() {}
    }

    pub(super) fn drop_upto(&mut self, index: u64) {
        while self.first <= index
            && let Some(slot) = self.slots.pop_front()
        {
            self.total -= u64::from(slot.bytes);
            self.first += 1;
            if self.contents.len() > self.slots.len() {
                self.contents_bytes -= self.contents.pop_front().map_or(0, |content| content.len());
            }
        }
        while self.reigns.get(1).is_some_and(|next| next.first <= self.first) {
            self.reigns.pop_front();
        }
    }

    /// Those with `from <= index < to` that are held: as many as fit into `bytes_max`, but at least one.
    pub(super) fn find(&self, from: u64, to: u64, bytes_max: usize) -> Vec<Found> {
        let (mut found, mut left) = (Vec::new(), bytes_max);
        for index in from.max(self.first)..to.min(self.next()) {
            let (Some(id), Some(slot)) = (self.id(index), self.slot(index)) else { break };
            let bytes = slot.bytes as usize;
            if bytes > left && !found.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            let warm = index.checked_sub(self.warm_from()).and_then(|at| self.contents.get(at as usize));
            found.push(match warm {
                Some(content) => Found::Here(id, Arc::clone(content)),
                None => Found::At(id, Place { position: slot.at, length: slot.length as usize }),
            });
        }
        found
    }
}
