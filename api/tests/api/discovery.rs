//! Discovery, as kubectl asks for it.

use crate::client::start;
use serde_json::json;

#[tokio::test]
async fn resources_are_discovered_group_by_group() {
    let server = start().await;
    let groups = server.get("/apis").await.done(200);
    assert_eq!(groups["groups"][0]["preferredVersion"]["groupVersion"], "tallyman.dev/v1");
    assert_eq!(server.get("/api").await.done(200)["versions"], json!(["v1"]));
    let core = server.get("/api/v1").await.done(200);
    let listed = core["resources"].as_array().unwrap().iter().map(|one| &one["name"]);
    // A namespace can be looked up and not be listed: kubectl must not be told otherwise.
    assert_eq!(listed.collect::<Vec<_>>(), ["events"]);
    assert_eq!(server.get("/apis/tallyman.dev").await.done(200)["kind"], "APIGroup");
    let list = server.get("/apis/tallyman.dev/v1").await.done(200);
    let names: Vec<_> =
        list["resources"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for name in [
        "runnables",
        "runnables/approvals",
        "runnables/cancel",
        "runnables/move",
        "runnables/retry",
        "clusters",
        "clusters/drain",
        "replicas",
        "auditrecords",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    let version = server.get("/version").await.done(200);
    assert!(version["gitVersion"].as_str().unwrap().starts_with("v1."));
}

#[tokio::test]
async fn resources_are_discovered_at_once() {
    let server = start().await;
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;\
                  g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    let headers = [("accept", accept)];
    let reply = server.send("GET", "/apis", &headers, "").await;
    assert_eq!(
        reply.header("content-type"),
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let list = reply.done(200);
    assert_eq!(list["apiVersion"], "apidiscovery.k8s.io/v2");
    let resources = &list["items"][0]["versions"][0]["resources"];
    assert_eq!(
        (&resources[0]["resource"], &resources[0]["scope"]),
        (&json!("runnables"), &json!("Namespaced"))
    );
    let core = server.send("GET", "/api", &headers, "").await.done(200);
    assert_eq!(core["items"][0]["versions"][0]["resources"][0]["responseKind"]["kind"], "Event");
}

#[tokio::test]
async fn every_namespace_is_there_and_is_in_no_list() {
    let server = start().await;
    // kubectl looks the namespace up after this, and shows what it says if it is not found.
    server.get("/apis/tallyman.dev/v1/namespaces/risk/runnables/nobody").await.refused(404, "NotFound");
    let namespace = server.get("/api/v1/namespaces/risk").await.done(200);
    assert_eq!(
        namespace,
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "risk"}, "status": {"phase": "Active"}})
    );
    server.get("/api/v1/namespaces/Bad%20NS").await.refused(422, "Invalid");
    server.get("/api/v1/namespaces").await.refused(404, "NotFound");
    server.send("DELETE", "/api/v1/namespaces/risk", &[], "").await.refused(405, "MethodNotAllowed");
}
