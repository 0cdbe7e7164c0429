//! What was made takes the place of what was there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tallyman_store::files::sync_all;

/// What is being made.
pub(super) const UNFINISHED: &str = "lineage.unfinished";
/// What is made, and takes the place of what is there.
pub(super) const READY: &str = "lineage.ready";
/// All that a replica's directory has. The identity last: with it nothing is left to be done.
const PARTS: [&str; 8] =
    ["log", "watermark", "inventory", "changes", "ledger", "snapshots", "directory", "identity"];
/// Places for what was there before.
const BEFORE_MAX: u32 = 1000;

/// What is made is complete: whoever uses the directory from here on swaps it in first.
pub(super) fn ready(dir: &Path) -> io::Result<()> {
    let made = dir.join(UNFINISHED);
    sync_all(&made)?;
    fs::rename(made, dir.join(READY))?;
    File::open(dir)?.sync_all()
}

/// Swaps in what is ready, if anything is; goes on where it stopped. Gives where what was there before is now.
pub(super) fn finish(dir: &Path) -> io::Result<Option<PathBuf>> {
    let made = dir.join(READY);
    if !made.exists() {
        return Ok(None);
    }
    let before = before(dir, &made)?;
    fs::create_dir_all(&before)?;
    for part in PARTS {
        let new = made.join(part);
        if !new.exists() {
            // Swapped in already.
            continue;
        }
        if dir.join(part).exists() {
            fs::rename(dir.join(part), before.join(part))?;
        }
        fs::rename(new, dir.join(part))?;
        // One part after the other, also on the disk.
        for changed in [&before, &made, dir] {
            File::open(changed)?.sync_all()?;
        }
    }
    fs::remove_dir_all(&made)?;
    // A directory that was blank had an identity that says so, and perhaps a log without an entry.
    let kept = before.join("snapshots").exists() || before.join("log").exists();
    if !kept {
        fs::remove_dir_all(&before)?;
    }
    File::open(dir)?.sync_all()?;
    Ok(kept.then_some(before))
}

/// Where what was there before goes: the same place until all of it is there.
fn before(dir: &Path, made: &Path) -> io::Result<PathBuf> {
    let named = made.join("before");
    if let Ok(name) = fs::read_to_string(&named) {
        return Ok(dir.join(name));
    }
    let name = (1..BEFORE_MAX).map(|number| format!("before.{number}")).find(|name| !dir.join(name).exists());
    let name = name.ok_or_else(|| io::Error::other("remove what old recoveries have left: before.*"))?;
    // Written whole before anything is moved: half a name would be another place.
    let aside = made.join("before.unfinished");
    fs::write(&aside, &name)?;
    File::open(&aside)?.sync_all()?;
    fs::rename(&aside, &named)?;
    File::open(made)?.sync_all()?;
    Ok(dir.join(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn fill(dir: &Path, content: &str) {
        fs::create_dir_all(dir).unwrap();
        for part in PARTS {
            fs::write(dir.join(part), content).unwrap();
        }
    }

    fn is_full(dir: &Path, content: &str) {
        for part in PARTS {
            assert_eq!(fs::read_to_string(dir.join(part)).unwrap(), content, "{part}");
        }
    }

    #[test]
    fn what_was_made_takes_the_place_of_what_was_there_wherever_it_stopped_before() {
        // After `stopped` renames: two for each part.
        for stopped in 0..=2 * PARTS.len() {
            let root = tempfile::tempdir().unwrap();
            let dir = root.path();
            fill(dir, "old");
            fill(&dir.join(UNFINISHED), "new");
            assert_eq!(finish(dir).unwrap(), None, "what is not complete is left alone");
            ready(dir).unwrap();
            let made = dir.join(READY);
            let kept = before(dir, &made).unwrap();
            fs::create_dir_all(&kept).unwrap();
            for step in 0..stopped {
                let part = PARTS[step / 2];
                match step % 2 {
                    0 => fs::rename(dir.join(part), kept.join(part)).unwrap(),
                    _ => fs::rename(made.join(part), dir.join(part)).unwrap(),
                }
            }
            assert_eq!(finish(dir).unwrap(), Some(kept.clone()), "stopped after {stopped}");
            is_full(dir, "new");
            is_full(&kept, "old");
            assert!(!made.exists());
            assert_eq!(finish(dir).unwrap(), None);
        }
    }
}
