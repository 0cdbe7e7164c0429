//! Argo Workflows on simulated clusters, as users meet them.

use crate::dev::{Dev, answer, binary, path, until};
use serde_json::{Value, json};
use tokio::process::Command;

const API: &str = "argoproj.io/v1alpha1";

fn workflow(name: &str, run_for: &str) -> Value {
    let metadata = json!({"annotations": {"simulate.tallyman.dev/run-for": run_for}});
    let container = json!({"image": "busybox"});
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {"placement": {"clusters": ["east"]}, "manifests": [{
            "apiVersion": API, "kind": "Workflow", "metadata": {"name": name},
            "spec": {"entrypoint": "main", "templates": [
                {"name": "main", "metadata": metadata, "container": container},
            ]},
        }]},
    })
}

/// The Workflow as the replica at `url` shows what is on its cluster.
async fn shown(dev: &Dev, url: &str, name: &str) -> Value {
    let path = format!("/k8s/clusters/east/apis/{API}/namespaces/risk/workflows/{name}");
    dev.get(url, &path).await.map_or(Value::Null, |answer| answer.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_a_workflow_runs_to_its_end() {
    let dev = Dev::start(&[]).await;
    let url = dev.leader().await.url;
    let mut command = Command::new(binary());
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("TALLYMAN_SERVER", &url);
    command.args(["submit", "examples/nightly-workflow.yaml", "--wait"]).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let list = dev.get(&url, &path("namespaces/risk/runnables")).await.unwrap().body;
    let main = &list["items"][0]["status"]["attempts"][0]["objects"];
    let kinds: Vec<&str> =
        main.as_array().unwrap().iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["WorkflowTemplate", "Workflow"], "{list:#}");
    assert_eq!(list["items"][0]["status"]["phase"], "Succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_workflow_stops_stays_to_be_looked_at_and_goes_with_its_record() {
    let dev = Dev::start(&[]).await;
    let url = dev.followers().await[0].url.clone();
    until("the group has seen that all its replicas know the kind", async || {
        let answer = dev.submit(&url, "risk", &workflow("long", "1h")).await?;
        assert!(matches!(answer.status, 201 | 503), "{answer:?}");
        (answer.status == 201).then_some(())
    })
    .await;
    dev.until_phase("risk", "long", "Running").await;
    let run = path("namespaces/risk/runnables/long");
    let cancelled = answer(dev.http.post(format!("{url}{run}/cancel"))).await.unwrap();
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    dev.until_phase("risk", "long", "Cancelled").await;
    let document = shown(&dev, &url, "long").await;
    assert_eq!(document["status"]["phase"], "Failed", "{document:#}");
    assert_eq!(document["status"]["message"], "Stopped with strategy 'Stop'");
    let deleted = answer(dev.http.delete(format!("{url}{run}"))).await.unwrap();
    assert_eq!(deleted.status, 200, "{deleted:?}");
    until("the record and its Workflow are gone", async || {
        let record = dev.get(&url, &run).await?;
        (record.status == 404 && shown(&dev, &url, "long").await["code"] == 404).then_some(())
    })
    .await;
}
