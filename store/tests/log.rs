//! The log on disk: reopened between all steps, cut, flipped, held back.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tallyman_store::log::{FlushGate, Log, LogError, LogId, LogOptions, OpenError, Vote};

type Acks = Receiver<(u64, bool)>;

fn id(term: u64, index: u64) -> LogId {
    LogId { term, leader: term, index }
}

fn entry(term: u64, index: u64) -> (LogId, Vec<u8>) {
    (id(term, index), format!("entry {term}/{index} {}", "x".repeat(100)).into_bytes())
}

fn entries(term: u64, range: std::ops::Range<u64>) -> Vec<(LogId, Vec<u8>)> {
    range.map(|index| entry(term, index)).collect()
}

fn open(dir: &Path) -> Log {
    Log::open(dir, LogOptions::default()).unwrap()
}

fn append(log: &Log, entries: Vec<(LogId, Vec<u8>)>) {
    log.append(entries, Box::new(|_| {})).unwrap();
    log.sync().unwrap();
}

fn append_watched(log: &Log, entries: Vec<(LogId, Vec<u8>)>, acks: &SyncSender<(u64, bool)>) {
    let last = entries.last().unwrap().0.index;
    let acks = acks.clone();
    log.append(entries, Box::new(move |result| acks.send((last, result.is_ok())).unwrap())).unwrap();
}

fn read_all(log: &Log) -> Vec<(LogId, Vec<u8>)> {
    log.read(0, u64::MAX, usize::MAX).unwrap()
}

fn chunks(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    paths.sort();
    paths
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    fs::create_dir(to.path().join("log")).unwrap();
    for path in chunks(from).into_iter().chain([from.join("watermark")]) {
        fs::copy(&path, to.path().join(path.strip_prefix(from).unwrap())).unwrap();
    }
    to
}

/// A closed log whose watermark covers entries 0..covered, while 0..all were written.
fn written(covered: u64, all: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.save_vote(Vote { term: 1, voted_for: Some(1), committed: true }).unwrap();
    append(&log, entries(1, 0..covered));
    drop(log);
    let watermark = fs::read(dir.path().join("watermark")).unwrap();
    let log = open(dir.path());
    append(&log, entries(1, covered..all));
    drop(log);
    fs::write(dir.path().join("watermark"), watermark).unwrap();
    dir
}

#[test]
fn everything_is_there_again_after_each_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let vote = Vote { term: 2, voted_for: Some(3), committed: false };
    assert_eq!(open(dir.path()).state(), Default::default());
    open(dir.path()).save_vote(vote).unwrap();
    append(&open(dir.path()), entries(1, 0..10));
    open(dir.path()).save_committed(Some(id(1, 6))).unwrap();
    open(dir.path()).truncate_after(Some(id(1, 7))).unwrap();
    append(&open(dir.path()), entries(2, 8..12));
    open(dir.path()).purge(id(1, 3)).unwrap();
    let log = open(dir.path());
    let state = log.state();
    assert_eq!((state.vote, state.committed), (Some(vote), Some(id(1, 6))));
    assert_eq!((state.last_purged, state.last), (Some(id(1, 3)), Some(id(2, 11))));
    let expected: Vec<_> = entries(1, 4..8).into_iter().chain(entries(2, 8..12)).collect();
    assert_eq!(read_all(&log), expected);
    assert_eq!(log.bytes(), expected.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
}

#[test]
fn what_is_appended_can_be_read_at_once_and_is_called_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let (sender, acks) = sync_channel(1000);
    for at in 0..200 {
        append_watched(&log, entries(1, at * 3..at * 3 + 3), &sender);
        let read = log.read(at * 3, at * 3 + 3, usize::MAX).unwrap();
        assert_eq!(read, entries(1, at * 3..at * 3 + 3));
    }
    let called: Vec<_> = acks.iter().take(200).collect();
    assert_eq!(called, (0..200).map(|at| (at * 3 + 2, true)).collect::<Vec<_>>());
}

