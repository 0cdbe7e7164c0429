//! A cluster that only the replica of one datacenter can reach.

use crate::dev::{answer, client, path, until};
use crate::gate::Gate;
use crate::servers::{Load, Servers};
use crate::witness::Witness;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use tallyman_chaos::{Matching, SimulatedCluster, SimulatedClusterOptions, Verb};
use tempfile::TempDir;

struct Plant {
    cluster: SimulatedCluster,
    gate: Gate,
    _folder: TempDir,
}

/// Registers a cluster that is reached from the place `relay` alone.
async fn register(servers: &Servers, relay: usize) -> Plant {
    let cluster = SimulatedCluster::start(SimulatedClusterOptions::named("plant")).await.unwrap();
    let gate = Gate::before(cluster.address()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plant.kubeconfig");
    let kubeconfig = cluster.kubeconfig().replace(&cluster.server(), &format!("http://{}", gate.address));
    fs::write(&file, kubeconfig).unwrap();
    gate.let_in(pid(servers, relay));
    let document = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "plant"},
        "spec": {"kubeconfig": {"path": file}, "via": format!("dc{relay}")},
    });
    until("all replicas understand what is asked", async || {
        let url = format!("{}{}", servers.places[0].url, path("clusters"));
        let made = answer(client().post(url).json(&document)).await?;
        (made.status == 201).then_some(())
    })
    .await;
    Plant { cluster, gate, _folder: folder }
}

fn pid(servers: &Servers, i: usize) -> u32 {
    servers.places[i].child.as_ref().unwrap().id().unwrap()
}

/// Waits until the cluster's status is as `is` wants it, as any replica shows it.
async fn until_status(servers: &Servers, what: &str, is: impl Fn(&Value) -> bool) {
    until(what, async || {
        for i in (0..3).filter(|i| servers.places[*i].child.is_some()) {
            if let Some(shown) = servers.get(i, &path("clusters/plant")).await {
                return is(&shown.body["status"]).then_some(());
            }
        }
        None
    })
    .await;
}

async fn transfer(servers: &Servers, to: usize) {
    let id = servers.id(to).await;
    until("the leadership moves", async || {
        let leader = servers.leader().await;
        if leader == to {
            return Some(());
        }
        let url = format!("{}/operator/transfer-leader", servers.places[leader].url);
        answer(client().post(url).json(&json!({"to": id}))).await;
        None
    })
    .await;
}

/// Waits until all of these have succeeded with one attempt.
async fn until_all_succeeded(servers: &Servers, acknowledged: &BTreeMap<String, Value>) {
    for name in acknowledged.keys() {
        until(&format!("{name} has succeeded"), async || {
            let run = servers.get(0, &path(&format!("namespaces/load/runnables/{name}"))).await?;
            let status = &run.body["status"];
            let attempts = status["attempts"].as_array().map_or(0, Vec::len);
            (status["phase"] == json!("Succeeded") && attempts == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_get_to_a_cluster_that_one_datacenter_reaches_exactly_once_whoever_leads_and_relays() {
    let mut servers = Servers::founded().await;
    let leader = servers.leader().await;
    let relay = (leader + 1) % 3;
    let plant = register(&servers, relay).await;
    let relay_words = format!("{} of dc{relay}", servers.id(relay).await);
    until_status(&servers, "it is reached, and says through whom", |status| {
        status["reachable"] == json!(true) && status["relayedBy"] == json!(relay_words)
    })
    .await;
    let (witness, watches) = Witness::of(vec![("plant".to_owned(), plant.cluster.server())]);
    let load = Load::start(&servers, 2);
    load.progress(10).await;
    let metrics = client().get(format!("{}/metrics", servers.places[relay].url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let relays = metrics.lines().find_map(|line| line.strip_prefix("tallyman_relays "));
    assert!(relays.unwrap().parse::<u64>().unwrap() > 0, "{metrics}");

    // The replica that relays is gone while creates are on their way: nobody knows what becomes of them.
    let held = plant.cluster.faults().hold(Matching::verb(Verb::Create).resource("jobs"));
    held.wait_held(2).await;
    servers.kill(relay).await;
    let words = format!("no replica in dc{relay} connects to it");
    until_status(&servers, "it is out of reach, and says why", |status| {
        let message = status["message"].as_str().unwrap_or_default();
        status["reachable"] == json!(false) && message.contains(&words) && status["relayedBy"] == json!(null)
    })
    .await;
    held.release();
    load.progress(10).await;
    servers.start(relay);
    plant.gate.let_in(pid(&servers, relay));
    until_status(&servers, "it is reached again", |status| status["relayedBy"] == json!(relay_words)).await;
    load.progress(10).await;

    // The leader is gone, and one that relays as well, or is there itself, goes on.
    servers.kill(leader).await;
    load.progress(10).await;
    servers.start(leader);
    transfer(&servers, relay).await;
    until_status(&servers, "the leader reaches it itself", |status| {
        status["reachable"] == json!(true) && status["relayedBy"] == json!(null)
    })
    .await;
    load.progress(10).await;
    transfer(&servers, leader).await;
    load.progress(10).await;

    let acknowledged = load.finish().await;
    until_all_succeeded(&servers, &acknowledged).await;
    let jobs = witness.jobs_of();
    for (name, uid) in &acknowledged {
        assert_eq!(jobs.get(uid.as_str().unwrap()), Some(&1), "Jobs ever made for {name}");
    }
    assert!(jobs.values().all(|count| *count == 1), "{jobs:?}");
    assert_eq!(plant.gate.turned_away(), 0, "nobody else tried");
    watches.iter().for_each(|watch| watch.abort());
}
