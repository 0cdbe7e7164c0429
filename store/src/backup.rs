//! A backup: all that one replica has at one log id, in one file that says what it is.
//!
//! ```text
//!  head   [segment of the ledger, its bytes]...   [snapshot, its bytes]   end
//! ```
//! Head, what the bytes behind it are, and end are envelopes with their own checksums. The full segments of the ledger
//! come first, oldest first, then the [snapshot](crate::snapshot) that names them, byte for byte. The end has the
//! length and the SHA-256 of everything before it: a file without it is not a backup.

mod outgoing;
mod reader;
mod unpack;

pub use outgoing::{Outgoing, Taking};
pub use reader::{BackupFile, Part, inspect};
pub use unpack::{unpack, verify};

use crate::codec::CodecError;
use crate::inventory::{BuildError, OpenError};
use crate::ledger::{LedgerError, Seal};
use crate::log::LogId;
use crate::snapshot::SnapshotError;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// What made it, for people.
    pub made_by: String,
    /// The group's name in the configuration.
    pub name: String,
    /// The group's id, as on its objects.
    pub group: [u8; 16],
    /// The id under which its replicas found each other; another one after each restore.
    pub lineage: [u8; 16],
    /// The replica that it was taken from.
    pub replica: u64,
    /// When it was taken, ms since 1970.
    pub taken_ms: u64,
    /// The last log entry in it.
    pub last: Option<LogId>,
    /// The revision at that entry.
    pub revision: u64,
    /// The state hash at that entry.
    pub state_hash: [u8; 16],
    /// How many records the ledger has at that entry.
    pub ledger_records: u64,
    /// The hash of the last of them.
    pub ledger_head: [u8; 32],
}

/// An envelope in a backup. Stored by position: only ever append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Mark {
    Head(Box<Head>),
    /// So many bytes of a full segment of the ledger follow.
    Segment {
        seal: Seal,
        bytes: u64,
    },
    /// So many bytes of the snapshot follow.
    Snapshot {
        bytes: u64,
    },
    /// The length and the SHA-256 of everything before this.
    End {
        bytes: u64,
        sha256: [u8; 32],
    },
}

/// Why a backup could not be taken, read or unpacked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file system refused.
    #[error("failed to use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A part of it cannot be read.
    #[error("failed to read the backup {} at byte {position}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// Where.
        position: u64,
        /// What is wrong.
        #[source]
        source: CodecError,
    },
    /// It is no whole backup.
    #[error("failed to verify the backup {}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The state could not be taken.
    #[error("failed to take the state")]
    Build(#[from] BuildError),
    /// The snapshot in it cannot be used.
    #[error("failed to use the snapshot in the backup")]
    Snapshot(#[from] SnapshotError),
    /// The ledger in it cannot be used.
    #[error("failed to use the ledger in the backup")]
    Ledger(#[from] LedgerError),
    /// What it holds does not make an inventory.
    #[error("failed to make an inventory of the backup")]
    Inventory(#[from] OpenError),
    /// Another backup is being taken from this replica.
    #[error("failed to take a backup: another one is being taken from this replica")]
    Busy,
}

fn io_error(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.into();
    move |source| BackupError::Io { path, source }
}
