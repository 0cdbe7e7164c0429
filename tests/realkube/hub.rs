//! Clusters that a real hub tells of: by the real definitions of its objects, by an account that may do what the role for a
//! hub gives it, and reached by a program that says real tokens.

use crate::control::Cluster;
use crate::dev::{answer, client, path};
use crate::inventory::{self, GROUP};
use crate::servers::Servers;
use crate::stage::{Told, on_west, run, within};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// Where its objects are on the hub, and where work is on the other cluster.
const HERE: &str = "fleet";
/// The hub's account there, and Tallyman's on the other cluster.
const HUB: &str = "tallyman-hub";
const SPOKE: &str = "tallyman-spoke";
const DEPLOYABLE: &str = "namespaces/fleet/deployables/settings";

/// What prints the token of the cluster that a profile says it is of.
const PROGRAM: &str = r#"#!/bin/sh
name=$(printf %s "$KUBERNETES_EXEC_INFO" | sed -n 's/.*"config":{"clusterName":"\([a-z]*\)"}.*/\1/p')
printf '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}' \
  "$(cat "$(dirname "$0")/$name.token")"
"#;

/// Replicas that know the program, and the directory that they take credentials from.
struct Group {
    servers: Servers,
    dir: TempDir,
}

impl Group {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (program, providers) = (dir.path().join("program"), dir.path().join("providers.json"));
        fs::write(&program, PROGRAM).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "./program",
            "provideClusterInfo": true});
        let file = json!({"providers": [{"name": "realkube", "execConfig": exec}]});
        fs::write(&providers, file.to_string()).unwrap();
        let settings =
            format!("cluster_credentials_dir = {:?}\ncluster_provider_file = {providers:?}", dir.path());
        Self { servers: Servers::founded_with(&settings).await, dir }
    }

    /// Replaces a file as a whole.
    fn write(&self, name: &str, text: &str) -> String {
        let (fresh, path) = (self.dir.path().join("fresh"), self.dir.path().join(name));
        fs::write(&fresh, text).unwrap();
        fs::rename(&fresh, &path).unwrap();
        path.display().to_string()
    }

    async fn add_hub(&self, kubeconfig: &str) {
        let add = ["cluster", "add", "hub", "--kubeconfig", kubeconfig, "--hub", HERE, "--cordoned"];
        within("the hub is added, once all replicas are known to understand it", async || {
            self.servers.client(&add).await.status.success().then_some(())
        })
        .await;
    }

    async fn send(&self, what: &str, body: &Value) {
        let url = format!("{}{}", self.servers.places[0].url, path(&format!("namespaces/{HERE}/{what}")));
        let (http, key) = (client(), body["metadata"]["name"].as_str().unwrap());
        within(&format!("{key} is taken"), async || {
            let sent = answer(http.post(&url).header("idempotency-key", key).json(body)).await?;
            assert!(sent.status < 400 || sent.status >= 429, "{sent:?}");
            (sent.status == 201).then_some(())
        })
        .await;
    }

    async fn submit(&self, name: &str, placement: Value) {
        let mut body = run(name, "west", "1s");
        body["spec"]["placement"] = placement;
        self.send("runnables", &body).await;
    }

    /// Waits until an object is as `holds` says.
    async fn until(&self, rest: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let last = RefCell::new(Value::Null);
        let _told = Told(&last);
        within(&format!("{rest} {what}"), async || {
            let read = self.servers.get(0, &path(rest)).await?;
            let found = holds(&read.body);
            *last.borrow_mut() = read.body["status"].clone();
            found.then_some(read.body)
        })
        .await
    }

    async fn until_hub_says(&self, words: &str) {
        self.until("clusters/hub", &format!("says {words:?}"), |hub| {
            let message = hub["status"]["hub"]["message"].as_str().unwrap_or_default();
            if words.is_empty() { message.is_empty() } else { message.contains(words) }
        })
        .await;
    }

    async fn until_succeeded(&self, name: &str) {
        let run = format!("namespaces/{HERE}/runnables/{name}");
        let ended = self.until(&run, "has succeeded", |run| run["status"]["phase"] == "Succeeded").await;
        assert_eq!(ended["status"]["cluster"], "west", "{ended:#}");
    }
}

