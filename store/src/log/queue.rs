//! What was called and is not on disk yet, and what the log holds with it.

use super::OnDurable;
use super::error::LogError;
use super::index::{Found, Index, Place};
use super::segment::Segment;
use super::types::{LogId, LogState, Vote};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// An entry with its content.
pub(super) type Held = (LogId, Arc<Vec<u8>>);

/// One call, in the order in which it takes effect.
pub(super) enum Op {
    Append { entries: Vec<Held>, done: OnDurable },
    Vote { vote: Vote, done: OnDurable },
    Committed(LogId),
    Truncate(Option<LogId>),
    Purge(LogId),
    Sync(OnDurable),
}

impl Op {
    /// How many entries it writes.
    pub(super) fn entries(&self) -> usize {
        match self {
            Self::Append { entries, .. } => entries.len(),
            _ => 0,
        }
    }
}

/// The calls that wait, and the log as it will be when they are done.
pub(super) struct Queue {
    ops: Vec<Op>,
    /// Something among `ops` is waited for.
    due: bool,
    /// Number of the batch that `ops` will be.
    batch: u64,
    state: LogState,
    index: Index,
    /// What is read from, oldest first.
    segments: VecDeque<Arc<Segment>>,
    failed: Option<LogError>,
    pub(super) stopping: bool,
}

impl Queue {
    pub(super) fn new(state: LogState, index: Index, segments: VecDeque<Arc<Segment>>) -> Self {
        Self { ops: Vec::new(), due: false, batch: 0, state, index, segments, failed: None, stopping: false }
    }

    pub(super) fn state(&self) -> LogState {
        self.state
    }

    pub(super) fn bytes(&self) -> u64 {
        self.index.total()
    }

    pub(super) fn check(&self) -> Result<(), LogError> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if self.stopping => Err(LogError::Closed),
            None => Ok(()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether the log has something to do now. A committed index has time: it goes with what comes next.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    pub(super) fn push(&mut self, op: Op) {
        self.due = true;
        self.ops.push(op);
    }

    pub(super) fn append(&mut self, entries: Vec<(LogId, Vec<u8>)>, done: OnDurable) -> Result<(), LogError> {
        let mut state = self.state;
        for (id, _) in &entries {
            if !state.is_followed_by(*id) {
                return Err(LogError::OutOfOrder { id: *id, last: state.last });
            }
            state.last = Some(*id);
        }
        let entries: Vec<_> = entries.into_iter().map(|(id, bytes)| (id, Arc::new(bytes))).collect();
        for (id, bytes) in &entries {
            self.index.push(*id, Arc::clone(bytes), self.batch);
        }
        self.state = state;
        self.push(Op::Append { entries, done });
        Ok(())
    }

    pub(super) fn save_vote(&mut self, vote: Vote, done: OnDurable) -> Result<(), LogError> {
        let saved = self.state.vote;
        if Some(vote) >= saved {
            self.state.vote = Some(vote);
            self.push(Op::Vote { vote, done });
            Ok(())
        } else {
            Err(LogError::OlderVote { vote, saved })
        }
    }

    pub(super) fn save_committed(&mut self, id: LogId) {
        if Some(id) > self.state.committed && Some(id) <= self.state.last {
            self.state.committed = Some(id);
            match self.ops.last_mut() {
                Some(Op::Committed(last)) => *last = id,
                _ => self.ops.push(Op::Committed(id)),
            }
        }
    }

    pub(super) fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), LogError> {
        if last >= self.state.last {
            return Ok(());
        }
        let refused = |why| Err(LogError::Cut { last, why });
        if last < self.state.committed {
            return refused("committed entries would go");
        }
        if last < self.state.last_purged {
            return refused("the entry to be kept is purged");
        }
        let next = last.map_or(0, |id| id.index + 1);
        if last != self.state.last_purged && last.is_some_and(|last| !self.index.holds(last)) {
            return refused("the entry to be kept is not there");
        }
        self.state.last = last;
        self.index.cut_from(next);
        self.push(Op::Truncate(last));
        Ok(())
    }

    pub(super) fn purge(&mut self, upto: LogId) {
        if self.state.last_purged.is_some_and(|purged| purged.index >= upto.index) {
            return;
        }
        self.state.last_purged = Some(upto);
        if self.state.last.is_none_or(|last| last.index <= upto.index) {
            self.state.last = Some(upto);
        }
        self.index.drop_upto(upto.index);
        self.push(Op::Purge(upto));
    }

    /// The entries of a read that are held, and the files that those are in which are not in memory.
    pub(super) fn find(&self, from: u64, to: u64, bytes_max: usize) -> (Vec<Found>, VecDeque<Arc<Segment>>) {
        let found = self.index.find(from, to, bytes_max);
        let is_cold = found.iter().any(|found| matches!(found, Found::At(..)));
        (found, if is_cold { self.segments.clone() } else { VecDeque::new() })
    }

    /// Takes all calls, as one batch.
    pub(super) fn take(&mut self) -> (u64, Vec<Op>) {
        self.batch += 1;
        self.due = false;
        (self.batch - 1, std::mem::take(&mut self.ops))
    }

    /// Batch `batch` is written: its entries are at these places, in these files.
    pub(super) fn written(&mut self, batch: u64, places: &[(u64, Place)], segments: &VecDeque<Arc<Segment>>) {
        // One that was cut and appended again within the batch is where it was written last.
        for (index, place) in places.iter().rev() {
            self.index.written(*index, batch, *place);
        }
        self.index.cool();
        self.segments.clone_from(segments);
    }

    /// No call succeeds from now on; the callbacks that were waiting are returned.
    pub(super) fn fail(&mut self, error: &io::Error) -> Vec<Op> {
        self.failed.get_or_insert_with(|| LogError::failed(error));
        std::mem::take(&mut self.ops)
    }
}