#[test]
fn entries_are_read_from_old_files_too_and_purged_files_go() {
    let dir = tempfile::tempdir().unwrap();
    let options = || LogOptions { chunk_bytes_max: 4096, cache_bytes_max: 1024, ..LogOptions::default() };
    let log = Log::open(dir.path(), options()).unwrap();
    for index in 0..300 {
        append(&log, vec![entry(1, index)]);
    }
    assert!(chunks(dir.path()).len() > 10);
    assert_eq!(read_all(&log), entries(1, 0..300));
    assert_eq!(log.read(17, 300, 250).unwrap(), entries(1, 17..19));
    assert_eq!(log.read(17, 300, 1).unwrap(), entries(1, 17..18));
    let before = chunks(dir.path()).len();
    log.purge(id(1, 250)).unwrap();
    log.sync().unwrap();
    drop(log);
    assert!(chunks(dir.path()).len() < before);
    let log = Log::open(dir.path(), options()).unwrap();
    assert_eq!(read_all(&log), entries(1, 251..300));
}

#[test]
fn entries_that_do_not_follow_and_cuts_below_the_committed_one_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, entries(2, 0..5));
    let refused = |entries| log.append(entries, Box::new(|_| panic!("called"))).unwrap_err();
    assert!(matches!(refused(entries(2, 6..7)), LogError::OutOfOrder { .. }));
    assert!(matches!(refused(entries(1, 5..6)), LogError::OutOfOrder { .. }));
    log.save_committed(Some(id(2, 3))).unwrap();
    assert!(matches!(log.truncate_after(Some(id(2, 2))), Err(LogError::Cut { .. })));
    log.save_vote(Vote { term: 3, voted_for: Some(1), committed: false }).unwrap();
    let other = Vote { term: 3, voted_for: Some(2), committed: false };
    assert!(matches!(log.save_vote(other), Err(LogError::OlderVote { .. })));
    append(&log, entries(2, 5..6));
    assert_eq!(read_all(&log), entries(2, 0..6));
}

#[test]
fn a_snapshot_beyond_the_log_replaces_a_tail_of_a_later_term() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, entries(2, 0..5));
    log.save_committed(Some(id(2, 1))).unwrap();
    append(&log, entries(7, 5..8));
    log.purge(id(3, 20)).unwrap();
    append(&log, entries(8, 21..23));
    drop(log);
    let log = open(dir.path());
    assert_eq!(log.state().last_purged, Some(id(3, 20)));
    assert_eq!(read_all(&log), entries(8, 21..23));
}

#[test]
fn a_torn_tail_above_the_watermark_is_cut_at_any_byte() {
    let dir = written(5, 8);
    let chunk = chunks(dir.path()).pop().unwrap();
    let whole = fs::metadata(&chunk).unwrap().len();
    let covered = {
        let dir = written(5, 5);
        let chunk = chunks(dir.path()).pop().unwrap();
        fs::metadata(&chunk).unwrap().len()
    };
    for len in covered..whole {
        let copy = copy(dir.path());
        let chunk = chunks(copy.path()).pop().unwrap();
        fs::OpenOptions::new().write(true).open(&chunk).unwrap().set_len(len).unwrap();
        let log = open(copy.path());
        let kept = log.state().last.unwrap().index + 1;
        assert!((5..8).contains(&kept), "{len}: {kept}");
        // It goes on where it was cut.
        append(&log, entries(2, kept..kept + 2));
        drop(log);
        let expected: Vec<_> = entries(1, 0..kept).into_iter().chain(entries(2, kept..kept + 2)).collect();
        assert_eq!(read_all(&open(copy.path())), expected);
    }
}

