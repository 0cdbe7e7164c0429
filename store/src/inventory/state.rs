//! What readers and the writer share.

use super::rows::Rows;
use super::scrub::Progress;
use crate::changes::Changes;
use crate::codec::Blob;
use crate::ledger::Ledger;
use crate::log::LogId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tallyman_model::record::Meta;
use tallyman_model::{Index, Revision};

/// The key of the store's own row: shorter than those of the model's rows.
pub(super) const BOOKKEEPING: &[u8] = b"store";

/// The store's own row. Written in the same batch as the rows it speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bookkeeping {
    pub(super) applied: Option<LogId>,
    pub(super) membership: Option<(LogId, Blob)>,
    pub(super) state_hash: [u8; 16],
}

/// Called after each publication with the revision and the applied index.
pub(crate) type OnPublish = Box<dyn Fn(Revision, u64) + Send + Sync>;

/// The hash of all rows at one point. Replicas with an equal index must have an equal hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateHash {
    /// The applied index.
    pub index: u64,
    /// The revision.
    pub revision: Revision,
    /// Sum over rows of the first 128 bits of SHA-256 over key and stored bytes.
    pub hash: u128,
}

/// The state that is published.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) rows: Arc<Rows>,
    pub(super) index: Index,
    pub(super) applied: Option<LogId>,
    pub(super) membership: Option<(LogId, Vec<u8>)>,
    pub(super) hash: u128,
    /// The model's counters: revision and ledger.
    pub(super) meta: Meta,
}

impl State {
    pub(super) fn revision(&self) -> u64 {
        self.meta.revision.0
    }

    pub(crate) fn applied_index(&self) -> u64 {
        self.applied.map_or(0, |id| id.index)
    }

    pub(crate) fn rows(&self) -> Arc<Rows> {
        Arc::clone(&self.rows)
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(crate) fn state_hash(&self) -> StateHash {
        StateHash { index: self.applied_index(), revision: self.meta.revision, hash: self.hash }
    }
}

/// What a row adds to the state hash.
pub(super) fn row_hash(key: &[u8], stored: &[u8]) -> u128 {
    let digest: [u8; 32] = Sha256::new().chain_update(key).chain_update(stored).finalize().into();
    digest.iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}

/// The state and the files beside it.
pub(crate) struct Shared {
    state: RwLock<State>,
    pub(crate) changes: Changes,
    pub(crate) ledger: Ledger,
    on_publish: Mutex<Vec<OnPublish>>,
    scrub: Mutex<Progress>,
}

impl Shared {
    pub(super) fn new(state: State, changes: Changes, ledger: Ledger) -> Self {
        Self {
            state: RwLock::new(state),
            changes,
            ledger,
            on_publish: Mutex::default(),
            scrub: Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only locked while the state is.
    pub(super) fn scrub(&self) -> MutexGuard<'_, Progress> {
        self.scrub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn on_publish(&self, f: OnPublish) {
        self.on_publish.lock().unwrap_or_else(PoisonError::into_inner).push(f);
    }

    /// Nothing is applied any more. Who was told may hold a reader, and with it rows that are to be closed.
    pub(super) fn tell_nobody(&self) {
        self.on_publish.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Tells everybody what is applied now. The state must not be locked.
    pub(super) fn publish(&self) {
        let (revision, index) = {
            let state = self.state();
            (state.meta.revision, state.applied_index())
        };
        for f in self.on_publish.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            f(revision, index);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("state", &self.state().state_hash()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::codec::{self, Kind};

    #[test]
    fn the_stores_own_row_is_written_as_ever() {
        let id = LogId { term: 2, leader: 3, index: 40 };
        let row = Bookkeeping {
            applied: Some(id),
            membership: Some((LogId { index: 7, ..id }, Blob(vec![1, 2, 3]))),
            state_hash: [9; 16],
        };
        let golden = include_bytes!("../../tests/golden/inventory-meta.bin");
        assert_eq!(codec::encode(Kind::InventoryMeta, &row).unwrap(), golden);
        assert_eq!(codec::decode::<Bookkeeping>(Kind::InventoryMeta, golden).unwrap(), row);
    }
}
