//! Clusters that nobody registers here: a hub tells of them by its objects.

use crate::dev::{answer, client, path, runnable, until};
use crate::sources::{Guarded, Stage};
use serde_json::{Value, json};
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions};

const GROUP: &str = "multicluster.x-k8s.io";

/// A simulated cluster that serves the cluster inventory API.
struct Hub {
    cluster: SimulatedCluster,
    http: reqwest::Client,
}

impl Hub {
    async fn start() -> Self {
        let cluster = SimulatedCluster::start(SimulatedClusterOptions::named("hub")).await.unwrap();
        let hub = Self { cluster, http: client() };
        for (plural, kind) in
            [("clusterprofiles", "ClusterProfile"), ("placementdecisions", "PlacementDecision")]
        {
            let schema =
                json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
            let definition = json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.{GROUP}")},
                "spec": {
                    "group": GROUP, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": schema}],
                },
            });
            let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            let url = format!("{}{definitions}", hub.cluster.server());
            assert_eq!(answer(hub.http.post(url).json(&definition)).await.unwrap().status, 201);
        }
        hub
    }

    fn url(&self, plural: &str) -> String {
        format!("{}/apis/{GROUP}/v1alpha1/namespaces/fleet/{plural}", self.cluster.server())
    }

    async fn make(&self, plural: &str, kind: &str, mut object: Value) {
        object["apiVersion"] = json!(format!("{GROUP}/v1alpha1"));
        object["kind"] = json!(kind);
        until("it is served", async || {
            let made = answer(self.http.post(self.url(plural)).json(&object)).await?;
            (made.status == 201).then_some(())
        })
        .await;
    }

    async fn profile(&self, name: &str, server: &str) {
        let object = json!({
            "metadata": {"name": name, "labels": {"x-k8s.io/cluster-manager": "fleet"}},
            "spec": {"clusterManager": {"name": "fleet"}, "displayName": name},
            "status": {
                "properties": [{"name": "region", "value": "eu"}],
                "conditions": [{"type": "ControlPlaneHealthy", "status": "True", "reason": "Probed"}],
                "accessProviders": [{"name": "unheard-of", "cluster": {"server": "https://nowhere"}},
                    {"name": "cloud", "cluster": {"server": server}}],
            },
        });
        self.make("clusterprofiles", "ClusterProfile", object).await;
    }

    async fn slice(&self, index: usize, profiles: &[&str]) {
        let labels = json!({format!("{GROUP}/decision-key"): "gpu",
            format!("{GROUP}/decision-index"): index.to_string()});
        let object = json!({"metadata": {"name": format!("gpu-{index}"), "labels": labels}, "decisions": decisions(profiles)});
        self.make("placementdecisions", "PlacementDecision", object).await;
    }

    /// Has a slice name others.
    async fn change(&self, index: usize, profiles: &[&str]) {
        let body = json!({"decisions": decisions(profiles)}).to_string();
        let request = self.http.patch(format!("{}/gpu-{index}", self.url("placementdecisions")));
        let request = request.header("Content-Type", "application/merge-patch+json").body(body);
        assert_eq!(answer(request).await.unwrap().status, 200);
    }

    async fn remove(&self, plural: &str, name: &str) {
        let url = format!("{}/{name}", self.url(plural));
        assert_eq!(answer(self.http.delete(url)).await.unwrap().status, 200);
    }
}

fn decisions(profiles: &[&str]) -> Vec<Value> {
    profiles.iter().map(|name| json!({"clusterProfileRef": {"name": name}})).collect()
}

/// Replicas that know the hub.
async fn follow(hub: &Hub) -> Stage {
    let stage = Stage::start().await;
    stage.write("plugin-token", "s3cr3t-spoke");
    let body = json!({"apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "hub"},
        "spec": {"server": {"url": hub.cluster.server()}, "cordoned": true, "hub": {"namespaces": ["fleet"]}}});
    let added = stage.post("clusters", &body).await;
    assert_eq!(added.status, 201, "{added:?}");
    stage
}

