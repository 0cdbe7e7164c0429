//! Replicas that come and go.

use crate::cluster::{Cluster, PATIENCE, has_snapshot};
use std::time::Duration;
use tallyman_model::ReplicaId;
use tallyman_raft::{ReadMode, Timing};

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_replica_takes_the_place_of_a_lost_one_under_a_new_id() {
    let mut cluster = Cluster::founded(3).await;
    let lost = cluster.follower().await;
    let old = cluster.status(lost).id.unwrap();
    let token = cluster.write(lost, 1).await;
    cluster.kill(lost).await;
    let kept = cluster.places[lost].dir.with_extension("kept");
    std::fs::rename(&cluster.places[lost].dir, &kept).unwrap();
    cluster.start(lost).await;

    let new = cluster
        .wait(lost, "it votes", |status| status.id.is_some_and(|id| status.voters.contains(&id)))
        .await;
    let new = new.id.unwrap();
    assert!(new > ReplicaId(3), "an id is never given twice: {new}");
    for i in 0..3 {
        let gone = |status: &tallyman_raft::Status| {
            !status.voters.contains(&old) && status.voters.contains(&new) && status.learners.is_empty()
        };
        cluster.wait(i, "the old id has left the voters", gone).await;
    }
    cluster.group(lost).read(ReadMode::Token(token), PATIENCE).await.unwrap();
    assert_eq!(cluster.shown(lost), [1]);
    cluster.write(lost, 2).await;

    // The old directory comes back under the address: it is told to go, and the group is not disturbed.
    cluster.kill(lost).await;
    let new_dir = std::mem::replace(&mut cluster.places[lost].dir, kept);
    let leader = cluster.leader().await;
    let term = cluster.status(leader).term;
    cluster.start(lost).await;
    let told = cluster.wait(lost, "it is told that it is removed", |status| status.fatal.is_some()).await;
    assert!(told.fatal.unwrap().contains("no longer of the group"));
    cluster.write(leader, 3).await;
    assert_eq!(cluster.status(leader).term, term);
    cluster.kill(lost).await;
    cluster.places[lost].dir = new_dir;
    cluster.start(lost).await;
    cluster.wait_until_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_replica_gets_a_snapshot_and_the_ledger_before_it_when_the_log_is_gone() {
    let timing = Timing { log_kept_entries: 0, ledger_segment_records: 20, ..Timing::default() };
    let mut cluster = Cluster::founded_with(3, timing).await;
    for number in 0..200 {
        cluster.write(0, number).await;
    }
    let lost = cluster.follower().await;
    cluster.kill(lost).await;
    std::fs::remove_dir_all(&cluster.places[lost].dir).unwrap();
    for i in cluster.running() {
        cluster.group(i).take_snapshot().await;
        has_snapshot(&cluster.places[i].dir).await;
    }
    let token = cluster.write(cluster.running()[0], 1_000).await;
    cluster.start(lost).await;
    cluster.wait(lost, "it votes", |status| status.id.is_some_and(|id| status.voters.contains(&id))).await;
    cluster.group(lost).read(ReadMode::Token(token), PATIENCE).await.unwrap();
    cluster.wait_until_equal().await;
    assert_eq!(cluster.shown(lost).len(), 201);
    has_snapshot(&cluster.places[lost].dir).await;
    let leader = cluster.leader().await;
    // The leader still records who votes now.
    let ledger = |i: usize| cluster.group(i).reader().verify_ledger().unwrap();
    let equal = async {
        while ledger(lost) != ledger(leader) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, equal).await.unwrap();
    let first = |i: usize| cluster.group(i).reader().ledger(1, 1).unwrap();
    assert_eq!(first(lost), first(leader), "from its first record on");
    // And it can go on from what it got.
    cluster.kill(lost).await;
    cluster.start(lost).await;
    cluster.write(lost, 1_001).await;
    cluster.wait_until_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_taken_by_itself_when_the_log_is_long_and_a_restart_goes_on_from_it() {
    let timing = Timing {
        log_kept_entries: 10,
        snapshot_log_bytes_min: 4096,
        snapshot_look_ms: 50,
        ..Timing::default()
    };
    let mut cluster = Cluster::founded_with(3, timing).await;
    for number in 0..100 {
        cluster.write((number % 3) as usize, number).await;
    }
    for i in 0..3 {
        has_snapshot(&cluster.places[i].dir).await;
    }
    for i in 0..3 {
        cluster.kill(i).await;
        std::fs::remove_dir_all(cluster.places[i].dir.join("inventory")).unwrap();
    }
    for i in 0..3 {
        cluster.start(i).await;
    }
    cluster.leader().await;
    cluster.write(0, 1_000).await;
    cluster.wait_until_equal().await;
    assert_eq!(cluster.shown(0).len(), 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_is_noticed_by_the_leader_and_does_not_vote() {
    let mut cluster = Cluster::founded(3).await;
    cluster.write(0, 1).await;
    let victim = cluster.follower().await;
    cluster.wait_until_equal().await;
    cluster.kill(victim).await;
    let old = cluster.places[victim].dir.with_extension("old");
    copy(&cluster.places[victim].dir, &old);
    cluster.start(victim).await;
    for number in 2..20 {
        cluster.write(victim, number).await;
    }
    cluster.wait_until_equal().await;
    // As if the disk had been set back.
    cluster.kill(victim).await;
    std::fs::remove_dir_all(&cluster.places[victim].dir).unwrap();
    std::fs::rename(&old, &cluster.places[victim].dir).unwrap();
    cluster.start(victim).await;
    let told = cluster.wait(victim, "it is told that it lost entries", |status| status.fatal.is_some()).await;
    // A follower has no more to judge by than that it knew a process of the same age.
    let why = told.fatal.unwrap();
    assert!(["has lost entries", "runs twice"].iter().any(|words| why.contains(words)), "{why}");
    let leader = cluster.leader().await;
    cluster.write(leader, 100).await;
}

pub(crate) fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_talk_over_mutual_tls_and_a_stranger_does_not_get_in() {
    let mut cluster = Cluster::places(2);
    let ours = crate::tls::Authority::new();
    for i in 0..2 {
        let mut options = cluster.options(i);
        options.tls = Some(ours.issue(&cluster.places[i].dir.with_extension("tls")));
        cluster.places[i].group = Some(tallyman_raft::Group::start(options).await.unwrap());
    }
    cluster.group(0).init(2).await.unwrap();
    cluster.wait_until_all_serve().await;
    cluster.write(1, 1).await;

    // A certificate of another authority is not accepted, and neither is a connection without TLS.
    let mut stranger = Cluster::places(1);
    let theirs = crate::tls::Authority::new();
    let mut options = stranger.options(0);
    options.peers.push(cluster.places[0].address.clone());
    options.tls = Some(theirs.issue(&stranger.places[0].dir.with_extension("tls")));
    stranger.places[0].group = Some(tallyman_raft::Group::start(options).await.unwrap());
    let refused = stranger.group(0).init(2).await.unwrap_err();
    assert!(matches!(refused, tallyman_raft::InitError::NoAnswer { .. }), "{refused}");
}