#[test]
fn a_new_file_that_was_not_begun_says_nothing_about_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let options = || LogOptions { chunk_bytes_max: 4096, ..LogOptions::default() };
    let log = Log::open(dir.path(), options()).unwrap();
    log.save_vote(Vote { term: 1, voted_for: Some(1), committed: true }).unwrap();
    append(&log, entries(1, 0..2));
    drop(log);
    let watermark = fs::read(dir.path().join("watermark")).unwrap();
    let log = Log::open(dir.path(), options()).unwrap();
    for index in 2..60 {
        append(&log, vec![entry(1, index)]);
    }
    drop(log);
    fs::write(dir.path().join("watermark"), &watermark).unwrap();
    let all = chunks(dir.path());
    let first = fs::read(all.last().unwrap()).unwrap();
    // Torn before, within and behind the vote that the first record repeats.
    let torn = (0..64).step_by(7).map(|length| first[..length].to_vec());
    for beginning in torn.chain([vec![0; 4096]]) {
        let copy = copy(dir.path());
        let chunks = chunks(copy.path());
        let [.., before, newest] = chunks.as_slice() else { panic!("too few files") };
        fs::write(newest, beginning).unwrap();
        let len = fs::metadata(before).unwrap().len();
        fs::OpenOptions::new().write(true).open(before).unwrap().set_len(len - 3).unwrap();
        let log = Log::open(copy.path(), options()).unwrap();
        let kept = log.state().last.unwrap().index + 1;
        assert!((20..60).contains(&kept));
        append(&log, entries(2, kept..kept + 30));
        drop(log);
        let expected: Vec<_> = entries(1, 0..kept).into_iter().chain(entries(2, kept..kept + 30)).collect();
        assert_eq!(read_all(&Log::open(copy.path(), options()).unwrap()), expected);
    }
    // The same below the watermark is damage.
    let newest = all.last().unwrap();
    drop(Log::open(dir.path(), options()).unwrap());
    fs::write(newest, []).unwrap();
    assert!(Log::open(dir.path(), options()).unwrap_err().is_damage());
}

#[test]
fn zeros_at_the_end_above_the_watermark_are_cut() {
    let dir = written(5, 5);
    let chunk = chunks(dir.path()).pop().unwrap();
    let len = fs::metadata(&chunk).unwrap().len();
    fs::OpenOptions::new().write(true).open(&chunk).unwrap().set_len(len + 4096).unwrap();
    assert_eq!(read_all(&open(dir.path())), entries(1, 0..5));
}

#[test]
fn a_log_that_ends_below_the_watermark_is_refused() {
    let dir = written(8, 8);
    let whole = fs::metadata(chunks(dir.path()).pop().unwrap()).unwrap().len();
    for len in 0..whole {
        let copy = copy(dir.path());
        let chunk = chunks(copy.path()).pop().unwrap();
        fs::OpenOptions::new().write(true).open(&chunk).unwrap().set_len(len).unwrap();
        let error = Log::open(copy.path(), LogOptions::default()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }) && error.is_damage(), "{len}: {error}");
    }
    for chunk in chunks(dir.path()) {
        fs::remove_file(chunk).unwrap();
    }
    let error = Log::open(dir.path(), LogOptions::default()).unwrap_err();
    assert!(error.is_damage(), "{error}");
}

#[test]
fn a_flipped_bit_below_the_watermark_is_found() {
    let dir = written(6, 6);
    let original = fs::read(chunks(dir.path()).pop().unwrap()).unwrap();
    for bit in (0..original.len() * 8).step_by(3) {
        let copy = copy(dir.path());
        let chunk = chunks(copy.path()).pop().unwrap();
        let mut bytes = original.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&chunk, bytes).unwrap();
        let error = Log::open(copy.path(), LogOptions::default()).unwrap_err();
        assert!(error.is_damage(), "bit {bit}: {error}");
    }
}

