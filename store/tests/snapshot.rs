//! Snapshot files: written, sent in pieces, damaged.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use tallyman_store::ledger::LedgerLine;
use tallyman_store::log::LogId;
use tallyman_store::snapshot::{
    Contents, Frame, IncomingSnapshot, SnapshotError, SnapshotFile, SnapshotReader, SnapshotWriter,
    keep_newest, latest,
};

fn contents(index: u64) -> Contents {
    let id = LogId { term: 1, leader: 1, index };
    Contents {
        last: Some(id),
        membership: Some((id, vec![1, 2, 3].into())),
        revision: index,
        ..Contents::default()
    }
}

fn written(dir: &Path, index: u64, rows: u64) -> SnapshotFile {
    let mut writer = SnapshotWriter::create(dir, "test").unwrap();
    for row in 0..rows {
        writer.row(&row.to_be_bytes(), Some(&[7; 500])).unwrap();
    }
    writer.row(&0u64.to_be_bytes(), None).unwrap();
    writer.ledger(vec![LedgerLine { seq: 1, bytes: b"{}".to_vec(), hash: [5; 32] }]).unwrap();
    writer.finish(contents(index)).unwrap()
}

fn rows(path: &Path) -> u64 {
    let mut reader = SnapshotReader::open(path).unwrap();
    let mut count = 0;
    while let Some(frame) = reader.next().unwrap() {
        if let Frame::Rows(rows) = frame {
            count += rows.len() as u64;
        }
    }
    count
}

#[test]
fn a_snapshot_reads_back_and_the_newest_is_found() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(latest(dir.path().join("none")).unwrap(), None);
    let older = written(dir.path(), 9, 10);
    let newer = written(dir.path(), 100, 3000);
    assert_eq!(latest(dir.path()).unwrap(), Some(newer.clone()));
    assert_eq!(rows(newer.path.path()), 3001);
    assert_eq!(newer.bytes, fs::metadata(newer.path.path()).unwrap().len());
    assert_eq!(SnapshotReader::open(&newer.path).unwrap().verify().unwrap().contents, contents(100));
    keep_newest(dir.path(), 1).unwrap();
    assert!(!older.path.exists() && newer.path.exists());
}

#[test]
fn an_abandoned_snapshot_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    drop(SnapshotWriter::create(dir.path(), "test").unwrap());
    drop(IncomingSnapshot::create(dir.path()).unwrap());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_snapshot_is_received_in_pieces_with_repetitions() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = written(from.path(), 5, 2000);
    let mut incoming = IncomingSnapshot::create(to.path()).unwrap();
    assert!(matches!(incoming.piece(10, &[1]), Err(SnapshotError::Offset { offset: 10, have: 0 })));
    loop {
        let piece = file.piece(incoming.len(), 10_000).unwrap();
        if piece.is_empty() {
            break;
        }
        let at = incoming.len();
        incoming.piece(at, &piece).unwrap();
        incoming.piece(at, &piece).unwrap();
    }
    let received = incoming.finish().unwrap();
    assert_eq!(received.path.read().unwrap(), file.path.read().unwrap());
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), 5, 3);
    let original = file.path.read().unwrap();
    let broken = |bytes: &[u8]| {
        fs::write(file.path.path(), bytes).unwrap();
        SnapshotReader::open(&file.path).and_then(SnapshotReader::verify).is_err()
    };
    for bit in 0..original.len() * 8 {
        let mut bytes = original.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(broken(&bytes), "bit {bit}");
    }
    for len in 0..original.len() {
        assert!(broken(&original[..len]), "{len} bytes");
    }
    let mut longer = original.clone();
    longer.push(0);
    assert!(broken(&longer));
    assert_eq!(latest(dir.path()).unwrap(), None);
}

#[test]
fn frames_that_are_missing_or_swapped_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), 5, 2000);
    let bytes = file.path.read().unwrap();
    let starts: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(b"TLYM")).collect();
    let part = |number: usize| &bytes[starts[number]..starts[number + 1]];
    let (header, rest) = (part(0), &bytes[starts[3]..]);
    let swapped = [header, part(2), part(1), rest].concat();
    let missing = [header, part(2), rest].concat();
    let doubled = [header, part(1), part(1), part(2), rest].concat();
    for wrong in [swapped, missing, doubled] {
        fs::write(file.path.path(), wrong).unwrap();
        assert!(SnapshotReader::open(&file.path).and_then(SnapshotReader::verify).is_err());
    }
}
