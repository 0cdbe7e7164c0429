//! Late, lost and damaged disks.

use crate::cluster::{Cluster, PATIENCE, write};
use std::sync::Arc;
use tallyman_raft::{Backend, ReadMode};

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_killed_while_its_own_flush_is_withheld_loses_nothing_when_it_is_back_at_once() {
    // In sled the state outlives a kill and is ahead of the log; in memory it does not, as after a power cut.
    for backend in [Backend::Memory, Backend::Sled, Backend::Memory] {
        let mut cluster = Cluster::places(3);
        cluster.backend = backend;
        cluster.found().await;
        let leader = cluster.leader().await;
        cluster.write(leader, 0).await;
        // From here on the leader's own disk gets nothing: the quorum is the other two.
        let gate = Arc::clone(&cluster.places[leader].gate);
        gate.hold();
        for number in 1..=20 {
            let committed = cluster.group(leader).propose(write(number)).await.unwrap();
            assert!(committed.reply.is_ok() && committed.on_disk >= 2);
        }
        // A kill: what was withheld never reaches the disk. It is back inside its lease.
        gate.lose();
        cluster.kill(leader).await;
        cluster.places[leader].gate = Arc::default();
        cluster.start(leader).await;
        cluster.write(leader, 100).await;
        cluster.wait_until_equal().await;
        let all: Vec<u64> = (0..=20).chain([100]).collect();
        for i in 0..3 {
            cluster.group(i).read(ReadMode::Linearizable, PATIENCE).await.unwrap();
            assert_eq!(cluster.shown(i), all, "{backend:?}, replica {i}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_stopped_as_a_whole_comes_back_with_everything() {
    for backend in [Backend::Sled, Backend::Memory] {
        let mut cluster = Cluster::places(3);
        cluster.backend = backend;
        cluster.found().await;
        for number in 0..50 {
            cluster.write((number % 3) as usize, number).await;
        }
        for i in 0..3 {
            cluster.kill(i).await;
        }
        for i in 0..3 {
            cluster.start(i).await;
        }
        cluster.leader().await;
        for i in 0..3 {
            cluster.group(i).read(ReadMode::Linearizable, PATIENCE).await.unwrap();
            assert_eq!(cluster.shown(i), (0..50).collect::<Vec<_>>(), "{backend:?}");
        }
        cluster.wait_until_equal().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_that_is_gone_is_made_again_from_the_log() {
    let mut cluster = Cluster::founded(3).await;
    for number in 0..20 {
        cluster.write(0, number).await;
    }
    let victim = cluster.follower().await;
    cluster.wait_until_equal().await;
    cluster.kill(victim).await;
    std::fs::remove_dir_all(cluster.places[victim].dir.join("inventory")).unwrap();
    cluster.start(victim).await;
    cluster.write(victim, 100).await;
    cluster.wait_until_equal().await;
    assert_eq!(cluster.shown(victim).len(), 21);
}