async fn submit(stage: &Stage, name: &str, run_for: &str, placement: Value) {
    let mut run = runnable(name, run_for);
    run["spec"]["placement"] = placement;
    let taken = stage.post("namespaces/risk/runnables", &run).await;
    assert_eq!(taken.status, 201, "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_of_a_hub_come_rotate_and_go_as_its_profiles_say_over_leaders() {
    let hub = Hub::start().await;
    let mut stage = follow(&hub).await;
    let mut spoke = Guarded::start("spoke", "s3cr3t-spoke").await;
    hub.profile("spoke", &spoke.cluster.server()).await;
    let shown = stage.until_reachable("spoke").await;
    assert_eq!(shown["metadata"]["labels"]["region"], "eu", "{shown:#}");
    assert_eq!(shown["spec"]["server"]["provider"]["name"], "cloud", "{shown:#}");
    assert_eq!(shown["status"]["profile"]["controlPlaneHealthy"], "True (Probed)", "{shown:#}");
    submit(&stage, "first", "100ms", json!({"clusterSelector": "region in (eu)"})).await;
    stage.until_all_succeed(1).await;
    // What the hub says is not for users to change, and all else is.
    let url = format!("{}{}", stage.url(), path("clusters/spoke"));
    let patch = async |body: Value| {
        let request = client().patch(&url).header("Content-Type", "application/merge-patch+json");
        answer(request.body(body.to_string())).await.unwrap()
    };
    let refused = patch(json!({"spec": {"server": {"url": "https://mine"}}})).await;
    assert_eq!(
        (refused.status, refused.body["details"]["causes"][0]["field"].as_str()),
        (422, Some("spec.server"))
    );
    assert_eq!(patch(json!({"spec": {"logLink": "https://logs.example.com/{pod}"}})).await.status, 200);
    assert_eq!(answer(client().delete(&url)).await.unwrap().status, 409);
    // Another leader goes on, and the program gives other credentials.
    let leader = stage.servers.leader().await;
    stage.servers.kill(leader).await;
    stage.servers.start(leader);
    stage.write("plugin-token", "s3cr3t-next");
    spoke.know("s3cr3t-next");
    let late = Guarded::start("late", "s3cr3t-next").await;
    hub.profile("late", &late.cluster.server()).await;
    stage.until_reachable("late").await;
    hub.profile("again", &late.cluster.server()).await;
    stage.until_says("again", "it is the same cluster as \"late\"").await;
    submit(&stage, "second", "100ms", json!({"clusters": ["spoke"]})).await;
    stage.until_all_succeed(2).await;
    // What is gone gets nothing new; what runs there goes on.
    submit(&stage, "long", "3s", json!({"clusters": ["spoke"]})).await;
    until("it runs", async || {
        let run = stage.servers.get(0, &path("namespaces/risk/runnables/long")).await?;
        (run.body["status"]["phase"] == "Running").then_some(())
    })
    .await;
    hub.remove("clusterprofiles", "spoke").await;
    until("it says that it is gone", async || {
        let profile = stage.cluster("spoke").await?["status"]["profile"].clone();
        profile["goneAt"].is_string().then_some(())?;
        (profile["message"] == "ClusterProfile fleet/spoke of hub is gone").then_some(())
    })
    .await;
    submit(&stage, "waits", "100ms", json!({"clusters": ["spoke"]})).await;
    stage.until_all_succeed(3).await;
    until("the other says why it waits", async || {
        let run = stage.servers.get(0, &path("namespaces/risk/runnables/waits")).await?;
        run.body["status"]["message"].as_str()?.contains("held back by what its hub says").then_some(())
    })
    .await;
    hub.profile("spoke", &spoke.cluster.server()).await;
    stage.until_all_succeed(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_go_to_the_clusters_of_all_slices_of_a_placement_decision() {
    let hub = Hub::start().await;
    let stage = follow(&hub).await;
    let mut spokes = Vec::new();
    for name in ["one", "two", "three"] {
        let spoke = Guarded::start(name, "s3cr3t-spoke").await;
        hub.profile(name, &spoke.cluster.server()).await;
        stage.until_reachable(name).await;
        spokes.push(spoke);
    }
    submit(&stage, "report", "100ms", json!({"decision": "fleet/gpu"})).await;
    hub.slice(1, &["three"]).await;
    until("it is said that a slice is missing", async || {
        let hub = stage.cluster("hub").await?;
        hub["status"]["hub"]["message"].as_str()?.contains("its slices are not all there").then_some(())
    })
    .await;
    let run = stage.servers.get(0, &path("namespaces/risk/runnables/report")).await.unwrap();
    assert_eq!(run.body["status"]["phase"], "Accepted", "{:#}", run.body);
    hub.slice(0, &["one"]).await;
    stage.until_all_succeed(1).await;
    let decisions =
        async |name: &str| stage.cluster(name).await.unwrap()["status"]["profile"]["decisions"].clone();
    assert_eq!(decisions("one").await, json!(["fleet/gpu"]));
    assert_eq!(decisions("three").await, json!(["fleet/gpu"]));
    assert_eq!(decisions("two").await, Value::Null);
    submit(&stage, "everywhere", "100ms", json!({"decision": "fleet/gpu", "fanOut": true})).await;
    // With its parent and its two runs.
    stage.until_all_succeed(4).await;
}

fn settings(level: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "settings"},
        "spec": {"placement": {"decision": "fleet/gpu"}, "manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"level": level}}]},
    })
}

/// What of it is on a cluster.
async fn level_on(spoke: &Guarded) -> Value {
    let url = format!("{}/api/v1/namespaces/risk/configmaps/settings", spoke.cluster.server());
    let found = answer(client().get(url).bearer_auth("s3cr3t-spoke")).await.unwrap();
    found.body["data"]["level"].clone()
}

/// Waits until it is on these clusters and on no others.
async fn until_on(stage: &Stage, expected: &[(&str, u64)]) {
    until(&format!("it is on {expected:?}"), async || {
        let read = stage.servers.get(0, &path("namespaces/risk/deployables/settings")).await?;
        let on: Vec<Value> = read.body["status"]["clusters"].as_array()?.clone();
        let is_it = |(one, (name, revision)): (&Value, &(&str, u64))| {
            one["cluster"] == *name && one["state"] == "Synced" && one["appliedRevision"] == *revision
        };
        (on.len() == expected.len() && on.iter().zip(expected).all(is_it)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployable_is_where_a_placement_decision_says_over_leaders() {
    let hub = Hub::start().await;
    let mut stage = follow(&hub).await;
    let mut spokes = Vec::new();
    for name in ["one", "two", "three"] {
        let spoke = Guarded::start(name, "s3cr3t-spoke").await;
        hub.profile(name, &spoke.cluster.server()).await;
        stage.until_reachable(name).await;
        spokes.push(spoke);
    }
    let taken = stage.post("namespaces/risk/deployables", &settings("info")).await;
    assert_eq!(taken.status, 201, "{taken:?}");
    assert_eq!(taken.body["status"]["clusters"], json!([]), "nobody has decided yet: {taken:?}");
    hub.slice(0, &["one"]).await;
    hub.slice(1, &["two"]).await;
    until_on(&stage, &[("one", 1), ("two", 1)]).await;
    assert_eq!((level_on(&spokes[0]).await, level_on(&spokes[2]).await), (json!("info"), Value::Null));

    // Another leader has it follow what is decided meanwhile: it leaves one cluster and comes to another.
    let leader = stage.servers.leader().await;
    stage.servers.kill(leader).await;
    hub.change(1, &["three"]).await;
    stage.servers.start(leader);
    until_on(&stage, &[("one", 1), ("three", 1)]).await;
    assert_eq!((level_on(&spokes[1]).await, level_on(&spokes[2]).await), (Value::Null, json!("info")));

    // What is there stays and is kept in sync where the profile is gone, and only the decision takes it off.
    hub.remove("clusterprofiles", "three").await;
    until("its profile is gone", async || {
        stage.cluster("three").await?["status"]["profile"]["goneAt"].is_string().then_some(())
    })
    .await;
    let url = format!("{}{}", stage.url(), path("namespaces/risk/deployables/settings"));
    until("there is another revision", async || {
        let put = answer(client().put(&url).json(&settings("debug"))).await?;
        (put.status == 200).then_some(())
    })
    .await;
    until_on(&stage, &[("one", 2), ("three", 2)]).await;
    hub.change(1, &[]).await;
    until_on(&stage, &[("one", 2)]).await;
    assert_eq!(level_on(&spokes[2]).await, Value::Null);
}
