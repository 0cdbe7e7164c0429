//! Segments: the open one, and the seals of full ones.

use super::{Chain, LedgerError, LedgerLine, damaged, io_error, line};
use crate::codec::{self, Kind};
use crate::files::{self, DiskFile, DiskPath, Open};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub(super) const LINES: &str = "jsonl";
pub(super) const SEAL: &str = "seal";

pub(super) fn path(dir: &DiskPath, first: u64) -> DiskPath {
    dir.join(format!("{first:012}.{LINES}"))
}

pub(super) fn seal_path(dir: &DiskPath, first: u64) -> DiskPath {
    dir.join(format!("{first:012}.{SEAL}"))
}

/// What a full segment holds. Segments with equal seals are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The number of its first record.
    pub first: u64,
    /// The number of its last record.
    pub last: u64,
    /// How many records.
    pub count: u64,
    /// The hash of its last record.
    pub head: [u8; 32],
    /// Of all bytes of the segment.
    pub sha256: [u8; 32],
}

impl Seal {
    pub(super) fn read(dir: &DiskPath, first: u64) -> Result<Self, LedgerError> {
        let path = seal_path(dir, first);
        let bytes = path.read().map_err(|source| io_error(&path, source))?;
        let seal: Self = codec::decode(Kind::LedgerSeal, &bytes)
            .map_err(|source| LedgerError::Seal { path: path.to_path(), source })?;
        if seal.first != first {
            return Err(LedgerError::Gap { path: path.to_path(), expected: first, found: seal.first });
        }
        Ok(seal)
    }

    /// The seal of the full segment that begins with record `first` and follows `before`, made of its lines and
    /// written again; `None` when they are not all intact.
    pub(super) fn make_again(
        dir: &DiskPath,
        first: u64,
        before: &[u8; 32],
        records: u64,
        chain: Chain,
    ) -> Option<Self> {
        let path = path(dir, first);
        let bytes = path.read().ok()?;
        let count = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let head = check_chain(&path, &bytes, first, before, chain).ok()?;
        let seal =
            Self { first, last: first + records - 1, count, head, sha256: Sha256::digest(&bytes).into() };
        if count != records || seal.write(dir).is_err() {
            return None;
        }
        tracing::warn!(path = %path.display(), "a damaged seal of the ledger is made again from its segment");
        Some(seal)
    }

    pub(super) fn write(&self, dir: &DiskPath) -> Result<(), LedgerError> {
        let path = seal_path(dir, self.first);
        let bytes = codec::encode(Kind::LedgerSeal, self)
            .map_err(|source| LedgerError::Seal { path: path.to_path(), source })?;
        files::write_whole(&path, &bytes).map_err(|source| io_error(&path, source))
    }

    /// That `bytes` are what was sealed.
    pub(super) fn check(&self, path: &DiskPath, bytes: &[u8]) -> Result<(), LedgerError> {
        let sha256: [u8; 32] = Sha256::digest(bytes).into();
        if sha256 == self.sha256 {
            Ok(())
        } else {
            Err(damaged(path, self.first, "the segment is not what was sealed"))
        }
    }

    pub(super) fn read_segment(&self, dir: &DiskPath) -> Result<Vec<u8>, LedgerError> {
        let path = path(dir, self.first);
        let bytes = path.read().map_err(|source| io_error(&path, source))?;
        self.check(&path, &bytes)?;
        Ok(bytes)
    }

    /// Where the lines of the full segment are. It is verified as a whole: where the end of a line is damaged, what
    /// comes behind would be taken for other records.
    pub(super) fn places(&self, dir: &DiskPath) -> Result<Places, LedgerError> {
        let bytes = self.read_segment(dir)?;
        let path = path(dir, self.first);
        let mut ends = vec![0];
        ends.extend((1..).zip(&bytes).filter(|(_, byte)| **byte == b'\n').map(|(end, _)| end));
        if ends.len() as u64 != self.count + 1 {
            return Err(damaged(&path, self.first, "it has another number of lines than was sealed"));
        }
        let file = path.open(Open::Reading).map_err(|source| io_error(&path, source))?;
        Ok(Places { path, file, ends })
    }

    /// Lines from record `from` on, at `places`, where the segment follows `before`.
    pub(super) fn lines(
        &self,
        places: &Places,
        before: [u8; 32],
        (from, limit): (u64, usize),
        chain: Chain,
    ) -> Result<Vec<LedgerLine>, LedgerError> {
        let Places { path, file, ends } = places;
        Lines { path, file: file.as_ref(), first: self.first, ends, before, head: self.head }
            .read(from, limit, chain)
    }
}

/// Where the lines of a full segment are.
#[derive(Debug)]
pub(super) struct Places {
    path: DiskPath,
    file: Arc<dyn DiskFile>,
    /// Where each line begins, and where the last one ends.
    ends: Vec<u64>,
}

