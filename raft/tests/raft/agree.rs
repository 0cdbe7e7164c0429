//! A replica that made something else of an entry than the others.

use crate::cluster::{Cluster, write};
use crate::members::copy;
use std::fs;
use std::path::Path;
use tallyman_model::Entry;
use tallyman_raft::{Role, Timing};
use tallyman_store::inventory::{Inventory, InventoryOptions, Payload, ToApply};
use tallyman_store::log::{Log, LogId, LogOptions};

/// What is made of the log.
const STATE: [&str; 3] = ["inventory", "changes", "ledger"];

fn last(dir: &Path) -> LogId {
    Log::open(dir, LogOptions::default()).unwrap().state().last.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_state_differs_from_that_of_most_goes_out_of_service() {
    let timing = Timing { agree_ms: 200, ..Timing::default() };
    let mut cluster = Cluster::founded_with(3, timing).await;
    let leader = cluster.leader().await;
    cluster.write(leader, 1).await;
    cluster.wait_until_equal().await;
    let wrong = cluster.follower().await;
    cluster.kill(wrong).await;
    let dir = cluster.places[wrong].dir.clone();
    let before = dir.with_extension("before");
    STATE.iter().for_each(|part| copy(&dir.join(part), &before.join(part)));

    cluster.start(wrong).await;
    cluster.write(leader, 2).await;
    cluster.wait_until_equal().await;
    cluster.kill(wrong).await;
    // As if its build made another record of the last entry.
    let mut inventory = Inventory::open(InventoryOptions::new(&before)).unwrap();
    let (proposal, id) = (write(3), last(&dir));
    let entry = Entry { clock_ms: 1, by: proposal.by, key: None, command: proposal.command };
    assert_eq!(inventory.applied().last.unwrap().index + 1, id.index);
    inventory.apply(vec![ToApply { id, payload: Payload::Entry(Box::new(entry)) }]).unwrap();
    drop(inventory);
    for part in STATE {
        fs::remove_dir_all(dir.join(part)).unwrap();
        fs::rename(before.join(part), dir.join(part)).unwrap();
    }

    cluster.start(wrong).await;
    let status = cluster.wait(wrong, "it is out of service", |status| status.fatal.is_some()).await;
    assert!(status.fatal.unwrap().contains("differs from that of most replicas at log index"));
    // It helps the others. If it has to lead, because it alone has the whole log, then only until another one has.
    let other = (0..3).find(|i| ![wrong, leader].contains(i)).unwrap();
    cluster.kill(other).await;
    cluster.write(leader, 4).await;
    cluster.kill(leader).await;
    cluster.start(other).await;
    cluster.wait(other, "it leads", |status| status.role == Role::Leader).await;
    cluster.write(other, 5).await;
    assert!(cluster.status(other).fatal.is_none());
}
