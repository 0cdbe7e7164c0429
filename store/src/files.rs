//! File operations whose order of syncs must be right.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The ending of a file that is not complete yet; such files are removed when their directory is opened.
pub(crate) const UNFINISHED: &str = "unfinished";

/// Bytes of a long file that wait to be synced at most.
const UNSYNCED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A long file that is written beside others: it is synced every few MiB, so that who syncs another file of the same
/// disk waits for no more than these.
#[derive(Debug)]
pub struct Steady {
    file: File,
    unsynced_bytes: usize,
}

impl Steady {
    /// Writes on where `file` is.
    #[must_use]
    pub fn over(file: File) -> Self {
        Self { file, unsynced_bytes: 0 }
    }

    /// Writes all of `bytes` at `offset`, wherever it is.
    ///
    /// # Errors
    /// The file system refused; part of it may be written.
    pub fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)?;
        self.wrote(bytes.len())
    }

    fn wrote(&mut self, bytes: usize) -> io::Result<()> {
        self.unsynced_bytes += bytes;
        if self.unsynced_bytes >= UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced_bytes = 0;
        }
        Ok(())
    }

    /// Makes everything durable, its length included.
    ///
    /// # Errors
    /// The file system refused: what is durable is not known.
    pub fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.wrote(written)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Puts `bytes` under `path`, whole or not at all: written aside, fsynced, renamed, directory fsynced.
///
/// # Errors
/// The file system refused; what was there before still is.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension(UNFINISHED);
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    publish(&aside, path)
}

/// Gives a complete, fsynced file its name, durably.
pub(crate) fn publish(aside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(aside, path)?;
    match path.parent() {
        Some(dir) => sync_dir(dir),
        None => Ok(()),
    }
}

/// Makes what was created, renamed or removed in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes `dir` if it is not there, and removes what was left unfinished in it.
pub(crate) fn prepare_dir(dir: &Path) -> io::Result<()> {
    if !dir.is_dir() {
        fs::create_dir_all(dir)?;
        if let Some(parent) = dir.parent() {
            sync_dir(parent)?;
        }
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new(UNFINISHED)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Listings of a directory that may be out of date, of which the last must be right.
const LISTINGS_MAX: usize = 64;

/// Makes all that is in `dir` durable.
///
/// # Errors
/// The file system refused: what is durable is not known.
pub fn sync_all(dir: &Path) -> io::Result<()> {
    // A database renames and removes files of its own accord; what was listed under an old name must be synced too.
    for _ in 1..LISTINGS_MAX {
        match sync_listed(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
    }
    sync_listed(dir)
}

fn sync_listed(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    sync_dir(dir)
}

/// The numbers of the files called `NUMBER.extension` in `dir`, in order.
pub(crate) fn numbered(dir: &Path, extension: &str) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new(extension)) {
            continue;
        }
        if let Some(number) = path.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    #[test]
    fn files_that_are_renamed_meanwhile_do_not_keep_a_directory_from_being_synced() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("snap.1.generating"), dir.path().join("snap.1"));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fs::write(&one, []).unwrap();
                    thread::yield_now();
                    fs::rename(&one, &other).unwrap();
                }
            });
            let synced: io::Result<()> = (0..500).try_for_each(|_| sync_all(dir.path()));
            done.store(true, Ordering::Relaxed);
            synced.unwrap();
        });
    }
}
