//! One run on each of several clusters.

use crate::dev::{Dev, binary, path, runnable, until};
use serde_json::{Value, json};
use std::fs;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_maintenance_job_runs_once_on_each_cluster_also_on_one_that_is_away_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let mut clusters = Vec::new();
    let mut arguments = Vec::new();
    for name in ["alpha", "beta", "gamma"] {
        let cluster = SimulatedCluster::start(SimulatedClusterOptions::named(name)).await.unwrap();
        let file = folder.path().join(format!("{name}.kubeconfig")).display().to_string();
        fs::write(&file, cluster.kubeconfig()).unwrap();
        arguments.extend(["--kubeconfig".to_owned(), format!("{file}={name}")]);
        clusters.push(cluster);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let dev = Dev::start_in(&folder.path().join("dev"), &arguments).await;
    let url = dev.replicas()[0].url.clone();
    clusters[2].pause_listener().await;

    let mut run = runnable("patch", "1s");
    run["spec"]["placement"] = json!({"fanOut": true});
    until("the group is at the version that this takes", async || {
        let answer = dev.submit(&url, "risk", &run).await?;
        (answer.status == 201).then_some(())
    })
    .await;
    for name in ["patch-alpha", "patch-beta"] {
        dev.until_phase("risk", name, "Succeeded").await;
    }
    let waits = dev.read(&url, "risk", "patch").await.unwrap().body;
    assert_eq!(waits["status"]["phase"], "Running", "{waits:#}");
    assert_eq!(waits["status"]["fanOut"]["succeeded"], 2, "{waits:#}");
    clusters[2].resume_listener().await.unwrap();
    let ended = dev.until_phase("risk", "patch", "Succeeded").await;
    assert_eq!(ended["status"]["message"], "of 3 runs: 3 succeeded", "{ended:#}");

    let listed = dev.get(&url, &path("namespaces/risk/runnables?fieldSelector=status.parent%3Dpatch")).await;
    let names: Vec<Value> = listed.unwrap().body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["patch-alpha", "patch-beta", "patch-gamma"]);
    let mut get = Command::new(binary());
    get.env("TALLYMAN_SERVER", &url).args(["get", "risk/patch", "risk/patch-beta"]);
    let shown = get.kill_on_drop(true).output().await.unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("3 clusters") && shown.contains("of 3 runs: 3 succeeded"), "{shown}");

    let mut delete = Command::new(binary());
    delete.env("TALLYMAN_SERVER", &url).args(["delete", "risk/patch"]);
    let deleted = delete.kill_on_drop(true).output().await.unwrap();
    assert!(deleted.status.success(), "{deleted:?}");
    until("its runs and their objects are gone", async || {
        let gone = dev.read(&url, "risk", "patch-beta").await?.status == 404
            && dev.read(&url, "risk", "patch").await?.status == 404;
        gone.then_some(())
    })
    .await;
    for cluster in &clusters {
        let jobs = dev.get(&cluster.server(), "/apis/batch/v1/jobs").await.unwrap();
        assert_eq!(jobs.body["items"].as_array().unwrap().len(), 0, "{:#}", jobs.body);
    }
}
