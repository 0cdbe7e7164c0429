//! One run on each of several clusters.

use crate::client::start;
use crate::samples::{RUNNABLES, path, runnable};
use serde_json::json;
use tallyman_model::command::FanOut;
use tallyman_model::{Command, query};

#[tokio::test]
async fn a_fan_out_and_its_runs_show_each_other_and_are_found() {
    let server = start().await;
    server.memory.raise();
    server.memory.cluster("east");
    server.memory.cluster("west");
    let mut a = runnable("a");
    a["spec"]["placement"] = json!({"fanOut": true});
    let document = server.post(RUNNABLES, &a).await.done(201);
    assert_eq!(document["spec"]["placement"], json!({"fanOut": true}));
    assert!(document["status"].get("fanOut").is_none(), "its clusters are not chosen: {document:#}");
    let run = server.memory.look(|view| query::runnable(view, "risk", "a").unwrap().unwrap().head.ordinal);
    for _ in 0..2 {
        server.memory.run(Command::FanOut(FanOut { run }));
    }
    let parent = server.get(&path("a")).await.done(200);
    let expected = json!({
        "clusters": 2, "waiting": 2, "active": 0, "succeeded": 0, "failed": 0, "cancelled": 0
    });
    assert_eq!(parent["status"]["fanOut"], expected);
    let placed = &parent["status"]["conditions"][2];
    assert_eq!(
        (&placed["status"], &placed["message"]),
        (&json!("True"), &json!("a run on each of 2 clusters"))
    );

    let child = server.get(&path("a-east")).await.done(200);
    assert_eq!(child["status"]["parent"], "a");
    let owner = &child["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["name"]), (&json!("Runnable"), &json!("a")));
    assert_eq!(owner["uid"], parent["metadata"]["uid"]);
    assert_eq!(child["spec"]["manifests"], parent["spec"]["manifests"]);
    assert_eq!(child["spec"]["placement"], json!({"clusters": ["east"]}));

    let names = async |query: &str| {
        let list = server.get(&format!("{RUNNABLES}?fieldSelector={query}")).await.done(200);
        let name = |item: &serde_json::Value| item["metadata"]["name"].as_str().unwrap().to_owned();
        list["items"].as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names("status.parent%3Da").await, ["a-east", "a-west"]);
    assert_eq!(names("status.parent%3D").await, ["a"]);
    assert_eq!(names("status.parent%3Da-east").await, [""; 0]);

    let refused =
        server.post(&format!("{}/retry", path("a-east")), &json!({})).await.refused(409, "Conflict");
    assert!(refused.contains("only a failed or cancelled run"), "{refused}");
    a["metadata"]["name"] = json!("b");
    a["spec"]["placement"]["onLoss"] = json!("Move");
    let refused = server.post(RUNNABLES, &a).await.refused(422, "Invalid");
    assert!(refused.contains("each run is for its cluster"), "{refused}");
}
