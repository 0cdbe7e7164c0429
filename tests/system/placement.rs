//! Where runs go: clusters that are asked first, and zones.

use crate::dev::{Dev, answer, path, runnable, until};
use serde_json::{Value, json};
use std::fs;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions, Verb};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_where_it_would_be_taken_and_waits_with_the_clusters_words_where_it_would_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut clusters = Vec::new();
    let mut arguments = Vec::new();
    for name in ["alpha", "beta", "gamma"] {
        let options = SimulatedClusterOptions { strict: true, ..SimulatedClusterOptions::named(name) };
        let cluster = SimulatedCluster::start(options).await.unwrap();
        let file = folder.path().join(format!("{name}.kubeconfig")).display().to_string();
        fs::write(&file, cluster.kubeconfig()).unwrap();
        arguments.extend(["--kubeconfig".to_owned(), format!("{file}={name}")]);
        clusters.push(cluster);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let dev = Dev::start_in(&folder.path().join("dev"), &arguments).await;
    let url = dev.replicas()[0].url.clone();
    for (name, zone) in [("alpha", "a"), ("beta", "a"), ("gamma", "b")] {
        let labels = json!({"metadata": {"labels": {"zone": zone}}});
        let request = dev.http.patch(format!("{url}{}", path(&format!("clusters/{name}"))));
        let request = request.header("content-type", "application/merge-patch+json").json(&labels);
        assert_eq!(answer(request).await.unwrap().status, 200);
    }

    // No cluster has the namespace.
    let mut run = runnable("first", "10m");
    run["spec"]["preflight"] = json!("Require");
    run["spec"]["placement"] = json!({"spreadByLabel": "zone"});
    until("the group is at the version that this takes", async || {
        let answer = dev.submit(&url, "risk", &run).await?;
        (answer.status == 201).then_some(())
    })
    .await;
    let waits = until("all clusters have refused it", async || {
        let document = dev.read(&url, "risk", "first").await?.body;
        let said = document["status"]["message"].as_str().unwrap_or_default().to_owned();
        let is_said = said.starts_with("no cluster takes it now") && said.matches("refuse").count() > 0;
        (is_said && ["alpha", "beta", "gamma"].iter().all(|name| said.contains(name))).then_some(document)
    })
    .await;
    assert_eq!(waits["status"]["phase"], "Accepted", "{waits:#}");
    assert!(
        waits["status"]["message"].as_str().unwrap().contains("not found"),
        "the cluster's words: {waits:#}"
    );
    for cluster in &clusters {
        assert!(cluster.requests().of(Verb::Create, "configmaps") > 0, "it was asked");
        let made = dev.get(&cluster.server(), "/api/v1/configmaps").await.unwrap();
        assert_eq!(made.body["items"], json!([]), "and made nothing");
    }
    let cancel = dev.http.post(format!("{url}{}", path("namespaces/risk/runnables/first/cancel")));
    assert_eq!(answer(cancel).await.unwrap().status, 200);

    // Two of them get it.
    for cluster in clusters.iter().take(2) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "risk"}});
        let request = dev.http.post(format!("{}/api/v1/namespaces", cluster.server())).json(&namespace);
        assert_eq!(answer(request).await.unwrap().status, 201);
    }
    let mut names = Vec::new();
    for number in 0..4 {
        let name = format!("next-{number}");
        let mut run = runnable(&name, "10m");
        run["spec"]["preflight"] = json!("Require");
        run["spec"]["placement"] = json!({"spreadByLabel": "zone"});
        assert_eq!(dev.submit(&url, "risk", &run).await.unwrap().status, 201);
        dev.until_phase("risk", &name, "Running").await;
        names.push(name);
    }
    let mut on = Vec::new();
    for name in &names {
        let document = dev.read(&url, "risk", name).await.unwrap().body;
        on.push(document["status"]["cluster"].clone());
        let conditions = document["status"]["conditions"].as_array().unwrap().clone();
        let said: &Value = conditions.iter().find(|condition| condition["type"] == "Preflight").unwrap();
        assert_eq!(said["status"], "True", "{said:#}");
    }
    on.sort_by_key(ToString::to_string);
    assert_eq!(
        on,
        ["alpha", "alpha", "beta", "beta"],
        "gamma refuses what it would have been given by its zone"
    );
}
