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

/// The length of what is in a file of the log: zeros follow it.
fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}

fn flip(path: &Path, bit: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[bit as usize / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    paths.sort();
    paths
}

/// In memory if that is possible: thousands are opened, each with many fsyncs.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    fs::create_dir(to.path().join("log")).unwrap();
    for path in segments(from).into_iter().chain([from.join("watermark")]) {
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
    for index in covered..all {
        append(&log, vec![entry(1, index)]);
    }
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
    let options = || LogOptions { segment_bytes_max: 4096, cache_bytes_max: 1024, ..LogOptions::default() };
    let log = Log::open(dir.path(), options()).unwrap();
    for index in 0..300 {
        append(&log, vec![entry(1, index)]);
    }
    assert!(segments(dir.path()).len() > 10);
    assert_eq!(read_all(&log), entries(1, 0..300));
    assert_eq!(log.read(17, 300, 250).unwrap(), entries(1, 17..19));
    assert_eq!(log.read(17, 300, 1).unwrap(), entries(1, 17..18));
    let before = segments(dir.path()).len();
    log.purge(id(1, 250)).unwrap();
    log.sync().unwrap();
    drop(log);
    assert!(segments(dir.path()).len() < before);
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
    let whole = used(&segments(dir.path())[0]);
    let covered = used(&segments(written(5, 5).path())[0]);
    for len in covered..whole {
        for zeroed in [false, true] {
            let copy = copy(dir.path());
            let segment = segments(copy.path()).remove(0);
            let mut bytes = fs::read(&segment).unwrap();
            if zeroed {
                bytes[len as usize..].fill(0);
            } else {
                bytes.truncate(len as usize);
            }
            fs::write(&segment, bytes).unwrap();
            let log = open(copy.path());
            let kept = log.state().last.unwrap().index + 1;
            assert!((5..8).contains(&kept), "{len}: {kept}");
            // It goes on where it was cut.
            append(&log, entries(2, kept..kept + 2));
            drop(log);
            let expected: Vec<_> =
                entries(1, 0..kept).into_iter().chain(entries(2, kept..kept + 2)).collect();
            assert_eq!(read_all(&open(copy.path())), expected);
        }
    }
}

#[test]
fn blocks_of_one_flush_that_reached_the_disk_out_of_order_are_cut_and_stay_cut() {
    let dir = written(5, 5);
    let watermark = fs::read(dir.path().join("watermark")).unwrap();
    let log = open(dir.path());
    let covered = used(&segments(dir.path())[0]) as usize;
    append(&log, entries(1, 5..40));
    drop(log);
    fs::write(dir.path().join("watermark"), watermark).unwrap();
    let segment = segments(dir.path()).remove(0);
    let whole = used(&segment) as usize;
    for from in (covered..whole - 512).step_by(101) {
        let copy = copy(dir.path());
        let segment = segments(copy.path()).remove(0);
        let mut bytes = fs::read(&segment).unwrap();
        bytes[from..from + 512].fill(0);
        fs::write(&segment, bytes).unwrap();
        let log = open(copy.path());
        let kept = log.state().last.unwrap().index + 1;
        assert!((5..40).contains(&kept), "{from}: {kept}");
        // One that ends where an intact record of the lost flush began must not bring it back.
        append(&log, entries(1, kept..kept + 1));
        drop(log);
        assert_eq!(read_all(&open(copy.path())), entries(1, 0..kept + 1));
    }
}

#[test]
fn a_new_file_that_was_not_begun_says_nothing_and_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = || LogOptions { segment_bytes_max: 4096, ..LogOptions::default() };
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
    let all = segments(dir.path());
    let first = fs::read(all.last().unwrap()).unwrap();
    for beginning in (0..64).step_by(7).map(|length| first[..length].to_vec()).chain([vec![0; 4096]]) {
        let copy = copy(dir.path());
        let segments = segments(copy.path());
        fs::write(segments.last().unwrap(), beginning).unwrap();
        let log = Log::open(copy.path(), options()).unwrap();
        let kept = log.state().last.unwrap().index + 1;
        assert!((20..60).contains(&kept));
        append(&log, entries(2, kept..kept + 30));
        drop(log);
        let expected: Vec<_> = entries(1, 0..kept).into_iter().chain(entries(2, kept..kept + 30)).collect();
        assert_eq!(read_all(&Log::open(copy.path(), options()).unwrap()), expected);
        // The file before it was on disk when it was made.
        let [.., before, _] = segments.as_slice() else { panic!("too few files") };
        flip(before, 8 * used(before) - 5);
        fs::write(copy.path().join("watermark"), &watermark).unwrap();
        assert!(Log::open(copy.path(), options()).unwrap_err().is_damage());
    }
    // The same below the watermark is damage.
    drop(Log::open(dir.path(), options()).unwrap());
    fs::write(all.last().unwrap(), []).unwrap();
    assert!(Log::open(dir.path(), options()).unwrap_err().is_damage());
}

