//! `locks`, as clients meet them.

use crate::client::{Reply, Server};
use crate::deployables::upgraded;
use serde_json::{Value, json};

pub(crate) const LOCKS: &str = "/apis/tallyman.dev/v1/namespaces/risk/locks";

async fn ask(server: &Server, verb: &str, asked: Value) -> Reply {
    server.post(&format!("{LOCKS}/leaf/{verb}"), &asked).await
}

async fn locked(permits: u32) -> Server {
    let server = upgraded().await;
    let lock = json!({"apiVersion": "tallyman.dev/v1", "kind": "Lock", "metadata": {"name": "leaf"},
        "spec": {"permits": permits}});
    server.post(LOCKS, &lock).await.done(201);
    server
}

#[tokio::test]
async fn a_lock_is_taken_renewed_and_released_by_its_token() {
    let server = locked(1).await;
    let taken = ask(&server, "acquire", json!({"owner": "a", "ttl": "5m"})).await.done(200);
    let token = taken["status"]["holders"][0]["token"].as_u64().unwrap();
    assert_eq!((&taken["status"]["free"], &taken["status"]["holders"][0]["owner"]), (&json!(0), &json!("a")));
    let held = ask(&server, "acquire", json!({"owner": "b"})).await;
    assert!(held.refused(409, "Conflict").contains("is held by a"));
    ask(&server, "renew", json!({"token": token, "ttl": "10m"})).await.done(200);
    ask(&server, "renew", json!({"token": token - 1})).await.refused(409, "Conflict");
    server.send("DELETE", &format!("{LOCKS}/leaf"), &[], "").await.refused(409, "Conflict");
    let free = ask(&server, "release", json!({"token": token.to_string()})).await.done(200);
    assert_eq!(free["status"], json!({"free": 1, "holders": []}));
    ask(&server, "release", json!({"token": token})).await.refused(409, "Conflict");
    let again = ask(&server, "acquire", json!({"owner": "b"})).await.done(200);
    assert!(again["status"]["holders"][0]["token"].as_u64().unwrap() > token);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_words() {
    let server = locked(2).await;
    ask(&server, "acquire", json!({})).await.refused(422, "Invalid");
    ask(&server, "acquire", json!({"owner": "a", "ttl": "2d"})).await.refused(422, "Invalid");
    ask(&server, "acquire", json!({"owner": "a", "permits": 3})).await.refused(422, "Invalid");
    ask(&server, "acquire", json!({"owner": "runnable/a"})).await.refused(422, "Invalid");
    ask(&server, "release", json!({"token": true})).await.refused(422, "Invalid");
    server.post(&format!("{LOCKS}/other/acquire"), &json!({"owner": "a"})).await.refused(404, "NotFound");
    ask(&server, "acquire", json!({"owner": "a", "permits": 2})).await.done(200);
    let merge = [("content-type", "application/merge-patch+json")];
    let cut = json!({"spec": {"permits": 1}}).to_string();
    server.send("PATCH", &format!("{LOCKS}/leaf"), &merge, cut).await.refused(409, "Conflict");
    let more = json!({"spec": {"permits": 5}}).to_string();
    let more = server.send("PATCH", &format!("{LOCKS}/leaf"), &merge, more).await.done(200);
    assert_eq!(more["status"]["free"], 3);
}
