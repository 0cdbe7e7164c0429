//! The ledger's files, read without changing anything: a replica may be running on them, and an auditor's tool must
//! not repair what it is to find.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use tallyman_model::Digest;
use tallyman_model::ledger::{LedgerRecord, next_hash};

/// The longest line; a record names a bounded number of subjects.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Reads all segments of a ledger directory, computes every hash again, and gives number and hash of the last record.
///
/// # Errors
/// Which record of which file is wrong, in words.
pub(super) fn verify(dir: &Path) -> Result<(u64, Digest), String> {
    let mut state = (0, Digest::default());
    let segments = segments(dir)?;
    if segments.is_empty() {
        return Err("it holds no segments (*.jsonl)".to_owned());
    }
    for (i, path) in segments.iter().enumerate() {
        let is_open = i + 1 == segments.len();
        segment(path, is_open, &mut state).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    Ok(state)
}

fn segments(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(dir).map_err(|error| error.to_string())?;
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

/// Only the last segment may end in an unfinished line: it may be written to right now.
fn segment(path: &Path, is_open: bool, state: &mut (u64, Digest)) -> Result<(), String> {
    let mut reader = BufReader::new(File::open(path).map_err(|error| error.to_string())?);
    let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
    if first != Some(state.0 + 1) {
        return Err(format!("record {} is missing", state.0 + 1));
    }
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        if length == 0 || (is_open && line.last() != Some(&b'\n')) {
            return Ok(());
        }
        if length > LINE_BYTES_MAX {
            return Err(format!("the line of record {} is too long", state.0 + 1));
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

    fn check(text: &str) -> Result<u64, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000000000001.jsonl");
        fs::write(&path, text).unwrap();
        let checked = verify(dir.path()).map(|(len, _)| len);
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing may be changed");
        checked
    }

    #[test]
    fn whole_segments_verify_and_an_unfinished_last_line_is_left_alone() {
        assert_eq!(check(&lines()), Ok(3));
        let unfinished = lines();
        assert_eq!(check(&unfinished[..unfinished.len() - 9]), Ok(2));
    }

    #[test]
    fn a_changed_byte_is_found_and_not_repaired() {
        assert!(check(&lines().replacen("\"dev\"", "\"eve\"", 1)).unwrap_err().contains("record 1"));
        let two: Vec<_> = lines().lines().skip(1).map(|line| format!("{line}\n")).collect();
        assert!(check(&two.concat()).is_err());
    }
}
