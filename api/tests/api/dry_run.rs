//! `dryRun=All`: the same rules, and nothing changes.

use crate::client::{Server, start};
use crate::samples::{CLUSTERS, RUNNABLES, path, runnable};
use serde_json::json;

/// Everything that a write could have changed.
async fn everything(server: &Server) -> (String, String, u64) {
    let ledger = server.get("/apis/tallyman.dev/v1/auditrecords").await.text();
    (server.get(RUNNABLES).await.text(), ledger, server.memory.index())
}

#[tokio::test]
async fn a_rehearsed_creation_is_answered_as_a_real_one_and_changes_nothing() {
    let server = start().await;
    let before = everything(&server).await;
    let reply = server.post(&format!("{RUNNABLES}?dryRun=All"), &runnable("a")).await;
    let rehearsed = reply.done(201);
    assert_eq!(rehearsed["status"]["phase"], "Accepted");
    // It has no revision, and its answer is no token.
    assert_eq!(rehearsed["metadata"]["resourceVersion"], json!(null));
    assert_eq!((reply.header("etag"), reply.header("tallyman-on-disk")), ("", "0/3"));
    assert_eq!(everything(&server).await, before);
    let real = server.post(RUNNABLES, &runnable("a")).await.done(201);
    assert_eq!(
        (&real["spec"], &real["status"]["digest"]),
        (&rehearsed["spec"], &rehearsed["status"]["digest"])
    );
}

#[tokio::test]
async fn every_write_can_be_rehearsed() {
    let server = start().await;
    server.memory.cluster("east");
    server.submit("a").await;
    let before = everything(&server).await;
    let run = |suffix: &str| format!("{}{suffix}?dryRun=All", path("a"));
    let label = json!({"metadata": {"labels": {"desk": "fx"}}});
    let labelled = server.merge(&run(""), &label).await.done(200);
    assert_eq!(labelled["metadata"]["labels"]["desk"], "fx");
    let revision = server.get(&path("a")).await.json()["metadata"]["resourceVersion"].clone();
    assert_eq!(labelled["metadata"]["resourceVersion"], revision);
    let cancelled = server.post(&run("/cancel"), &json!({})).await.done(200);
    assert_eq!(cancelled["status"]["phase"], "Cancelled");
    server.send("DELETE", &run(""), &[], "").await.done(200);
    let apply = [("content-type", "application/apply-patch+yaml")];
    let other = format!("{}?dryRun=All", path("b"));
    server.send("PATCH", &other, &apply, runnable("b").to_string()).await.done(201);
    let cluster = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "west"},
        "spec": {"kubeconfig": {"path": "/etc/west"}},
    });
    server.post(&format!("{CLUSTERS}?dryRun=All"), &cluster).await.done(201);
    let pause = json!({"spec": {"paused": true}});
    let paused = server.merge(&format!("{CLUSTERS}/east?dryRun=All"), &pause).await.done(200);
    assert_eq!(paused["spec"]["paused"], true);
    server.send("DELETE", &format!("{CLUSTERS}/east?dryRun=All"), &[], "").await.done(200);
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn a_rehearsal_refuses_what_a_real_write_would() {
    let server = start().await;
    server.submit("a").await;
    let before = everything(&server).await;
    let dry = format!("{RUNNABLES}?dryRun=All");
    server.post(&dry, &runnable("a")).await.refused(409, "AlreadyExists");
    let mut elsewhere = runnable("b");
    elsewhere["spec"]["placement"] = json!({"clusters": ["nowhere"]});
    let reply = server.post(&dry, &elsewhere).await;
    reply.refused(422, "Invalid");
    assert_eq!(reply.json()["details"]["causes"][0]["field"], "spec.placement.clusters[0]");
    server.post(&format!("{}/retry?dryRun=All", path("a")), &json!({})).await.refused(409, "Conflict");
    server.send("DELETE", &format!("{}?dryRun=All", path("nobody")), &[], "").await.refused(404, "NotFound");
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn a_rehearsal_leaves_no_idempotency_key_behind_and_needs_the_newest_state() {
    let server = start().await;
    let key = [("idempotency-key", "k"), ("content-type", "application/json")];
    let body = runnable("a").to_string();
    server.send("POST", &format!("{RUNNABLES}?dryRun=All"), &key, body.clone()).await.done(201);
    let real = server.send("POST", RUNNABLES, &key, body).await;
    assert_eq!((real.status.as_u16(), real.header("idempotency-replayed")), (201, ""));
    server.memory.knobs.lock().unwrap().no_quorum = true;
    server.post(&format!("{RUNNABLES}?dryRun=All"), &runnable("b")).await.refused(503, "ServiceUnavailable");
}
