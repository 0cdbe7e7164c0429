//! As much OpenAPI as kubectl asks for before it sends a manifest: that the server checks fields itself.

use crate::kind::Kind;
use serde_json::{Value, json};

/// The document at `path`; none if there is none.
pub(super) fn document(path: &str) -> Option<Value> {
    match path {
        "/openapi/v3" => Some(json!({"paths": {
            "api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"},
            "apis/batch/v1": {"serverRelativeURL": "/openapi/v3/apis/batch/v1"},
        }})),
        "/openapi/v3/api/v1" => Some(group("api/v1", "")),
        "/openapi/v3/apis/batch/v1" => Some(group("apis/batch/v1", "batch")),
        _ => None,
    }
}

fn group(root: &str, group: &str) -> Value {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.group() == group);
    let paths: serde_json::Map<String, Value> = kinds.map(|kind| (path(root, kind), item(kind))).collect();
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.3"}, "paths": paths})
}

fn path(root: &str, kind: Kind) -> String {
    let namespace = if kind.is_namespaced() { "namespaces/{namespace}/" } else { "" };
    format!("/{root}/{namespace}{}/{{name}}", kind.plural())
}

fn item(kind: Kind) -> Value {
    let parameters = ["dryRun", "fieldValidation"]
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}));
    let identity = json!({"group": kind.group(), "version": "v1", "kind": kind.name()});
    let responses = json!({"200": {"description": "OK"}});
    json!({"patch": {"parameters": parameters, "responses": responses, "x-kubernetes-group-version-kind": identity}})
}
