//! What may be on disk if power is lost after some operation of a recording.
//!
//! - Data: whatever an fsync or fdatasync of its file covers is there. Of what was written later each sector of 512
//!   bytes is as it was after any of the later writes to its file, or still as at the sync: any subset of the writes,
//!   in any order, torn anywhere. A file may be as long as it was at any of those points, with zeros where nothing
//!   arrived.
//! - Names: in the order in which they were made, renamed and removed, as a journal keeps them, up to any point
//!   behind the last one whose directory was synced. An fsync of a file says nothing of its name.

use crate::oracle::Numbers;
use crate::recording::{Done, Inode, Op};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const SECTOR_BYTES: usize = 512;

/// How what was not synced is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All of it, but for the end of the last write.
    InOrder,
    /// None of it.
    SyncedOnly,
    /// Any of it.
    Any,
}

/// The contents of a file over a recording, from its last sync on.
#[derive(Default)]
struct File {
    versions: Vec<Vec<u8>>,
    /// The line at which each version was there.
    at: Vec<usize>,
    last: Option<(usize, usize)>,
}

/// Writes one state into a folder: what may be there if power was lost when `count` operations had ended.
pub(crate) fn write_state(done: &[Done], count: usize, mode: Mode, numbers: &mut Numbers, dir: &Path) {
    let done = &done[..count];
    let names = names(done, mode, numbers);
    let mut files: BTreeMap<Inode, File> = BTreeMap::new();
    for one in done {
        match &one.op {
            Op::Write { inode, at, bytes } => {
                let file = files.entry(*inode).or_default();
                let mut content = file.versions.last().cloned().unwrap_or_default();
                content.resize(content.len().max(at + bytes.len()), 0);
                content[*at..at + bytes.len()].copy_from_slice(bytes);
                file.push(content, one.ended);
                file.last = Some((*at, bytes.len()));
            }
            Op::Truncate { inode, length } => {
                let file = files.entry(*inode).or_default();
                let mut content = file.versions.last().cloned().unwrap_or_default();
                content.resize(*length, 0);
                file.push(content, one.ended);
                file.last = None;
            }
            Op::Sync { inode } => {
                let file = files.entry(*inode).or_default();
                // Whatever had ended before the sync began.
                let covered = file.at.iter().filter(|at| **at < one.began).count();
                file.versions.drain(..covered.saturating_sub(1));
                file.at.drain(..covered.saturating_sub(1));
                if covered > 0 {
                    file.at[0] = 0;
                }
            }
            Op::Name { .. } | Op::Dir { .. } | Op::SyncDir { .. } | Op::Mark { .. } => {}
        }
    }
    let last_write = done.iter().rev().find_map(|one| match one.op {
        Op::Write { inode, .. } | Op::Truncate { inode, .. } | Op::Sync { inode } => Some(inode),
        _ => None,
    });
    for path in names.dirs {
        fs::create_dir_all(dir.join(path)).unwrap();
    }
    for (path, inode) in names.files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = files.entry(inode).or_default();
        fs::write(path, file.content(mode, last_write == Some(inode), numbers)).unwrap();
    }
}

impl File {
    fn push(&mut self, content: Vec<u8>, ended: usize) {
        if self.versions.is_empty() {
            // Empty and there: nothing of it is synced yet.
            self.versions.push(Vec::new());
            self.at.push(0);
        }
        self.versions.push(content);
        self.at.push(ended);
    }

    fn content(&self, mode: Mode, is_last: bool, numbers: &mut Numbers) -> Vec<u8> {
        let Some(newest) = self.versions.last() else { return Vec::new() };
        match mode {
            Mode::SyncedOnly => self.versions[0].clone(),
            Mode::InOrder => match self.last.filter(|_| is_last && self.versions.len() > 1) {
                Some((at, length)) => {
                    // The last write, up to any of its bytes, over what was there before.
                    let cut = at + numbers.below(length as u64 + 1) as usize;
                    let before = &self.versions[self.versions.len() - 2];
                    let mut content = newest[..cut].to_vec();
                    content.extend_from_slice(before.get(cut..).unwrap_or_default());
                    content
                }
                None => newest.clone(),
            },
            Mode::Any => {
                let count = self.versions.len() as u64;
                let length = self.versions[numbers.below(count) as usize].len();
                let mut content = vec![0; length];
                for start in (0..length).step_by(SECTOR_BYTES) {
                    let version = &self.versions[numbers.below(count) as usize];
                    let end = version.len().min(length).min(start + SECTOR_BYTES);
                    if start < end {
                        content[start..end].copy_from_slice(&version[start..end]);
                    }
                }
                content
            }
        }
    }
}

struct Names {
    dirs: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Inode>,
}

fn names(done: &[Done], mode: Mode, numbers: &mut Numbers) -> Names {
    let is_name = |one: &&Done| matches!(one.op, Op::Name { .. } | Op::Dir { .. });
    let all: Vec<&Done> = done.iter().filter(is_name).collect();
    let synced =
        all.iter().rposition(|name| done.iter().any(|one| one.began > name.ended && covers(one, name)));
    let least = synced.map_or(0, |last| last + 1);
    let count = match mode {
        Mode::InOrder => all.len(),
        Mode::SyncedOnly => least,
        Mode::Any => least + numbers.below((all.len() - least) as u64 + 1) as usize,
    };
    let mut names = Names { dirs: Vec::new(), files: BTreeMap::new() };
    for one in &all[..count] {
        match &one.op {
            Op::Dir { path } => names.dirs.push(path.clone()),
            Op::Name { path, inode: Some(inode) } => drop(names.files.insert(path.clone(), *inode)),
            Op::Name { path, inode: None } => drop(names.files.remove(path)),
            _ => {}
        }
    }
    names
}

/// True if a sync makes a name durable.
fn covers(sync: &Done, name: &Done) -> bool {
    match (&sync.op, &name.op) {
        (Op::SyncDir { path: dir }, Op::Name { path, .. } | Op::Dir { path }) => path.parent() == Some(dir),
        _ => false,
    }
}
