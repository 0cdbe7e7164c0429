//! How the API, the leader and the Raft adapter read the inventory.

mod moment;

use crate::changes::ChangesError;
use crate::codec;
use crate::inventory::{Scrub, Shared, SnapshotBuilder, StateHash, decode};
use crate::ledger::LedgerError;
use moment::Moment;
use std::sync::Arc;
use tallyman_model::{Damaged, Digest, Key, Record, Revision, Row, View};
use thiserror::Error;

/// Changes read at once.
const PAGE_CHANGES: usize = 1024;

/// A changed record.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The revision that the change took.
    pub revision: Revision,
    /// The record before; `None`: it was made.
    pub before: Option<Record>,
    /// The record after; `None`: it is gone.
    pub after: Option<Record>,
}

/// An old revision or old changes cannot be served: ask for the current state and go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("failed to read at an old revision: {floor} is the oldest that can be served")]
pub struct TooOld {
    /// The oldest revision that can be served.
    pub floor: Revision,
}

/// Reads the inventory; clones read the same one.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Runs `f` on the state of this moment. Nothing is applied while it runs, so it must be short, and must not
    /// wait for anything or read through another call of this reader.
    pub fn now<T>(&self, f: impl FnOnce(&dyn View, Revision) -> T) -> T {
        let state = self.shared.state();
        f(&*state, state.meta().revision)
    }

    /// Runs `f` on the state of this moment, which it sees to its end whatever is applied beside it: for all that reads
    /// many rows.
    ///
    /// # Errors
    /// [`TooOld`]: another state was installed meanwhile. `f` may have run; to be asked again.
    pub fn beside<T>(&self, f: impl FnOnce(&dyn View, Revision) -> T) -> Result<T, TooOld> {
        let moment = Moment::newest(&self.shared);
        let found = f(&moment, moment.revision());
        moment.end().map(|()| found)
    }

    /// Runs `f` on the state as it was at `revision`, whatever is applied beside it.
    ///
    /// # Errors
    /// [`TooOld`]: `f` did not run to its end. Also for a revision that is not applied here; wait for it first.
    pub fn at<T>(&self, revision: Revision, f: impl FnOnce(&dyn View) -> T) -> Result<T, TooOld> {
        let moment = Moment::at(&self.shared, revision)?;
        let found = f(&moment);
        moment.end().map(|()| found)
    }

    /// The revision that is applied.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.shared.state().meta().revision
    }

    /// The log index that is applied.
    #[must_use]
    pub fn applied_index(&self) -> u64 {
        self.shared.state().applied_index()
    }

    /// The oldest revision that [`at`](Self::at) and [`changes`](Self::changes) can serve.
    #[must_use]
    pub fn floor(&self) -> Revision {
        Revision(self.shared.changes.floor())
    }

    /// Changed records after revision `after`, oldest first: at least `limit` if there are that many, more only to
    /// end with a whole revision. Empty when there is none yet.
    ///
    /// # Errors
    /// [`TooOld`].
    pub fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, TooOld> {
        let published = self.revision();
        let mut found = Vec::new();
        let mut reached = after.0;
        while found.len() < limit && reached < published.0 {
            let wanted = (limit - found.len()).min(PAGE_CHANGES);
            let page =
                self.shared.changes.read(reached, wanted).map_err(|error| too_old(published, &error))?;
            let Some(last) = page.last() else { break };
            reached = last.revision;
            for change in page.iter().filter(|change| change.revision <= published.0) {
                let key = key_of(published, &change.key.0)?;
                if key.b == 0 {
                    let record = |stored: &Option<codec::Blob>| match stored {
                        Some(stored) => record(key, &stored.0).map(Some),
                        None => Ok(None),
                    };
                    let both = record(&change.before).and_then(|before| Ok((before, record(&change.after)?)));
                    let (before, after) = both.map_err(|damaged| unreadable(published, &damaged))?;
                    found.push(Change { revision: Revision(change.revision), before, after });
                }
            }
        }
        Ok(found)
    }

    /// At most `limit` records of the ledger from number `from` on: number, bytes, hash.
    ///
    /// # Errors
    /// A record cannot be read as it was written.
    pub fn ledger(&self, from: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>, Digest)>, LedgerError> {
        let (len, _) = self.ledger_head();
        let lines = self.shared.ledger.read(from, limit)?;
        let published = lines.into_iter().take_while(|line| line.seq <= len);
        Ok(published.map(|line| (line.seq, line.bytes, Digest(line.hash))).collect())
    }

    /// The number and the hash of the last record of the ledger; 0 when there is none.
    #[must_use]
    pub fn ledger_head(&self) -> (u64, Digest) {
        let state = self.shared.state();
        (state.meta().ledger_len, state.meta().ledger_head)
    }

    /// Reads and verifies the whole ledger; gives its last number and hash.
    ///
    /// # Errors
    /// The first record that is wrong.
    pub fn verify_ledger(&self) -> Result<(u64, Digest), LedgerError> {
        self.shared.ledger.verify().map(|(len, head)| (len, Digest(head)))
    }

    /// The bytes of the ledger's full segment that begins with record `first`, for a peer.
    ///
    /// # Errors
    /// There is none, or it is not what was sealed.
    pub fn ledger_segment(&self, first: u64) -> Result<Vec<u8>, LedgerError> {
        self.shared.ledger.segment(first)
    }

    /// Builds a snapshot in `dir`, beside those that the replica keeps for itself.
    #[must_use]
    pub fn snapshot_builder(&self, dir: crate::files::DiskPath) -> SnapshotBuilder {
        SnapshotBuilder::new(Arc::clone(&self.shared), dir)
    }

    /// The hash of all rows.
    #[must_use]
    pub fn state_hash(&self) -> StateHash {
        self.shared.state().state_hash()
    }

    /// Reads the stored rows again, a few at a time, while entries are applied.
    #[must_use]
    pub fn scrub(&self) -> Scrub {
        Scrub::new(Arc::clone(&self.shared))
    }

    /// Calls `f` with revision and applied index after each batch, on the applying thread. It must not wait.
    pub fn on_publish(&self, f: Box<dyn Fn(Revision, u64) + Send + Sync>) {
        self.shared.on_publish(f);
    }
}

fn record(key: Key, stored: &[u8]) -> Result<Record, Damaged> {
    match decode(key, stored)? {
        Row::Record(record) => Ok(Arc::unwrap_or_clone(record)),
        _ => Err(Damaged::at(key, "not a record")),
    }
}

fn key_of(current: Revision, bytes: &[u8]) -> Result<Key, TooOld> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Key::from_row_bytes(bytes)),
        Err(_) => Err(unreadable(current, &"a key of another length")),
    }
}

fn too_old(current: Revision, error: &ChangesError) -> TooOld {
    match error {
        ChangesError::TooOld { floor, .. } => TooOld { floor: Revision(*floor) },
        other => unreadable(current, other),
    }
}

/// The past cannot be read as it was written. The present is not affected: who asks is sent there.
fn unreadable(current: Revision, what: &dyn std::fmt::Display) -> TooOld {
    tracing::error!(%what, "old revisions cannot be read");
    TooOld { floor: current }
}
