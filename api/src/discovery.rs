//! Discovery: which resources there are, in both forms that Kubernetes clients ask for, and the version.

use crate::noun::Noun;
use axum::Json;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const GROUP: &str = "tallyman.dev";
const VERSION: &str = "v1";

/// `/version`: the first two numbers are the Kubernetes API that this follows.
pub(crate) async fn version() -> Response {
    let program = env!("CARGO_PKG_VERSION");
    Json(json!({
        "major": "1", "minor": "36", "gitVersion": format!("v1.36.0+tallyman.{program}"), "tallyman": program,
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    }))
    .into_response()
}

/// What of Kubernetes' core can be listed. A namespace can only be looked up, which needs no discovery: any name that
/// can be one's is there.
const EVENTS: &str = "events";

/// `/api`
pub(crate) async fn core(headers: HeaderMap) -> Response {
    let Some(version) = aggregated(&headers) else {
        return Json(json!({"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"],
            "serverAddressByClientCIDRs": []}))
        .into_response();
    };
    let events = json!({
        "resource": EVENTS, "singularResource": "event", "shortNames": ["ev"], "verbs": ["list"],
        "responseKind": {"group": "", "version": "v1", "kind": "Event"}, "scope": "Namespaced",
    });
    let group = json!({
        "metadata": {"creationTimestamp": null},
        "versions": [{"version": "v1", "freshness": "Current", "resources": [events]}],
    });
    discovery_list(version, vec![group])
}

/// `/api/v1`
pub(crate) async fn core_resources() -> Response {
    let events = json!({
        "name": EVENTS, "singularName": "event", "namespaced": true, "kind": "Event", "verbs": ["list"],
        "shortNames": ["ev"],
    });
    Json(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": [events]}))
        .into_response()
}

/// `/apis`
pub(crate) async fn groups(headers: HeaderMap) -> Response {
    if let Some(version) = aggregated(&headers) {
        let resources: Vec<_> = Noun::ALL.into_iter().map(aggregated_resource).collect();
        let group = json!({
            "metadata": {"name": GROUP, "creationTimestamp": null},
            "versions": [{"version": VERSION, "freshness": "Current", "resources": resources}],
        });
        return discovery_list(version, vec![group]);
    }
    let mut group = api_group();
    if let Some(map) = group.as_object_mut() {
        map.remove("kind");
        map.remove("apiVersion");
    }
    Json(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]})).into_response()
}

/// `/apis/tallyman.dev`
pub(crate) async fn group() -> Response {
    Json(api_group()).into_response()
}

fn api_group() -> Value {
    let version = json!({"groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION});
    json!({"kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [version], "preferredVersion": version})
}

/// `/apis/tallyman.dev/v1`
pub(crate) async fn resources() -> Response {
    let mut resources = Vec::new();
    for noun in Noun::ALL {
        resources.push(json!({
            "name": noun.plural(), "singularName": noun.singular(), "namespaced": noun.is_namespaced(),
            "kind": noun.kind(), "verbs": noun.verbs(), "shortNames": short_names(noun), "categories": categories(noun),
        }));
        for action in actions(noun) {
            resources.push(json!({
                "name": format!("{}/{action}", noun.plural()), "singularName": "",
                "namespaced": noun.is_namespaced(), "kind": noun.kind(), "verbs": ["create"],
            }));
        }
    }
    let group_version = format!("{GROUP}/{VERSION}");
    Json(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}))
        .into_response()
}

fn aggregated_resource(noun: Noun) -> Value {
    let kind = json!({"group": GROUP, "version": VERSION, "kind": noun.kind()});
    let subresource =
        |action: &&str| json!({"subresource": action, "responseKind": kind, "verbs": ["create"]});
    json!({
        "resource": noun.plural(), "singularResource": noun.singular(), "responseKind": kind,
        "scope": if noun.is_namespaced() { "Namespaced" } else { "Cluster" },
        "verbs": noun.verbs(), "shortNames": short_names(noun), "categories": categories(noun),
        "subresources": actions(noun).iter().map(subresource).collect::<Vec<_>>(),
    })
}

fn short_names(noun: Noun) -> &'static [&'static str] {
    match noun {
        Noun::Runnables => &["run", "runs"],
        Noun::Deployables => &["dep", "deps"],
        Noun::AuditRecords => &["audit"],
        Noun::Allocations => &["alloc"],
        Noun::Pools | Noun::Locks | Noun::Clusters | Noun::StatusRules | Noun::Replicas => &[],
    }
}

/// `kubectl get all` shows what is worked on, `kubectl get tallyman` also where.
fn categories(noun: Noun) -> &'static [&'static str] {
    match noun {
        Noun::Runnables | Noun::Deployables => &["all", "tallyman"],
        Noun::Clusters | Noun::StatusRules | Noun::Replicas | Noun::Pools | Noun::Locks => &["tallyman"],
        Noun::Allocations | Noun::AuditRecords => &[],
    }
}

pub(crate) fn actions(noun: Noun) -> &'static [&'static str] {
    match noun {
        Noun::Runnables => &["approvals", "cancel", "move", "retry"],
        Noun::Deployables => &["approvals", "rollback", "rollout"],
        Noun::Clusters => &["confirm", "drain", "write-off"],
        Noun::Pools => &["allocations"],
        Noun::Locks => &["acquire", "release", "renew"],
        Noun::StatusRules | Noun::Allocations | Noun::Replicas | Noun::AuditRecords => &[],
    }
}

/// The version of the aggregated form, if the client takes it.
pub(crate) fn aggregated(headers: &HeaderMap) -> Option<&'static str> {
    let accepted = headers.get(ACCEPT)?.to_str().ok()?;
    let aggregated =
        |one: &&str| one.contains("g=apidiscovery.k8s.io") && one.contains("as=APIGroupDiscoveryList");
    let version = |one: &str| if one.contains("v=v2beta1") { "v2beta1" } else { "v2" };
    accepted.split(',').find(aggregated).map(version)
}

/// The aggregated form of what there is.
pub(crate) fn discovery_list(version: &str, items: Vec<Value>) -> Response {
    let document = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items,
    });
    let mut response = Json(document).into_response();
    let content_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    if let Ok(value) = HeaderValue::from_str(&content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}
