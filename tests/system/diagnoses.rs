//! Why a run does not start, or why it failed, as users are told.

use crate::dev::{Dev, answer, binary, path, runnable, until};
use serde_json::{Value, json};
use std::fs;
use tallyman_chaos::{POD_REASON, SimulatedCluster, SimulatedClusterOptions};
use tokio::process::Command;

/// A run whose Pods have this trouble.
fn troubled(name: &str, reason: &str) -> Value {
    let mut run = runnable(name, "10ms");
    let job = &mut run["spec"]["manifests"][1];
    job["metadata"]["annotations"][POD_REASON] = json!(reason);
    job["spec"]["backoffLimit"] = json!(0);
    run
}

async fn until_why(dev: &Dev, url: &str, name: &str, reason: &str) -> Value {
    until(&format!("{name} says {reason}"), async || {
        let status = dev.read(url, "risk", name).await?.body["status"].clone();
        (status["attempts"][0]["diagnosis"]["reason"] == reason).then_some(status)
    })
    .await
}

async fn tallyman(url: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.env("TALLYMAN_SERVER", url).args(arguments).kill_on_drop(true);
    let output = command.output().await.unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_says_why_it_does_not_start_until_it_does_and_how_it_failed() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = SimulatedCluster::start(SimulatedClusterOptions::named("plant")).await.unwrap();
    let file = folder.path().join("plant.kubeconfig").display().to_string();
    fs::write(&file, cluster.kubeconfig()).unwrap();
    let dev = Dev::start_in(&folder.path().join("dev"), &["--kubeconfig", &format!("{file}=plant")]).await;
    let url = dev.leader().await.url;
    let follower = dev.followers().await[0].url.clone();
    for (name, reason) in [
        ("image", "ImagePullBackOff"),
        ("node", "Unschedulable"),
        ("crash", "CrashLoopBackOff"),
        ("mount", "FailedMount"),
        ("quota", "FailedCreate"),
        ("memory", "OOMKilled"),
    ] {
        let taken = dev.submit(&url, "risk", &troubled(name, reason)).await.unwrap();
        assert_eq!(taken.status, 201, "{taken:?}");
    }
    for (name, reason, words) in [
        ("image", "ImagePullBackOff", "Back-off pulling image \"busybox\""),
        ("node", "Unschedulable", "0/1 nodes are available: 1 Insufficient memory."),
        ("crash", "CrashLoopBackOff", "container main: CrashLoopBackOff, exit code 1, 3 restarts"),
        ("mount", "FailedMount", "MountVolume.SetUp failed"),
        ("quota", "FailedCreate", "has no Pod: FailedCreate: Error creating: pods"),
    ] {
        let status = until_why(&dev, &follower, name, reason).await;
        let message = status["message"].as_str().unwrap();
        assert!(message.contains(words) && message.contains(" (seen 20"), "{name}: {message}");
        assert_eq!((&status["phase"], &status["reason"]), (&json!("Pending"), &json!(reason)), "{status:#}");
        let conditions = status["conditions"].as_array().unwrap();
        let observed = conditions.iter().find(|condition| condition["type"] == "Observed").unwrap();
        assert_eq!(observed["reason"], reason);
        assert!(observed["message"].as_str().unwrap().contains(words), "{observed}");
    }
    let failed = until_why(&dev, &follower, "memory", "OOMKilled").await;
    assert_eq!(failed["phase"], "Failed", "{failed:#}");
    let pod = &failed["attempts"][0]["pods"][0];
    assert_eq!((&pod["exitCode"], &pod["container"]), (&json!(137), &json!("main")), "{pod}");

    // Where people look.
    let said = tallyman(&url, &["get", "risk/image", "-o", "wide"]).await;
    assert!(said.contains("ImagePullBackOff"), "{said}");
    let said = tallyman(&url, &["wait", "risk/node", "--timeout", "1s"]).await;
    assert!(said.contains("0/1 nodes are available"), "{said}");
    let said = tallyman(&url, &["history", "risk/memory"]).await;
    assert!(said.contains("OOMKilled, exit code 137"), "{said}");

    // Nothing is in the way any more.
    let pods = dev.get(&cluster.server(), "/api/v1/namespaces/risk/pods").await.unwrap().body;
    let free = json!({"metadata": {"annotations": {POD_REASON: null}}});
    for pod in pods["items"].as_array().unwrap().iter().filter(|pod| pod["status"]["phase"] != "Failed") {
        let labels = &pod["metadata"]["labels"];
        assert_eq!(labels["tallyman.dev/attempt"], "1", "{labels}");
        let name = pod["metadata"]["name"].as_str().unwrap();
        patch(&dev, &format!("{}/api/v1/namespaces/risk/pods/{name}", cluster.server()), &free).await;
    }
    patch(&dev, &format!("{}/apis/batch/v1/namespaces/risk/jobs/quota", cluster.server()), &free).await;
    for name in ["image", "node", "crash", "mount", "quota"] {
        let status = dev.until_phase("risk", name, "Succeeded").await["status"].clone();
        assert_eq!(status["attempts"][0]["diagnosis"], Value::Null, "{status:#}");
    }
    let list = dev.get(&url, &path("clusters/plant")).await.unwrap().body;
    assert_eq!(list["status"]["straysCount"], 0, "the Pods of our Jobs are no strays");
}

async fn patch(dev: &Dev, url: &str, patch: &Value) {
    let request = dev.http.patch(url).header("content-type", "application/merge-patch+json");
    let answer = answer(request.body(patch.to_string())).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}