fn settings(level: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "settings"},
        "spec": {"placement": {"decision": "fleet/batch"}, "manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"level": level}}]},
    })
}

/// A profile as a cluster manager writes it: what it is first, then how it is.
async fn profile(hub: &Cluster, name: &str) {
    let labels = json!({"x-k8s.io/cluster-manager": "tests"});
    hub.apply(&json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "ClusterProfile",
        "metadata": {"name": name, "namespace": HERE, "labels": labels},
        "spec": {"clusterManager": {"name": "tests"}, "displayName": name},
    }))
    .await;
}

/// Of `of`, as it is reached, with what the program is told.
async fn status(hub: &Cluster, of: &Cluster) {
    let view = of.kubectl(&["config", "view", "--raw", "-o", "json"]).await;
    let view: Value = serde_json::from_str(&view).unwrap();
    let mut cluster = view["clusters"][0]["cluster"].clone();
    cluster["extensions"] =
        json!([{"name": "client.authentication.k8s.io/exec", "extension": {"clusterName": of.name}}]);
    let at = "2026-11-20T00:00:00Z";
    let status = json!({
        "version": {"kubernetes": "v1.36.0"},
        "properties": [{"name": "region", "value": "eu", "lastObservedTime": at}],
        "conditions": [{"type": "ControlPlaneHealthy", "status": "True", "reason": "Probed", "message": "",
            "lastTransitionTime": at}],
        "accessProviders": [{"name": "realkube", "cluster": cluster}],
    });
    let patch = json!({ "status": status }).to_string();
    let whose = ["patch", "clusterprofile", &of.name, "-n", HERE, "--subresource=status"];
    hub.kubectl(&[&whose[..], &["--type=merge", "-p", &patch]].concat()).await;
}

/// The slice of `batch` that names all that it does.
async fn decide(hub: &Cluster, profiles: &[&str]) {
    let decisions: Vec<Value> = profiles
        .iter()
        .map(|name| json!({"clusterProfileRef": {"name": name}, "reason": "it fits"}))
        .collect();
    let labels = json!({format!("{GROUP}/decision-key"): "batch", format!("{GROUP}/decision-index"): "0"});
    hub.apply(&json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "PlacementDecision",
        "metadata": {"name": "batch-0", "namespace": HERE, "labels": labels},
        "schedulerName": "tests", "decisions": decisions,
    }))
    .await;
}

