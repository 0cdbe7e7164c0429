//! Groups that go on from a backup, or from one replica's directory.

use crate::cluster::{Cluster, PATIENCE};
use futures::StreamExt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tallyman_model::{ReplicaId, Revision, query};
use tallyman_raft::lineage::{LineageError, recover, restore};
use tallyman_raft::{ReadError, ReadMode, Timing};

fn timing() -> Timing {
    Timing { ledger_segment_records: 20, ..Timing::default() }
}

/// A backup of the replica `i`, as a file beside its directory.
async fn backup(cluster: &Cluster, i: usize) -> PathBuf {
    let mut backup = cluster.group(i).backup().await.unwrap();
    let path = cluster.places[i].dir.with_extension("tallyman");
    let mut file = File::create(&path).unwrap();
    while let Some(piece) = backup.pieces.next().await {
        file.write_all(&piece.unwrap()).unwrap();
    }
    path
}

/// Starts all places but `first`, which runs, with empty directories, and waits until all vote.
async fn join(cluster: &mut Cluster, first: usize) {
    for i in (0..3).filter(|i| *i != first) {
        let _ = fs::remove_dir_all(&cluster.places[i].dir);
        cluster.start(i).await;
    }
    for i in 0..3 {
        cluster.wait(i, "all vote", |status| status.voters.len() == 3 && status.learners.is_empty()).await;
    }
}

fn keep(dir: &Path, name: &str) -> PathBuf {
    let kept = dir.with_extension(name);
    fs::rename(dir, &kept).unwrap();
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_on_from_a_backup_with_blank_replicas_and_without_those_of_before() {
    let mut cluster = Cluster::founded_with(3, timing()).await;
    for number in 0..50 {
        cluster.write(0, number).await;
    }
    let from = cluster.follower().await;
    cluster.wait_until_equal().await;
    let backup = backup(&cluster, from).await;
    let lost = cluster.write(0, 1_000).await;
    for i in 0..3 {
        cluster.kill(i).await;
    }
    let taken = restore(&cluster.options(0), &backup).unwrap_err();
    assert!(matches!(taken, LineageError::Taken { .. }), "{taken}");
    let old: Vec<PathBuf> = (0..3).map(|i| keep(&cluster.places[i].dir, "old")).collect();

    // A backup that is damaged leaves the directory as it was, and the next one is taken.
    let mut damaged = fs::read(&backup).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let path = backup.with_extension("damaged");
    fs::write(&path, damaged).unwrap();
    assert!(matches!(restore(&cluster.options(0), &path), Err(LineageError::Backup(_))));
    let begun = restore(&cluster.options(0), &backup).unwrap();
    assert!(begun.replica > ReplicaId(3) && begun.before.is_none(), "{begun:?}");

    cluster.start(0).await;
    join(&mut cluster, 0).await;
    cluster.wait_until_equal().await;
    assert_eq!(cluster.shown(2), (0..50).collect::<Vec<_>>());
    let new = cluster.write(1, 2_000).await;
    assert!(new > begun.base && lost < begun.base);
    for i in 0..3 {
        let gap = cluster.group(i).read(ReadMode::Token(lost), PATIENCE).await;
        assert!(matches!(gap, Err(ReadError::Gap { .. })), "{gap:?}");
        cluster.group(i).read(ReadMode::Token(new), PATIENCE).await.unwrap();
        let kept = begun.last_kept;
        cluster.group(i).read(ReadMode::Token(kept), PATIENCE).await.unwrap();
        let reader = cluster.group(i).reader();
        let meta = || reader.now(|view, _| query::meta(view).unwrap());
        assert_eq!(meta().unconfirmed().unwrap().id, begun.lineage);
        // What is applied between the two readings is in one of them only.
        let (before, verified) = (meta().ledger_len, reader.verify_ledger().unwrap().0);
        assert!((before..=meta().ledger_len).contains(&verified), "{before} records, {verified} verified");
        assert!(
            reader.at(Revision(kept.0), |_| ()).is_err(),
            "what was before is not served as a past of this"
        );
    }

    // One of before comes back with what it had: it does not get in, and disturbs nobody.
    cluster.kill(2).await;
    let blank = keep(&cluster.places[2].dir, "blank");
    fs::rename(&old[2], &cluster.places[2].dir).unwrap();
    cluster.start(2).await;
    let told = cluster.wait(2, "it is refused", |status| status.refused_by_peer.is_some()).await;
    assert!(told.refused_by_peer.unwrap().contains("group"));
    cluster.write(0, 3_000).await;
    cluster.kill(2).await;
    fs::remove_dir_all(&cluster.places[2].dir).unwrap();
    fs::rename(blank, &cluster.places[2].dir).unwrap();
    cluster.start(2).await;
    cluster.wait_until_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_has_is_enough_to_go_on_with_when_the_quorum_is_lost_for_good() {
    let timing = Timing { log_kept_entries: 0, ..timing() };
    let mut cluster = Cluster::founded_with(3, timing).await;
    for number in 0..50 {
        cluster.write(0, number).await;
    }
    let left = cluster.follower().await;
    // Some of it in a snapshot, the rest in the log only.
    cluster.group(left).take_snapshot().await;
    let token = cluster.write(left, 50).await;
    cluster.group(left).read(ReadMode::Token(token), PATIENCE).await.unwrap();
    let running = recover(&cluster.options(left)).unwrap_err();
    assert!(matches!(running, LineageError::Home(_)), "{running}");
    for i in 0..3 {
        cluster.kill(i).await;
    }
    let begun = recover(&cluster.options(left)).unwrap();
    assert!(begun.before.as_ref().is_some_and(|before| before.join("log").exists()), "{begun:?}");
    assert!(begun.last_kept >= token);

    cluster.start(left).await;
    join(&mut cluster, left).await;
    cluster.wait_until_equal().await;
    assert_eq!(cluster.shown(left), (0..51).collect::<Vec<_>>());
    cluster.write(left, 1_000).await;
    let reader = cluster.group(left).reader();
    let record = reader.now(|view, _| query::meta(view).unwrap().lineages[0].record);
    let (_, told, _) = reader.ledger(record, 1).unwrap().remove(0);
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("\"verb\":\"begin-lineage\"") && told.contains("recovered from"), "{told}");

    // And once more, from what a lineage has become.
    for i in 0..3 {
        cluster.kill(i).await;
    }
    let again = recover(&cluster.options(left)).unwrap();
    assert!(again.replica > begun.replica && again.base > begun.base);
    cluster.start(left).await;
    cluster.wait(left, "it leads", |status| status.leader == Some(again.replica)).await;
    assert_eq!(cluster.shown(left).len(), 52);
}
