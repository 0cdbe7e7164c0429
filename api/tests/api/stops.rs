//! What operators have stopped: pauses, brakes, and clusters that are written off.

use crate::client::{Server, start};
use crate::samples::{CLUSTERS, path};
use serde_json::json;
use tallyman_model::command::{Contact, GiveUp, RaiseVersion};
use tallyman_model::{Command, GROUP_VERSION, ReplicaId, query};

/// A server of a group whose replicas all understand what this build does.
async fn raised() -> Server {
    let server = start().await;
    let understood_by = server.memory.look(|view| query::members(view)).unwrap();
    let understood_by: Vec<ReplicaId> = understood_by.iter().map(|member| member.id).collect();
    server.memory.run(Command::RaiseVersion(RaiseVersion { to: GROUP_VERSION, understood_by }));
    server
}

#[tokio::test]
async fn a_pause_is_shown_with_who_when_and_why_until_it_ends() {
    let server = raised().await;
    server.memory.cluster("east");
    server.submit("a").await;
    let why = json!({"reason": "the network is being worked on"});
    server.post("/operator/pause", &why).await.done(200);
    server.post("/operator/pause", &json!({"tenant": "desk"})).await.done(200);
    let status = server.get("/operator/status").await.done(200);
    assert_eq!(status["paused"]["reason"], "the network is being worked on");
    assert_eq!(status["pausedTenants"][0]["tenant"], "desk");
    let words = server.get(&path("a")).await.done(200)["status"]["waitingFor"].as_str().unwrap().to_owned();
    assert!(words.starts_with("the group is paused by dev since "), "{words}");
    let ready = server.get("/readyz?verbose").await.text();
    assert!(ready.contains("sending paused: the group is paused by dev"), "{ready}");
    let metrics = server.get("/metrics").await.text();
    assert!(
        metrics.contains("tallyman_paused 1") && metrics.contains("tallyman_paused_tenants 1"),
        "{metrics}"
    );
    server.send("POST", "/operator/resume", &[], "").await.done(200);
    server.post("/operator/resume", &json!({"tenant": "desk"})).await.done(200);
    let status = server.get("/operator/status").await.done(200);
    assert_eq!((&status["paused"], &status["pausedTenants"]), (&json!(null), &json!([])));
    assert_eq!(server.get(&path("a")).await.done(200)["status"]["waitingFor"], json!(null));
}

#[tokio::test]
async fn what_cannot_be_paused_or_agreed_to_is_refused_with_what_to_do() {
    let server = raised().await;
    for wrong in [json!([]), json!({"tenant": "A b"}), json!({"cluster": "east"}), json!({"reason": 1})] {
        server.post("/operator/pause", &wrong).await.refused(422, "Invalid");
    }
    for wrong in [json!({}), json!({"cluster": "east", "tenant": "risk"}), json!({"tenant": 1})] {
        server.post("/operator/confirm-stops", &wrong).await.refused(422, "Invalid");
    }
    server.post("/operator/confirm-stops", &json!({"cluster": "east"})).await.refused(404, "NotFound");
    server.post("/operator/confirm-stops", &json!({"tenant": "risk"})).await.refused(409, "Conflict");
    let ann = [("impersonate-user", "ann")];
    for path in ["/operator/pause", "/operator/resume", "/operator/confirm-stops"] {
        server.send("POST", path, &ann, "{}").await.refused(403, "Forbidden");
    }
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_written_off_with_a_reason_and_says_what_was_given_up() {
    let server = raised().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    let write_off = format!("{CLUSTERS}/east/write-off");
    let why = json!({"reason": "the datacenter burnt down"});
    server.post(&write_off, &why).await.refused(409, "Conflict");
    server.memory.run(Command::Contact(Contact {
        cluster: east,
        reachable: false,
        kube_system_uid: None,
        version: String::new(),
        rewound: false,
        relayed_by: None,
        unwatched: Vec::new(),
        message: "no connection".to_owned(),
    }));
    server.post(&write_off, &json!({})).await.refused(422, "Invalid");
    let document = server.post(&write_off, &why).await.done(200);
    assert_eq!(document["status"]["writtenOff"]["reason"], "the datacenter burnt down");
    assert_eq!(document["status"]["quarantined"], true);
    server.memory.run(Command::GiveUp(GiveUp { cluster: east }));
    let document = server.get(&format!("{CLUSTERS}/east")).await.done(200);
    let off = &document["status"]["writtenOff"];
    assert_eq!((&off["runs"], &off["objects"], &off["done"]), (&json!(1), &json!(1), &json!(true)));
    let run = server.get(&path("a")).await.done(200);
    assert_eq!(run["status"]["reason"], "ClusterWrittenOff");
    let message = run["status"]["message"].as_str().unwrap();
    assert!(message.contains("Job risk/a on east (UID job-a)"), "{message}");
}
