//! Whatever happens to sled's files, the state comes back from snapshot and log.

use crate::oracle::{Numbers, Oracle, entries, id, open, options, replay};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tallyman_store::inventory::OpenError;
use tallyman_store::{Inventory, InventoryOptions};

/// Does something bad to a data directory.
type Break = fn(&Path);

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn rows_dir(dir: &Path) -> PathBuf {
    let generations: Vec<_> = fs::read_dir(dir.join("inventory"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert_eq!(generations.len(), 1);
    generations[0].clone()
}

/// A process that dies while sled opens is started again.
fn open_as_a_supervisor_would(dir: &Path) -> Inventory {
    match catch_unwind(AssertUnwindSafe(|| open(dir))) {
        Ok(inventory) => inventory,
        Err(_) => open(dir),
    }
}

#[test]
fn rows_that_fell_back_are_brought_up_to_date_and_ledger_and_changes_are_cut_to_them() {
    let log = entries(3, 200);
    let dir = tempfile::tempdir().unwrap();
    let earlier = tempfile::tempdir().unwrap();
    replay(&mut open(dir.path()), &log[..90]);
    copy_dir(&dir.path().join("inventory"), earlier.path());
    replay(&mut open(dir.path()), &log);
    fs::remove_dir_all(dir.path().join("inventory")).unwrap();
    copy_dir(earlier.path(), &dir.path().join("inventory"));
    let mut inventory = open(dir.path());
    assert_eq!(inventory.applied().last, Some(id(90)));
    Oracle::of(&log[..90]).assert_is(&inventory.reader());
    replay(&mut inventory, &log);
    let oracle = Oracle::of(&log);
    oracle.assert_is(&inventory.reader());
    let reader = inventory.reader();
    for (revision, expected) in &oracle.at_revision {
        assert_eq!(&reader.at(*revision, crate::oracle::all_but_meta).unwrap(), expected);
    }
}

#[test]
fn flipped_and_cut_database_files_never_give_another_state() {
    let log = entries(4, 120);
    let oracle = Oracle::of(&log);
    let dir = tempfile::tempdir().unwrap();
    {
        let mut inventory = open(dir.path());
        replay(&mut inventory, &log[..60]);
        inventory.snapshot_builder().build().unwrap();
        replay(&mut inventory, &log);
    }
    let seed = 5;
    let mut numbers = Numbers::new(seed);
    for round in 0..12 {
        let broken = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), broken.path());
        let db = rows_dir(broken.path()).join("db");
        let mut bytes = fs::read(&db).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
        let at = numbers.below(used) as usize;
        if round % 3 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << numbers.below(8);
        }
        fs::write(&db, bytes).unwrap();
        let mut inventory = open_as_a_supervisor_would(broken.path());
        replay(&mut inventory, &log);
        assert_eq!(inventory.applied().last, Some(id(120)), "seed {seed} round {round}");
        oracle.assert_is(&inventory.reader());
    }
}

#[test]
fn missing_or_suspect_rows_are_made_again_from_the_snapshot() {
    let log = entries(5, 120);
    let oracle = Oracle::of(&log);
    let breaks: [(&str, Break); 4] = [
        ("no rows", |dir| fs::remove_dir_all(rows_dir(dir)).unwrap()),
        ("no mark", |dir| fs::remove_file(dir.join("inventory/mark")).unwrap()),
        ("no ledger tail", |dir| {
            let mut segments: Vec<_> =
                fs::read_dir(dir.join("ledger")).unwrap().map(|entry| entry.unwrap().path()).collect();
            segments.sort();
            fs::remove_file(segments.pop().unwrap()).unwrap();
        }),
        ("empty database", |dir| {
            fs::remove_dir_all(rows_dir(dir)).unwrap();
            fs::create_dir(dir.join("inventory/000009")).unwrap();
        }),
    ];
    for (what, damage) in breaks {
        let dir = tempfile::tempdir().unwrap();
        {
            let mut inventory = open(dir.path());
            replay(&mut inventory, &log[..70]);
            inventory.snapshot_builder().build().unwrap();
            replay(&mut inventory, &log);
        }
        damage(dir.path());
        let mut inventory = open(dir.path());
        let applied = inventory.applied().last.map(|id| id.index);
        assert!(applied == Some(70) || what == "empty database" && applied.is_none(), "{what}: {applied:?}");
        replay(&mut inventory, &log);
        oracle.assert_is(&inventory.reader());
    }
}

#[test]
fn a_half_written_file_of_sled_does_not_keep_it_from_opening() {
    let log = entries(6, 50);
    let dir = tempfile::tempdir().unwrap();
    replay(&mut open(dir.path()), &log);
    fs::write(rows_dir(dir.path()).join("snap.00000000000000FF.generating"), b"half").unwrap();
    let inventory = open(dir.path());
    assert_eq!(inventory.applied().last, Some(id(50)));
}

#[test]
fn an_inventory_that_the_log_cannot_bring_up_to_date_is_refused_unless_a_snapshot_helps() {
    let log = entries(8, 100);
    let dir = tempfile::tempdir().unwrap();
    replay(&mut open(dir.path()), &log[..40]);
    let purged = |index| InventoryOptions { log_purged: Some(id(index)), ..options(dir.path()) };
    assert_eq!(Inventory::open(purged(40)).unwrap().applied().last, Some(id(40)));
    assert!(matches!(Inventory::open(purged(60)), Err(OpenError::Behind { needed: Some(_), .. })));
    let peer = tempfile::tempdir().unwrap();
    let mut other = open(peer.path());
    replay(&mut other, &log[..80]);
    let snapshot = other.snapshot_builder().build().unwrap();
    for seal in &snapshot.contents.seals {
        fs::copy(
            peer.path().join(format!("ledger/{:012}.jsonl", seal.first)),
            dir.path().join(format!("ledger/{:012}.jsonl", seal.first)),
        )
        .unwrap();
        fs::copy(
            peer.path().join(format!("ledger/{:012}.seal", seal.first)),
            dir.path().join(format!("ledger/{:012}.seal", seal.first)),
        )
        .unwrap();
    }
    fs::copy(snapshot.path.path(), dir.path().join("snapshots").join(snapshot.path.name().unwrap())).unwrap();
    let mut inventory = Inventory::open(purged(60)).unwrap();
    assert_eq!(inventory.applied().last, Some(id(80)));
    replay(&mut inventory, &log);
    Oracle::of(&log).assert_is(&inventory.reader());
}