#[test]
fn a_log_that_ends_below_the_watermark_is_refused_and_is_left_as_it_is() {
    let dir = written(8, 8);
    for len in 0..used(&segments(dir.path())[0]) {
        let copy = copy(dir.path());
        let segment = segments(copy.path()).remove(0);
        let mut bytes = fs::read(&segment).unwrap();
        bytes.truncate(len as usize);
        fs::write(&segment, &bytes).unwrap();
        let error = Log::open(copy.path(), LogOptions::default()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }) && error.is_damage(), "{len}: {error}");
        assert_eq!(fs::read(&segment).unwrap(), bytes);
    }
    for segment in segments(dir.path()) {
        fs::remove_file(segment).unwrap();
    }
    let error = Log::open(dir.path(), LogOptions::default()).unwrap_err();
    assert!(error.is_damage(), "{error}");
}

#[test]
fn a_flipped_bit_below_the_watermark_is_found() {
    let dir = written(6, 6);
    for bit in (0..used(&segments(dir.path())[0]) * 8).step_by(3) {
        let copy = copy(dir.path());
        flip(&segments(copy.path())[0], bit);
        let error = Log::open(copy.path(), LogOptions::default()).unwrap_err();
        assert!(error.is_damage(), "bit {bit}: {error}");
    }
}

#[test]
fn a_flipped_bit_above_the_watermark_is_found_when_a_later_flush_follows() {
    let dir = written(2, 40);
    let mut cut = 0;
    for bit in (0..used(&segments(dir.path())[0]) * 8).step_by(7) {
        let copy = copy(dir.path());
        flip(&segments(copy.path())[0], bit);
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
fn a_record_that_was_put_elsewhere_is_found_even_where_one_of_the_same_length_was() {
    let dir = written(10, 10);
    let segment = segments(dir.path()).remove(0);
    let bytes = fs::read(&segment).unwrap();
    let begin = |bytes: &[u8]| -> Vec<usize> {
        (0..bytes.len() - 4).filter(|at| &bytes[*at..at + 4] == b"TLYM").collect()
    };
    let places = begin(&bytes);
    let [.., first, second, third] = places.as_slice() else { panic!("too few records") };
    assert_eq!(second - first, third - second);
    let mut swapped = bytes.clone();
    swapped[*first..*second].copy_from_slice(&bytes[*second..*third]);
    swapped[*second..*third].copy_from_slice(&bytes[*first..*second]);
    fs::write(&segment, swapped).unwrap();
    let error = Log::open(dir.path(), LogOptions::default()).unwrap_err();
    assert!(error.is_damage() && error.to_string().contains("belongs to byte"), "{error}");
}

#[test]
fn an_entry_that_is_damaged_while_the_log_is_open_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { cache_bytes_max: 0, ..LogOptions::default() };
    let log = Log::open(dir.path(), options).unwrap();
    append(&log, entries(1, 0..10));
    assert_eq!(read_all(&log), entries(1, 0..10));
    let segment = segments(dir.path()).remove(0);
    flip(&segment, 8 * (used(&segment) - 20));
    let error = log.read(9, 10, 1).unwrap_err();
    assert!(matches!(&error, LogError::Read { index: 9, message } if message.contains(".wal")), "{error}");
    assert_eq!(log.read(0, 9, usize::MAX).unwrap(), entries(1, 0..9));
}

#[test]
fn an_entry_that_is_longer_than_a_file_has_one_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let options = || LogOptions { segment_bytes_max: 4096, cache_bytes_max: 0, ..LogOptions::default() };
    let log = Log::open(dir.path(), options()).unwrap();
    let long = |index| (id(1, index), vec![index as u8; 3_000_000]);
    append(&log, vec![entry(1, 0), long(1), entry(1, 2), long(3), long(4)]);
    let expected = vec![entry(1, 0), long(1), entry(1, 2), long(3), long(4)];
    assert_eq!(segments(dir.path()).len(), 5);
    assert_eq!(read_all(&log), expected);
    drop(log);
    let log = Log::open(dir.path(), options()).unwrap();
    assert_eq!(read_all(&log), expected);
    append(&log, entries(1, 5..7));
    log.purge(id(1, 4)).unwrap();
    log.sync().unwrap();
    assert_eq!(segments(dir.path()).len(), 1);
    assert_eq!(read_all(&log), entries(1, 5..7));
}

#[test]
fn a_log_of_the_older_format_is_refused_with_what_to_do_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("log")).unwrap();
    fs::write(dir.path().join("log/r-00_000_000_000_000_000_000.wal"), b"x").unwrap();
    let error = Log::open(dir.path(), LogOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::OlderFormat { .. }) && !error.is_damage(), "{error}");
    assert!(error.to_string().contains("take a backup with that build"), "{error}");
    assert!(!dir.path().join("watermark").exists());
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
        segment_bytes_max: 4096,
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
        LogOptions { watermark_interval_ms: 3_600_000, segment_bytes_max: 4096, ..LogOptions::default() };
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
    for (copy, bytes) in copies {
        assert_eq!(fs::read(&copy).unwrap(), bytes);
        assert_ne!(fs::metadata(&copy).unwrap().modified().unwrap(), long_ago, "{}", copy.display());
    }
}

#[test]
fn readers_see_whole_ranges_while_a_writer_appends_cuts_and_purges() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes_max: 8192, cache_bytes_max: 1024, ..LogOptions::default() };
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
