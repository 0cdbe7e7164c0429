//! What reads promise.

use crate::cluster::{Cluster, PATIENCE};
use std::time::Duration;
use tallyman_model::Revision;
use tallyman_raft::{ReadError, ReadMode};
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn a_linearizable_read_on_any_replica_shows_every_acknowledged_write() {
    let cluster = Cluster::founded(3).await;
    for number in 0..30 {
        let (writer, reader) = ((number % 3) as usize, (number / 3 % 3) as usize);
        cluster.write(writer, number).await;
        cluster.group(reader).read(ReadMode::Linearizable, PATIENCE).await.unwrap();
        assert_eq!(cluster.shown(reader), (0..=number).collect::<Vec<_>>(), "on {reader}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_linearizable_reads_at_once_are_answered_together() {
    let cluster = Cluster::founded(3).await;
    let follower = cluster.follower().await;
    cluster.write(follower, 1).await;
    let reads = (0..2000).map(|_| cluster.group(follower).read(ReadMode::Linearizable, PATIENCE));
    let started = Instant::now();
    assert!(futures::future::join_all(reads).await.iter().all(Result::is_ok));
    println!("2000 reads took {} ms", started.elapsed().as_millis());
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_a_linearizable_read_is_refused_and_a_stale_one_is_served() {
    let mut cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    let token = cluster.write(leader, 1).await;
    cluster.group(follower).read(ReadMode::Token(token), PATIENCE).await.unwrap();
    for i in (0..3).filter(|i| *i != follower) {
        cluster.kill(i).await;
    }
    let started = Instant::now();
    let refused =
        cluster.group(follower).read(ReadMode::Linearizable, Duration::from_secs(10)).await.unwrap_err();
    assert!(matches!(refused, ReadError::NoLeader | ReadError::NoQuorum), "{refused}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    cluster.group(follower).read(ReadMode::Stale, Duration::ZERO).await.unwrap();
    cluster.group(follower).read(ReadMode::Token(token), Duration::ZERO).await.unwrap();
    assert_eq!(cluster.shown(follower), [1]);
    assert!(cluster.group(follower).lag().unwrap() > Duration::from_millis(500), "and says how old it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_lost_its_quorum_refuses_linearizable_reads() {
    let mut cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    for i in (0..3).filter(|i| *i != leader) {
        cluster.kill(i).await;
    }
    let refused = cluster.group(leader).read(ReadMode::Linearizable, PATIENCE).await.unwrap_err();
    assert_eq!(refused, ReadError::NoQuorum);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_the_future_is_waited_for_and_then_refused() {
    let cluster = Cluster::founded(1).await;
    let token = cluster.write(0, 1).await;
    let waited =
        cluster.group(0).read(ReadMode::Token(Revision(token.0 + 1)), Duration::from_millis(100)).await;
    assert_eq!(waited, Err(ReadError::TooNew { current: token }));
    let waiting = cluster.group(0).read(ReadMode::Token(Revision(token.0 + 1)), PATIENCE);
    let (read, _) = tokio::join!(waiting, cluster.write(0, 2));
    read.unwrap();
}
