//! Documents that tell what the API serves.

mod openapi;

use crate::kind::Kind;
use serde_json::{Value, json};

const VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];

/// The document at `path`; none if there is none.
pub(crate) fn document(path: &str) -> Option<Value> {
    match path {
        "/" => Some(
            json!({"paths": ["/api", "/api/v1", "/apis", "/apis/batch", "/apis/batch/v1", "/healthz", "/livez", "/readyz", "/version"]}),
        ),
        "/version" => Some(version()),
        "/api" => Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        "/apis" => Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [batch()]})),
        "/apis/batch" => {
            let mut group = batch();
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            Some(group)
        }
        "/api/v1" => Some(resources("v1", "")),
        "/apis/batch/v1" => Some(resources("batch/v1", "batch")),
        _ => openapi::document(path),
    }
}

/// Whether `path` is a health check; all of them are fine while the cluster runs.
pub(crate) fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/livez" | "/readyz")
        || path.starts_with("/livez/")
        || path.starts_with("/readyz/")
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.3",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": "simulated",
    })
}

fn batch() -> Value {
    let version = json!({"groupVersion": "batch/v1", "version": "v1"});
    json!({"name": "batch", "versions": [version], "preferredVersion": version})
}

fn resources(group_version: &str, group: &str) -> Value {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.group() == group);
    let all: Vec<Value> = kinds.flat_map(|kind| [Some(resource(kind)), status(kind)]).flatten().collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": all})
}

fn resource(kind: Kind) -> Value {
    let mut resource = json!({
        "name": kind.plural(),
        "singularName": kind.singular(),
        "namespaced": kind.is_namespaced(),
        "kind": kind.name(),
        "verbs": VERBS,
    });
    if let Some(short) = kind.short_name() {
        resource["shortNames"] = json!([short]);
    }
    if matches!(kind, Kind::Job | Kind::Pod) {
        resource["categories"] = json!(["all"]);
    }
    resource
}

fn status(kind: Kind) -> Option<Value> {
    kind.has_status().then(|| {
        json!({
            "name": format!("{}/status", kind.plural()),
            "singularName": "",
            "namespaced": kind.is_namespaced(),
            "kind": kind.name(),
            "verbs": ["get", "patch", "update"],
        })
    })
}
