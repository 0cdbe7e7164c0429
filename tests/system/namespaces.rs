//! A cluster that may be read in some namespaces only.

use crate::dev::{Dev, answer, path, runnable, until};
use crate::outages::with_a_cluster;
use serde_json::{Value, json};
use tallyman_chaos::{Fault, Matching, Refuse, SimulatedCluster};

/// Whatever is asked of the whole cluster is refused, as where an account has Roles only.
fn narrow(cluster: &SimulatedCluster) {
    for resource in ["jobs", "configmaps", "workflows", "workflowtemplates"] {
        let whole = Matching::any().resource(resource).namespace("");
        cluster.faults().always(whole, Fault::Refuse(Refuse::status(403)));
    }
}

async fn change(dev: &Dev, spec: &Value) -> u16 {
    let url = format!("{}{}", dev.leader().await.url, path("clusters/plant"));
    until("the group has seen that all its replicas know it", async || {
        let request = dev.http.patch(&url).header("content-type", "application/merge-patch+json");
        let answer = answer(request.body(json!({"spec": spec}).to_string())).await?;
        (answer.status != 503).then_some(answer.status)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_end_and_those_of_others_are_shown_where_only_namespaces_may_be_read() {
    let (_folder, cluster, _, dev) = with_a_cluster().await;
    narrow(&cluster);
    let jobs =
        |namespaces: Value| json!([{"apiVersion": "batch/v1", "kind": "Job", "namespaces": namespaces}]);
    let spec = |namespaces| json!({"watchScope": "Namespaces", "watchNamespaces": ["risk"], "observe": jobs(namespaces)});
    assert_eq!(change(&dev, &spec(Value::Null)).await, 422, "an observe of all namespaces");
    assert_eq!(change(&dev, &spec(json!(["ops"]))).await, 200);

    let follower = dev.followers().await[0].url.clone();
    assert_eq!(dev.submit(&follower, "risk", &runnable("report", "500ms")).await.unwrap().status, 201);
    let nightly = runnable("nightly", "1h")["spec"]["manifests"][1].clone();
    let jobs = format!("{}/apis/batch/v1/namespaces/ops/jobs", cluster.server());
    assert_eq!(answer(dev.http.post(jobs).json(&nightly)).await.unwrap().status, 201);
    let ended = dev.until_phase("risk", "report", "Succeeded").await;
    let observed = ended["status"]["conditions"].as_array().unwrap().iter();
    assert!(observed.clone().any(|one| one["type"] == "Observed" && one["status"] == "True"), "{ended:#}");
    until("the Job of others is shown", async || {
        let query = path("namespaces/ops/runnables?fieldSelector=status.foreign%3Dtrue");
        let shown = dev.get(&follower, &query).await?;
        (shown.body["items"][0]["status"]["phase"] == "Running").then_some(())
    })
    .await;
    until("nothing is missed there", async || {
        let plant = dev.get(&follower, &path("clusters/plant")).await?.body;
        let is_told = plant["status"]["foreign"][0]["observedAt"].is_string();
        (is_told && plant["status"]["message"].as_str().unwrap_or_default().is_empty()).then_some(())
    })
    .await;
    dev.stop().await;
}
