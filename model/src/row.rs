//! What a key holds, and how a change of it is written down.

use crate::record::{Meta, Record};
use crate::{Key, Revision};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The value under a [`Key`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Row {
    /// The model's counters, under [`Key::META`].
    Meta(Box<Meta>),
    /// A record, under [`Key::record`]. Shared with the reply of the command that wrote it.
    Record(Arc<Record>),
    /// A part of a runnable's manifests as JSON bytes, under [`Key::part`], at most
    /// [`PART_BYTES_MAX`](crate::limits::PART_BYTES_MAX).
    Part(#[serde(with = "crate::bytes")] Vec<u8>),
    /// A lookup: the key says it all. Never stored.
    Mark,
}

/// One changed key.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The revision that the change took; for parts, lookups and counters that of the command.
    pub revision: Revision,
    /// The new value; `None`: the key is gone.
    pub row: Option<Row>,
}

/// All that a command changes: rows and the lookups derived from them.
pub type Writes = BTreeMap<Key, Write>;
