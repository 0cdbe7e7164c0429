//! Slow disks: a leader whose fdatasyncs take long hands over, and does not where all disks are as slow.

use crate::dev::{Dev, Replica, runnable, until};
use crate::failed::log;
use crate::inject::{Injection, impossible};
use serde_json::Value;

/// Writes while a replica that is not to hand over might.
const WRITES: u64 = 10;
/// How much longer an fdatasync takes, in ms: a disk that is just slow, and one that hangs again and again.
const SLOWER_MS: [u64; 2] = [200, 5000];
/// The same for all of them.
const ALL_SLOWER_MS: u64 = 400;

async fn status(dev: &Dev, replica: &Replica) -> Value {
    until("a replica says how it is", async || Some(dev.get(&replica.url, "/operator/status").await?.body))
        .await
}

/// Writes without waiting for the slow ones: what is acknowledged is on a quorum.
async fn write(dev: &Dev, name: &str) {
    until("a write is acknowledged", async || {
        for replica in dev.replicas() {
            let answer = dev.submit(&replica.url, "risk", &runnable(name, "10ms")).await;
            if answer.is_some_and(|answer| matches!(answer.status, 201 | 409)) {
                return Some(());
            }
        }
        None
    })
    .await;
}

async fn slow_down(dev: &Dev, replica: &Replica, by_ms: u64) -> Injection {
    let says = dev.dir.join(format!("strace-{}", replica.id));
    let fault = format!("fdatasync:delay_enter={}", by_ms * 1000);
    Injection::into(replica.pid, &[&log(&replica.dir)], &fault, &says).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: see CONTRIBUTING.md"]
async fn a_leader_with_a_slow_disk_hands_over_to_a_fast_one_and_not_to_one_as_slow() {
    if let Some(why) = impossible() {
        eprintln!("left out: {why}");
        return;
    }
    let dev = Dev::start(&["--clusters", "1"]).await;
    for by_ms in SLOWER_MS {
        let slow = dev.leader().await;
        let _injection = slow_down(&dev, &slow, by_ms).await;
        let mut number = 0;
        let leader = until("another one leads", async || {
            number += 1;
            write(&dev, &format!("slow-{by_ms}-{number}")).await;
            let leader = dev.leader().await;
            (leader.id != slow.id).then_some(leader)
        })
        .await;
        eprintln!("slow: {by_ms} ms: handed over from {} to {} within {number} writes", slow.id, leader.id);
        until("its slow flushes are counted", async || {
            let metrics = dev.get(&slow.url, "/metrics").await?.body.as_str()?.to_owned();
            (bucket(&metrics, "+Inf") > bucket(&metrics, "0.1")).then_some(())
        })
        .await;
    }

    let mut injections = Vec::new();
    for replica in dev.replicas() {
        injections.push(slow_down(&dev, &replica, ALL_SLOWER_MS).await);
    }
    let leader = dev.leader().await;
    let before = status(&dev, &leader).await["term"].clone();
    for number in 0..WRITES {
        write(&dev, &format!("all-slow-{number}")).await;
    }
    assert_eq!(status(&dev, &leader).await["term"], before, "all disks are slow: nobody takes over");
}

/// How many flushes took at most that long.
fn bucket(metrics: &str, end_s: &str) -> u64 {
    let bucket = format!("tallyman_log_flush_duration_seconds_bucket{{le=\"{end_s}\"}} ");
    let (_, rest) = metrics.split_once(&bucket).unwrap_or_else(|| panic!("no bucket {end_s}: {metrics}"));
    rest.lines().next().unwrap().parse().unwrap()
}