#[test]
fn a_flipped_bit_above_the_watermark_is_found_when_intact_entries_follow() {
    let dir = written(2, 40);
    let original = fs::read(chunks(dir.path()).pop().unwrap()).unwrap();
    let mut cut = 0;
    for bit in (0..original.len() * 8).step_by(7) {
        let copy = copy(dir.path());
        let chunk = chunks(copy.path()).pop().unwrap();
        let mut bytes = original.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&chunk, bytes).unwrap();
        match Log::open(copy.path(), LogOptions::default()) {
            Err(error) => assert!(error.is_damage(), "bit {bit}: {error}"),
            // Only the last write itself may be taken for an unfinished one.
            Ok(log) => {
                assert_eq!(log.state().last, Some(id(1, 38)), "bit {bit}");
                cut += 1;
            }
        }
    }
    assert!(cut > 0);
}

#[test]
fn a_missing_or_damaged_watermark_is_refused() {
    let dir = written(3, 3);
    let path = dir.path().join("watermark");
    fs::write(&path, vec![7; 1024]).unwrap();
    assert!(Log::open(dir.path(), LogOptions::default()).unwrap_err().is_damage());
    fs::remove_file(&path).unwrap();
    let error = Log::open(dir.path(), LogOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::WatermarkMissing { .. }) && error.is_damage());
}

#[test]
fn a_vote_that_went_back_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.save_vote(Vote { term: 1, voted_for: Some(1), committed: false }).unwrap();
    drop(log);
    let before = copy(dir.path());
    open(dir.path()).save_vote(Vote { term: 5, voted_for: Some(1), committed: false }).unwrap();
    // The watermark follows a vote at once, so an older log beside it is noticed.
    fs::copy(dir.path().join("watermark"), before.path().join("watermark")).unwrap();
    assert!(Log::open(before.path(), LogOptions::default()).unwrap_err().is_damage());
}

#[test]
fn what_is_held_back_is_readable_not_called_back_and_lost_with_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(FlushGate::default());
    let log =
        Log::open(dir.path(), LogOptions { flush_gate: Some(Arc::clone(&gate)), ..LogOptions::default() })
            .unwrap();
    let (sender, acks) = sync_channel(1000);
    append_watched(&log, entries(1, 0..3), &sender);
    assert_eq!(acks.recv(), Ok((2, true)));
    gate.hold();
    append_watched(&log, entries(1, 3..6), &sender);
    gate.wait_until_holding();
    assert_eq!(read_all(&log), entries(1, 0..6));
    assert!(acks.try_recv().is_err());
    gate.release();
    assert_eq!(acks.recv(), Ok((5, true)));
    gate.hold();
    append_watched(&log, entries(1, 6..9), &sender);
    gate.wait_until_holding();
    drop(log);
    assert!(acks.try_recv().is_err());
    assert_eq!(read_all(&open(dir.path())), entries(1, 0..6));
}

