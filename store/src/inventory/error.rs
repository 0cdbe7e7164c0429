//! What can go wrong when the inventory is opened or replaced.

use super::mark::MarkError;
use super::rows::RowsError;
use crate::changes::ChangesError;
use crate::ledger::{LedgerError, Seal};
use crate::log::LogId;
use crate::snapshot::SnapshotError;
use std::io;
use std::path::PathBuf;
use tallyman_model::Damaged;
use thiserror::Error;

/// Why the inventory could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system refused.
    #[error("failed to open the inventory {}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Rows and snapshots are older than what the log begins with: only a peer's snapshot helps.
    #[error("failed to bring the inventory up to date: it ends at {have:?}, the log begins after {needed:?}")]
    Behind {
        /// The last entry that could be had.
        have: Option<LogId>,
        /// The last entry that the log no longer has.
        needed: Option<LogId>,
    },
    /// The ledger cannot be read, or ends before the rows: only a peer's help mends that.
    #[error("failed to open the inventory's ledger")]
    Ledger(#[from] LedgerError),
    /// The ledger has other records than the rows were made with.
    #[error(
        "failed to open the inventory: the ledger's record {seq} is not the one that the rows were made with"
    )]
    OtherLedger {
        /// The last record of the rows.
        seq: u64,
    },
    /// The change file cannot be used.
    #[error("failed to open the inventory's change file")]
    Changes(#[from] ChangesError),
    /// A snapshot cannot be read.
    #[error("failed to make the inventory from a snapshot")]
    Snapshot(#[from] SnapshotError),
    /// The database refused.
    #[error("failed to open the inventory's rows")]
    Rows(#[from] RowsError),
    /// The mark cannot be written.
    #[error("failed to mark the inventory")]
    Mark(#[from] MarkError),
}

impl OpenError {
    /// True when what is there is not what was written, or not enough: the replica is replaced by one with an empty
    /// directory. False when opening may succeed another time.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Behind { .. } | Self::OtherLedger { .. } => true,
            Self::Ledger(error) => error.is_damage(),
            Self::Io { .. } | Self::Changes(_) | Self::Snapshot(_) | Self::Rows(_) | Self::Mark(_) => false,
        }
    }
}

/// Why a snapshot was not taken over. The inventory is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The snapshot is damaged or cannot be read.
    #[error("failed to read the snapshot")]
    Snapshot(#[from] SnapshotError),
    /// Full segments of the ledger are not here; they come first.
    #[error("failed to take over a snapshot: {} segments of the ledger are missing", .0.len())]
    MissingSegments(Vec<Seal>),
    /// The snapshot's ledger does not continue ours.
    #[error("failed to take over the snapshot's ledger")]
    Ledger(#[from] LedgerError),
    /// The change file cannot be started again.
    #[error("failed to start the change file again")]
    Changes(#[from] ChangesError),
    /// The rows cannot be stored.
    #[error("failed to store the snapshot's rows")]
    Rows(#[from] RowsError),
    /// The rows are not what the snapshot says.
    #[error("failed to verify the snapshot's rows")]
    Damaged(#[from] Damaged),
    /// Older than what is here.
    #[error("failed to take over a snapshot of {snapshot:?}: {applied:?} is applied")]
    Older {
        /// The snapshot's last entry.
        snapshot: Option<LogId>,
        /// The last entry that is applied here.
        applied: Option<LogId>,
    },
}
