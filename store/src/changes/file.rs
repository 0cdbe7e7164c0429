//! One file of the ring.

use super::{Change, ChangesError};
use crate::codec::{self, Blob, CodecError, HEADER_BYTES, Kind};
use crate::files::{DiskFile, DiskPath, Open};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// About the bytes of a change beside its rows.
const FRAME_BYTES: usize = 96;
/// Bytes read at once.
const STRIDE_BYTES: u64 = 64 * 1024;
/// Bytes between two places that are remembered: who reads what came last decodes so many before it.
const PLACE_BYTES: u64 = 8 * 1024;

#[derive(Serialize, Deserialize)]
struct Header {
    /// All changes after this revision are in this file or a later one.
    floor: u64,
}

#[derive(Debug)]
pub(super) struct ChangeFile {
    pub(super) number: u64,
    pub(super) floor: u64,
    path: DiskPath,
    file: Arc<dyn DiskFile>,
    len: AtomicU64,
    /// (revision, position): all changes before the position are of lower or equal revisions, those from it on of
    /// higher ones.
    places: Mutex<Vec<(u64, u64)>>,
}

impl ChangeFile {
    pub(super) fn create(path: &DiskPath, number: u64, floor: u64) -> Result<Self, ChangesError> {
        let header = codec::encode(Kind::ChangeHeader, &Header { floor })
            .map_err(|source| ChangesError::Damaged { path: path.to_path(), position: 0, source })?;
        let io = |source| ChangesError::Io { path: path.to_path(), source };
        let file = path.open(Open::New).map_err(io)?;
        file.write_all_at(&header, 0).map_err(io)?;
        let len = header.len() as u64;
        let places = Mutex::new(vec![(floor, len)]);
        Ok(Self { number, floor, path: path.clone(), file, len: AtomicU64::new(len), places })
    }

