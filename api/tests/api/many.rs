//! `POST` of a list.

use crate::client::{Reply, Server, start, start_with};
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path, runnable};
use serde_json::{Value, json};
use tallyman_api::backend::ProposeError;

fn list(items: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

async fn send(server: &Server, key: &str, list: &Value) -> Reply {
    server.send("POST", RUNNABLES, &[("idempotency-key", key)], list.to_string()).await
}

fn codes(answer: &Value) -> Vec<u64> {
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| item["code"].as_u64().unwrap_or(201)).collect()
}

#[tokio::test]
async fn every_item_has_an_answer_of_its_own_in_order() {
    let server = start().await;
    server.submit("taken").await;
    let mut elsewhere = runnable("elsewhere");
    elsewhere["metadata"]["namespace"] = json!("other");
    let mut untyped = runnable("untyped");
    untyped.as_object_mut().unwrap().remove("kind");
    let mut cluster = runnable("cluster");
    cluster["kind"] = json!("Cluster");
    let items = [runnable("a"), runnable("taken"), json!(7), elsewhere, untyped, cluster, runnable("b")];
    let reply = server.post(RUNNABLES, &list(&items)).await;
    let answer = reply.done(207);
    assert_eq!((&answer["kind"], &answer["apiVersion"]), (&json!("List"), &json!("v1")));
    let codes = codes(&answer);
    assert_eq!((codes[0], codes[1], codes[4], codes[6]), (201, 409, 201, 201), "{answer}");
    assert!([2, 3, 5].iter().all(|i| (400..500).contains(&codes[*i])), "{answer}");
    assert_eq!(answer["items"][0]["metadata"]["name"], "a");
    assert_eq!(answer["items"][0]["spec"]["manifests"][0]["kind"], "Job");
    assert_eq!(answer["items"][1]["details"]["name"], "taken");
    assert_eq!(answer["items"][6]["metadata"]["name"], "b");
    assert_eq!(answer["metadata"]["resourceVersion"], reply.revision().to_string());
    // What was taken is there at the revision of the answer.
    for name in ["a", "untyped", "b"] {
        server.get(&format!("{}?resourceVersion={}", path(name), reply.revision())).await.done(200);
    }
    let all = json!({"apiVersion": "tallyman.dev/v1", "kind": "RunnableList", "items": [runnable("c"), runnable("d")]});
    let answer = server.post(RUNNABLES, &all).await.done(201);
    assert_eq!(answer["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_list_sent_again_under_its_key_makes_nothing_twice() {
    let server = start().await;
    let mut generated = runnable("x");
    generated["metadata"] = json!({"generateName": "x-"});
    let items = vec![generated.clone(), generated.clone(), runnable("a")];
    let first = send(&server, "k", &list(&items)).await.done(201);
    assert_ne!(first["items"][0]["metadata"]["name"], first["items"][1]["metadata"]["name"]);
    let again = send(&server, "k", &list(&items)).await.done(201);
    assert_eq!(first["items"], again["items"]);
    // Another item in a known place is refused, and the others are still answered.
    let other = vec![items[0].clone(), items[1].clone(), runnable("b")];
    let mixed = send(&server, "k", &list(&other)).await.done(207);
    assert_eq!(codes(&mixed), [201, 201, 422]);
    // An item's own key is good in any place, and alone.
    let mut own = generated;
    own["metadata"]["annotations"] = json!({"tallyman.dev/idempotency-key": "mine"});
    let one = server.post(RUNNABLES, &list(&[own.clone()])).await.done(201);
    let two = server.post(RUNNABLES, &list(&[runnable("c"), own.clone()])).await.done(201);
    assert_eq!(one["items"][0]["metadata"]["uid"], two["items"][1]["metadata"]["uid"]);
    let alone = server.post(RUNNABLES, &own).await.done(201);
    let replayed = server.post(RUNNABLES, &own).await;
    assert_eq!(replayed.done(201)["metadata"]["uid"], alone["metadata"]["uid"]);
    assert_eq!(replayed.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn a_list_is_bounded_and_well_formed() {
    let server = start().await;
    let many: Vec<_> = (0..1_001).map(|i| json!({"metadata": {"name": format!("a{i}")}})).collect();
    for wrong in [list(&[]), list(&many), json!({"apiVersion": "v1", "kind": "List"})] {
        server.post(RUNNABLES, &wrong).await.refused(400, "BadRequest");
    }
    let mut unknown = list(&[runnable("a")]);
    unknown["item"] = json!([]);
    server.post(RUNNABLES, &unknown).await.refused(400, "BadRequest");
    let dry = format!("{RUNNABLES}?dryRun=All");
    server.post(&dry, &list(&[runnable("a")])).await.refused(422, "Invalid");
    assert_eq!(server.get(RUNNABLES).await.done(200)["items"], json!([]));
}

#[tokio::test]
async fn a_list_of_which_nothing_was_done_is_refused_as_a_whole() {
    let server = start().await;
    let why = "no leader is known".to_owned();
    server.memory.knobs.lock().unwrap().propose_fails =
        Some(ProposeError::NotSent { why, retry_after_s: 1, busy: false });
    let reply = server.post(RUNNABLES, &list(&[runnable("a"), runnable("b")])).await;
    reply.refused(503, "ServiceUnavailable");
    assert_eq!(reply.header("retry-after"), "1");
}

#[tokio::test]
async fn a_list_counts_as_its_items_and_waits_for_all_of_them() {
    let memory = Memory::founded();
    let server = start_with(&memory, |options, _| {
        options.bounds.writes_max = 1;
        options.bounds.writes_of_one_tenant_max = 200;
    })
    .await;
    let items: Vec<_> = (0..200).map(|i| runnable(&format!("a{i:03}"))).collect();
    let begun = tokio::time::Instant::now();
    let prefer = [("prefer", "wait=1, return=minimal")];
    let reply = server.send("POST", RUNNABLES, &prefer, list(&items).to_string()).await;
    assert_eq!(codes(&reply.done(201)).len(), 200);
    assert!(begun.elapsed().as_secs() >= 1);
    assert_eq!(reply.header("preference-applied"), "wait=1, return=minimal");
    assert!(reply.json()["items"][199]["spec"].is_null());
}
