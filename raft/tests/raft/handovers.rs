//! Leadership that moves all the time under load.

use crate::churn::Writer;
use crate::cluster::{Cluster, PATIENCE};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tallyman_model::record::Permit;
use tallyman_raft::Group;

/// Times that the leadership moves.
const MOVES: usize = 12;

/// The permit under which this replica may act now.
fn acting(group: &Group) -> Option<Permit> {
    let permit = *group.leadership().borrow();
    permit.filter(|permit| group.may_act(permit))
}

/// Looks all the time who may act; gives two that could at one moment, if there were.
async fn never_two(groups: Vec<Group>, stop: Arc<AtomicBool>) -> Option<(Permit, Permit)> {
    while !stop.load(Ordering::SeqCst) {
        for one in &groups {
            let Some(first) = acting(one) else { continue };
            let others = groups.iter().filter_map(acting).filter(|other| other.leader != first.leader);
            for other in others {
                // It may before and after the other one was asked, so also then.
                if one.may_act(&first) {
                    return Some((first, other));
                }
            }
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_acts_no_more_from_when_it_hands_over_whoever_takes_over() {
    let mut cluster = Cluster::founded(3).await;
    let (leader, target) = (cluster.leader().await, cluster.follower().await);
    let id = cluster.status(target).id;
    let group = cluster.group(leader).clone();
    cluster.kill(target).await;
    let permit = acting(&group).expect("the other one is a quorum with it");
    let mut handover = Box::pin(group.transfer_leader(id));
    assert!(futures::poll!(&mut handover).is_pending());
    assert!(!group.may_act(&permit), "the others may elect somebody while its lease lasts");
    // Whoever it was meant for is gone, and another one is elected.
    let _ = handover.await;
    cluster.leader().await;
    assert!(!group.may_act(&permit));
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_that_moves_all_the_time_loses_nothing_and_two_never_may_act_at_once() {
    let cluster = Cluster::founded(3).await;
    let groups: Vec<Group> = (0..3).map(|i| cluster.group(i).clone()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let watched = tokio::spawn(never_two(groups.clone(), Arc::clone(&stop)));
    let writer = Writer::start(&cluster);
    for turn in 0..MOVES {
        let to = (cluster.leader().await + 1 + turn % 2) % 3;
        let id = cluster.status(to).id;
        // Asked at any replica; whoever was asked while another one came to lead is asked again.
        let moved = async {
            while acting(&groups[to]).is_none() {
                let _ = groups[turn % 3].transfer_leader(id).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, moved).await.expect("it leads");
    }
    let acknowledged = writer.finish().await;
    stop.store(true, Ordering::SeqCst);
    assert_eq!(watched.await.unwrap(), None, "two may act at once");
    drop(groups);
    cluster.wait_until_equal().await;
    for i in 0..3 {
        let shown: BTreeSet<u64> = cluster.shown(i).into_iter().collect();
        let lost: Vec<&u64> = acknowledged.difference(&shown).collect();
        assert!(lost.is_empty() && acknowledged.len() > MOVES, "{i} lost {lost:?} of {acknowledged:?}");
    }
}
