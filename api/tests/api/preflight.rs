//! What clusters said when they were asked whether they would take a run.

use crate::client::start;
use crate::samples::{RUNNABLES, path, runnable};
use serde_json::{Value, json};
use tallyman_model::command::{Check, Choice, Place};
use tallyman_model::record::PreflightVerdict::{Passed, Refused};
use tallyman_model::{Command, query};

fn condition(document: &Value) -> Option<&Value> {
    let conditions = document["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == "Preflight")
}

#[tokio::test]
async fn what_clusters_said_is_a_condition() {
    let server = start().await;
    server.memory.raise();
    let (east, west) = (server.memory.cluster("east"), server.memory.cluster("west"));
    let mut a = runnable("a");
    let document = server.post(RUNNABLES, &a).await.done(201);
    assert!(condition(&document).is_none() && document["spec"].get("preflight").is_none(), "{document:#}");
    a["metadata"]["name"] = json!("b");
    a["spec"]["preflight"] = json!("Require");
    let document = server.post(RUNNABLES, &a).await.done(201);
    assert_eq!(document["spec"]["preflight"], "Require");
    assert_eq!(condition(&document).unwrap()["reason"], "NotAskedYet");
    let run = server.memory.look(|view| query::runnable(view, "risk", "b").unwrap().unwrap().head.ordinal);
    for (cluster, verdict, message) in [(east, Refused, "Job risk/b: exceeded quota"), (west, Passed, "")] {
        let choice = Choice::Ask(cluster);
        server.memory.run(Command::Place(Place { run, attempt: 1, choice, why: String::new() }));
        let message = message.to_owned();
        server.memory.run(Command::Check(Check { run, cluster, verdict, message }));
    }
    let document = server.get(&path("b")).await.done(200);
    let found = condition(&document).unwrap();
    assert_eq!((&found["status"], &found["reason"]), (&json!("True"), &json!("Passed")));
    assert_eq!(found["message"], "east refuses it (Job risk/b: exceeded quota); west would take it");
    a["spec"]["preflight"] = json!("Maybe");
    let refused = server.post(RUNNABLES, &a).await.refused(422, "Invalid");
    assert!(refused.contains("must be Skip, Advise or Require"), "{refused}");
}
