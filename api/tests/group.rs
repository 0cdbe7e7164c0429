//! The API over a real group: three replicas on loopback, with logs and inventories on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "api/client.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod client;
#[path = "api/memory.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod memory;

use client::Server;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tallyman_raft::{Backend, Group, GroupOptions, Timing};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const RUNNABLES: &str = "/apis/tallyman.dev/v1/namespaces/risk/runnables";

struct Place {
    server: Server,
    group: Group,
    _dir: TempDir,
}

/// An address that nobody listens on.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

async fn start() -> Vec<Place> {
    let peers: Vec<String> = (0..3).map(|_| free_address()).collect();
    let mut places = Vec::new();
    for (i, address) in peers.iter().enumerate() {
        let dir = TempDir::new().unwrap();
        // Each has its own randomness, and the time of all is the same.
        let memory = memory::Memory::blank_with(u64::try_from(i).unwrap() << 32);
        let options = GroupOptions {
            dir: dir.path().into(),
            group: "test".to_owned(),
            datacenter: format!("dc{i}"),
            peer_listen: address.parse().unwrap(),
            advertise_peer: address.clone(),
            advertise_api: format!("http://localhost:{i}"),
            peers: peers.clone(),
            tls: None,
            env: memory.env.clone(),
            backend: Backend::Memory,
            timing: Timing::default(),
            on_fatal: None,
            understands: tallyman_model::GROUP_VERSION,
            flush_gate: None,
        };
        let group = Group::start(options).await.unwrap();
        let server = client::start_on(Arc::new(group.clone()), memory, |_, _| {}).await;
        places.push(Place { server, group, _dir: dir });
    }
    places
}

/// Asks until the answer has that status.
async fn until(server: &Server, path: &str, code: u16) -> client::Reply {
    let begun = Instant::now();
    loop {
        let reply = server.get(path).await;
        if reply.status.as_u16() == code {
            return reply;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{path}: {}", reply.text());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_on_one_replica_is_read_and_watched_on_all() {
    let places = start().await;
    let servers: Vec<&Server> = places.iter().map(|place| &place.server).collect();
    servers[0].get(RUNNABLES).await.refused(503, "ServiceUnavailable");
    servers[0].post("/operator/init", &json!({"expect": 2})).await.refused(409, "Conflict");
    let members = servers[0].post("/operator/init", &json!({"expect": 3})).await.done(200);
    assert_eq!(members["members"], json!(["r1", "r2", "r3"]));
    for server in &servers {
        until(server, "/readyz", 200).await;
        until(server, RUNNABLES, 200).await;
    }
    let mut watch = servers[2].watch(&format!("{RUNNABLES}?watch=true&allowWatchBookmarks=true")).await;
    let body = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"generateName": "x-"},
        "spec": {"manifests": [{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {}}]},
    });
    let send = |server| {
        let (server, body): (&Server, _) = (server, body.to_string());
        async move { server.send("POST", RUNNABLES, &[("idempotency-key", "k")], body).await }
    };
    // The same key and body at once on three replicas is one submission.
    let (a, b, c) = tokio::join!(send(servers[0]), send(servers[1]), send(servers[2]));
    let name = a.done(201)["metadata"]["name"].as_str().unwrap().to_owned();
    assert_eq!(b.done(201)["metadata"]["name"], name);
    assert_eq!(c.done(201)["metadata"]["name"], name);
    assert_eq!(watch.event().await.1, name);
    let token = a.revision();
    for server in &servers {
        let path = format!("{RUNNABLES}/{name}");
        let document = server.get(&format!("{path}?resourceVersion={token}")).await.done(200);
        assert_eq!(document["spec"]["manifests"][0]["metadata"]["name"], "j");
        assert_eq!(server.get(&path).await.done(200), document);
        assert_eq!(server.get(RUNNABLES).await.done(200)["items"], json!([document]));
    }
    let deleted = servers[1].send("DELETE", &format!("{RUNNABLES}/{name}"), &[], "").await;
    assert_eq!(deleted.done(200)["status"], "Success");
    servers[0].get(&format!("{RUNNABLES}/{name}")).await.refused(404, "NotFound");
    let event = loop {
        let event = watch.next().await.unwrap();
        if event["type"] == "DELETED" {
            break event;
        }
    };
    assert_eq!(event["object"]["spec"]["manifests"][0]["metadata"]["name"], "j");
    // The page at the old revision still has it.
    let old = format!("{RUNNABLES}?resourceVersion={token}&resourceVersionMatch=Exact");
    assert_eq!(servers[2].get(&old).await.done(200)["items"][0]["metadata"]["name"], name);
    let audit = "/apis/tallyman.dev/v1/auditrecords?fieldSelector=spec.submission%3Drisk/";
    let records = servers[0].get(&format!("{audit}{name}")).await.done(200);
    let verbs: Vec<_> =
        records["items"].as_array().unwrap().iter().map(|item| &item["spec"]["verb"]).collect();
    assert_eq!(verbs, ["submit", "delete"]);
    let leader = servers[0].get("/operator/status").await.done(200)["leader"].clone();
    let to = if leader == "r1" { "r2" } else { "r1" };
    let handed = servers[2].post("/operator/transfer-leader", &json!({ "to": to })).await.done(200);
    assert_eq!(handed["leader"], to);
    for place in places {
        place.server.stop().await;
        place.group.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_has_lost_its_quorum_is_not_ready() {
    let places = start().await;
    places[0].server.post("/operator/init", &json!({"expect": 3})).await.done(200);
    for place in &places {
        until(&place.server, "/readyz", 200).await;
    }
    let id = places[0].server.get("/operator/status").await.done(200)["leader"].clone();
    let (mut leaders, mut others) = (Vec::new(), Vec::new());
    for place in places {
        let status = place.server.get("/operator/status").await.done(200);
        if status["id"] == id { leaders.push(place) } else { others.push(place) }
    }
    for place in others {
        place.server.stop().await;
        place.group.shutdown().await;
    }
    // It goes on believing that it leads, and must not be sent requests.
    let [leader] = <[Place; 1]>::try_from(leaders).ok().unwrap();
    let reply = until(&leader.server, "/readyz", 503).await;
    assert!(reply.text().contains("does not reach a quorum"), "{}", reply.text());
    let status = leader.server.get("/operator/status").await.done(200);
    assert_eq!((&status["leader"], &status["waitingFor"]), (&id, &json!("a quorum")));
    leader.server.stop().await;
    leader.group.shutdown().await;
}