#[test]
fn a_lost_log_can_be_opened_again_while_old_handles_live() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(FlushGate::default());
    let log =
        Log::open(dir.path(), LogOptions { flush_gate: Some(Arc::clone(&gate)), ..LogOptions::default() })
            .unwrap();
    append(&log, entries(1, 0..3));
    gate.hold();
    log.append(entries(1, 3..4), Box::new(|_| {})).unwrap();
    gate.wait_until_holding();
    gate.lose();
    let reopened = loop {
        match Log::open(dir.path(), LogOptions::default()) {
            Ok(log) => break log,
            Err(OpenError::Io { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(read_all(&reopened), entries(1, 0..3));
    assert!(log.append(entries(1, 4..5), Box::new(|_| {})).is_err());
}

#[test]
fn the_first_failed_write_ends_the_log_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let fatal = Arc::new(Mutex::new(Vec::new()));
    let recorder = Arc::clone(&fatal);
    let options = LogOptions {
        chunk_bytes_max: 4096,
        on_fatal: Some(Arc::new(move |error| recorder.lock().unwrap().push(error.to_string()))),
        ..LogOptions::default()
    };
    let log = Log::open(dir.path(), options).unwrap();
    append(&log, entries(1, 0..2));
    // The next file cannot be made.
    fs::rename(dir.path().join("log"), dir.path().join("elsewhere")).unwrap();
    let (sender, acks) = sync_channel(1000);
    append_watched(&log, entries(1, 2..200), &sender);
    assert_eq!(acks.recv(), Ok((199, false)));
    while fatal.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert!(matches!(log.append(entries(1, 200..201), Box::new(|_| {})), Err(LogError::Failed { .. })));
    assert!(matches!(log.read(0, 1, 1), Err(LogError::Failed { .. })));
    drop(log);
    let fatal = fatal.lock().unwrap();
    assert_eq!(fatal.len(), 1);
    assert!(fatal[0].contains(dir.path().join("log").to_str().unwrap()), "the file is named: {fatal:?}");
}

#[test]
fn what_is_above_the_watermark_is_written_again_when_the_log_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        LogOptions { watermark_interval_ms: 3_600_000, chunk_bytes_max: 4096, ..LogOptions::default() };
    let log = Log::open(dir.path(), options).unwrap();
    append(&log, entries(1, 0..200));
    // As a kill leaves it: a log that is closed writes its watermark.
    let killed = tempfile::tempdir().unwrap();
    fs::create_dir(killed.path().join("log")).unwrap();
    fs::copy(dir.path().join("watermark"), killed.path().join("watermark")).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let mut copies = Vec::new();
    for file in fs::read_dir(dir.path().join("log")).unwrap() {
        let file = file.unwrap();
        let copy = killed.path().join("log").join(file.file_name());
        fs::copy(file.path(), &copy).unwrap();
        let opened = fs::OpenOptions::new().write(true).open(&copy).unwrap();
        opened.set_modified(long_ago).unwrap();
        copies.push((copy, fs::read(file.path()).unwrap()));
    }
    assert!(copies.len() > 2);
    let reopened = Log::open(killed.path(), LogOptions::default()).unwrap();
    assert_eq!(read_all(&reopened), entries(1, 0..200));
    for (copy, bytes) in copies.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        assert_eq!(fs::read(&copy).unwrap(), bytes);
        assert_ne!(fs::metadata(&copy).unwrap().modified().unwrap(), long_ago, "{}", copy.display());
    }
}

#[test]
fn readers_see_whole_ranges_while_a_writer_appends_cuts_and_purges() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { chunk_bytes_max: 8192, cache_bytes_max: 1024, ..LogOptions::default() };
    let log = Log::open(dir.path(), options).unwrap();
    let reader = log.clone();
    let (stop, stopped): (_, Acks) = sync_channel(1000);
    let thread = std::thread::spawn(move || {
        let mut reads = 0;
        while stopped.try_recv().is_err() {
            let state = reader.state();
            let from = state.last_purged.map_or(0, |id| id.index + 1);
            let read = reader.read(from, u64::MAX, 4096).unwrap();
            for (pair, (id, bytes)) in read.windows(2).zip(&read) {
                assert_eq!(pair[1].0.index, pair[0].0.index + 1);
                assert_eq!(*bytes, entry(id.term, id.index).1);
            }
            reads += 1;
        }
        reads
    });
    let mut next = 0;
    for term in 1..150 {
        log.append(entries(term, next..next + 20), Box::new(|_| {})).unwrap();
        let (keep, _) = log.read(next + 9, next + 10, 1).unwrap().remove(0);
        log.truncate_after(Some(keep)).unwrap();
        next += 10;
        if term % 10 == 0 {
            let (upto, _) = log.read(next - 50, next - 49, 1).unwrap().remove(0);
            log.purge(upto).unwrap();
        }
    }
    log.sync().unwrap();
    stop.send((0, true)).unwrap();
    assert!(thread.join().unwrap() > 0);
}
