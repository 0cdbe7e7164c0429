//! The change file: a ring that survives a restart and starts again when it is damaged.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use tallyman_store::changes::{Change, Changes, ChangesError};

const BYTES_MAX: u64 = 64 * 1024 * 1024;

fn change(revision: u64) -> Change {
    Change {
        revision,
        index: revision * 2,
        key: revision.to_be_bytes().to_vec().into(),
        before: revision.is_multiple_of(2).then(|| vec![1; 50].into()),
        after: Some(vec![2; 100].into()),
    }
}

fn changes(revisions: std::ops::RangeInclusive<u64>) -> Vec<Change> {
    revisions.map(change).collect()
}

fn open(dir: &Path, current: u64) -> Changes {
    Changes::open(dir, BYTES_MAX, current).unwrap()
}

fn revisions(found: &[Change]) -> Vec<u64> {
    found.iter().map(|change| change.revision).collect()
}

#[test]
fn changes_come_back_in_order_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 7).append(&changes(8..=20)).unwrap();
    open(dir.path(), 20).append(&changes(21..=30)).unwrap();
    let file = open(dir.path(), 30);
    assert_eq!((file.floor(), file.newest()), (7, 30));
    assert_eq!(file.newer_than(7).unwrap(), changes(8..=30));
    assert_eq!(file.read(25, 3).unwrap(), changes(26..=28));
    assert_eq!(file.read(30, 3).unwrap(), []);
    assert!(matches!(file.read(6, 3), Err(ChangesError::TooOld { asked: 6, floor: 7 })));
}

#[test]
fn a_read_does_not_end_inside_a_revision() {
    let dir = tempfile::tempdir().unwrap();
    let file = open(dir.path(), 0);
    let all: Vec<_> = [1, 2, 2, 2, 3, 4].map(change).to_vec();
    file.append(&all).unwrap();
    assert_eq!(revisions(&file.read(0, 2).unwrap()), [1, 2, 2, 2]);
    assert_eq!(revisions(&file.read(0, 1).unwrap()), [1]);
    assert_eq!(revisions(&file.read(1, 1).unwrap()), [2, 2, 2]);
    assert_eq!(revisions(&file.read(2, 10).unwrap()), [3, 4]);
}

#[test]
fn the_ring_forgets_the_oldest_and_finds_any_of_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let bytes_max = 1024 * 1024;
    let file = Changes::open(dir.path(), bytes_max, 0).unwrap();
    for revision in 1..=20_000 {
        file.append(&[change(revision)]).unwrap();
    }
    let on_disk: u64 =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk < bytes_max + 1024, "{on_disk}");
    drop(file);
    let file = Changes::open(dir.path(), bytes_max, 20_000).unwrap();
    let floor = file.floor();
    assert!(floor > 1000 && floor < 19_000, "{floor}");
    for after in (floor..20_000).step_by(97) {
        assert_eq!(file.read(after, 1).unwrap(), [change(after + 1)]);
    }
    assert_eq!(file.newer_than(floor).unwrap(), changes(floor + 1..=20_000));
}

#[test]
fn a_change_longer_than_any_buffer_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = open(dir.path(), 0);
    let long = Change { after: Some(vec![9; 1_000_000].into()), ..change(2) };
    file.append(&[change(1), long.clone(), change(3)]).unwrap();
    assert_eq!(file.newer_than(0).unwrap(), [change(1), long, change(3)]);
}

#[test]
fn what_the_inventory_does_not_have_is_cut_and_what_is_missing_starts_it_again() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 0).append(&changes(1..=20)).unwrap();
    let file = open(dir.path(), 15);
    assert_eq!(file.newer_than(0).unwrap(), changes(1..=15));
    file.append(&changes(16..=17)).unwrap();
    drop(file);
    let file = open(dir.path(), 18);
    assert_eq!((file.floor(), file.newest()), (18, 18));
    file.append(&changes(19..=19)).unwrap();
    assert_eq!(revisions(&file.newer_than(18).unwrap()), [19]);
}

#[test]
fn a_torn_or_flipped_file_never_gives_wrong_changes() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 0).append(&changes(1..=5)).unwrap();
    let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let original = fs::read(&path).unwrap();
    let check = |what: &str, bytes: &[u8]| {
        for old in fs::read_dir(dir.path()).unwrap() {
            fs::remove_file(old.unwrap().path()).unwrap();
        }
        fs::write(&path, bytes).unwrap();
        let file = open(dir.path(), 5);
        assert_eq!(file.newest(), 5, "{what}");
        let floor = file.floor();
        assert_eq!(file.newer_than(floor).unwrap(), changes(floor + 1..=5), "{what}");
    };
    for len in 0..original.len() {
        check(&format!("{len} bytes"), &original[..len]);
    }
    for bit in (0..original.len() * 8).step_by(3) {
        let mut bytes = original.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        check(&format!("bit {bit}"), &bytes);
    }
}
