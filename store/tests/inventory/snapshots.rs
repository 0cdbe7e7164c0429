//! Snapshots are built beside apply and taken over by others.

use crate::oracle::{Oracle, entries, open, replay, to_apply};
use std::path::Path;
use tallyman_model::{Entry, Ordinal, Revision, Tag};
use tallyman_store::inventory::InstallError;
use tallyman_store::snapshot::IncomingSnapshot;
use tallyman_store::{Inventory, LogId, Reader, SnapshotFile, TooOld};

/// Sends a snapshot with the ledger's segments that it needs, as the transport does.
fn ship(from: &Reader, snapshot: &SnapshotFile, to: &mut Inventory) -> Result<(), InstallError> {
    let mut incoming = IncomingSnapshot::create(to.snapshots()).unwrap();
    loop {
        let piece = snapshot.piece(incoming.len(), 5000).unwrap();
        if piece.is_empty() {
            break;
        }
        let at = incoming.len();
        incoming.piece(at, &piece).unwrap();
    }
    let received = incoming.finish().unwrap();
    for seal in to.missing_segments(&received) {
        to.install_segment(&seal, &from.ledger_segment(seal.first).unwrap()).unwrap();
    }
    to.install(&received.path)
}

fn upto(log: &[(LogId, Entry)], last: Option<LogId>) -> &[(LogId, Entry)] {
    &log[..last.map_or(0, |id| id.index as usize)]
}

#[test]
fn a_snapshot_under_load_is_exactly_the_state_at_its_last_entry() {
    let log = entries(31, 900);
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    replay(&mut inventory, &log[..200]);
    let reader = inventory.reader();
    let mut built = Vec::new();
    for part in log[200..].chunks(140) {
        let builder = inventory.snapshot_builder();
        let snapshot = std::thread::scope(|scope| {
            let building = scope.spawn(|| builder.build().unwrap());
            for batch in part.chunks(5) {
                replay(&mut inventory, batch);
            }
            building.join().unwrap()
        });
        let other = tempfile::tempdir().unwrap();
        let mut receiver = open(other.path());
        ship(&reader, &snapshot, &mut receiver).unwrap();
        let last = snapshot.contents.last;
        Oracle::of(upto(&log, last)).assert_is(&receiver.reader());
        assert_eq!(receiver.applied().last, last);
        replay(&mut receiver, &log[..inventory.applied().last.unwrap().index as usize]);
        assert_eq!(receiver.reader().state_hash(), reader.state_hash());
        built.push(last.unwrap().index);
    }
    // Some were overtaken while they were built, so that changes had to be followed.
    assert!(built.iter().any(|index| (index - 200) % 140 != 0), "{built:?}");
}

#[test]
fn a_replica_that_is_behind_takes_over_and_keeps_it_after_a_restart() {
    let log = entries(32, 300);
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ahead = open(dir.path());
    replay(&mut ahead, &log[..250]);
    let mut behind = open(other.path());
    replay(&mut behind, &log[..33]);
    let reader = behind.reader();
    let snapshot = ahead.snapshot_builder().build().unwrap();
    assert!(!snapshot.contents.seals.is_empty());
    ship(&ahead.reader(), &snapshot, &mut behind).unwrap();
    // A reader from before sees the new state; what was before it is gone.
    Oracle::of(&log[..250]).assert_is(&reader);
    assert!(reader.at(Revision(1), |_| ()).is_err());
    assert_eq!(reader.floor(), reader.revision());
    drop((reader, behind));
    let mut behind = open(other.path());
    assert_eq!(behind.applied().last.unwrap().index, 250);
    replay(&mut behind, &log);
    Oracle::of(&log).assert_is(&behind.reader());
}

#[test]
fn a_snapshot_without_its_ledger_segments_or_older_than_the_state_is_refused() {
    let log = entries(33, 150);
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ahead = open(dir.path());
    replay(&mut ahead, &log[..100]);
    let snapshot = ahead.snapshot_builder().build().unwrap();
    let mut blank = open(other.path());
    assert!(matches!(blank.install(&snapshot.path), Err(InstallError::MissingSegments(_))));
    assert_eq!(blank.applied().last, None);
    ahead.apply(to_apply(&log[100..110])).unwrap();
    assert!(matches!(ahead.install(&snapshot.path), Err(InstallError::Older { .. })));
    Oracle::of(&log[..110]).assert_is(&ahead.reader());
}

#[test]
fn who_reads_while_a_snapshot_is_installed_is_told() {
    let log = entries(34, 100);
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ahead = open(dir.path());
    replay(&mut ahead, &log);
    let snapshot = ahead.snapshot_builder().build().unwrap();
    let mut behind = open(other.path());
    replay(&mut behind, &log[..50]);
    let reader = behind.reader();
    let read = reader.beside(|view, _| {
        ship(&ahead.reader(), &snapshot, &mut behind).unwrap();
        assert!(view.meet(&[(Tag::Resource, 0)], Ordinal(0), 1).is_err());
    });
    assert_eq!(read, Err(TooOld { floor: ahead.reader().revision() }));
    Oracle::of(&log).assert_is(&behind.reader());
}

#[test]
fn a_damaged_snapshot_is_refused_and_nothing_changes() {
    let log = entries(34, 100);
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ahead = open(dir.path());
    replay(&mut ahead, &log);
    let snapshot = ahead.snapshot_builder().build().unwrap();
    let mut behind = open(other.path());
    replay(&mut behind, &log[..50]);
    for seal in behind.missing_segments(&snapshot) {
        behind.install_segment(&seal, &ahead.reader().ledger_segment(seal.first).unwrap()).unwrap();
    }
    let original = snapshot.path.read().unwrap();
    for at in (0..original.len()).step_by(original.len() / 10) {
        let mut bytes = original.clone();
        bytes[at] ^= 4;
        std::fs::write(snapshot.path.path(), bytes).unwrap();
        assert!(behind.install(&snapshot.path).is_err());
        assert_eq!(generations(other.path()), 1);
    }
    behind.reader().now(|_, revision| assert_eq!(revision, Oracle::of(&log[..50]).revision));
    // The segments that came are ahead of the rows; a restart cuts them, and the log makes them again.
    drop(behind);
    let mut behind = open(other.path());
    Oracle::of(&log[..50]).assert_is(&behind.reader());
    replay(&mut behind, &log);
    Oracle::of(&log).assert_is(&behind.reader());
}

fn generations(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir.join("inventory")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

#[test]
fn only_the_newest_snapshots_are_kept() {
    let log = entries(35, 90);
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    for part in [30, 60, 90] {
        replay(&mut inventory, &log[..part]);
        let snapshot = inventory.snapshot_builder().build().unwrap();
        assert_eq!(inventory.latest_snapshot().unwrap(), Some(snapshot));
    }
    assert_eq!(inventory.snapshots().list().unwrap().len(), 2);
}
