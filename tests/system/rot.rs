//! A bit that flips in the memory of one replica, where its rows are cached.

use crate::dev::{Dev, PATIENCE, path, runnable, signal, until, until_within};
use rustix::process::Signal;
use serde_json::json;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// Memory that is looked through at once.
const PIECE_BYTES: usize = 1 << 20;

/// Changes one byte of each place in the memory of `pid` that holds `text`. Gives how many there were.
fn rot(pid: i32, text: &[u8]) -> io::Result<usize> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"))?;
    let mut changed = 0;
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let (range, _) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let bound = |hex: &str| u64::from_str_radix(hex, 16).unwrap();
        changed += rot_range(&memory, bound(from), bound(to), text)?;
    }
    Ok(changed)
}

fn rot_range(memory: &File, from: u64, to: u64, text: &[u8]) -> io::Result<usize> {
    let mut changed = 0;
    let mut bytes = vec![0; PIECE_BYTES + text.len()];
    for at in (from..to).step_by(PIECE_BYTES) {
        let length = usize::try_from(to - at).unwrap().min(bytes.len());
        // What was given back meanwhile cannot be read.
        let Ok(read) = memory.read_at(&mut bytes[..length], at) else { continue };
        let found = bytes[..read].windows(text.len()).take(PIECE_BYTES).enumerate();
        for (offset, _) in found.filter(|(_, window)| *window == text) {
            memory.write_all_at(b"#", at + offset as u64)?;
            changed += 1;
        }
    }
    Ok(changed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_changed_in_one_replicas_memory_takes_it_out_of_service_within_a_minute() {
    let dev = Dev::start(&[]).await;
    let url = dev.replicas()[0].url.clone();
    let name = "rots-4711-away";
    dev.submit(&url, "rot", &runnable(name, "50ms")).await.unwrap();
    let run = dev.until_phase("rot", name, "Succeeded").await;
    let victim = dev.followers().await.remove(0);
    let changed = match rot(victim.pid, name.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return eprintln!("left out: another process's memory cannot be written here: {error}");
        }
        changed => changed.unwrap(),
    };
    assert!(changed > 0, "it is in memory");

    let readiness = until("it says that it is not ready", async || {
        let answer = dev.http.get(format!("{}/readyz", victim.url)).send().await.ok()?;
        (answer.status() == 503).then_some(())?;
        answer.text().await.ok()
    })
    .await;
    assert!(readiness.contains("its stored rows are damaged"), "{readiness}");
    let shown = dev.get(&victim.url, &path("namespaces/rot/runnables?consistency=stale")).await.unwrap();
    assert_eq!(shown.status, 503, "{shown:?}");
    let status = dev.get(&victim.url, "/operator/status").await.unwrap();
    assert!(status.body["fatal"].as_str().unwrap().contains("its stored rows are damaged"), "{status:?}");
    let metrics = dev.http.get(format!("{}/metrics", victim.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("tallyman_replica_out_of_service 1"), "{metrics}");

    // The others are not disturbed.
    let other = dev.followers().await.into_iter().find(|replica| replica.id != victim.id);
    let other = other.unwrap_or_else(|| dev.replicas().remove(0));
    dev.submit(&other.url, "rot", &runnable("next", "50ms")).await.unwrap();
    dev.until_phase("rot", "next", "Succeeded").await;

    // Started again it is whole.
    signal(victim.pid, Signal::KILL);
    until_within(PATIENCE, "it serves what it should", async || {
        let shown = dev.read(&victim.url, "rot", name).await.filter(|answer| answer.status == 200)?;
        (shown.body["metadata"]["uid"] == run["metadata"]["uid"]
            && shown.body["metadata"]["name"] == json!(name))
        .then_some(())
    })
    .await;
}
