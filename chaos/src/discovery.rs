//! Documents that tell what the API serves.

mod openapi;

use crate::catalog::{Catalog, Served};
use serde_json::{Value, json};

const VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];
/// Of a kind whose definition is being deleted.
const VERBS_TERMINATING: [&str; 4] = ["delete", "get", "list", "watch"];

/// The document at `path`; none if there is none.
pub(crate) fn document(catalog: &Catalog, path: &str) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => Some(paths(catalog)),
        ["version"] => Some(version()),
        ["api"] => Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        ["api", "v1"] => resources(catalog, "", "v1"),
        ["apis"] => {
            let groups: Vec<Value> =
                catalog.groups().iter().map(|(name, versions)| group(name, versions)).collect();
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", name] => {
            let mut group = group(name, catalog.groups().get(name)?);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            Some(group)
        }
        ["apis", group, version] => resources(catalog, group, version),
        ["openapi", "v3", rest @ ..] => openapi::document(catalog, rest),
        _ => None,
    }
}

fn paths(catalog: &Catalog) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in catalog.groups() {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.extend(["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    json!({"paths": paths})
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

fn group(name: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn resources(catalog: &Catalog, group: &str, version: &str) -> Option<Value> {
    let all: Vec<Value> = catalog
        .in_version(group, version)
        .flat_map(|served| [Some(resource(served)), status(served)])
        .flatten()
        .collect();
    let name = catalog.in_version(group, version).next()?.api_version();
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": all}))
}

fn resource(served: &Served) -> Value {
    let mut resource = json!({
        "name": served.kind.plural(),
        "singularName": served.singular,
        "namespaced": served.kind.is_namespaced(),
        "kind": served.kind.name(),
        "verbs": if served.is_terminating { VERBS_TERMINATING.as_slice() } else { VERBS.as_slice() },
    });
    for (field, texts) in [("shortNames", &served.short_names), ("categories", &served.categories)] {
        if !texts.is_empty() {
            resource[field] = json!(texts);
        }
    }
    resource
}

fn status(served: &Served) -> Option<Value> {
    served.has_status.then(|| {
        json!({
            "name": format!("{}/status", served.kind.plural()),
            "singularName": "",
            "namespaced": served.kind.is_namespaced(),
            "kind": served.kind.name(),
            "verbs": ["get", "patch", "update"],
        })
    })
}