/// The lines of a segment.
struct Lines<'a> {
    path: &'a DiskPath,
    file: &'a dyn DiskFile,
    first: u64,
    ends: &'a [u64],
    before: [u8; 32],
    head: [u8; 32],
}

impl Lines<'_> {
    /// Lines from record `from` on; each must follow from the one before it.
    fn read(&self, from: u64, limit: usize, chain: Chain) -> Result<Vec<LedgerLine>, LedgerError> {
        let last = self.first + self.ends.len() as u64 - 2;
        let mut lines = Vec::new();
        if from > last || limit == 0 {
            return Ok(lines);
        }
        let mut before = if from > self.first { self.line(from - 1)?.hash } else { self.before };
        for seq in (from.max(self.first)..=last).take(limit) {
            let line = self.line(seq)?;
            if chain(&before, &line.bytes) != line.hash || (seq == last && line.hash != self.head) {
                return Err(damaged(self.path, seq, "its hash does not follow from the one before"));
            }
            before = line.hash;
            lines.push(line);
        }
        Ok(lines)
    }

    fn line(&self, seq: u64) -> Result<LedgerLine, LedgerError> {
        let at = usize::try_from(seq - self.first).unwrap_or(usize::MAX);
        let Some(&[begin, end]) = self.ends.get(at..at.saturating_add(2)) else {
            return Err(damaged(self.path, seq, "it is not there"));
        };
        let mut bytes = vec![0; (end - begin) as usize];
        match self.file.read_exact_at(&mut bytes, begin) {
            Ok(()) => parsed(self.path, seq, &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(damaged(self.path, seq, "the segment ends"))
            }
            Err(source) => Err(io_error(self.path, source)),
        }
    }
}

/// The segment that is appended to.
#[derive(Debug)]
pub(super) struct OpenSegment {
    path: DiskPath,
    /// Made with the first record, so that a full segment with nothing after it is all there is.
    file: Option<Arc<dyn DiskFile>>,
    first: u64,
    /// Where each line begins, and where the last one ends.
    ends: Vec<u64>,
    before: [u8; 32],
    head: [u8; 32],
    /// Of all bytes so far: to read a full segment again for its seal would keep applying waiting.
    sha256: Sha256,
}