    /// Opens a file and reads all of it. In the newest one an unfinished write is cut off, and so are changes after
    /// `current`. Also gives the last revision in it.
    pub(super) fn open(
        path: &DiskPath,
        number: u64,
        newest: bool,
        current: u64,
    ) -> Result<(Self, u64), ChangesError> {
        let io = |source| ChangesError::Io { path: path.to_path(), source };
        let damaged = |position, source| ChangesError::Damaged { path: path.to_path(), position, source };
        let bytes = path.read().map_err(io)?;
        let (header, mut at) = codec::decode_prefix::<Header>(Kind::ChangeHeader, &bytes)
            .map_err(|source| damaged(0, source))?;
        let mut places = vec![(header.floor, at as u64)];
        let mut last = header.floor;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let (change, used) = match codec::decode_prefix::<Change>(Kind::Change, rest) {
                Ok(found) => found,
                Err(CodecError::Short { .. }) if newest => break,
                Err(source) => return Err(damaged(at as u64, source)),
            };
            if newest && change.revision > current {
                break;
            }
            if change.revision < last {
                return Err(damaged(at as u64, CodecError::Order { kind: Kind::Change }));
            }
            remember(&mut places, last, change.revision, at as u64);
            last = change.revision;
            at += used;
        }
        let file = path.open(Open::Existing).map_err(io)?;
        if at < bytes.len() {
            file.set_len(at as u64).map_err(io)?;
        }
        let len = AtomicU64::new(at as u64);
        let places = Mutex::new(places);
        Ok((Self { number, floor: header.floor, path: path.clone(), file, len, places }, last))
    }

    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Called by one thread at a time.
    pub(super) fn append<B: AsRef<[u8]>>(&self, batch: &[Change<B>]) -> Result<(), ChangesError> {
        let start = self.len();
        let length = |row: &Option<Blob<B>>| row.as_ref().map_or(0, |row| row.0.as_ref().len());
        let rows = batch.iter().map(|change| length(&change.before) + length(&change.after) + FRAME_BYTES);
        // One allocation: growing one by one to the length of a batch copies it several times.
        let mut bytes = Vec::with_capacity(rows.sum());
        let mut places = self.places();
        let mut last = None;
        for change in batch {
            let position = start + bytes.len() as u64;
            if let Some(last) = last {
                remember(&mut places, last, change.revision, position);
            }
            last = Some(change.revision);
            codec::encode_into(Kind::Change, change, &mut bytes)
                .map_err(|source| self.damaged(position, source))?;
        }
        self.file.write_all_at(&bytes, start).map_err(|source| self.io(source))?;
        self.len.store(start + bytes.len() as u64, Ordering::Release);
        Ok(())
    }

    /// Adds changes after revision `after` to `found`, up to position `end` or until `found` is beyond `limit` with
    /// a whole revision.
    pub(super) fn read(
        &self,
        after: u64,
        end: u64,
        limit: usize,
        found: &mut Vec<Change>,
    ) -> Result<(), ChangesError> {
        let mut at = {
            let places = self.places();
            let place = places.partition_point(|(revision, _)| *revision <= after).saturating_sub(1);
            places.get(place).map_or(end, |(_, position)| *position)
        };
        let mut rest = Vec::new();
        while at < end {
            let want = (end - at).min(STRIDE_BYTES) as usize;
            rest.resize(want, 0);
            self.file.read_exact_at(&mut rest, at).map_err(|source| self.io(source))?;
            let used = self.decode(&rest, at, after, limit, found)?;
            if found.len() > limit && is_whole(found, limit) {
                return Ok(());
            }
            at += used as u64;
            if used == 0 {
                at += self.read_long(at, &rest, after, found)?;
            }
        }
        Ok(())
    }

    /// Decodes the whole changes of `bytes`; gives how many bytes they take.
    fn decode(
        &self,
        bytes: &[u8],
        position: u64,
        after: u64,
        limit: usize,
        found: &mut Vec<Change>,
    ) -> Result<usize, ChangesError> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match codec::decode_prefix::<Change>(Kind::Change, rest) {
                Ok((change, used)) => {
                    at += used;
                    if change.revision > after {
                        found.push(change);
                    }
                    if found.len() > limit && is_whole(found, limit) {
                        break;
                    }
                }
                Err(CodecError::Short { .. }) => break,
                Err(source) => return Err(self.damaged(position + at as u64, source)),
            }
        }
        Ok(at)
    }

    /// Reads the change at `at`, which is longer than a stride or is not all there.
    fn read_long(
        &self,
        at: u64,
        begin: &[u8],
        after: u64,
        found: &mut Vec<Change>,
    ) -> Result<u64, ChangesError> {
        let header = begin.get(..HEADER_BYTES).unwrap_or(begin);
        let len = codec::length(Kind::Change, header).map_err(|source| self.damaged(at, source))?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, at).map_err(|source| self.io(source))?;
        let change: Change =
            codec::decode(Kind::Change, &bytes).map_err(|source| self.damaged(at, source))?;
        if change.revision > after {
            found.push(change);
        }
        Ok(len as u64)
    }

    /// The file is removed; who reads it now can go on.
    pub(super) fn remove(&self) -> Result<(), ChangesError> {
        self.path.remove().map_err(|source| self.io(source))
    }

    fn places(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn io(&self, source: io::Error) -> ChangesError {
        ChangesError::Io { path: self.path.to_path(), source }
    }

    fn damaged(&self, position: u64, source: CodecError) -> ChangesError {
        ChangesError::Damaged { path: self.path.to_path(), position, source }
    }
}

/// Remembers `position`, where revision `next` follows `last`, if it is far enough from the place before.
fn remember(places: &mut Vec<(u64, u64)>, last: u64, next: u64, position: u64) {
    let far = places.last().is_none_or(|(_, before)| position >= before + PLACE_BYTES);
    if far && next > last {
        places.push((last, position));
    }
}

/// True when the last change begins a revision beyond those of the first `limit`.
fn is_whole(found: &[Change], limit: usize) -> bool {
    let revision = |at: usize| found.get(at).map(|change| change.revision);
    limit == 0 || revision(found.len() - 1) > revision(limit - 1)
}
