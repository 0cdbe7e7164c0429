//! What an envelope can hold.

use std::fmt;

/// Every kind, persisted or sent. Numbers are never reused or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Kind {
    /// A record of the Raft log. Its first two formats were the content of an entry, beside votes as kind 2.
    LogRecord = 1,
    /// The identity of a data directory.
    Identity = 3,
    /// How far the log is known to be on disk.
    Watermark = 4,
    /// A row of the inventory.
    Row = 5,
    /// A changed row in the change file.
    Change = 6,
    /// The beginning of one file of the change file.
    ChangeHeader = 7,
    /// The seal of a full segment of the ledger.
    LedgerSeal = 8,
    /// The beginning of a snapshot.
    SnapshotHeader = 9,
    /// Rows or ledger lines of a snapshot.
    SnapshotFrame = 10,
    /// The end of a snapshot.
    SnapshotTrailer = 11,
    /// What the inventory knows about itself: applied log id, membership, ledger head.
    InventoryMeta = 12,
    /// The mark that an inventory was closed in good order, or on which boot of the machine it was opened.
    InventoryMark = 13,
    /// What an entry of the Raft log is about: a command, a membership, or nothing.
    LogContent = 14,
    /// A message between replicas. Sent, never stored.
    PeerMessage = 15,
    /// A part of a backup: its beginning, what a stretch of bytes in it is, or its end.
    Backup = 16,
    /// What a data directory was made with: its number, and its group's name.
    Directory = 17,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 16] = [
        Kind::LogRecord,
        Kind::Identity,
        Kind::Watermark,
        Kind::Row,
        Kind::Change,
        Kind::ChangeHeader,
        Kind::LedgerSeal,
        Kind::SnapshotHeader,
        Kind::SnapshotFrame,
        Kind::SnapshotTrailer,
        Kind::InventoryMeta,
        Kind::InventoryMark,
        Kind::LogContent,
        Kind::PeerMessage,
        Kind::Backup,
        Kind::Directory,
    ];

    /// The format that this version writes, the newest that it reads.
    #[must_use]
    pub fn format(self) -> u16 {
        match self {
            Kind::Row => 4,
            Kind::LogRecord => 3,
            _ => 2,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Kind::LogRecord => "log record",
            Kind::Identity => "identity",
            Kind::Watermark => "watermark",
            Kind::Row => "row",
            Kind::Change => "change",
            Kind::ChangeHeader => "change file header",
            Kind::LedgerSeal => "ledger seal",
            Kind::SnapshotHeader => "snapshot header",
            Kind::SnapshotFrame => "snapshot frame",
            Kind::SnapshotTrailer => "snapshot trailer",
            Kind::InventoryMeta => "inventory meta",
            Kind::InventoryMark => "inventory mark",
            Kind::LogContent => "log content",
            Kind::PeerMessage => "peer message",
            Kind::Backup => "backup",
            Kind::Directory => "directory's number",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
