//! The inventory of one replica: rows in sled, lookups in memory, and what goes with them.
//!
//! sled is a materialisation: nothing in it makes a write durable, and anything in it can be made again from the
//! latest snapshot and the log. So it is never repaired. When its rows, their hash, the ledger and the machine's last
//! stop do not all fit together, it is thrown away and filled from the snapshot.
//!
//! ```text
//!  apply(entries) ─► layer over the view ─► ledger, change file ─► [ rows, lookups, applied ] ─► publish ─► sled
//!                                                                   under the write lock: readers see all or nothing
//! ```
//! The ledger and the change file are written first: after a kill they may be ahead of sled, and are cut to it at
//! open; they are never behind, except after a power cut, when sled is not believed anyway.

mod apply;
mod build;
mod disk;
mod error;
mod install;
mod load;
mod mark;
mod restore;
mod rows;
mod scan;
mod scrub;
mod state;
mod view;

pub use apply::{BATCH_ENTRIES_MAX, Payload, Reply, ToApply};
pub use build::{BuildError, SnapshotBuilder};
pub use disk::DiskCheck;
pub use error::{InstallError, OpenError};
pub use rows::Backend;
pub(crate) use rows::Rows;
pub use scrub::Scrub;
pub use state::StateHash;

use crate::changes::Changes;
use crate::files::{self, DiskPath};
use crate::ledger;
use crate::ledger::{Ledger, Seal};
use crate::log::LogId;
use crate::reader::Reader;
use crate::snapshot::{self, SnapshotError, SnapshotFile};
use mark::Mark;
pub(crate) use state::{Shared, State};
use std::sync::Arc;
use tallyman_model::Digest;
pub(crate) use view::decode;

/// How the inventory is opened.
#[derive(Clone, Debug)]
pub struct InventoryOptions {
    /// The data directory; `inventory/`, `changes/`, `ledger/` and `snapshots/` in it are the inventory's.
    pub dir: DiskPath,
    /// Where rows are kept.
    pub backend: Backend,
    /// Bytes of the change file.
    pub changes_bytes_max: u64,
    /// Records of a full segment of the ledger. All replicas must use the same number.
    pub ledger_segment_records: u64,
    /// The log begins after this entry: rows that are older cannot be brought up to date by it.
    pub log_purged: Option<LogId>,
}

impl InventoryOptions {
    /// The usual ones for the data directory `dir`.
    #[must_use]
    pub fn new(dir: impl Into<DiskPath>) -> Self {
        Self {
            dir: dir.into(),
            backend: Backend::Sled,
            changes_bytes_max: 256 * 1024 * 1024,
            ledger_segment_records: ledger::SEGMENT_RECORDS,
            log_purged: None,
        }
    }
}

/// What has been applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedState {
    /// The last entry.
    pub last: Option<LogId>,
    /// The last membership, and the entry that set it.
    pub membership: Option<(LogId, Vec<u8>)>,
}

/// The one writer of the inventory.
#[derive(Debug)]
pub struct Inventory {
    options: InventoryOptions,
    shared: Arc<Shared>,
    mark: Mark,
    generation: u64,
    /// Enough rows wait to be moved to where they are kept.
    is_settling_due: bool,
}

impl Inventory {
    /// Opens or makes the inventory. All rows are read and verified, and the lookups made from them. What cannot be
    /// believed is replaced by the latest snapshot, or by nothing; the caller then applies the log from
    /// [`applied`](Self::applied) on. Where the log still begins with the first entry, the ledger can be made again
    /// too.
    ///
    /// # Errors
    /// An [`OpenError`]. Where it says that the replica is [behind](OpenError::Behind), only a snapshot of a peer
    /// helps.
    pub fn open(options: InventoryOptions) -> Result<Self, OpenError> {
        match Self::open_once(options.clone()) {
            Err(error) if error.is_damage() && options.log_purged.is_none() => {
                tracing::warn!(%error, "ledger and inventory are made again from the log");
                for part in ["ledger", "inventory"].map(|part| options.dir.join(part)) {
                    load::remove(&part)?;
                }
                Self::open_once(options)
            }
            opened => opened,
        }
    }

    fn open_once(options: InventoryOptions) -> Result<Self, OpenError> {
        let dir = options.dir.join("inventory");
        files::prepare_dir(&dir).map_err(|source| OpenError::Io { path: dir.to_path(), source })?;
        let snapshots = options.dir.join("snapshots");
        files::prepare_dir(&snapshots)
            .map_err(|source| OpenError::Io { path: snapshots.to_path(), source })?;
        let ledger = Ledger::open_with(options.dir.join("ledger"), chain, options.ledger_segment_records)?;
        let (mut mark, before) = Mark::open(&dir)?;
        let (loaded, generation) = load::load(&options, &dir, &ledger, before)?;
        load::cut_ledger(&ledger, &loaded)?;
        let changes =
            Changes::open(options.dir.join("changes"), options.changes_bytes_max, loaded.revision())?;
        mark.opened()?;
        let shared = Arc::new(Shared::new(loaded, changes, ledger));
        Ok(Self { options, shared, mark, generation, is_settling_due: false })
    }

    /// What has been applied.
    #[must_use]
    pub fn applied(&self) -> AppliedState {
        let state = self.shared.state();
        AppliedState { last: state.applied, membership: state.membership.clone() }
    }

    /// How everybody else reads the inventory.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// Builds a snapshot on another thread while entries are applied on this one.
    #[must_use]
    pub fn snapshot_builder(&self) -> SnapshotBuilder {
        SnapshotBuilder::new(Arc::clone(&self.shared), self.snapshots())
    }

    /// Finds failed writes and syncs of the rows' files that no call has met.
    #[must_use]
    pub fn disk_check(&self) -> DiskCheck {
        DiskCheck::new(Arc::clone(&self.shared))
    }

    /// The newest snapshot.
    ///
    /// # Errors
    /// The file system refused.
    pub fn latest_snapshot(&self) -> Result<Option<SnapshotFile>, SnapshotError> {
        snapshot::latest(self.snapshots())
    }

    /// The directory of the snapshots: where a peer's snapshot is received.
    #[must_use]
    pub fn snapshots(&self) -> DiskPath {
        self.options.dir.join("snapshots")
    }

    /// The ledger's full segments of a peer's snapshot that are not here; they are to be
    /// [installed](Self::install_segment), in order, before the snapshot.
    #[must_use]
    pub fn missing_segments(&self, snapshot: &SnapshotFile) -> Vec<Seal> {
        install::missing_segments(&self.shared.ledger, &snapshot.contents.seals)
    }

    /// Takes over a full segment of the ledger; durable on return.
    ///
    /// # Errors
    /// The bytes are not what was sealed or do not follow what is here: nothing was taken over.
    pub fn install_segment(&self, seal: &Seal, bytes: &[u8]) -> Result<(), ledger::LedgerError> {
        self.shared.ledger.install(seal, bytes)
    }
}

impl Drop for Inventory {
    fn drop(&mut self) {
        self.shared.tell_nobody();
        let rows = Arc::clone(&self.shared.state().rows);
        match rows
            .sync()
            .map_err(|error| error.to_string())
            .and_then(|()| self.mark.closed().map_err(|e| e.to_string()))
        {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(error, "the inventory is not closed in good order and may be made again")
            }
        }
    }
}

pub(crate) fn chain(before: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    tallyman_model::ledger::next_hash(&Digest(*before), bytes).0
}
