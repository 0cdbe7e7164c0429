//! One record of the log's files.

use super::types::{LogId, LogState, Vote};
use crate::codec::{self, Blob, CodecError, Kind};
use serde::{Deserialize, Serialize};

/// One record. The checksum of its envelope covers its place, so that a block that is older or was put elsewhere holds
/// no record.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "B: AsRef<[u8]>", deserialize = "Blob<B>: Deserialize<'de>"))]
pub(super) struct Record<B = Vec<u8>> {
    /// Where it begins, in bytes from the log's first one ever.
    pub(super) position: u64,
    /// Everything before this position was on disk when the record was written.
    pub(super) durable: u64,
    pub(super) change: Change<B>,
}

/// What a record says.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "B: AsRef<[u8]>", deserialize = "Blob<B>: Deserialize<'de>"))]
pub(super) enum Change<B = Vec<u8>> {
    /// A file begins, with what the log holds there.
    Begin(LogState),
    Entry {
        id: LogId,
        bytes: Blob<B>,
    },
    Vote(Vote),
    Committed(LogId),
    /// The entries after this one go.
    Truncate(Option<LogId>),
    /// The entries up to this one go.
    Purge(LogId),
}

impl<B: AsRef<[u8]>> Record<B> {
    /// Appends it to `bytes`.
    pub(super) fn encode_into(&self, bytes: &mut Vec<u8>) -> Result<(), CodecError> {
        codec::encode_into(Kind::LogRecord, self, bytes)
    }
}

impl Record {
    /// The record that `bytes` begin with, which are those at `position`, and its length; or what is wrong with them.
    pub(super) fn decode(position: u64, bytes: &[u8]) -> Result<(Self, usize), String> {
        let (record, length): (Self, _) =
            codec::decode_prefix(Kind::LogRecord, bytes).map_err(|e| e.to_string())?;
        if record.position == position {
            Ok((record, length))
        } else {
            Err(format!("a record that belongs to byte {}", record.position))
        }
    }

    /// True if somewhere in `bytes`, which are those at `position`, is a record that was written when that position had
    /// been on disk for certain.
    pub(super) fn is_followed(position: u64, bytes: &[u8]) -> bool {
        codec::beginnings(bytes).any(|at| {
            let found = Self::decode(position + at as u64, bytes.get(at..).unwrap_or_default());
            found.is_ok_and(|(record, _)| record.durable > position)
        })
    }
}
