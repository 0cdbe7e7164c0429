//! The ledger's files, read without changing anything: a replica may be running on them, and an auditor's tool must
//! not repair what it is to find.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use tallyman_model::Digest;
use tallyman_model::ledger::{LedgerRecord, next_hash};

/// The longest line; a record names a bounded number of subjects.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a ledger is not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It cannot be read, or is not what its hashes were made of.
    Broken(String),
    /// All whole records are right; after them there is a part of one, at the very end.
    Unfinished(String),
    /// There is no record.
    Empty,
}

/// Reads all segments of a ledger directory, computes every hash again, and gives number and hash of the last record.
///
/// # Errors
/// Which record of which file is wrong, in words; an unfinished last record, and a ledger without any, too.
pub(super) fn verify(dir: &Path) -> Result<(u64, Digest), Wrong> {
    let mut state = (0, Digest::default());
    let segments = segments(dir).map_err(Wrong::Broken)?;
    for (i, path) in segments.iter().enumerate() {
        let is_last = i + 1 == segments.len();
        let rest_bytes = segment(path, is_last, &mut state)
            .map_err(|why| Wrong::Broken(format!("{}: {why}", path.display())))?;
        if rest_bytes > 0 {
            let path = path.display();
            let words = format!(
                "{} records are right, but the last {rest_bytes} bytes of {path} are not a whole record",
                state.0
            );
            return Err(Wrong::Unfinished(words));
        }
    }
    if state.0 == 0 { Err(Wrong::Empty) } else { Ok(state) }
}

/// The same of one file that holds the whole ledger, as an export does.
///
/// # Errors
/// As [`verify`].
pub(super) fn verify_file(path: &Path) -> Result<(u64, Digest), Wrong> {
    let mut state = (0, Digest::default());
    let file = File::open(path).map_err(|error| Wrong::Broken(error.to_string()))?;
    let rest_bytes = lines(BufReader::new(file), true, &mut state).map_err(Wrong::Broken)?;
    match (rest_bytes, state.0) {
        (0, 0) => Err(Wrong::Empty),
        (0, _) => Ok(state),
        (bytes, right) => {
            let words =
                format!("{right} records are right, but the last {bytes} bytes are not a whole record");
            Err(Wrong::Broken(words))
        }
    }
}

fn segments(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = match fs::read_dir(dir) {
        // A replica that has nothing to keep yet has no ledger either.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| error.to_string())?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            paths.push(path);
        }
    }
    // Names are the numbers of the first records, with leading zeros.
    paths.sort();
    Ok(paths)
}

/// Reads a segment. Only the last one may end in an unfinished line, as it may be written to right now: how many bytes
/// that line has is returned, 0 for none.
fn segment(path: &Path, is_last: bool, state: &mut (u64, Digest)) -> Result<u64, String> {
    let reader = BufReader::new(File::open(path).map_err(|error| error.to_string())?);
    let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
    if first != Some(state.0 + 1) {
        return Err(format!("record {} is missing", state.0 + 1));
    }
    lines(reader, is_last, state)
}

/// Reads records up to the end; see [`segment`].
fn lines(mut reader: impl BufRead, is_last: bool, state: &mut (u64, Digest)) -> Result<u64, String> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut rest = reader.by_ref().take(LINE_BYTES_MAX + 1);
        let length = rest.read_until(b'\n', &mut line).map_err(|error| error.to_string())? as u64;
        if length > LINE_BYTES_MAX {
            return Err(format!("the line of record {} is too long", state.0 + 1));
        }
        if length == 0 || (is_last && line.last() != Some(&b'\n')) {
            return Ok(length);
        }
        follow(&line, state)?;
    }
}

fn follow(line: &[u8], state: &mut (u64, Digest)) -> Result<(), String> {
    let (before, seq) = (state.1, state.0 + 1);
    let (hash, bytes) = parse(line).ok_or_else(|| format!("the line of record {seq} cannot be read"))?;
    let record: LedgerRecord =
        serde_json::from_slice(bytes).map_err(|error| format!("record {seq} cannot be read: {error}"))?;
    let head = next_hash(&before, bytes);
    if record.seq != seq || head.to_string() != format!("sha256:{hash}") {
        return Err(format!("record {seq} is not what its hash was made of"));
    }
    *state = (seq, head);
    Ok(())
}

/// Hash and record of `{"hash":"...","record":...}`.
fn parse(line: &[u8]) -> Option<(&str, &[u8])> {
    let rest = line.strip_prefix(b"{\"hash\":\"")?.strip_suffix(b"}\n")?;
    let (hash, rest) = rest.split_at_checked(64)?;
    Some((std::str::from_utf8(hash).ok()?, rest.strip_prefix(b"\",\"record\":")?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn lines() -> String {
        let mut head = Digest::default();
        let mut text = String::new();
        for seq in 1..=3 {
            let record = format!(
                r#"{{"seq":{seq},"index":1,"term":1,"leader":"r1","atMs":5,"user":"dev","verb":"submit","detail":"","subjects":[],"subjectsCount":0,"digest":"","revisionBefore":0,"revision":1}}"#
            );
            head = next_hash(&head, record.as_bytes());
            let hash = head.to_string().replace("sha256:", "");
            text.push_str(&format!("{{\"hash\":\"{hash}\",\"record\":{record}}}\n"));
        }
        text
    }

    fn check(bytes: impl AsRef<[u8]>) -> Result<u64, Wrong> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000000000001.jsonl");
        fs::write(&path, &bytes).unwrap();
        let checked = verify(dir.path()).map(|(len, _)| len);
        assert_eq!(fs::read(&path).unwrap(), bytes.as_ref(), "nothing may be changed");
        checked
    }

    fn broken(checked: Result<u64, Wrong>) -> String {
        match checked {
            Err(Wrong::Broken(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn unfinished(checked: Result<u64, Wrong>) -> String {
        match checked {
            Err(Wrong::Unfinished(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whole_segments_verify() {
        assert_eq!(check(lines()), Ok(3));
    }

    #[test]
    fn a_cut_tail_is_told_with_its_length_and_left_alone() {
        let lines = lines();
        let last = lines.lines().last().unwrap().len();
        let why = unfinished(check(&lines[..lines.len() - 9]));
        assert!(why.starts_with("2 records are right, but the last "), "{why}");
        assert!(why.contains(&format!("the last {} bytes of ", last + 1 - 9)), "{why}");
        assert!(unfinished(check(&lines[..5])).starts_with("0 records are right, but the last 5 bytes of "));
    }

    #[test]
    fn a_flipped_last_byte_is_found() {
        let mut lines = lines().into_bytes();
        let last = lines.len() - 1;
        lines[last] ^= 1;
        assert!(unfinished(check(&lines)).starts_with("2 records are right"));
        lines[last] ^= 1;
        lines[last - 1] ^= 1;
        assert!(broken(check(&lines)).contains("the line of record 3 cannot be read"));
    }

    #[test]
    fn a_changed_byte_is_found_and_not_repaired() {
        assert!(broken(check(lines().replacen("\"dev\"", "\"eve\"", 1))).contains("record 1"));
        let two: Vec<_> = lines().lines().skip(1).map(|line| format!("{line}\n")).collect();
        broken(check(two.concat()));
    }

    #[test]
    fn nothing_is_not_verified() {
        assert_eq!(check(""), Err(Wrong::Empty));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(verify(dir.path()), Err(Wrong::Empty));
        assert_eq!(verify(&dir.path().join("ledger")), Err(Wrong::Empty));
    }
}
