//! What is said to people above what may be out of date.

use crate::client::start;
use crate::samples::{CLUSTERS, RUNNABLES, path};
use std::sync::atomic::Ordering::Relaxed;
use tallyman_model::Command;
use tallyman_model::command::Contact;

#[tokio::test]
async fn a_picture_of_a_cluster_that_is_too_old_is_told_above_the_rows() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    let paths = [RUNNABLES.to_owned(), path("a"), CLUSTERS.to_owned()];
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    for path in &paths {
        assert_eq!(server.send("GET", path, &table, "").await.header("warning"), "", "{path}");
    }
    server.memory.env.now_ms.fetch_add(16 * 60_000, Relaxed);
    for path in &paths {
        let words = "299 - \"cluster east has said nothing for long: what is shown of it is 16m old\"";
        assert_eq!(server.send("GET", path, &table, "").await.header("warning"), words, "{path}");
        assert_eq!(server.get(path).await.header("warning"), words, "{path}");
    }
}

#[tokio::test]
async fn a_cluster_out_of_reach_is_told_at_once_and_only_where_it_is_shown() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.submit("b").await;
    server.memory.started("a", east);
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
    server.memory.env.now_ms.fetch_add(4_000, Relaxed);
    let words = "299 - \"cluster east is out of reach: what is shown of it is 4s old\"";
    assert_eq!(server.get(RUNNABLES).await.header("warning"), words);
    assert_eq!(server.get(&path("b")).await.header("warning"), "");
}

#[tokio::test]
async fn what_becomes_of_unknown_fields_is_said_where_something_else_was_asked_for() {
    let server = start().await;
    let mut unknown = crate::samples::runnable("a");
    unknown["spec"]["colour"] = serde_json::json!("red");
    for (validation, warned) in [("Strict", false), ("Warn", true), ("Ignore", true)] {
        let reply = server.post(&format!("{RUNNABLES}?fieldValidation={validation}"), &unknown).await;
        assert!(reply.refused(422, "Invalid").contains("spec.colour: unknown field"));
        assert_eq!(reply.header("warning").contains("unknown fields are refused"), warned, "{validation}");
    }
}
