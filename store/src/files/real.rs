//! The machine's own disks.

use super::{Disk, DiskFile, Open};
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, statvfs};
use std::any::Any;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Zeros that are written at once where blocks cannot be taken otherwise.
const PIECE_BYTES: usize = 1024 * 1024;
/// Listings of a directory that may be out of date, of which the last must be right.
const LISTINGS_MAX: usize = 64;

/// The machine's own disks.
#[derive(Debug)]
pub(super) struct Real;

impl Real {
    /// All paths on them share it, so that they can be compared.
    pub(super) fn shared() -> Arc<dyn Disk> {
        static REAL: OnceLock<Arc<dyn Disk>> = OnceLock::new();
        Arc::clone(REAL.get_or_init(|| Arc::new(Self)))
    }
}

impl Disk for Real {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != Open::Reading);
        match how {
            Open::Reading | Open::Existing => &mut options,
            Open::New => options.create_new(true),
            Open::Emptied => options.create(true).truncate(true),
            Open::Kept => options.create(true).truncate(false),
        };
        Ok(Arc::new(options.open(path)?))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let lock = File::create(path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(lock))
    }

    fn available(&self, dir: &Path) -> io::Result<u64> {
        let found = statvfs(dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn boot(&self) -> String {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_or_else(|_| String::new(), |id| id.trim().to_owned())
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let held = self.metadata()?.len();
        match fallocate(self, FallocateFlags::empty(), 0, len) {
            Err(rustix::io::Errno::OPNOTSUPP) => fill(self, held, len),
            taken => Ok(taken?),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        Self::sync_all(self)
    }
}

fn fill(file: &File, mut from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE_BYTES];
    while from < to {
        let piece = zeros.get(..usize::try_from(to - from).unwrap_or(PIECE_BYTES)).unwrap_or(&zeros);
        FileExt::write_all_at(file, piece, from)?;
        from += piece.len() as u64;
    }
    Ok(())
}

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
    File::open(dir)?.sync_all()
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

    #[test]
    fn where_blocks_cannot_be_asked_for_zeros_take_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("reserve")).unwrap();
        let length = 4 * PIECE_BYTES as u64 + 4096;
        fill(&file, 0, length).unwrap();
        assert_eq!(file.metadata().unwrap().len(), length);
    }
}
