//! Runs whose cluster is lost, runs that are moved, clusters that are drained.

use crate::client::start;
use crate::samples::{CLUSTERS, RUNNABLES, path, runnable};
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;
use tallyman_model::Command;
use tallyman_model::command::{Assess, Contact};

#[tokio::test]
async fn a_lost_run_says_so_is_moved_by_a_persons_word_and_shows_both_attempts() {
    let server = start().await;
    server.memory.raise();
    let (east, west) = (server.memory.cluster("east"), server.memory.cluster("west"));
    let mut a = runnable("a");
    a["spec"]["placement"] = json!({"onLoss": "Move", "lossAfter": "10s"});
    let document = server.post(RUNNABLES, &a).await.done(201);
    assert_eq!(document["spec"]["placement"], json!({"onLoss": "Move", "lossAfter": "10s"}));
    let relocate = format!("{}/move", path("a"));
    let said = server.post(&relocate, &json!({})).await.refused(409, "Conflict");
    assert!(said.contains("has no cluster now"), "{said}");
    server.memory.started("a", east);
    for _ in 0..2 {
        server.memory.run(Command::Contact(Contact {
            cluster: east,
            reachable: false,
            kube_system_uid: None,
            version: String::new(),
            rewound: false,
            relayed_by: None,
            unwatched: Vec::new(),
            message: "connection refused".to_owned(),
        }));
        server.memory.env.now_ms.fetch_add(10_000, Relaxed);
    }
    server.memory.run(Command::Contact(Contact {
        cluster: east,
        reachable: false,
        kube_system_uid: None,
        version: String::new(),
        rewound: false,
        relayed_by: None,
        unwatched: Vec::new(),
        message: "connection refused".to_owned(),
    }));
    server.memory.run(Command::Assess(Assess { cluster: east }));
    let lost = server.get(&path("a")).await.done(200);
    assert_eq!(
        (&lost["status"]["phase"], &lost["status"]["reason"]),
        (&json!("Lost"), &json!("ClusterLost"))
    );
    assert!(lost["status"]["attempts"][0]["lostAt"].is_string(), "{lost:#}");
    let moved = server.post(&relocate, &json!({"reason": "it burned down"})).await.done(200);
    assert_eq!(moved["status"]["phase"], "Accepted");
    assert!(moved["status"]["message"].as_str().unwrap().contains("it burned down"), "{moved:#}");
    server.memory.place("a", west);
    let placed = server.get(&path("a")).await.done(200);
    let attempts = placed["status"]["attempts"].as_array().unwrap();
    let shown: Vec<_> = attempts.iter().map(|one| (&one["cluster"], &one["phase"])).collect();
    assert_eq!(shown, [(&json!("east"), &json!("Moved")), (&json!("west"), &json!("Placed"))]);
    assert_eq!(attempts[1]["objects"][0]["name"], "a-a2");
}

#[tokio::test]
async fn a_cluster_is_drained_until_it_is_uncordoned() {
    let server = start().await;
    server.memory.raise();
    server.memory.cluster("east");
    let drain = format!("{CLUSTERS}/east/drain");
    let document = server.post(&drain, &json!({"reason": "new nodes"})).await.done(200);
    assert_eq!(document["spec"]["cordoned"], true);
    assert_eq!(document["status"]["draining"]["reason"], "new nodes");
    let again = server.post(&drain, &json!({})).await.done(200);
    assert_eq!(again["metadata"]["resourceVersion"], document["metadata"]["resourceVersion"]);
    let open = json!({"spec": {"cordoned": false}});
    let document = server.merge(&format!("{CLUSTERS}/east"), &open).await.done(200);
    assert!(document["status"].get("draining").is_none(), "{document:#}");
    server.post(&format!("{CLUSTERS}/no/drain"), &json!({})).await.refused(404, "NotFound");
    server.post(&drain, &json!({"raeson": "x"})).await.refused(422, "Invalid");
}
