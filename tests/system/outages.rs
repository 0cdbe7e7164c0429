//! What happens when something is away: a datacenter, a cluster, Tallyman itself.

use crate::dev::{Dev, binary, path, runnable, signal, until};
use crate::history::{Load, check_all_succeeded};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions};
use tempfile::TempDir;
use tokio::process::Command;

/// `dev` with a cluster of this process, which can be cut off and outlives `dev`.
async fn with_a_cluster() -> (TempDir, SimulatedCluster, String, Dev) {
    let folder = tempfile::tempdir().unwrap();
    let cluster = SimulatedCluster::start(SimulatedClusterOptions::named("plant")).await.unwrap();
    let file = folder.path().join("plant.kubeconfig").display().to_string();
    fs::write(&file, cluster.kubeconfig()).unwrap();
    let dev = Dev::start_in(&folder.path().join("dev"), &["--kubeconfig", &format!("{file}=plant")]).await;
    (folder, cluster, file, dev)
}

async fn jobs(dev: &Dev, cluster: &SimulatedCluster) -> Vec<Value> {
    let answer = dev.get(&cluster.server(), "/apis/batch/v1/jobs").await.unwrap();
    answer.body["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_of_three_datacenters_gone_writes_and_reads_go_on() {
    let dev = Arc::new(Dev::start(&[]).await);
    let load = Load::start(&dev, 2, 7);
    load.progress(5).await;
    // Frozen: neither closed connections nor a restart tell the others.
    let gone = dev.leader().await;
    signal(gone.pid, Signal::STOP);
    load.progress(10).await;
    signal(gone.pid, Signal::CONT);
    let acknowledged = load.finish().await;
    check_all_succeeded(&dev, &acknowledged).await;
    let last = acknowledged.iter().map(|mine| mine.revision).max().unwrap();
    let token = format!("runnables?resourceVersion={last}&resourceVersionMatch=NotOlderThan&limit=1");
    until("the returned one has caught up", async || {
        dev.get(&gone.url, &path(&token)).await.filter(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_away_gets_its_work_once_when_it_is_back_and_its_news_show_their_age() {
    let (_folder, cluster, _, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    cluster.pause_listener().await;
    let taken = dev.submit(&url, "risk", &runnable("patient", "10ms")).await.unwrap();
    assert_eq!(taken.status, 201, "{taken:?}");
    until("the cluster is shown as out of reach", async || {
        let answer = dev.get(&url, &path("clusters/plant")).await?;
        (answer.body["status"]["reachable"] == json!(false)).then_some(())
    })
    .await;
    let answer = dev.get(&url, &path("clusters")).await.unwrap();
    assert!(answer.header("tallyman-oldest-cluster-ms").parse::<u64>().unwrap() > 0, "{answer:?}");
    cluster.resume_listener().await.unwrap();
    dev.until_phase("risk", "patient", "Succeeded").await;
    assert_eq!(jobs(&dev, &cluster).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_tallyman_is_gone_for_good_its_holds_can_be_released() {
    let (_folder, cluster, file, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    assert_eq!(dev.submit(&url, "risk", &runnable("orphan", "10m")).await.unwrap().status, 201);
    dev.until_phase("risk", "orphan", "Running").await;
    let held = jobs(&dev, &cluster).await;
    assert_eq!(held[0]["metadata"]["finalizers"], json!(["tallyman.dev/hold"]), "{held:?}");
    dev.stop().await;

    let release = async |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["cluster", "release", "--kubeconfig", &file]).args(arguments);
        command.output().await.unwrap()
    };
    let early = release(&[]).await;
    assert_eq!(early.status.code(), Some(4), "a hold that is not over needs a word more: {early:?}");
    let released = release(&["--force"]).await;
    assert!(released.status.success(), "{released:?}");
    let http = crate::dev::client();
    let answer = http.get(format!("{}/apis/batch/v1/jobs", cluster.server())).send().await.unwrap();
    let free: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let finalizers = &free["items"][0]["metadata"]["finalizers"];
    assert!(finalizers.as_array().is_none_or(Vec::is_empty), "{free}");
}