impl OpenSegment {
    /// Opens the segment that begins with record `first`; `before` is the hash before it.
    pub(super) fn open(
        dir: &DiskPath,
        first: u64,
        before: [u8; 32],
        chain: Chain,
    ) -> Result<Self, LedgerError> {
        let path = path(dir, first);
        let sha256 = Sha256::new();
        let mut segment = Self { path, file: None, first, ends: vec![0], before, head: before, sha256 };
        if !segment.path.exists() {
            return Ok(segment);
        }
        let bytes = segment.path.read().map_err(|source| io_error(&segment.path, source))?;
        let mut rest = bytes.as_slice();
        while let Some((line, after)) = line::length(rest).and_then(|len| rest.split_at_checked(len)) {
            let Some((record, hash)) = line::parse(line) else { break };
            if chain(&segment.head, record) != hash {
                break;
            }
            segment.head = hash;
            segment.ends.push((bytes.len() - after.len()) as u64);
            rest = after;
        }
        let io = |source| io_error(&segment.path, source);
        let file = segment.path.open(Open::Existing).map_err(io)?;
        if !rest.is_empty() {
            tracing::warn!(path = %segment.path.display(), record = segment.last() + 1, bytes = rest.len(), "the ledger is cut after its last intact record");
            file.set_len(segment.end()).map_err(io)?;
            file.sync_all().map_err(io)?;
        }
        // It was read from memory. If its write failed before a restart, the kernel may hold it for written, and the
        // sync before the log behind it is purged would prove nothing.
        let intact = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
        file.write_all_at(intact, 0).map_err(io)?;
        segment.sha256.update(intact);
        segment.file = Some(file);
        Ok(segment)
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn count(&self) -> u64 {
        self.ends.len() as u64 - 1
    }

    /// The number of the last record, of this segment or the one before.
    pub(super) fn last(&self) -> u64 {
        self.first - 1 + self.count()
    }

    pub(super) fn before(&self) -> &[u8; 32] {
        &self.before
    }

    pub(super) fn head(&self) -> [u8; 32] {
        self.head
    }

    fn end(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// What has to be synced; nothing where nothing was appended since the last seal, which was fsynced.
    pub(super) fn file(&self) -> Option<(Arc<dyn DiskFile>, DiskPath)> {
        Some((Arc::clone(self.file.as_ref()?), self.path.clone()))
    }

    /// Appends lines. The hash of the first one is made again, or that of `every` one.
    pub(super) fn append(
        &mut self,
        lines: &[LedgerLine],
        chain: Chain,
        every: bool,
    ) -> Result<(), LedgerError> {
        let length = lines.iter().map(|line| line.bytes.len() + line::EXTRA_BYTES).sum();
        let (mut bytes, mut ends, mut head) =
            (Vec::with_capacity(length), Vec::with_capacity(lines.len()), self.head);
        for (at, (line, expected)) in lines.iter().zip(self.last() + 1..).enumerate() {
            if line.seq != expected {
                return Err(LedgerError::OutOfOrder { expected, found: line.seq });
            }
            let is_next = (at > 0 && !every) || chain(&head, &line.bytes) == line.hash;
            if line.bytes.contains(&b'\n') || !is_next {
                return Err(damaged(&self.path, line.seq, "it is not the next of the chain"));
            }
            line::format(&line.bytes, &line.hash, &mut bytes);
            ends.push(self.end() + bytes.len() as u64);
            head = line.hash;
        }
        let file = self.create()?;
        file.write_all_at(&bytes, self.end()).map_err(|source| io_error(&self.path, source))?;
        self.sha256.update(&bytes);
        self.ends.extend(ends);
        self.head = head;
        Ok(())
    }

    fn create(&mut self) -> Result<Arc<dyn DiskFile>, LedgerError> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let io = |source| io_error(&self.path, source);
        let file = self.path.open(Open::New).map_err(io)?;
        if let Some(dir) = self.path.parent() {
            dir.sync_dir().map_err(io)?;
        }
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Lines from record `from` on; each must follow from the one before it.
    pub(super) fn lines(
        &self,
        from: u64,
        limit: usize,
        chain: Chain,
    ) -> Result<Vec<LedgerLine>, LedgerError> {
        self.all_lines().map_or_else(|| Ok(Vec::new()), |lines| lines.read(from, limit, chain))
    }

    fn all_lines(&self) -> Option<Lines<'_>> {
        let Self { path, file, first, ends, before, head, .. } = self;
        let file = file.as_deref()?;
        Some(Lines { path, file, first: *first, ends, before: *before, head: *head })
    }

    pub(super) fn truncate_to(&mut self, len: u64) -> Result<(), LedgerError> {
        let keep = usize::try_from((len + 1).saturating_sub(self.first)).unwrap_or(usize::MAX);
        if keep as u64 >= self.count() {
            return Ok(());
        }
        let head = match keep.checked_sub(1) {
            Some(_) => match self.all_lines() {
                Some(lines) => lines.line(len)?.hash,
                None => return Err(damaged(&self.path, len, "it is not there")),
            },
            None => self.before,
        };
        self.head = head;
        self.ends.truncate(keep + 1);
        if let Some(file) = &self.file {
            let io = |source| io_error(&self.path, source);
            file.set_len(self.end()).map_err(io)?;
            file.sync_all().map_err(io)?;
            self.sha256 = Sha256::new_with_prefix(self.path.read().map_err(io)?);
        }
        Ok(())
    }

    /// Makes the full segment durable and writes its seal.
    pub(super) fn seal(&self, dir: &DiskPath) -> Result<Seal, LedgerError> {
        let io = |source| io_error(&self.path, source);
        if let Some(file) = &self.file {
            file.sync_all().map_err(io)?;
        }
        let seal = Seal {
            first: self.first,
            last: self.last(),
            count: self.count(),
            head: self.head,
            sha256: self.sha256.clone().finalize().into(),
        };
        seal.write(dir)?;
        Ok(seal)
    }
}

/// That every line of `bytes` continues the chain after `before`. Gives the last hash.
pub(super) fn check_chain(
    path: &DiskPath,
    bytes: &[u8],
    first: u64,
    before: &[u8; 32],
    chain: Chain,
) -> Result<[u8; 32], LedgerError> {
    let (mut head, mut rest, mut seq) = (*before, bytes, first);
    while !rest.is_empty() {
        let (line, after) = line::length(rest)
            .and_then(|len| rest.split_at_checked(len))
            .ok_or_else(|| damaged(path, seq, "the line has no end"))?;
        let line = parsed(path, seq, line)?;
        if chain(&head, &line.bytes) != line.hash {
            return Err(damaged(path, seq, "its hash does not follow from the one before"));
        }
        (head, rest, seq) = (line.hash, after, seq + 1);
    }
    Ok(head)
}

fn parsed(path: &DiskPath, seq: u64, bytes: &[u8]) -> Result<LedgerLine, LedgerError> {
    let (record, hash) = line::parse(bytes).ok_or_else(|| damaged(path, seq, "it is not a ledger line"))?;
    Ok(LedgerLine { seq, bytes: record.to_vec(), hash })
}
