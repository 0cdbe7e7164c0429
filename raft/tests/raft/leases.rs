//! What a replica promised to a leader holds, whatever times the two run with.

use crate::cluster::{Cluster, PATIENCE};
use std::time::Duration;
use tallyman_raft::{ReadMode, Timing};
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_acts_for_no_longer_than_the_least_patient_voter_waits_for_it() {
    let mut cluster = Cluster::founded_with(3, Timing::default().stretched(200)).await;
    let leader = cluster.leader().await;
    let others: Vec<usize> = cluster.running().into_iter().filter(|i| *i != leader).collect();
    cluster.timing = Timing::default();
    for other in &others {
        cluster.kill(*other).await;
        cluster.start(*other).await;
        cluster.wait_until_all_serve().await;
    }
    if cluster.leader().await != leader {
        let id = cluster.status(leader).id;
        cluster.group(others[0]).transfer_leader(id).await.unwrap();
    }
    let group = cluster.group(leader).clone();
    let permit = group.leadership().wait_for(Option::is_some).await.unwrap().unwrap();
    let may_act = async {
        while !group.may_act(&permit) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, may_act).await.unwrap();
    // Until new processes have answered, what those before them promised is good for longer.
    group.read(ReadMode::Linearizable, PATIENCE).await.unwrap();
    for other in others {
        cluster.kill(other).await;
    }
    let lost = Instant::now();
    let lease = Duration::from_millis(Timing::default().election_ms_max);
    loop {
        let asked = lost.elapsed();
        if !group.may_act(&permit) {
            return;
        }
        assert!(asked < lease, "still allowed after {asked:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_starts_helps_nobody_into_the_lead_before_the_lease_of_its_last_process_is_over() {
    let mut cluster = Cluster::founded(3).await;
    cluster.leader().await;
    for i in 0..3 {
        cluster.kill(i).await;
        // What cannot be read may have said the longest.
        std::fs::write(cluster.places[i].dir.join("stretch"), "damaged").unwrap();
    }
    let started = Instant::now();
    cluster.start(0).await;
    cluster.start(1).await;
    cluster.leader().await;
    let lease = Duration::from_millis(Timing::default().stretched(1000).election_ms_max);
    assert!(started.elapsed() >= lease, "{:?}", started.elapsed());
}