async fn level(spoke: &Cluster) -> Option<Value> {
    Some(spoke.find(HERE, "configmap", "settings").await?["data"]["level"].clone())
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_cluster_is_reached_and_used_as_a_hub_says_by_what_the_roles_give() {
    on_west(async |stage| {
        let (hub, spoke) = (&stage.east, &stage.west);
        for cluster in [hub, spoke] {
            cluster.namespace(HERE).await;
        }
        let group = Group::start().await;
        spoke.allow_account(SPOKE, &["--namespace", HERE]).await;
        group.write("west.token", &spoke.token(SPOKE).await);
        told(&group, hub).await;
        status(hub, spoke).await;
        let is_reached = |cluster: &Value| cluster["status"]["reachable"] == json!(true);
        let shown = group.until("clusters/west", "is reached", is_reached).await;
        assert_eq!(shown["metadata"]["labels"]["region"], "eu", "{shown:#}");
        assert_eq!(shown["metadata"]["labels"]["x-k8s.io/cluster-manager"], "tests");
        assert_eq!(shown["status"]["profile"]["controlPlaneHealthy"], "True (Probed)");
        group.until_hub_says("").await;
        group.submit("selected", json!({"clusterSelector": "region in (eu)"})).await;
        group.until_succeeded("selected").await;
        decided(&group, hub, spoke).await;
        renewed(&group, spoke).await;
        gone(&group, hub, spoke).await;
    });
}

/// What the hub lacks is said, one after the other, and noticed when it is there.
async fn told(group: &Group, hub: &Cluster) {
    hub.allow_account(HUB, &["--namespace", HERE]).await;
    let kubeconfig = group.write("hub.kubeconfig", &hub.kubeconfig_with(&hub.token(HUB).await));
    group.add_hub(&kubeconfig).await;
    group.until_hub_says("ClusterProfile").await;
    hub.apply(&inventory::cluster_profiles()).await;
    group.until_hub_says("cannot list resource \"clusterprofiles\"").await;
    hub.apply(&inventory::placement_decisions()).await;
    hub.allow_account(HUB, &["--namespace", HERE, "--hub"]).await;
    group.until_hub_says("").await;
    within("profiles are served", async || {
        hub.try_kubectl(&["get", "clusterprofiles", "-n", HERE]).await.ok()
    })
    .await;
    profile(hub, "west").await;
    group.until_hub_says("fleet/west: its ClusterProfile names no access provider").await;
}

/// Runs and deployables go where a decision says, and deployables leave with it.
async fn decided(group: &Group, hub: &Cluster, spoke: &Cluster) {
    group.submit("decided", json!({"decision": "fleet/batch"})).await;
    group.send("deployables", &settings("info")).await;
    decide(hub, &["west"]).await;
    group.until_succeeded("decided").await;
    let is_on = |deployable: &Value| deployable["status"]["clusters"][0]["state"] == "Synced";
    group.until(DEPLOYABLE, "is on it", is_on).await;
    assert_eq!(level(spoke).await, Some(json!("info")));
    decide(hub, &[]).await;
    within("it is taken off", async || level(spoke).await.is_none().then_some(())).await;
    decide(hub, &["west"]).await;
    within("it is there again", async || level(spoke).await.map(drop)).await;
}

/// All tokens of the account are void: the program is asked for another.
async fn renewed(group: &Group, spoke: &Cluster) {
    let old = fs::read_to_string(group.dir.path().join("west.token")).unwrap();
    spoke.kubectl(&["delete", "serviceaccount", SPOKE, "-n", "kube-system"]).await;
    spoke.allow_account(SPOKE, &["--namespace", HERE]).await;
    within("the server does not know the old one any more", async || {
        let asked = ["get", "jobs", "-n", HERE, "--token", &old];
        spoke.try_kubectl(&asked).await.is_err_and(|why| why.contains("Unauthorized")).then_some(())
    })
    .await;
    group.write("west.token", &spoke.token(SPOKE).await);
    group.submit("renewed", json!({"clusters": ["west"]})).await;
    group.until_succeeded("renewed").await;
}

/// The cluster gets nothing new, and what is there stays; until it is back.
async fn gone(group: &Group, hub: &Cluster, spoke: &Cluster) {
    hub.kubectl(&["delete", "clusterprofile", "west", "-n", HERE]).await;
    let is_gone = |cluster: &Value| cluster["status"]["profile"]["goneAt"].is_string();
    group.until("clusters/west", "is gone from its hub", is_gone).await;
    group.submit("waits", json!({"clusters": ["west"]})).await;
    let waits = |run: &Value| {
        let message = run["status"]["message"].as_str().unwrap_or_default();
        message.contains("west is held back by what its hub says")
    };
    group.until("namespaces/fleet/runnables/waits", "says why it waits", waits).await;
    group.until_hub_says("decision fleet/batch names fleet/west, which is not followed").await;
    assert_eq!(level(spoke).await, Some(json!("info")), "what is there stays");
    profile(hub, "west").await;
    status(hub, spoke).await;
    group.until_succeeded("waits").await;
}
