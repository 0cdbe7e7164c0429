//! As much OpenAPI as kubectl asks for before it sends a manifest: that the server checks fields itself.

use crate::catalog::{Catalog, Served};
use serde_json::{Value, json};

/// The document at `/openapi/v3/...`; none if there is none.
pub(super) fn document(catalog: &Catalog, rest: &[&str]) -> Option<Value> {
    match rest {
        [] => Some(index(catalog)),
        ["api", "v1"] => group(catalog, "", "v1"),
        ["apis", name, version] => group(catalog, name, version),
        _ => None,
    }
}

fn index(catalog: &Catalog) -> Value {
    let mut roots = vec!["api/v1".to_owned()];
    for (group, versions) in catalog.groups() {
        roots.extend(versions.iter().map(|version| format!("apis/{group}/{version}")));
    }
    let path = |root: String| {
        let url = format!("/openapi/v3/{root}");
        (root, json!({"serverRelativeURL": url}))
    };
    json!({"paths": roots.into_iter().map(path).collect::<serde_json::Map<_, _>>()})
}

fn group(catalog: &Catalog, name: &str, version: &str) -> Option<Value> {
    let all = catalog.in_version(name, version);
    let paths: serde_json::Map<String, Value> = all.map(|served| (path(served), item(served))).collect();
    let info = json!({"title": "Kubernetes", "version": "v1.36.3"});
    (!paths.is_empty()).then(|| json!({"openapi": "3.0.0", "info": info, "paths": paths}))
}

fn path(served: &Served) -> String {
    let root = if served.kind.group().is_empty() { "api" } else { "apis" };
    let namespace = if served.kind.is_namespaced() { "namespaces/{namespace}/" } else { "" };
    format!("/{root}/{}/{namespace}{}/{{name}}", served.api_version(), served.kind.plural())
}

fn item(served: &Served) -> Value {
    let parameters = ["dryRun", "fieldValidation"]
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}));
    let identity =
        json!({"group": served.kind.group(), "version": served.version, "kind": served.kind.name()});
    let responses = json!({"200": {"description": "OK"}});
    json!({"patch": {"parameters": parameters, "responses": responses, "x-kubernetes-group-version-kind": identity}})
}
