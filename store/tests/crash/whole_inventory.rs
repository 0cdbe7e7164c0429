//! The inventory's own files: ledger, change file, snapshots, and the mark. Rows are kept in memory, as after a stop of
//! the machine, when those in sled are not believed: they come from the snapshot and the log.

use crate::disk::{Mode, write_state};
use crate::oracle::{Numbers, Oracle, entries, options, replay};
use crate::recording::{Done, MARKS, Op, record};
use crate::{fresh, keep, recorded_here, setting};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tallyman_model::{Command, Entry};
use tallyman_store::{Backend, Inventory, InventoryOptions, LogId, Reader};

/// Crash states of the log for one of the inventory, which takes longer to look at.
const LESS: u64 = 6;

/// What the log holds: small entries, since every version of every file is kept.
fn log() -> Vec<(LogId, Entry)> {
    let is_small = |entry: &Entry| match &entry.command {
        Command::Submit(submit) => submit.manifests.len() < 1000,
        _ => true,
    };
    let small = entries(41, 160).into_iter().filter(|(_, entry)| is_small(entry));
    small.enumerate().map(|(i, (id, entry))| (LogId { index: i as u64 + 1, ..id }, entry)).collect()
}

fn with(dir: &Path, log_purged: Option<LogId>) -> InventoryOptions {
    InventoryOptions { backend: Backend::Memory, changes_bytes_max: 48 * 1024, log_purged, ..options(dir) }
}

#[test]
#[ignore = "is run by the recording"]
fn driver() {
    let Some(dir) = recorded_here() else { return };
    let mut marks = File::options().append(true).open(dir.join(MARKS)).unwrap();
    let log = log();
    let mut numbers = Numbers::new(5);
    let (mut inventory, mut upto) = (Inventory::open(with(&dir, None)).unwrap(), 0);
    while upto < log.len() {
        upto = log.len().min(upto + 1 + numbers.below(6) as usize);
        replay(&mut inventory, &log[..upto]);
        match numbers.below(8) {
            0 => {
                let built = inventory.snapshot_builder().build().unwrap();
                marks
                    .write_all(format!("snapshot {}", built.contents.last.unwrap().index).as_bytes())
                    .unwrap();
            }
            1 => {
                drop(inventory);
                inventory = Inventory::open(with(&dir, None)).unwrap();
            }
            _ => {}
        }
    }
}

/// The last entry of the newest snapshot that was durable; the log may have been purged up to it.
fn snapshot(done: &[Done], log: &[(LogId, Entry)]) -> Option<LogId> {
    let marks = done.iter().rev().filter_map(|one| match &one.op {
        Op::Mark { text } => text.strip_prefix("snapshot ")?.parse::<usize>().ok(),
        _ => None,
    });
    marks.max().map(|index| log[index - 1].0)
}

/// Everything that can be read of the changes, by revision.
fn changes(reader: &Reader) -> BTreeMap<u64, String> {
    let page = reader.changes(reader.floor(), usize::MAX).unwrap();
    page.into_iter()
        .map(|change| (change.revision.0, format!("{:?} {:?}", change.before, change.after)))
        .collect()
}

#[test]
#[ignore = "needs strace: see CONTRIBUTING.md"]
fn the_inventory_of_every_crash_state_is_made_again_as_it_was() {
    let Some(done) = record("whole_inventory::driver") else {
        return eprintln!("left out: there is no strace");
    };
    let log = log();
    let oracle = Oracle::of(&log);
    let states = setting("CRASH_STATES", 12_000) / LESS;
    let seed = setting("CRASH_SEED", std::process::id().into());
    eprintln!("{} operations, {} entries, seed {seed}", done.len(), log.len());
    let all_changes = {
        let dir = fresh();
        let all = InventoryOptions { changes_bytes_max: 1 << 30, ..with(dir.path(), None) };
        let mut inventory = Inventory::open(all).unwrap();
        replay(&mut inventory, &log);
        changes(&inventory.reader())
    };
    let mut numbers = Numbers::new(seed);
    let (mut recovered, mut refused) = (0, BTreeMap::new());
    for state in 0..states {
        let count = 1 + numbers.below(done.len() as u64) as usize;
        let mode = [Mode::InOrder, Mode::SyncedOnly, Mode::Any, Mode::Any][numbers.below(4) as usize];
        let dir = fresh();
        write_state(&done, count, mode, &mut numbers, dir.path());
        let purged = snapshot(&done[..count], &log).filter(|_| numbers.below(2) == 0);
        let what = format!("state {state}, {mode:?} after {count} operations, log purged to {purged:?}");
        match Inventory::open(with(dir.path(), purged)) {
            Ok(mut inventory) => {
                let checked = catch_unwind(AssertUnwindSafe(|| {
                    replay(&mut inventory, &log);
                    let reader = inventory.reader();
                    oracle.assert_is(&reader);
                    assert_eq!(reader.verify_ledger().unwrap(), reader.ledger_head());
                    let changes = changes(&reader);
                    let expected = all_changes.range(reader.floor().0 + 1..);
                    assert!(changes.iter().eq(expected), "changes differ");
                }));
                assert!(checked.is_ok(), "{what}\n{}", keep(dir));
                recovered += 1;
            }
            Err(error) if mode == Mode::Any => {
                let kind = format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
                *refused.entry(kind).or_insert(0) += 1;
            }
            Err(error) => panic!("{what}: {error} {error:?}\n{}", keep(dir)),
        }
    }
    eprintln!("inventory: {states} crash states: {recovered} made again, {refused:?} refused, 0 wrong");
    assert!(recovered > states / 2);
}
