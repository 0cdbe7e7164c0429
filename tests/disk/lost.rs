//! A disk that takes writes and then cannot keep them: the kernel goes on showing what was never written, and holds it
//! for written once it has told of the failure.

use crate::machine::impossible;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use tallyman_store::log::{Log, LogId, LogOptions, OpenError};

const ENTRY_BYTES: usize = 1024 * 1024;
/// What the image may really hold; its file system believes in ten times as much.
const REAL_MIB: u64 = 24;
const ENOUGH_MIB: u64 = 300;

/// An ext4 in an image that outgrows the memory it lies in.
struct Disk {
    home: PathBuf,
}

impl Disk {
    fn make(home: &Path) -> Self {
        let disk = Self { home: home.to_owned() };
        ["real", "mount"].iter().for_each(|dir| fs::create_dir(home.join(dir)).unwrap());
        let (real, image, mount) = (home.join("real"), home.join("real/image"), disk.mount());
        let [real, image, mount] = [&real, &image, &mount].map(|path| path.to_str().unwrap());
        run("mount", &["-t", "tmpfs", "-o", &format!("size={REAL_MIB}m"), "tmpfs", real]);
        File::create(image).unwrap().set_len(256 * 1024 * 1024).unwrap();
        // Without a journal: a failed one would end all writing, and what is looked for here is the silence.
        run("mkfs.ext4", &["-q", "-F", "-m", "0", "-O", "^has_journal", image]);
        run("mount", &["-o", "loop,errors=continue", image, mount]);
        disk
    }

    fn mount(&self) -> PathBuf {
        self.home.join("mount")
    }

    fn mend(&self) {
        let real = self.home.join("real");
        run("mount", &["-o", &format!("remount,size={ENOUGH_MIB}m"), real.to_str().unwrap()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for dir in ["mount", "real"] {
            let _ = Command::new("umount").arg(self.home.join(dir)).status();
        }
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "needs root and loop devices: see CONTRIBUTING.md"]
async fn what_a_failed_sync_left_in_memory_only_is_not_believed_by_the_next_process() {
    if let Some(why) = impossible().await {
        eprintln!("left out: {why}");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let disk = Disk::make(temporary.path());
    // A watermark of its own second would need the disk too.
    let options = LogOptions { watermark_interval_ms: 3_600_000, ..LogOptions::default() };
    let log = Log::open(disk.mount(), options).unwrap();
    let mut durable = 0;
    let failed = (0..200).find(|index| {
        let id = LogId { term: 1, leader: 1, index: *index };
        let appended = log.append(vec![(id, vec![b'x'; ENTRY_BYTES])], Box::new(|_| {}));
        let is_durable = appended.is_ok() && log.sync().is_ok();
        durable += u64::from(is_durable);
        !is_durable
    });
    assert!(failed.is_some() && durable > 0, "{durable} entries were written and no write failed");
    drop(log);

    for _ in 0..2 {
        match Log::open(disk.mount(), LogOptions::default()) {
            Err(error @ (OpenError::Io { .. } | OpenError::Watermark(_))) => {
                assert!(!error.is_damage(), "{error}")
            }
            other => panic!("what is not on disk is believed: {other:?}"),
        }
    }
    disk.mend();
    let log = Log::open(disk.mount(), LogOptions::default()).unwrap();
    let kept = log.state().last.map_or(0, |last| last.index + 1);
    assert!(kept >= durable, "{durable} entries were on disk, {kept} are");
    eprintln!(
        "lost: {durable} entries were on disk before the first failed sync, {kept} after the disk was mended"
    );
}
