//! A data directory as a replica leaves it behind, and what is true of it.

use crate::oracle::{Oracle, entries, id, open, options, replay};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use tallyman_model::Entry;
use tallyman_store::codec::{self, Kind};
use tallyman_store::identity::Home;
use tallyman_store::log::{Log, LogOptions};
use tallyman_store::{InventoryOptions, LogId, StateHash, Vote};
use tempfile::TempDir;

/// Entries of the log.
pub(super) const ENTRIES: u64 = 240;
/// The last entry that is known to be on disk.
pub(super) const KNOWN: u64 = 225;
/// The last entry that was purged.
pub(super) const PURGED: u64 = 130;
const SNAPSHOTS: [u64; 2] = [80, 150];

/// Where there is one, a directory that needs no disk: thousands are made, each with many fsyncs.
pub(super) fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// What is true.
pub(super) struct Truth {
    dir: TempDir,
    /// The last one.
    pub(super) vote: Vote,
    /// After all entries.
    pub(super) state_hash: StateHash,
    pub(super) entries: Vec<(LogId, Entry)>,
    pub(super) oracle: Oracle,
    /// The snapshots, by name.
    pub(super) snapshots: BTreeMap<String, Vec<u8>>,
}

impl Truth {
    /// Made once.
    pub(super) fn get() -> &'static Self {
        static TRUTH: OnceLock<Truth> = OnceLock::new();
        TRUTH.get_or_init(Self::make)
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The content of entry `index` in the log.
    pub(super) fn content(&self, index: u64) -> Vec<u8> {
        match index.checked_sub(1) {
            None => b"blank".to_vec(),
            Some(at) => codec::encode(Kind::LogContent, &self.entries[at as usize].1).unwrap(),
        }
    }

    fn make() -> Self {
        let entries = entries(12, ENTRIES);
        let (oracle, dir) = (Oracle::of(&entries), in_memory());
        let path = dir.path().to_owned();
        let vote = Vote { term: id(ENTRIES).term, voted_for: Some(id(ENTRIES).leader), committed: true };
        let hash = open(in_memory().path()).reader().state_hash();
        let mut truth = Self { dir, vote, state_hash: hash, entries, oracle, snapshots: BTreeMap::new() };
        truth.write(&path);
        for entry in fs::read_dir(path.join("snapshots")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            truth.snapshots.insert(name, fs::read(entry.path()).unwrap());
        }
        truth
    }

    fn write(&mut self, dir: &Path) {
        let mut home = Home::open(dir).unwrap();
        home.bind_group([7; 16]).unwrap();
        home.bind_replica(3).unwrap();
        let log = Log::open(dir, log_options()).unwrap();
        let mut inventory = open(dir);
        let mut watermark = Vec::new();
        log.append(vec![(id(0), self.content(0))], Box::new(|_| {})).unwrap();
        for index in 1..=ENTRIES {
            let LogId { term, leader, .. } = id(index);
            if index == 1 || id(index - 1).term != term {
                for committed in [false, true] {
                    log.save_vote(Vote { term, voted_for: Some(leader), committed }).unwrap();
                }
            }
            log.append(vec![(id(index), self.content(index))], Box::new(|_| {})).unwrap();
            log.save_committed(Some(id(index))).unwrap();
            if index % 10 == 0 || SNAPSHOTS.contains(&index) {
                log.sync().unwrap();
                replay(&mut inventory, &self.entries[..index as usize]);
            }
            if SNAPSHOTS.contains(&index) {
                inventory.snapshot_builder().build().unwrap();
            }
            if index == KNOWN {
                // The watermark is written when the log is closed.
                log.sync().unwrap();
                watermark = known(dir);
            }
        }
        log.purge(id(PURGED)).unwrap();
        log.sync().unwrap();
        self.state_hash = inventory.reader().state_hash();
        self.oracle.assert_is(&inventory.reader());
        drop((log, inventory, home));
        fs::write(dir.join("watermark"), watermark).unwrap();
    }
}

/// The watermark of a copy of the log as it is now.
fn known(dir: &Path) -> Vec<u8> {
    let copy = in_memory();
    crate::damage::copy_dir(&dir.join("log"), &copy.path().join("log"));
    fs::copy(dir.join("watermark"), copy.path().join("watermark")).unwrap();
    drop(Log::open(copy.path(), log_options()).unwrap());
    fs::read(copy.path().join("watermark")).unwrap()
}

/// Several files.
pub(super) fn log_options() -> LogOptions {
    LogOptions { segment_bytes_max: 256 * 1024, ..LogOptions::default() }
}

/// With a log that begins after `purged`.
pub(super) fn inventory_options(dir: &Path, purged: Option<LogId>) -> InventoryOptions {
    InventoryOptions { log_purged: purged, ..options(dir) }
}
