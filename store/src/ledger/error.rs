//! What can go wrong with the ledger.

use crate::codec::CodecError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why the ledger could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file system refused.
    #[error("failed to use the ledger {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A record is not as it was written, or is not part of the chain.
    #[error("failed to verify record {seq} of the ledger {}: {what}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// The record.
        seq: u64,
        /// What is wrong.
        what: String,
    },
    /// A seal cannot be read.
    #[error("failed to read the ledger's seal {}", path.display())]
    Seal {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CodecError,
    },
    /// A segment is missing.
    #[error("failed to use the ledger {}: it begins with record {found} where {expected} should be", path.display())]
    Gap {
        /// The segment.
        path: PathBuf,
        /// The record that should be first.
        expected: u64,
        /// The record that is first.
        found: u64,
    },
    /// Fewer records than were wanted.
    #[error("failed to cut the ledger to {wanted} records: it has {have}")]
    TooShort {
        /// Records wanted.
        wanted: u64,
        /// Records there.
        have: u64,
    },
    /// A record that does not follow the last one.
    #[error("failed to append record {found} to the ledger: {expected} is next")]
    OutOfOrder {
        /// The record that is next.
        expected: u64,
        /// The record that was given.
        found: u64,
    },
    /// No such sealed segment.
    #[error("failed to find the sealed segment of the ledger that begins with record {first}")]
    NoSegment {
        /// Its first record.
        first: u64,
    },
}

impl LedgerError {
    /// True when the files are not what was written; false when using them may succeed another time.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => true,
        }
    }
}
