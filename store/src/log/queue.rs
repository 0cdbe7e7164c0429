//! What was called and is not on disk yet, and what the log holds with it.

use super::error::LogError;
use super::types::{LogId, LogState, Vote};
use super::{OnDurable, scan::Sizes};
use std::collections::BTreeMap;
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

/// An entry that raft-log may not have yet.
struct Recent {
    batch: u64,
    id: LogId,
    bytes: Arc<Vec<u8>>,
}

/// The calls that wait, and the log as it will be when they are done.
pub(super) struct Queue {
    ops: Vec<Op>,
    /// Something among `ops` is waited for.
    due: bool,
    /// Number of the batch that `ops` will be.
    batch: u64,
    state: LogState,
    recent: BTreeMap<u64, Recent>,
    sizes: Sizes,
    failed: Option<LogError>,
    pub(super) stopping: bool,
}

impl Queue {
    pub(super) fn new(state: LogState, sizes: Sizes) -> Self {
        Self {
            ops: Vec::new(),
            due: false,
            batch: 0,
            state,
            recent: BTreeMap::new(),
            sizes,
            failed: None,
            stopping: false,
        }
    }

    pub(super) fn state(&self) -> LogState {
        self.state
    }

    pub(super) fn bytes(&self) -> u64 {
        self.sizes.total()
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
        let mut last = self.state.last;
        for (id, _) in &entries {
            // The first entry ever may have any index.
            let follows = last.is_none_or(|last| id.index == last.index + 1 && *id > last);
            if !follows {
                return Err(LogError::OutOfOrder { id: *id, last });
            }
            last = Some(*id);
        }
        let entries: Vec<_> = entries.into_iter().map(|(id, bytes)| (id, Arc::new(bytes))).collect();
        for (id, bytes) in &entries {
            self.sizes.push(id.index, bytes.len());
            self.recent.insert(id.index, Recent { batch: self.batch, id: *id, bytes: Arc::clone(bytes) });
        }
        self.state.last = last;
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
        if last != self.state.last_purged && !self.sizes.holds(last) {
            return refused("the entry to be kept is not there");
        }
        self.state.last = last;
        self.sizes.cut_from(next);
        self.recent.split_off(&next);
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
        self.sizes.drop_upto(upto.index);
        self.recent = self.recent.split_off(&(upto.index + 1));
        self.push(Op::Purge(upto));
    }

    /// The range of a read within what is held, and the entries of it that raft-log may not have yet.
    pub(super) fn recent(&self, from: u64, to: u64) -> (u64, u64, Vec<Held>) {
        let first = self.sizes.first().unwrap_or(u64::MAX).max(from);
        let end = self.state.last.map_or(0, |last| last.index + 1).min(to);
        if first >= end {
            return (from, from, Vec::new());
        }
        let entries = self.recent.range(first..end).map(|(_, recent)| (recent.id, Arc::clone(&recent.bytes)));
        (first, end, entries.collect())
    }

    /// Takes all calls, as one batch.
    pub(super) fn take(&mut self) -> (u64, Vec<Op>) {
        self.batch += 1;
        self.due = false;
        (self.batch - 1, std::mem::take(&mut self.ops))
    }

    /// raft-log has the entries up to this batch.
    pub(super) fn forget_recent(&mut self, batch: u64) {
        self.recent.retain(|_, recent| recent.batch > batch);
    }

    /// No call succeeds from now on; the callbacks that were waiting are returned.
    pub(super) fn fail(&mut self, error: &io::Error) -> Vec<Op> {
        self.failed.get_or_insert_with(|| LogError::failed(error));
        std::mem::take(&mut self.ops)
    }
}
