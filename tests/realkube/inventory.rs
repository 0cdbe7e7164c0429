//! The kinds of the cluster inventory API (kubernetes-sigs/cluster-inventory-api), `v1alpha1`, as a hub installs them: the
//! fields and rules of its version 0.1, without descriptions. What is not in them a real server drops or refuses.

use serde_json::{Map, Value, json};

pub(crate) const GROUP: &str = "multicluster.x-k8s.io";

fn text() -> Value {
    json!({"type": "string"})
}

fn moment() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn sized(least: u32, most: u32) -> Value {
    json!({"type": "string", "minLength": least, "maxLength": most})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut object = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn definition(plural: &str, kind: &str, mut schema: Value, has_status: bool) -> Value {
    let meta =
        [("apiVersion", text()), ("kind", text()), ("metadata", json!({"type": "object"}))].into_iter();
    let meta: Map<String, Value> = meta.map(|(name, value)| (name.to_owned(), value)).collect();
    schema["properties"].as_object_mut().unwrap().extend(meta);
    let mut version =
        json!({"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    if has_status {
        version["subresources"] = json!({"status": {}});
    }
    let names = json!({"kind": kind, "listKind": format!("{kind}List"), "plural": plural,
        "singular": kind.to_lowercase()});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    })
}

/// A cluster as a kubeconfig has it.
fn access() -> Value {
    let extension = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let extension = object(&["extension", "name"], json!({"name": text(), "extension": extension}));
    let cluster = object(
        &["server"],
        json!({
            "server": text(), "tls-server-name": text(), "insecure-skip-tls-verify": flag(),
            "certificate-authority": text(),
            "certificate-authority-data": {"type": "string", "format": "byte"},
            "proxy-url": text(), "disable-compression": flag(), "extensions": list(extension),
        }),
    );
    list(object(&["name"], json!({"name": text(), "cluster": cluster})))
}

fn condition() -> Value {
    let mut reason = sized(1, 1024);
    reason["pattern"] = json!("^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$");
    object(
        &["lastTransitionTime", "message", "reason", "status", "type"],
        json!({
            "type": sized(1, 316), "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": reason, "message": sized(0, 32768), "lastTransitionTime": moment(),
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
        }),
    )
}

pub(crate) fn cluster_profiles() -> Value {
    let mut manager = object(&["name"], json!({"name": text()}));
    manager["x-kubernetes-validations"] =
        json!([{"rule": "self == oldSelf", "message": "ClusterManager is immutable"}]);
    let spec = object(&["clusterManager"], json!({"clusterManager": manager, "displayName": text()}));
    let property = object(
        &["name", "value"],
        json!({"name": sized(1, 253), "value": sized(1, 1024), "lastObservedTime": moment()}),
    );
    let status = object(
        &[],
        json!({
            "version": object(&[], json!({"kubernetes": text()})), "properties": list(property),
            "conditions": list(condition()), "credentialProviders": access(), "accessProviders": access(),
        }),
    );
    let schema = object(&["spec"], json!({"spec": spec, "status": status}));
    definition("clusterprofiles", "ClusterProfile", schema, true)
}

pub(crate) fn placement_decisions() -> Value {
    let reference = object(&["name"], json!({"name": text(), "namespace": text()}));
    let chosen = object(&["clusterProfileRef"], json!({"clusterProfileRef": reference, "reason": text()}));
    let mut decisions = list(chosen);
    decisions["maxItems"] = json!(100);
    let schema = object(&["decisions"], json!({"decisions": decisions, "schedulerName": text()}));
    definition("placementdecisions", "PlacementDecision", schema, false)
}
