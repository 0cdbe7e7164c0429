//! Discovery, version, health.

use crate::world::{client, cluster, start};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::{Discovery, Scope};
use kube::{Client, Config};
use tallyman_chaos::{SimulatedClusterOptions, Verb};

#[tokio::test]
async fn discovery_finds_the_kinds_that_are_served() {
    let cluster = cluster().await;
    let client = client(&cluster);
    assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
    let discovery = Discovery::new(client).run().await.unwrap();
    let mut found = Vec::new();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            found.push((resource.kind.clone(), capabilities.scope == Scope::Namespaced));
        }
    }
    found.sort();
    let expected = [
        ("ConfigMap", true),
        ("CustomResourceDefinition", false),
        ("DaemonSet", true),
        ("Deployment", true),
        ("Event", true),
        ("Job", true),
        ("Namespace", false),
        ("Pod", true),
        ("StatefulSet", true),
        ("Workflow", true),
        ("WorkflowTemplate", true),
    ];
    assert_eq!(found, expected.map(|(kind, namespaced)| (kind.to_owned(), namespaced)));
}

#[tokio::test]
async fn a_kubeconfig_leads_to_the_cluster() {
    let cluster = start(SimulatedClusterOptions::named("west")).await;
    let kubeconfig = Kubeconfig::from_yaml(&cluster.kubeconfig()).unwrap();
    assert_eq!(kubeconfig.current_context.as_deref(), Some("west"));
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let ready = client.request_text(hyper::Request::get("/readyz").body(Vec::new()).unwrap()).await.unwrap();
    assert_eq!(ready, "ok");
    assert_eq!(cluster.requests().of(Verb::Get, "/readyz"), 1);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused() {
    let cluster = cluster().await;
    let client = client(&cluster);
    for (method, path, code) in [
        ("GET", "/apis/apps/v1/replicasets", 404),
        ("GET", "/api/v1/secrets", 404),
        ("DELETE", "/api/v1/namespaces/default/pods", 405),
        ("POST", "/version", 405),
        ("PUT", "/api/v1/namespaces/default/configmaps", 405),
    ] {
        let request =
            hyper::Request::builder().method(method).uri(path).body(kube::client::Body::empty()).unwrap();
        assert_eq!(client.send(request).await.unwrap().status(), code, "{method} {path}");
    }
}

#[tokio::test]
async fn kubectl_is_told_that_the_server_checks_fields() {
    let cluster = cluster().await;
    let get = async |path: &str| -> serde_json::Value {
        client(&cluster).request(hyper::Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
    };
    let index = get("/openapi/v3").await;
    let batch = get(index["paths"]["apis/batch/v1"]["serverRelativeURL"].as_str().unwrap()).await;
    let patch = &batch["paths"]["/apis/batch/v1/namespaces/{namespace}/jobs/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Job");
    assert_eq!(patch["parameters"][1]["name"], "fieldValidation");
}
