//! The ledger's files: one line of JSON per record, in segments.
//!
//! ```text
//!  ledger/000000000001.jsonl   records 1 to 65,536
//!  ledger/000000000001.seal    count, first and last record, head hash, SHA-256 of the segment
//!  ledger/000000065537.jsonl   the open segment
//!
//!  {"hash":"<64 hex digits>","record":<the record's bytes>}
//! ```
//! The same records give the same bytes on every replica. The hash of a record covers the hash before it and its
//! bytes; who computes it is told at open, so that a line that was changed is found. A line is durable after
//! [`Ledger::sync`]; before the Raft log behind it is purged, that must have been called.

mod error;
mod line;
mod segment;
mod verify;

pub use error::LedgerError;
pub use segment::Seal;

use crate::files::{self, DiskPath};
use segment::{OpenSegment, Places};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Records of a full segment.
pub const SEGMENT_RECORDS: u64 = 65_536;
/// Full segments whose lines' places are held in memory, each 512 KiB.
const PLACES_SEGMENTS_MAX: usize = 4;

/// Gives the hash of a record: of the hash before it, and the record's bytes.
pub type Chain = fn(&[u8; 32], &[u8]) -> [u8; 32];

/// One record as it is in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// 1, 2, ... without a gap.
    pub seq: u64,
    /// The record.
    pub bytes: Vec<u8>,
    /// The head of the chain after it.
    pub hash: [u8; 32],
}

/// The open ledger. All calls take effect at once for readers; one caller writes.
#[derive(Debug)]
pub struct Ledger {
    dir: DiskPath,
    chain: Chain,
    segment_records: u64,
    inner: RwLock<Inner>,
    /// Of full segments that were read, by first record.
    places: Mutex<BTreeMap<u64, Arc<Places>>>,
}

#[derive(Debug)]
struct Inner {
    /// By first record.
    sealed: BTreeMap<u64, Seal>,
    open: OpenSegment,
}

impl Ledger {
    /// Opens or makes the ledger in `dir`. The open segment is read and its chain verified; what follows the first
    /// line that is not intact is cut off, because the log makes it again. Seals are read, and made again where they are
    /// damaged and their segment is not; sealed segments are verified by [`verify`](Self::verify).
    ///
    /// # Errors
    /// A seal is damaged or missing and so is its segment, or the file system refused.
    pub fn open(dir: impl Into<DiskPath>, chain: Chain) -> Result<Self, LedgerError> {
        Self::open_with(dir, chain, SEGMENT_RECORDS)
    }

