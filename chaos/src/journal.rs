//! Objects on disk: a file of JSON lines, one per change, appended before a change is answered.
//!
//! It survives a kill of the process, not a loss of power: nothing is fsynced. A torn last line is a change that
//! was never answered, and is cut off.

use crate::object::Object;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;
/// A file smaller than this is not worth a rewrite.
const REWRITE_BYTES_MIN: u64 = 64 * 1024 * 1024;
const FILE: &str = "objects.jsonl";
const LOCK: &str = "lock";

/// How a line of an object that was there before the first change of the file is marked.
pub(crate) const BASE: &str = "BASE";

/// The first line: what is known of the time before the file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: u32,
    floor: u64,
}

#[derive(Deserialize)]
struct Line<'a> {
    kind: &'a str,
    change: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// One line, read back.
pub(crate) struct Entry {
    /// As of [`Kind::filed_name`](crate::kind::Kind::filed_name).
    pub(crate) kind: String,
    /// [`BASE`], or the change as a watch names it.
    pub(crate) change: String,
    /// The object as JSON.
    pub(crate) body: Bytes,
}

/// The open file; it is locked against a second process.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    file: File,
    bytes: u64,
    /// The size after the last rewrite.
    bytes_rewritten: u64,
    /// After a write that failed half-way the rest of the file would not be read back.
    is_torn: bool,
    _lock: File,
}

impl Journal {
    /// Opens or makes the journal in `dir` and hands what is in it to `read`, after the floor of its versions.
    ///
    /// # Errors
    /// Those of `read`; the directory cannot be used, is in use ([`io::ErrorKind::WouldBlock`]), or holds something else
    /// ([`io::ErrorKind::InvalidData`]).
    pub(crate) fn open(
        dir: &Path,
        mut read: impl FnMut(u64, Option<Entry>) -> io::Result<()>,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let lock = File::create(dir.join(LOCK))?;
        lock.try_lock()?;
        let path = dir.join(FILE);
        if !path.exists() {
            rewritten(dir, 0, std::iter::empty())?;
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let end = load(&file, &mut read)?;
        file.set_len(end)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { dir: dir.to_owned(), file, bytes: end, bytes_rewritten: 0, is_torn: false, _lock: lock })
    }

    /// Appends one change.
    ///
    /// # Errors
    /// It is not on file, and no later one will be.
    pub(crate) fn append(&mut self, change: &str, object: &Object) -> io::Result<()> {
        if self.is_torn {
            return Err(io::Error::other("an earlier write to the journal failed"));
        }
        let line = line(change, object);
        let written = self.file.write_all(&line);
        self.is_torn = written.is_err();
        self.bytes += line.len() as u64;
        written
    }

    /// Whether most of the file is of no use any more.
    pub(crate) fn is_due_for_rewrite(&self) -> bool {
        self.bytes > REWRITE_BYTES_MIN + 3 * self.bytes_rewritten
    }

    /// Replaces the file by one that knows nothing of changes up to `floor`, and holds `lines` in this order.
    ///
    /// # Errors
    /// The old file is still there, and in use.
    pub(crate) fn rewrite<'a>(
        &mut self,
        floor: u64,
        lines: impl Iterator<Item = (&'static str, &'a Object)>,
    ) -> io::Result<()> {
        let mut file = rewritten(&self.dir, floor, lines)?;
        self.bytes = file.stream_position()?;
        self.bytes_rewritten = self.bytes;
        self.file = file;
        self.is_torn = false;
        Ok(())
    }
}

fn line(change: &str, object: &Object) -> Vec<u8> {
    let head = format!(r#"{{"kind":"{}","change":"{change}","object":"#, object.kind.filed_name());
    [head.as_bytes(), &object.body, b"}\n"].concat()
}

fn rewritten<'a>(
    dir: &Path,
    floor: u64,
    lines: impl Iterator<Item = (&'static str, &'a Object)>,
) -> io::Result<File> {
    let new = dir.join("objects.jsonl.new");
    let mut out = BufWriter::new(File::create(&new)?);
    serde_json::to_writer(&mut out, &Head { format: FORMAT, floor })?;
    out.write_all(b"\n")?;
    for (change, object) in lines {
        out.write_all(&line(change, object))?;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    fs::rename(new, dir.join(FILE))?;
    Ok(file)
}

/// Reads all whole lines; answers where they end.
fn load(file: &File, read: &mut impl FnMut(u64, Option<Entry>) -> io::Result<()>) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut text = Vec::new();
    let mut end = reader.read_until(b'\n', &mut text)? as u64;
    let head: Head = serde_json::from_slice(&text)?;
    if head.format != FORMAT {
        let message = format!("the journal has format {}, this program reads {FORMAT}", head.format);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    read(head.floor, None)?;
    loop {
        text.clear();
        let length = reader.read_until(b'\n', &mut text)?;
        if text.last() != Some(&b'\n') {
            return Ok(end);
        }
        read(head.floor, Some(entry(&text)?))?;
        end += length as u64;
    }
}

fn entry(text: &[u8]) -> io::Result<Entry> {
    let line: Line<'_> = serde_json::from_slice(text)?;
    let body = Bytes::copy_from_slice(line.object.get().as_bytes());
    Ok(Entry { kind: line.kind.to_owned(), change: line.change.to_owned(), body })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::kind::Kind;
    use serde_json::json;

    fn object(version: u64) -> Object {
        Object::new(&Kind::ConfigMap, json!({"metadata": {"name": "a", "namespace": "n"}}), version).unwrap()
    }

    fn versions(dir: &Path) -> (Journal, Vec<u64>) {
        let mut versions = Vec::new();
        let journal = Journal::open(dir, |_, entry| {
            let Some(entry) = entry else { return Ok(()) };
            assert_eq!(entry.kind, "configmaps");
            versions.push(Object::from_body(&Kind::ConfigMap, entry.body)?.version);
            Ok(())
        })
        .unwrap();
        (journal, versions)
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = versions(dir.path());
        journal.append("ADDED", &object(1)).unwrap();
        journal.file.write_all(b"{\"kind\":\"conf").unwrap();
        drop(journal);
        let (mut journal, found) = versions(dir.path());
        assert_eq!(found, [1]);
        journal.append("MODIFIED", &object(2)).unwrap();
        drop(journal);
        assert_eq!(versions(dir.path()).1, [1, 2]);
    }

    #[test]
    fn a_directory_that_is_in_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (_journal, _) = versions(dir.path());
        let second = Journal::open(dir.path(), |_, _| Ok(())).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
    }
}
