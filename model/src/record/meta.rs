//! The model's own counters, one row.

use crate::{Digest, GroupId, Ordinal, Revision};
use serde::{Deserialize, Serialize};

/// A jump of the revision: after a restore or a forced recovery, tokens from inside the gap are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The last revision that was kept.
    pub last_kept: Revision,
    /// The first revision after the jump.
    pub base: Revision,
}

/// The counters that every command reads. Written with every change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The group; set by the first entry.
    pub group: GroupId,
    /// The last revision given.
    pub revision: Revision,
    /// The last ordinal given.
    pub ordinal: Ordinal,
    /// The time of the last entry that changed something, ms since 1970; never goes back.
    pub clock_ms: u64,
    /// Which outcomes of commands hold; raised only by an entry.
    pub version: u32,
    /// How many ledger records there are.
    pub ledger_len: u64,
    /// The hash of the last ledger record.
    pub ledger_head: Digest,
    /// Jumps of the revision, oldest first.
    pub lineages: Vec<Lineage>,
}
