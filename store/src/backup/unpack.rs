//! A backup becomes the files of a data directory.

use super::reader::{BackupFile, Part, inspect};
use super::{BackupError, io_error};
use crate::files::DiskPath;
use crate::inventory::{Inventory, InventoryOptions, chain};
use crate::ledger::Ledger;
use crate::snapshot::{IncomingSnapshot, SnapshotFile};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Bytes that are copied at once.
const COPY_BYTES: usize = 1024 * 1024;

/// Puts what is in the backup at `path` where an inventory with `options` looks for it: the ledger's full segments,
/// each as it was sealed and following the one before, and the snapshot. Every byte is verified on the way.
///
/// # Errors
/// A [`BackupError`]; what is in the directory then must not be used.
pub fn unpack(path: &Path, options: &InventoryOptions) -> Result<BackupFile, BackupError> {
    let backup = inspect(path)?;
    let damaged = |what| BackupError::Damaged { path: path.to_owned(), what };
    let file = File::open(path).map_err(io_error(path))?;
    let mut input = Hashing { input: BufReader::new(file), sha256: Sha256::new(), position: 0 };
    let ledger = Ledger::open_with(options.dir.join("ledger"), chain, options.ledger_segment_records)?;
    let mut snapshot = None;
    for part in &backup.parts {
        input.skip_to(path, part.at)?;
        match &part.segment {
            Some(seal) => {
                let length = usize::try_from(part.bytes).map_err(|_| damaged("a segment is too long"))?;
                let mut bytes = vec![0; length];
                input.read(path, &mut bytes)?;
                ledger.install(seal, &bytes)?;
            }
            None => snapshot = Some(input.snapshot(path, part, &options.dir.join("snapshots"))?),
        }
    }
    let snapshot = snapshot.ok_or_else(|| damaged("there is no snapshot in it"))?;
    let end = backup.parts.last().map_or(0, |part| part.at + part.bytes);
    input.skip_to(path, end)?;
    if <[u8; 32]>::from(input.sha256.finalize()) != backup.sha256 {
        return Err(damaged("its SHA-256 does not fit"));
    }
    let (head, contents) = (&backup.head, &snapshot.contents);
    if (contents.last, contents.revision, contents.state_hash) != (head.last, head.revision, head.state_hash)
    {
        return Err(damaged("its snapshot is not the one that it describes"));
    }
    Ok(backup)
}

/// Verifies the backup at `path` as restoring it does, in the empty directory of `options`: every checksum, the chain
/// of the whole ledger, and the state hash, made again from all rows. Gives what it holds, opened.
///
/// # Errors
/// A [`BackupError`]: it must not be relied on.
pub fn verify(path: &Path, options: InventoryOptions) -> Result<(BackupFile, Inventory), BackupError> {
    let backup = unpack(path, &options)?;
    let damaged = |what| BackupError::Damaged { path: path.to_owned(), what };
    let inventory = Inventory::open(options)?;
    let reader = inventory.reader();
    let (head, hash) = (&backup.head, reader.state_hash());
    if inventory.applied().last != head.last || hash.hash.to_be_bytes() != head.state_hash {
        return Err(damaged("its rows do not make the state that it describes"));
    }
    let (records, last) = reader.verify_ledger()?;
    if (records, last.0) != (head.ledger_records, head.ledger_head) {
        return Err(damaged("its ledger is not the one that it describes"));
    }
    Ok((backup, inventory))
}

/// Reads in order, and makes the SHA-256 of everything.
struct Hashing {
    input: BufReader<File>,
    sha256: Sha256,
    position: u64,
}

impl Hashing {
    fn read(&mut self, path: &Path, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.input.read_exact(bytes).map_err(io_error(path))?;
        self.sha256.update(&*bytes);
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Envelopes were read before; they count in the SHA-256.
    fn skip_to(&mut self, path: &Path, position: u64) -> Result<(), BackupError> {
        let length = usize::try_from(position.saturating_sub(self.position)).unwrap_or(usize::MAX);
        self.read(path, &mut vec![0; length])
    }

    fn snapshot(&mut self, path: &Path, part: &Part, dir: &DiskPath) -> Result<SnapshotFile, BackupError> {
        let mut incoming = IncomingSnapshot::create(dir)?;
        let mut piece = vec![0; COPY_BYTES];
        while incoming.len() < part.bytes {
            let length = usize::try_from(part.bytes - incoming.len()).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            let piece = piece.get_mut(..length).unwrap_or_default();
            self.read(path, piece)?;
            incoming.piece(incoming.len(), piece)?;
        }
        Ok(incoming.finish()?)
    }
}
