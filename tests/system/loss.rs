//! A cluster that is away for long: its runs are lost, go on elsewhere by a person's word, and what is found there
//! still when it is back is ended.

use crate::dev::{Dev, answer, binary, path, runnable, until};
use serde_json::{Value, json};
use std::fs;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions};
use tempfile::TempDir;
use tokio::process::Command;

/// `dev` with two clusters of this process, which can be cut off.
async fn with_two_clusters() -> (TempDir, [SimulatedCluster; 2], Dev) {
    let folder = tempfile::tempdir().unwrap();
    let mut clusters = Vec::new();
    let mut arguments = Vec::new();
    for name in ["plant", "refuge"] {
        let cluster = SimulatedCluster::start(SimulatedClusterOptions::named(name)).await.unwrap();
        let file = folder.path().join(format!("{name}.kubeconfig")).display().to_string();
        fs::write(&file, cluster.kubeconfig()).unwrap();
        arguments.extend(["--kubeconfig".to_owned(), format!("{file}={name}")]);
        clusters.push(cluster);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let dev = Dev::start_in(&folder.path().join("dev"), &arguments).await;
    let Ok(clusters) = <[SimulatedCluster; 2]>::try_from(clusters) else { panic!("there are two") };
    (folder, clusters, dev)
}

/// Submits a run of ten minutes that is soon lost. All replicas must have said that they know what that is.
async fn submit(dev: &Dev, url: &str, name: &str, on_loss: &str) {
    let mut run = runnable(name, "10m");
    run["spec"]["placement"] = json!({"onLoss": on_loss, "lossAfter": "3s"});
    until("the group is at the version that this takes", async || {
        let answer = dev.submit(url, "risk", &run).await?;
        (answer.status == 201).then_some(())
    })
    .await;
    dev.until_phase("risk", name, "Running").await;
}

async fn jobs(dev: &Dev, cluster: &SimulatedCluster) -> Vec<String> {
    let listed = dev.get(&cluster.server(), "/apis/batch/v1/jobs").await.unwrap();
    let name = |job: &Value| job["metadata"]["name"].as_str().unwrap().to_owned();
    listed.body["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_run_goes_on_elsewhere_by_a_persons_word_and_its_old_object_is_ended_on_return() {
    let (_folder, [plant, refuge], dev) = with_two_clusters().await;
    let url = dev.replicas()[0].url.clone();
    submit(&dev, &url, "mover", "Move").await;
    assert_eq!(jobs(&dev, &plant).await, ["mover"], "of equals the first by name");

    plant.pause_listener().await;
    let lost = dev.until_phase("risk", "mover", "Lost").await;
    assert_eq!(lost["status"]["reason"], "ClusterLost", "{lost:#}");
    let mut moving = Command::new(binary());
    moving.env("TALLYMAN_SERVER", &url).args(["move", "risk/mover", "--reason", "plant burns"]);
    let moved = moving.kill_on_drop(true).output().await.unwrap();
    assert!(moved.status.success(), "{moved:?}");
    dev.until_phase("risk", "mover", "Running").await;
    assert_eq!(jobs(&dev, &refuge).await, ["mover-a2"]);

    plant.resume_listener().await.unwrap();
    until("the old object is ended", async || jobs(&dev, &plant).await.is_empty().then_some(())).await;
    let run = dev.read(&url, "risk", "mover").await.unwrap().body;
    let first = &run["status"]["attempts"][0];
    assert_eq!(first["phase"], "Moved", "{run:#}");
    assert!(first["overlapAt"].is_string(), "{first:#}");
    assert!(first["message"].as_str().unwrap().starts_with("overlap: Job risk/mover on plant"), "{first:#}");
    assert_eq!(run["status"]["phase"], "Running", "attempt 2 goes on: {run:#}");
    let ledger = dev.get(&url, &path("auditrecords?limit=500")).await.unwrap().body.to_string();
    assert!(ledger.contains("overlap: Job risk/mover"), "the ledger tells of it");
    assert!(ledger.contains("plant burns"), "and of who moved it, and why");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_wait_or_fail_do_so_and_a_drained_cluster_is_left() {
    let (_folder, [plant, refuge], dev) = with_two_clusters().await;
    let url = dev.replicas()[0].url.clone();
    let cordon = async |name: &str, cordoned: bool| {
        let patch = json!({"spec": {"cordoned": cordoned}});
        let request = dev.http.patch(format!("{url}{}", path(&format!("clusters/{name}"))));
        let changed =
            answer(request.header("content-type", "application/merge-patch+json").json(&patch)).await;
        assert_eq!(changed.unwrap().status, 200);
    };
    cordon("refuge", true).await;
    submit(&dev, &url, "waiter", "Wait").await;
    submit(&dev, &url, "failer", "Fail").await;
    plant.pause_listener().await;
    let failed = dev.until_phase("risk", "failer", "Failed").await;
    assert_eq!(failed["status"]["reason"], "ClusterLost", "{failed:#}");
    dev.until_phase("risk", "waiter", "Lost").await;
    plant.resume_listener().await.unwrap();
    dev.until_phase("risk", "waiter", "Running").await;
    until("what the failed one owes", async || (jobs(&dev, &plant).await == ["waiter"]).then_some(())).await;

    cordon("refuge", false).await;
    let drain = format!("{url}{}", path("clusters/plant/drain"));
    let drained = answer(dev.http.post(drain).json(&json!({"reason": "new nodes"}))).await.unwrap();
    assert_eq!(drained.status, 200, "{drained:?}");
    assert_eq!(drained.body["status"]["draining"]["reason"], "new nodes", "{drained:?}");
    let moved = format!("{url}{}", path("namespaces/risk/runnables/waiter/move"));
    assert_eq!(answer(dev.http.post(moved)).await.unwrap().status, 200, "one that runs is moved by name");
    until("it runs elsewhere", async || {
        (jobs(&dev, &refuge).await == ["waiter-a2"] && jobs(&dev, &plant).await.is_empty()).then_some(())
    })
    .await;
    dev.until_phase("risk", "waiter", "Running").await;
}
