//! Proposals.

use crate::cluster::{Cluster, PATIENCE, write};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tallyman_model::{RefusalKind, Revision};
use tallyman_raft::{NotSent, ProposeError, ReadMode};
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn a_write_on_any_replica_is_read_with_its_token_on_every_one() {
    let cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    for i in 0..3 {
        let number = i as u64;
        let committed = cluster.group(i).propose(write(number)).await.unwrap();
        assert_eq!(Some(committed.led_by), cluster.status(leader).id);
        assert!(committed.on_disk >= 2 && committed.voters == 3, "{committed:?}");
        let token = committed.reply.unwrap().revision;
        for reader in 0..3 {
            cluster.group(reader).read(ReadMode::Token(token), PATIENCE).await.unwrap();
            assert!(cluster.shown(reader).contains(&number));
        }
    }
    let refused = cluster.group(0).propose(write(1)).await.unwrap().reply.unwrap_err();
    assert_eq!(refused.kind, RefusalKind::AlreadyExists);
    cluster.wait_until_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_go_on_when_the_leader_is_gone_and_it_catches_up_when_it_is_back() {
    let mut cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    let other = cluster.follower().await;
    cluster.write(other, 1).await;
    cluster.kill(leader).await;
    let gone = Instant::now();
    // One that was on its way when the connection broke may have been committed: another one is made then.
    let mut number = 2;
    while let Err(error) = cluster.group(other).propose(write(number)).await {
        assert!(matches!(error, ProposeError::Unknown { .. }), "{error}");
        number += 1;
    }
    println!("writes paused for {} ms", gone.elapsed().as_millis());
    assert!(gone.elapsed() < Duration::from_secs(5));
    cluster.start(leader).await;
    cluster.wait_until_equal().await;
    let shown = cluster.shown(leader);
    assert!(shown.contains(&1) && shown.contains(&number), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_at_once_over_all_replicas_are_all_there_and_in_one_order() {
    let cluster = Cluster::founded(3).await;
    let mut tokens: Vec<Revision> = Vec::new();
    let started = Instant::now();
    for round in 0..5 {
        let writes = (0..100).map(|n| cluster.write((n % 3) as usize, round * 100 + n));
        tokens.extend(futures::future::join_all(writes).await);
    }
    println!("500 writes took {} ms", started.elapsed().as_millis());
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 500, "each has a revision of its own");
    cluster.wait_until_equal().await;
    assert_eq!(cluster.shown(0), (0..500).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_handover_leaves_a_gap_of_less_than_a_second() {
    let mut cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    let other = cluster.follower().await;
    cluster.write(other, 0).await;
    let group = cluster.places[leader].group.take().unwrap();
    let stopping = tokio::spawn(group.shutdown());
    let (mut gap, mut number) = (Duration::ZERO, 1);
    while !stopping.is_finished() || number < 20 {
        let started = Instant::now();
        cluster.write(other, number).await;
        gap = gap.max(started.elapsed());
        number += 1;
    }
    stopping.await.unwrap();
    println!("the longest write took {} ms", gap.as_millis());
    assert!(gap < Duration::from_secs(1), "{gap:?}");
    cluster.start(leader).await;
    cluster.wait_until_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leadership_goes_where_it_is_sent() {
    let cluster = Cluster::founded(3).await;
    let other = cluster.follower().await;
    let id = cluster.status(other).id.unwrap();
    let asked = cluster.follower().await;
    assert_eq!(cluster.group(asked).transfer_leader(Some(id)).await.unwrap(), id);
    let mut leads = cluster.group(other).leadership();
    tokio::time::timeout(PATIENCE, leads.wait_for(Option::is_some)).await.unwrap().unwrap();
    assert_eq!(cluster.leader().await, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_a_write_ends_in_bounded_time_and_is_never_called_committed() {
    let mut cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    for i in (0..3).filter(|i| *i != leader) {
        cluster.kill(i).await;
    }
    let started = Instant::now();
    let first = cluster.group(leader).propose(write(1)).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(15), "{first}");
    // The lease is over by now: nothing is even appended.
    let started = Instant::now();
    let second = cluster.group(leader).propose(write(2)).await.unwrap_err();
    assert_eq!(second, ProposeError::NotSent { why: NotSent::NoLeader });
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_clock_is_wrong_proposes_nothing_and_says_so() {
    let cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    cluster.places[leader].env.ahead_ms.store(60_000, Ordering::Relaxed);
    let refused = async {
        let mut number = 0;
        loop {
            match cluster.group(leader).propose(write(number)).await {
                Err(ProposeError::NotSent { why: NotSent::ClockSkew { ms, .. } }) => return ms,
                Err(other) => panic!("{other}"),
                Ok(_) => number += 1,
            }
        }
    };
    let ms = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!((55_000..65_000).contains(&ms), "{ms}");
    cluster.places[leader].env.ahead_ms.store(0, Ordering::Relaxed);
    let accepted = async {
        let mut number = 1_000;
        while cluster.group(leader).propose(write(number)).await.is_err() {
            number += 1;
        }
    };
    tokio::time::timeout(PATIENCE, accepted).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_holds_while_a_quorum_answers_and_not_longer() {
    let mut cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    let permit = cluster.group(leader).leadership().borrow().unwrap();
    assert_eq!(Some(permit.leader), cluster.status(leader).id);
    let may = || cluster.group(leader).may_act(&permit);
    assert!(may());
    let other = cluster.follower().await;
    assert!(!cluster.group(other).may_act(&permit), "another process may not");
    for i in (0..3).filter(|i| *i != leader) {
        cluster.kill(i).await;
    }
    let over = async {
        while cluster.group(leader).may_act(&permit) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), over).await.unwrap();
}
