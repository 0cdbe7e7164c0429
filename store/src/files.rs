//! Files: the seam to disks, and operations whose order of syncs must be right.
//!
//! Whatever is kept on disk is reached through a [`DiskPath`], which says where, and on which [`Disk`]: the machine's
//! own, or one that a test makes up, which loses what was not synced, tears writes, and refuses them. Only sled knows
//! no other disk than the machine's.

mod disk;
mod path;
mod real;
mod steady;

pub use disk::{Disk, DiskFile, Open};
pub use path::DiskPath;
pub use real::sync_all;
pub(crate) use steady::Reading;
pub use steady::Steady;

use std::ffi::OsStr;
use std::io;

/// The ending of a file that is not complete yet; such files are removed when their directory is opened.
pub(crate) const UNFINISHED: &str = "unfinished";

/// Puts `bytes` under `path`, whole or not at all: written aside, fsynced, renamed, directory fsynced.
///
/// # Errors
/// The file system refused; what was there before still is.
pub fn write_whole(path: &DiskPath, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension(UNFINISHED);
    let file = aside.open(Open::Emptied)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    publish(&aside, path)
}

/// Gives a complete, fsynced file its name, durably.
pub(crate) fn publish(aside: &DiskPath, path: &DiskPath) -> io::Result<()> {
    aside.rename(path)?;
    match path.parent() {
        Some(dir) => dir.sync_dir(),
        None => Ok(()),
    }
}

/// Makes `dir` if it is not there, and removes what was left unfinished in it.
pub(crate) fn prepare_dir(dir: &DiskPath) -> io::Result<()> {
    if !dir.exists() {
        dir.make_dir()?;
        if let Some(parent) = dir.parent() {
            parent.sync_dir()?;
        }
    }
    for path in dir.list()? {
        if path.extension() == Some(OsStr::new(UNFINISHED)) {
            path.remove()?;
        }
    }
    Ok(())
}

/// The numbers of the files called `NUMBER.extension` in `dir`, in order.
pub(crate) fn numbered(dir: &DiskPath, extension: &str) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for path in dir.list()? {
        if path.extension() != Some(OsStr::new(extension)) {
            continue;
        }
        if let Some(number) = path.stem().and_then(|stem| stem.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}
