//! What can go wrong with the log.

use super::types::{LogId, Vote};
use crate::watermark::{Watermark, WatermarkError};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why the log could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system refused. Nothing is known about the log.
    #[error("failed to open the log {}", path.display())]
    Io {
        /// The log's directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was written by a build whose log had another format. Nothing was changed.
    #[error(
        "failed to open the log {}: it has the format of an older build, which is not read any more; take a backup with \
         that build (`tallyman operator backup`) and restore it with this one, or join with an empty directory",
        path.display()
    )]
    OlderFormat {
        /// A file of the older format.
        path: PathBuf,
    },
    /// Something that was durable is missing or damaged. The replica must neither vote nor serve; it is
    /// replaced by one with an empty directory.
    #[error(
        "failed to verify the log {}: {what} at byte {position}, where everything up to {} was on disk (last entry {})",
        path.display(), watermark.position, shown(watermark.last)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, counted from the log's first byte ever.
        position: u64,
        /// What was found.
        what: String,
        /// What is known to have been durable.
        watermark: Box<Watermark>,
    },
    /// There is a log but no watermark: whether the log is whole is unknown. To be handled as `Damaged`.
    #[error("failed to verify the log: its watermark {} is missing", path.display())]
    WatermarkMissing {
        /// Where the watermark should be.
        path: PathBuf,
    },
    /// The watermark cannot be read. To be handled as `Damaged`, unless the file system refused.
    #[error("failed to verify the log")]
    Watermark(#[from] WatermarkError),
}

impl OpenError {
    /// True when the directory has lost what the replica once confirmed: it goes out of service and joins anew.
    /// False when opening may succeed another time.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        !matches!(
            self,
            Self::Io { .. } | Self::OlderFormat { .. } | Self::Watermark(WatermarkError::Io { .. })
        )
    }
}

fn shown(id: Option<LogId>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

/// Why a call on the log failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// A write or fsync failed, now or before. What is on disk is unknown; the process must end.
    #[error("failed to write the log: {message}")]
    Failed {
        /// The kind of the first error.
        kind: io::ErrorKind,
        /// The first error.
        message: String,
    },
    /// The log is closed. The call had no effect.
    #[error("failed to use the log: it is closed")]
    Closed,
    /// An entry does not follow the one before it. Nothing was appended.
    #[error("failed to append entry {id}: it does not follow {}", shown(*last))]
    OutOfOrder {
        /// The entry.
        id: LogId,
        /// The one before it.
        last: Option<LogId>,
    },
    /// An older vote than the saved one. Nothing was saved.
    #[error("failed to save the vote {vote:?}: {saved:?} is saved")]
    OlderVote {
        /// The vote.
        vote: Vote,
        /// The saved one.
        saved: Option<Vote>,
    },
    /// The entry to be kept is not in the log, or a committed one would go. Nothing was removed.
    #[error("failed to cut the log after {}: {why}", shown(*last))]
    Cut {
        /// The entry to be kept.
        last: Option<LogId>,
        /// Why not.
        why: &'static str,
    },
    /// An entry cannot be read.
    #[error("failed to read entry {index} of the log: {message}")]
    Read {
        /// Which one.
        index: u64,
        /// Why.
        message: String,
    },
}

impl LogError {
    pub(super) fn failed(error: &io::Error) -> Self {
        Self::Failed { kind: error.kind(), message: error.to_string() }
    }
}

impl From<LogError> for io::Error {
    fn from(error: LogError) -> Self {
        let kind = match &error {
            LogError::Failed { kind, .. } => *kind,
            LogError::Read { .. } => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
