//! Late, lost and damaged disks.

use crate::cluster::{Cluster, PATIENCE, write};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::{ManifestName, Submit, SubmitManifest};
use tallyman_model::record::{Kind, OnLate, Placement, RunSpec};
use tallyman_model::{Command, Digest, Principal, Uid};
use tallyman_raft::{Backend, NotSent, Proposal, ProposeError, ReadMode, Timing};

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
async fn a_snapshot_that_cannot_be_written_ends_the_replica_and_the_others_go_on() {
    let cluster = Cluster::founded(3).await;
    cluster.write(0, 0).await;
    let victim = cluster.follower().await;
    let snapshots = cluster.places[victim].dir.join("snapshots");
    std::fs::remove_dir_all(&snapshots).unwrap();
    std::fs::write(&snapshots, "no directory").unwrap();
    cluster.group(victim).take_snapshot().await;
    let ended = cluster.wait(victim, "it says that it cannot go on", |status| status.fatal.is_some()).await;
    assert!(ended.fatal.unwrap().contains(snapshots.to_str().unwrap()));
    cluster.write(cluster.leader().await, 1).await;
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

fn submission(number: u8) -> Proposal {
    let (name, manifests) = (ManifestName::Fixed(format!("run-{number}")), vec![b'0'; 10]);
    let digest = Digest::of(&manifests);
    let planned = SubmitManifest {
        kind: Kind::Job,
        namespace: "risk".to_owned(),
        name: name.clone(),
        digest,
        offset: 0,
        length: 10,
    };
    let command = Command::Submit(Box::new(Submit {
        uid: Uid([number; 16]),
        namespace: "risk".to_owned(),
        name,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        spec: RunSpec {
            placement: Placement::default(),
            attempts_max: 1,
            backoff_ms: 1000,
            start_by_ms: 1000,
            finish_by_ms: None,
            on_late: OnLate::Alert,
            ttl_after_finished_ms: 1000,
            approvals: None,
            allocations: Vec::new(),
            locks: Vec::new(),
            main_runs_ms: None,
            preflight: Default::default(),
            requires: Vec::new(),
        },
        digest,
        planned: vec![planned],
        main: 0,
        manifests,
    }));
    Proposal { by: Principal { user: "test".to_owned(), ..Principal::default() }, key: None, command }
}

/// With more that is to stay free than any disk has.
fn pressed() -> Timing {
    Timing { disk_free_bytes_min: u64::MAX, disk_look_ms: 50, ..Timing::default() }
}

/// With less than any disk has.
fn free() -> Timing {
    Timing { disk_free_bytes_min: 0, ..pressed() }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_space_on_a_quorum_submissions_are_refused_and_all_else_goes_on_until_there_is_some() {
    let mut cluster = Cluster::places(3);
    cluster.timing = pressed();
    cluster.found().await;
    let leader = cluster.leader().await;
    cluster.wait(leader, "it refuses submissions", |status| status.refuses_submissions.is_some()).await;
    let follower = cluster.follower().await;
    for i in [leader, follower] {
        match cluster.group(i).propose(submission(1)).await {
            Err(ProposeError::NotSent { why: NotSent::DiskFull { why } }) => {
                assert!(why.contains("r1") && why.contains("r2") && why.contains("r3"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        cluster.write(i, i as u64).await;
    }
    // Two disks have space again: a quorum.
    cluster.timing = free();
    for i in (0..3).filter(|i| *i != leader) {
        cluster.kill(i).await;
        cluster.start(i).await;
    }
    let taken = async {
        while cluster.group(follower).propose(submission(1)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.expect("submissions are taken again");
    assert_ne!(cluster.leader().await, leader, "who has no space does not lead");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_is_made_when_there_is_space_and_one_pressed_follower_stops_nobody() {
    let mut cluster = Cluster::places(3);
    cluster.timing = Timing { disk_reserve_bytes: 1024 * 1024, ..free() };
    cluster.found().await;
    for i in 0..3 {
        cluster.wait(i, "it has its reserve", |status| status.disk.reserve_bytes == 1024 * 1024).await;
    }
    let follower = cluster.follower().await;
    cluster.timing = pressed();
    cluster.kill(follower).await;
    cluster.start(follower).await;
    cluster.wait(follower, "it is pressed", |status| status.disk.is_pressed).await;
    let leader = cluster.leader().await;
    assert!(cluster.group(leader).propose(submission(1)).await.unwrap().reply.is_ok());
    assert_eq!(cluster.status(leader).refuses_submissions, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_flushes_hang_hands_over_and_does_not_get_it_back_while_they_do() {
    let mut cluster = Cluster::places(3);
    cluster.found().await;
    let slow = cluster.leader().await;
    cluster.places[slow].gate.hold();
    let mut number = 0;
    let handed_over = async {
        loop {
            // By the other two, through one of them: what the slow one has to say may come late.
            let _ = cluster.group((slow + 1) % 3).propose(write(number)).await;
            number += 1;
            let other =
                (0..3).filter(|i| *i != slow).find(|i| cluster.group(*i).leadership().borrow().is_some());
            if let Some(other) = other {
                return other;
            }
        }
    };
    let leader = tokio::time::timeout(PATIENCE, handed_over).await.expect("another one leads in time");
    assert!(cluster.group(slow).flush_times().recent.unwrap() >= Duration::from_millis(80));
    // However many there were until then.
    for number in number..number + 10 {
        cluster.write(leader, number).await;
    }
    assert!(cluster.group(leader).leadership().borrow().is_some());
    cluster.places[slow].gate.release();
    cluster.wait_until_equal().await;
}
