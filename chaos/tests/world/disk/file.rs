//! One file: what is durable of it, and what was done since.

use crate::numbers::Numbers;
use std::io;
use std::sync::{Arc, Mutex};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// A file; whoever has it open shares it.
pub(super) type Node = Arc<Mutex<File>>;

/// Bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Content(Vec<u8>);

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub(super) fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        let found = from.checked_add(bytes.len()).and_then(|to| self.0.get(from..to));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], offset: u64) {
        let from = usize::try_from(offset).unwrap();
        let to = from + bytes.len();
        if self.0.len() < to {
            self.0.resize(to, 0);
        }
        self.0[from..to].copy_from_slice(bytes);
    }

    fn set_len(&mut self, len: u64) {
        self.0.resize(usize::try_from(len).unwrap(), 0);
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

/// A file as it is read, and as a power cut may leave it.
#[derive(Debug, Default)]
pub(super) struct File {
    /// As it is read.
    pub(super) content: Content,
    durable: Content,
    /// What a power cut may leave of what was done since the last sync.
    unsynced: Vec<Change>,
}

impl File {
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        self.content.write(bytes, offset);
        self.unsynced.push(Change::Write { offset, bytes: bytes.to_owned() });
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.content.set_len(len);
        self.unsynced.push(Change::Length(len));
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write { offset, bytes } => self.durable.write(&bytes, offset),
                Change::Length(len) => self.durable.set_len(len),
            }
        }
    }

    /// A sync failed: what it was for is believed to be written, and never will be.
    pub(super) fn forget(&mut self) {
        self.unsynced.clear();
    }

    /// The power goes. Gives how many sectors are lost.
    pub(super) fn lose(&mut self, numbers: &mut Numbers) -> u64 {
        let mut lost = 0;
        // Now and then all of it is there, or nothing.
        let keeps_one_in = [1, 2, 8, u64::MAX][usize::try_from(numbers.below(4)).unwrap()];
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write { offset, bytes } => {
                    for (at, sector) in sectors(offset, &bytes) {
                        if numbers.once_in(keeps_one_in) {
                            self.durable.write(sector, at);
                        } else {
                            lost += 1;
                        }
                    }
                }
                Change::Length(len) if numbers.once_in(keeps_one_in) => self.durable.set_len(len),
                Change::Length(_) => lost += 1,
            }
        }
        self.content = self.durable.clone();
        lost
    }

    /// Flips one bit, on the disk and as it is read.
    pub(super) fn flip(&mut self, bit: u64) {
        let (byte, mask) = (usize::try_from(bit / 8).unwrap(), 1 << (bit % 8));
        for content in [&mut self.content, &mut self.durable] {
            if let Some(byte) = content.0.get_mut(byte) {
                *byte ^= mask;
            }
        }
    }
}

/// The pieces of a write that are in different sectors.
fn sectors(offset: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let (mut at, mut rest) = (offset, bytes);
    std::iter::from_fn(move || {
        let room = usize::try_from(SECTOR_BYTES - at % SECTOR_BYTES).unwrap();
        let (sector, after) = rest.split_at(room.min(rest.len()));
        let found = (at, sector);
        (at, rest) = (at + sector.len() as u64, after);
        (!sector.is_empty()).then_some(found)
    })
}
