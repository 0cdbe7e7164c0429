//! Replicas come and go under load, as an operator has them: with servers by hand, and the client.

use crate::dev::{path, until};
use crate::servers::{Load, Servers};
use rustix::process::Signal;
use std::fs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_become_five_and_three_again_under_load_and_nothing_acknowledged_is_lost() {
    let mut servers = Servers::founded().await;
    let load = Load::start(&servers, 3);
    load.progress(10).await;

    servers.add_places(2);
    for i in [3, 4] {
        servers.start(i);
        until("it says that it has to be added", async || {
            let status = servers.status(i).await?;
            status["waitingFor"].as_str()?.contains("tallyman operator member add").then_some(())
        })
        .await;
    }
    let (fourth, fifth) = (servers.places[3].peer.clone(), servers.places[4].peer.clone());
    let said = servers.done(&["member", "add", &fourth, "--voter"]).await;
    assert!(said.contains("it may join"), "{said}");
    servers.done(&["member", "add", &fifth, "--voter"]).await;
    // Whatever step the leader is at, the next one goes on with it.
    let leader = servers.leader().await;
    servers.kill(leader).await;
    load.progress(10).await;
    servers.start(leader);
    servers.until_members(&[0, 1, 2, 3, 4]).await;
    load.progress(10).await;

    // The leader goes, and the one that leads then is killed while another one goes.
    let first = servers.leader().await;
    servers.done(&["member", "remove", &servers.id(first).await]).await;
    assert_eq!(servers.ended(first).await, Some(0), "a removed replica ends well");
    let leader = servers.leader().await;
    let second = (0..5).find(|i| *i != first && *i != leader).unwrap();
    servers.done(&["member", "remove", &servers.id(second).await]).await;
    servers.kill(leader).await;
    load.progress(10).await;
    servers.start(leader);
    assert_eq!(servers.ended(second).await, Some(0));
    let left: Vec<usize> = (0..5).filter(|i| *i != first && *i != second).collect();
    servers.until_members(&left).await;
    load.progress(10).await;
    let acknowledged = load.finish().await;

    for i in [first, second] {
        let log = fs::read_to_string(servers.log(i)).unwrap();
        assert!(log.contains("no longer of the group"), "it says why: {log}");
    }
    servers.start(first);
    assert_eq!(servers.ended(first).await, Some(0), "started again, it ends again");
    servers.show_all(&left, &acknowledged).await;
    servers.until_equal(&left).await;
    let records = servers.get(left[0], &path("auditrecords?limit=500")).await.unwrap().body.to_string();
    assert!(records.contains("dismiss-member"), "the ledger tells of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_of_three_lost_no_other_is_removed_and_a_blank_one_takes_its_place() {
    let mut servers = Servers::founded().await;
    let leader = servers.leader().await;
    let (lost, left) = ((leader + 1) % 3, (leader + 2) % 3);
    let (lost_id, left_id) = (servers.id(lost).await, servers.id(left).await);
    // It stands still, its connections stay open, and it does not know.
    servers.pause(lost, Signal::STOP);
    let refused = servers.operator(&["member", "remove", &left_id]).await;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{words}");
    assert!(words.contains(&format!("start {lost_id} again")), "{words}");

    servers.add_places(1);
    let said = servers.done(&["member", "replace", &lost_id, &servers.places[3].peer]).await;
    assert!(said.contains(&format!("takes the place of {lost_id}")), "{said}");
    let list = servers.done(&["member", "list"]).await;
    assert!(list.contains(&format!("Expected Voter for {lost_id}")), "{list}");
    servers.start(3);
    servers.pause(lost, Signal::STOP);
    servers.until_members(&[leader, left, 3]).await;

    // The lost one goes on, disturbs nobody, and finds out.
    let term = servers.status(leader).await.unwrap()["term"].clone();
    servers.pause(lost, Signal::CONT);
    assert_eq!(servers.ended(lost).await, Some(0));
    assert_eq!(servers.status(leader).await.unwrap()["term"], term);
    let preferred = servers.done(&["member", "prefer", "dc3"]).await;
    assert!(preferred.contains("dc3"), "{preferred}");
    until("the leader is there", async || (servers.leader().await == 3).then_some(())).await;
}