    /// As [`open`](Self::open), with another number of records in a segment. All replicas must use the same.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        dir: impl Into<DiskPath>,
        chain: Chain,
        segment_records: u64,
    ) -> Result<Self, LedgerError> {
        let dir = dir.into();
        let io = |source| io_error(&dir, source);
        files::prepare_dir(&dir).map_err(io)?;
        let mut sealed = BTreeMap::new();
        let mut next = 1;
        let mut head = [0; 32];
        let files = [segment::SEAL, segment::LINES].map(|extension| files::numbered(&dir, extension));
        let [seals, lines] = files.map(|numbers| numbers.map_err(io));
        let (seals, lines) = (seals?, lines?);
        let newest = seals.iter().chain(&lines).copied().max().unwrap_or_default();
        while next < newest || seals.contains(&next) {
            let seal = match Seal::read(&dir, next) {
                // What it says is in the segment too, and the chain proves it.
                Err(error) if error.is_damage() && lines.contains(&next) => {
                    Seal::make_again(&dir, next, &head, segment_records, chain).ok_or(error)?
                }
                read => read?,
            };
            (next, head) = (seal.last + 1, seal.head);
            sealed.insert(seal.first, seal);
        }
        let open = OpenSegment::open(&dir, next, head, chain)?;
        let ledger = Self {
            dir,
            chain,
            segment_records,
            inner: Inner { sealed, open }.into(),
            places: Mutex::default(),
        };
        ledger.seal_if_full(&mut ledger.write())?;
        Ok(ledger)
    }

    /// How many records there are; also the number of the last one.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.read_lock().open.last()
    }

    /// True when there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number and the hash of the last record; zeros when there is none.
    #[must_use]
    pub fn head(&self) -> (u64, [u8; 32]) {
        let inner = self.read_lock();
        (inner.open.last(), inner.open.head())
    }

    /// The seals of the full segments, oldest first.
    #[must_use]
    pub fn sealed(&self) -> Vec<Seal> {
        self.read_lock().sealed.values().cloned().collect()
    }

    /// Appends lines in one write. Not durable until [`sync`](Self::sync); a segment that becomes full is fsynced
    /// and sealed.
    ///
    /// # Errors
    /// A line does not follow the last one: nothing was appended. Or the write failed: the ledger must be opened
    /// again.
    pub fn append(&self, lines: &[LedgerLine]) -> Result<(), LedgerError> {
        self.append_checking(lines, true)
    }

    /// As [`append`](Self::append), for lines whose hashes were just made one from the other: the first of a segment
    /// or of the call is held against the head of the chain, the others are not hashed once more.
    pub(crate) fn append_made(&self, lines: &[LedgerLine]) -> Result<(), LedgerError> {
        self.append_checking(lines, false)
    }

    fn append_checking(&self, lines: &[LedgerLine], every: bool) -> Result<(), LedgerError> {
        let mut inner = self.write();
        let mut rest = lines;
        while !rest.is_empty() {
            let room = self.segment_records.saturating_sub(inner.open.count());
            let (now, later) = rest.split_at(rest.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            inner.open.append(now, self.chain, every)?;
            self.seal_if_full(&mut inner)?;
            rest = later;
        }
        Ok(())
    }

    /// Makes everything that was appended durable.
    ///
    /// # Errors
    /// The fsync failed; what is on disk is unknown and the process must end.
    pub fn sync(&self) -> Result<(), LedgerError> {
        // Outside the lock: readers and the writer go on.
        let Some((file, path)) = self.read_lock().open.file() else { return Ok(()) };
        file.sync_data().map_err(|source| io_error(&path, source))
    }

    /// At most `limit` records from number `from` on, verified.
    ///
    /// # Errors
    /// A record cannot be read as it was written.
    pub fn read(&self, from: u64, limit: usize) -> Result<Vec<LedgerLine>, LedgerError> {
        let mut lines = Vec::new();
        let mut next = from.max(1);
        while lines.len() < limit {
            let inner = self.read_lock();
            let mut sealed = inner.sealed.range(..=next).rev().map(|(_, seal)| seal);
            let found = match sealed.next().filter(|seal| seal.last >= next).cloned() {
                Some(seal) => {
                    let before = sealed.next().map_or([0; 32], |seal| seal.head);
                    drop(inner);
                    let places = self.places(&seal)?;
                    seal.lines(&places, before, (next, limit - lines.len()), self.chain)?
                }
                None => inner.open.lines(next, limit - lines.len(), self.chain)?,
            };
            match found.last() {
                Some(last) => next = last.seq + 1,
                None => break,
            }
            lines.extend(found);
        }
        Ok(lines)
    }

    /// Where the lines of a full segment are; it is verified when it is read for the first time.
    fn places(&self, seal: &Seal) -> Result<Arc<Places>, LedgerError> {
        if let Some(places) = self.read_places().get(&seal.first) {
            return Ok(Arc::clone(places));
        }
        let places = Arc::new(seal.places(&self.dir)?);
        let mut all = self.read_places();
        if all.len() >= PLACES_SEGMENTS_MAX {
            all.clear();
        }
        all.insert(seal.first, Arc::clone(&places));
        Ok(places)
    }

    /// Cuts the ledger to its first `len` records, durably.
    ///
    /// # Errors
    /// There are fewer than `len` records, or the file system refused.
    pub fn truncate_to(&self, len: u64) -> Result<(), LedgerError> {
        let mut inner = self.write();
        let have = inner.open.last();
        if len > have {
            return Err(LedgerError::TooShort { wanted: len, have });
        }
        // Seals beyond the cut go, newest first; the segment that the cut lies in is opened again.
        let failed = |source| io_error(&self.dir, source);
        while let Some((first, seal)) = inner.sealed.last_key_value()
            && seal.last > len
        {
            let first = *first;
            match segment::path(&self.dir, inner.open.first()).remove() {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                // Without a record after the last seal there is no file.
                _ => {}
            }
            self.dir.sync_dir().map_err(failed)?;
            segment::seal_path(&self.dir, first).remove().map_err(failed)?;
            self.dir.sync_dir().map_err(failed)?;
            inner.sealed.remove(&first);
            self.read_places().remove(&first);
            let head = inner.sealed.last_key_value().map_or([0; 32], |(_, seal)| seal.head);
            inner.open = OpenSegment::open(&self.dir, first, head, self.chain)?;
        }
        inner.open.truncate_to(len)
    }

    /// Takes over a sealed segment that a peer shipped: `bytes` must be what `seal` says and follow what is here.
    /// Durable on return.
    ///
    /// # Errors
    /// The bytes are not those that were sealed, do not follow, or the file system refused: nothing was taken over.
    pub fn install(&self, seal: &Seal, bytes: &[u8]) -> Result<(), LedgerError> {
        let mut inner = self.write();
        let expected = inner.open.first();
        let path = segment::path(&self.dir, seal.first);
        if seal.first != expected {
            return Err(LedgerError::Gap { path: path.to_path(), expected, found: seal.first });
        }
        seal.check(&path, bytes)?;
        segment::check_chain(&path, bytes, seal.first, inner.open.before(), self.chain)?;
        files::write_whole(&path, bytes).map_err(|source| io_error(&path, source))?;
        seal.write(&self.dir)?;
        inner.open = OpenSegment::open(&self.dir, seal.last + 1, seal.head, self.chain)?;
        inner.sealed.insert(seal.first, seal.clone());
        Ok(())
    }

    /// The bytes of a sealed segment, to be shipped.
    ///
    /// # Errors
    /// The segment is not there or is not what was sealed.
    pub fn segment(&self, first: u64) -> Result<Vec<u8>, LedgerError> {
        let seal = self.read_lock().sealed.get(&first).cloned();
        match seal {
            Some(seal) => seal.read_segment(&self.dir),
            None => Err(LedgerError::NoSegment { first }),
        }
    }

    fn seal_if_full(&self, inner: &mut Inner) -> Result<(), LedgerError> {
        if inner.open.count() < self.segment_records {
            return Ok(());
        }
        let seal = inner.open.seal(&self.dir)?;
        inner.open = OpenSegment::open(&self.dir, seal.last + 1, seal.head, self.chain)?;
        inner.sealed.insert(seal.first, seal);
        Ok(())
    }

    fn read_places(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Places>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_lock(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn damaged(path: &DiskPath, seq: u64, what: impl Into<String>) -> LedgerError {
    LedgerError::Damaged { path: path.to_path(), seq, what: what.into() }
}

fn io_error(path: &DiskPath, source: io::Error) -> LedgerError {
    LedgerError::Io { path: path.to_path(), source }
}
