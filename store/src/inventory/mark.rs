//! Whether the rows on disk can be believed.

use crate::codec::{self, CodecError, Kind};
use crate::files::{self, DiskPath};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why the mark could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MarkError {
    /// The file system refused.
    #[error("failed to write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be encoded.
    #[error("failed to encode the mark")]
    Codec(#[from] CodecError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Being opened: whoever died here may have died of what is in it.
    Opening,
    /// In use.
    Open,
    /// Closed, and on disk.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    stage: Stage,
    boot: String,
}

/// The file that says in which state the rows were left.
#[derive(Debug)]
pub(super) struct Mark {
    path: DiskPath,
    boot: String,
}

impl Mark {
    /// Marks the rows as being opened. Also says why what is there cannot be believed, if so.
    pub(super) fn open(dir: &DiskPath) -> Result<(Self, Result<(), &'static str>), MarkError> {
        let mark = Self { path: dir.join("mark"), boot: dir.boot() };
        let before = match mark.path.read() {
            Ok(bytes) => mark.judge(codec::decode(Kind::InventoryMark, &bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err("there is no mark"),
            Err(source) => return Err(MarkError::Io { path: mark.path.to_path(), source }),
        };
        mark.write(Stage::Opening)?;
        Ok((mark, before))
    }

    pub(super) fn opened(&mut self) -> Result<(), MarkError> {
        self.write(Stage::Open)
    }

    pub(super) fn closed(&mut self) -> Result<(), MarkError> {
        self.write(Stage::Closed)
    }

    fn judge(&self, content: Option<Content>) -> Result<(), &'static str> {
        match content {
            None => Err("the mark is damaged"),
            Some(Content { stage: Stage::Opening, .. }) => Err("it was not opened to the end"),
            Some(Content { stage: Stage::Open, boot }) if boot.is_empty() || boot != self.boot => {
                Err("the machine stopped while it was open")
            }
            Some(_) => Ok(()),
        }
    }

    fn write(&self, stage: Stage) -> Result<(), MarkError> {
        let bytes = codec::encode(Kind::InventoryMark, &Content { stage, boot: self.boot.clone() })?;
        files::write_whole(&self.path, &bytes)
            .map_err(|source| MarkError::Io { path: self.path.to_path(), source })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn rows_are_believed_after_a_close_or_a_kill_but_not_after_a_stop_of_the_machine_or_during_opening() {
        let made = tempfile::tempdir().unwrap();
        let dir = DiskPath::from(made.path());
        let (mut mark, before) = Mark::open(&dir).unwrap();
        assert!(before.is_err());
        mark.opened().unwrap();
        let (mut mark, before) = Mark::open(&dir).unwrap();
        assert_eq!(before, Ok(()));
        assert!(Mark::open(&dir).unwrap().1.is_err());
        mark.closed().unwrap();
        assert_eq!(Mark::open(&dir).unwrap().1, Ok(()));
        mark.boot = "another".to_owned();
        mark.opened().unwrap();
        assert!(Mark::open(&dir).unwrap().1.is_err());
        mark.closed().unwrap();
        assert_eq!(Mark::open(&dir).unwrap().1, Ok(()));
    }
    #[test]
    fn a_mark_is_written_as_ever() {
        let content = Content { stage: Stage::Open, boot: "3f0e".to_owned() };
        let golden = include_bytes!("../../tests/golden/inventory-mark.bin");
        assert_eq!(codec::encode(Kind::InventoryMark, &content).unwrap(), golden);
        assert_eq!(codec::decode::<Content>(Kind::InventoryMark, golden).unwrap(), content);
    }
}
