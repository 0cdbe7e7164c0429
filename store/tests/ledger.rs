//! The ledger's files: sealed, shipped, cut, damaged.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use tallyman_store::ledger::{Ledger, LedgerError, LedgerLine};

const SEGMENT_RECORDS: u64 = 10;

fn chain(before: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(before).chain_update(bytes).finalize().into()
}

fn open(dir: &Path) -> Ledger {
    Ledger::open_with(dir, chain, SEGMENT_RECORDS).unwrap()
}

fn lines(count: u64) -> Vec<LedgerLine> {
    let mut head = [0; 32];
    let line = |seq| {
        let bytes = format!("{{\"seq\":{seq},\"what\":\"record {seq}\"}}").into_bytes();
        head = chain(&head, &bytes);
        LedgerLine { seq, bytes, hash: head }
    };
    (1..=count).map(line).collect()
}

fn filled(count: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(&lines(count)).unwrap();
    dir
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn records_come_back_from_sealed_and_open_segments_after_reopening() {
    let dir = filled(25);
    let ledger = open(dir.path());
    assert_eq!(ledger.len(), 25);
    assert_eq!(
        ledger.sealed().iter().map(|seal| (seal.first, seal.last)).collect::<Vec<_>>(),
        [(1, 10), (11, 20)]
    );
    assert_eq!(ledger.read(1, 100).unwrap(), lines(25));
    assert_eq!(ledger.read(8, 5).unwrap(), lines(12)[7..]);
    assert_eq!(ledger.read(26, 5).unwrap(), []);
    assert_eq!(ledger.verify().unwrap(), (25, lines(25)[24].hash));
}

#[test]
fn the_bytes_do_not_depend_on_how_records_were_batched() {
    let (one, other) = (filled(37), tempfile::tempdir().unwrap());
    for line in lines(37) {
        let ledger = open(other.path());
        ledger.append(&[line]).unwrap();
        ledger.sync().unwrap();
    }
    assert_eq!(files(one.path()), files(other.path()));
}

#[test]
fn a_record_out_of_turn_or_with_a_wrong_hash_is_refused() {
    let dir = filled(3);
    let ledger = open(dir.path());
    let mut next = lines(4).remove(3);
    assert!(matches!(ledger.append(&lines(5)[4..]), Err(LedgerError::OutOfOrder { expected: 4, found: 5 })));
    next.hash[0] ^= 1;
    assert!(matches!(ledger.append(&[next]), Err(LedgerError::Damaged { seq: 4, .. })));
    ledger.append(&lines(4)[3..]).unwrap();
}

#[test]
fn a_torn_line_is_cut_and_written_again() {
    let dir = filled(14);
    let path = dir.path().join("000000000011.jsonl");
    let whole = fs::read(&path).unwrap();
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let ledger = open(dir.path());
        let kept = ledger.len();
        assert!((10..14).contains(&kept), "{len}");
        ledger.append(&lines(14)[kept as usize..]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn it_is_cut_to_any_length_across_seals() {
    for (all, len) in [0, 1, 9, 10, 11, 19, 20, 21, 30, 34, 35].map(|len| (35, len)).into_iter().chain([
        (30, 0),
        (30, 10),
        (30, 29),
        (30, 30),
    ]) {
        let dir = filled(all);
        open(dir.path()).truncate_to(len).unwrap();
        let ledger = open(dir.path());
        assert_eq!(ledger.len(), len);
        assert_eq!(ledger.verify().unwrap().0, len);
        ledger.append(&lines(36)[len as usize..]).unwrap();
        drop(ledger);
        assert_eq!(files(dir.path()), files(filled(36).path()), "{len}");
        assert!(matches!(
            open(dir.path()).truncate_to(37),
            Err(LedgerError::TooShort { wanted: 37, have: 36 })
        ));
    }
}

#[test]
fn a_flipped_bit_in_any_file_is_found() {
    let dir = filled(25);
    let whole = files(dir.path());
    for (name, original) in whole.clone() {
        for bit in (0..original.len() * 8).step_by(11) {
            let mut bytes = original.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(dir.path().join(&name), &bytes).unwrap();
            // The open segment is cut there, and made again from the log; a seal is made again from its segment; nothing
            // else opens or verifies.
            let found = match Ledger::open_with(dir.path(), chain, SEGMENT_RECORDS) {
                Ok(ledger) => ledger.len() < 25 || files(dir.path()) == whole || ledger.verify().is_err(),
                Err(_) => true,
            };
            assert!(found, "{name} bit {bit}");
            fs::write(dir.path().join(&name), &original).unwrap();
        }
    }
    assert_eq!(open(dir.path()).verify().unwrap().0, 25);
}

#[test]
fn a_missing_segment_is_found() {
    let dir = filled(25);
    fs::remove_file(dir.path().join("000000000001.seal")).unwrap();
    fs::remove_file(dir.path().join("000000000001.jsonl")).unwrap();
    let missing = Ledger::open_with(dir.path(), chain, SEGMENT_RECORDS);
    assert!(missing.is_err_and(|error| error.is_damage()));
    let dir = filled(25);
    fs::remove_file(dir.path().join("000000000011.jsonl")).unwrap();
    assert!(open(dir.path()).verify().is_err());
}

#[test]
fn a_kill_between_the_last_record_and_its_seal_is_made_good() {
    let dir = filled(20);
    let expected = files(dir.path());
    fs::remove_file(dir.path().join("000000000011.seal")).unwrap();
    assert_eq!(open(dir.path()).len(), 20);
    assert_eq!(files(dir.path()), expected);
}

#[test]
fn sealed_segments_are_shipped_and_refused_when_they_are_not_what_was_sealed() {
    let (from, to) = (filled(35), tempfile::tempdir().unwrap());
    let (from, ledger) = (open(from.path()), open(to.path()));
    let seals = from.sealed();
    let second = from.segment(11).unwrap();
    assert!(matches!(ledger.install(&seals[1], &second), Err(LedgerError::Gap { .. })));
    for seal in &seals {
        let mut bytes = from.segment(seal.first).unwrap();
        bytes[20] ^= 1;
        assert!(ledger.install(seal, &bytes).is_err());
        bytes[20] ^= 1;
        ledger.install(seal, &bytes).unwrap();
    }
    ledger.append(&from.read(31, 10).unwrap()).unwrap();
    assert_eq!(ledger.verify().unwrap(), from.verify().unwrap());
}

#[test]
fn a_line_whose_end_is_damaged_never_moves_the_records_behind_it() {
    let dir = filled(25);
    let path = dir.path().join("000000000011.jsonl");
    let whole = fs::read(&path).unwrap();
    let end = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let mut bytes = whole.clone();
    bytes[end] = b' ';
    fs::write(&path, &bytes).unwrap();
    let ledger = open(dir.path());
    for from in 11..=20 {
        assert!(matches!(ledger.read(from, 2), Err(LedgerError::Damaged { .. })), "{from}");
    }
    fs::write(&path, whole).unwrap();
    assert_eq!(ledger.read(15, 2).unwrap(), lines(16)[14..]);
}

#[test]
fn a_damaged_seal_is_made_again_from_its_segment() {
    let dir = filled(25);
    let before = files(dir.path());
    for first in [1, 11] {
        let path = dir.path().join(format!("{first:012}.seal"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        for damaged in [bytes, Vec::new()] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(open(dir.path()).len(), 25);
            assert_eq!(files(dir.path()), before);
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(open(dir.path()).len(), 25);
        assert_eq!(files(dir.path()), before);
    }
    // With both damaged, nothing proves what was there.
    fs::write(dir.path().join("000000000001.seal"), b"").unwrap();
    fs::write(dir.path().join("000000000001.jsonl"), b"").unwrap();
    assert!(Ledger::open_with(dir.path(), chain, SEGMENT_RECORDS).is_err_and(|error| error.is_damage()));
}
