//! `pools` and `allocations`, as clients meet them.

use crate::client::Server;
use crate::deployables::upgraded;
use serde_json::{Value, json};

pub(crate) const POOLS: &str = "/apis/tallyman.dev/v1/namespaces/risk/pools";
const ALLOCATIONS: &str = "/apis/tallyman.dev/v1/namespaces/risk/allocations";

fn pool(spec: Value) -> Value {
    json!({"apiVersion": "tallyman.dev/v1", "kind": "Pool", "metadata": {"name": "vlans"}, "spec": spec})
}

fn ranges(from: u64, to: u64) -> Value {
    json!({"ranges": [{"from": from, "to": to}]})
}

fn one() -> String {
    format!("{POOLS}/vlans")
}

async fn allocate(server: &Server, asked: Value) -> crate::client::Reply {
    server.post(&format!("{}/allocations", one()), &asked).await
}

#[tokio::test]
async fn values_are_given_out_once_and_shown_as_allocations() {
    let server = upgraded().await;
    server.post(POOLS, &pool(ranges(100, 101))).await.done(201);
    let first = allocate(&server, json!({"key": "a"})).await.done(201);
    assert_eq!((&first["metadata"]["name"], &first["status"]["value"]), (&json!("vlans.a"), &json!("100")));
    let again = allocate(&server, json!({"key": "a"})).await.done(200);
    assert_eq!(again["status"], first["status"]);
    let second = allocate(&server, json!({"key": "b", "value": 101, "ttl": "1h"})).await.done(201);
    assert!(second["status"]["fence"].as_u64() > first["status"]["fence"].as_u64());
    assert!(second["status"]["expiresAt"].is_string());
    let full = allocate(&server, json!({"key": "c"})).await;
    assert!(full.refused(409, "Conflict").contains("exhausted"));
    allocate(&server, json!({"key": "C"})).await.refused(422, "Invalid");
    allocate(&server, json!({"key": "c", "value": "7"})).await.refused(422, "Invalid");
    let shown = server.get(&one()).await.done(200);
    assert_eq!(shown["status"], json!({"size": 2, "allocated": 2, "free": 0}));
    let selected = format!(
        "{ALLOCATIONS}?labelSelector=tallyman.dev/pool%3Dvlans&fieldSelector=metadata.name%3Dvlans.b"
    );
    assert_eq!(server.get(&selected).await.done(200)["items"], json!([second]));
    server.send("DELETE", &one(), &[], "").await.refused(409, "Conflict");
    server.send("DELETE", &format!("{ALLOCATIONS}/vlans.a"), &[], "").await.done(200);
    assert_eq!(allocate(&server, json!({"key": "c"})).await.done(201)["status"]["value"], "100");
    server.get(&format!("{ALLOCATIONS}/vlans.a")).await.refused(404, "NotFound");
    server.post(&format!("{POOLS}/nothing/allocations"), &json!({"key": "a"})).await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_pool_is_written_as_kubectl_writes_and_shrinks_to_what_is_allocated() {
    let server = upgraded().await;
    let apply = [("content-type", "application/apply-patch+yaml")];
    let path = format!("{}?fieldManager=kubectl", one());
    server.send("PATCH", &path, &apply, pool(ranges(100, 199)).to_string()).await.done(201);
    allocate(&server, json!({"key": "a", "value": 150})).await.done(201);
    let cut = server.send("PATCH", &path, &apply, pool(ranges(100, 149)).to_string()).await;
    assert!(cut.refused(409, "Conflict").contains("such as 150 for \"a\""));
    let cut = server.send("PATCH", &path, &apply, pool(ranges(150, 160)).to_string()).await.done(200);
    assert_eq!(cut["spec"], ranges(150, 160));
    let same = server.send("PATCH", &path, &apply, pool(ranges(150, 160)).to_string()).await.done(200);
    assert_eq!(same["metadata"]["resourceVersion"], cut["metadata"]["resourceVersion"]);
    let merge = [("content-type", "application/merge-patch+json")];
    let labels = json!({"metadata": {"labels": {"fabric": "a"}}}).to_string();
    server.send("PATCH", &one(), &merge, labels).await.done(200);
    let all = server.get("/apis/tallyman.dev/v1/pools?labelSelector=fabric%3Da").await.done(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    let mut cidrs = pool(json!({"cidrs": ["10.0.0.0/16"], "prefixLength": 24, "disjoint": "fabric"}));
    cidrs["metadata"]["name"] = json!("nets");
    server.post(POOLS, &cidrs).await.done(201);
    assert_eq!(server.get(&format!("{POOLS}/nets")).await.done(200)["spec"], cidrs["spec"]);
    cidrs["metadata"]["name"] = json!("others");
    server.post(POOLS, &cidrs).await.refused(409, "Conflict");
}

#[tokio::test]
async fn blocks_are_given_out_and_shown_with_their_size() {
    let server = upgraded().await;
    server.post(POOLS, &pool(ranges(8_001, 8_099))).await.done(201);
    let block = allocate(&server, json!({"key": "a", "size": 16, "align": 16})).await.done(201);
    assert_eq!((&block["status"]["value"], &block["status"]["size"]), (&json!("8016-8031"), &json!(16)));
    assert_eq!(
        server.get(&one()).await.done(200)["status"],
        json!({"size": 99, "allocated": 16, "free": 83})
    );
    let taken = allocate(&server, json!({"key": "b", "value": "8020-8024"})).await;
    assert!(taken.refused(409, "Conflict").contains("allocated for \"a\""));
    allocate(&server, json!({"key": "b", "size": 0})).await.refused(422, "Invalid");
    allocate(&server, json!({"key": "b", "prefixLength": 24})).await.refused(422, "Invalid");
}

#[tokio::test]
async fn a_repeated_request_is_answered_alike() {
    let server = upgraded().await;
    server.post(POOLS, &pool(ranges(1, 9))).await.done(201);
    let (path, key) = (format!("{}/allocations", one()), [("idempotency-key", "k")]);
    let body = json!({"key": "a"}).to_string();
    let first = server.send("POST", &path, &key, body.clone()).await.done(201);
    let again = server.send("POST", &path, &key, body).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.done(201), first);
}
