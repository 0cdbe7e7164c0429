//! What the ledger says, as events.

use crate::client::start;
use crate::samples::path;
use serde_json::{Value, json};
use tallyman_model::rule::Verdict;

const EVENTS: &str = "/api/v1/namespaces/risk/events";

fn told(list: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|one| (text(&one["involvedObject"]["name"]), text(&one["reason"]), text(&one["message"])))
        .collect()
}

#[tokio::test]
async fn a_run_is_described_by_its_ledger_records() {
    let server = start().await;
    let east = server.memory.cluster("east");
    let uid = server.submit("a").await.json()["metadata"]["uid"].as_str().unwrap().to_owned();
    server.submit("b").await;
    server.memory.started("a", east);
    server.memory.observe("a", Verdict::Failed, false);
    // As kubectl describe asks.
    let query = format!(
        "fieldSelector=involvedObject.name%3Da%2CinvolvedObject.namespace%3Drisk%2CinvolvedObject.kind%3DRunnable%2C\
         involvedObject.uid%3D{uid}&limit=500"
    );
    let list = server.get(&format!("{EVENTS}?{query}")).await.done(200);
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("EventList"), &json!("v1")));
    let told_of_a = told(&list);
    let reasons: Vec<_> = told_of_a.iter().map(|(_, reason, _)| reason.as_str()).collect();
    assert_eq!(reasons, ["Submit", "Place", "Intend", "Observe", "Observe"]);
    assert_eq!(told_of_a[0].2, "Accepted: by dev");
    assert_eq!(told_of_a[1].2, "Placed: attempt 1 to east (the only one)");
    assert_eq!(list["items"][4]["type"], "Warning");
    assert_eq!(
        list["items"][0]["lastTimestamp"],
        server.get(&path("a")).await.json()["metadata"]["creationTimestamp"]
    );
}

#[tokio::test]
async fn events_of_a_namespace_are_listed_and_selected() {
    let server = start().await;
    server.submit("a").await;
    server.submit("b").await;
    let all = server.get(EVENTS).await.done(200);
    assert_eq!(told(&all).len(), 2);
    assert_eq!(told(&server.get("/api/v1/events").await.done(200)), told(&all));
    assert_eq!(told(&server.get("/api/v1/namespaces/other/events").await.done(200)), []);
    let not_a = server.get(&format!("{EVENTS}?fieldSelector=involvedObject.name!%3Da")).await.done(200);
    assert_eq!(told(&not_a)[0].0, "b");
    let gone = server.get(&format!("{EVENTS}?fieldSelector=involvedObject.name%3Dnobody")).await.done(200);
    assert_eq!(told(&gone), []);
    server.get(&format!("{EVENTS}?fieldSelector=count%3D1")).await.refused(400, "BadRequest");
    server.get(&format!("{EVENTS}?watch=true")).await.refused(405, "MethodNotAllowed");
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let table = server.send("GET", EVENTS, &accept, "").await.done(200);
    assert_eq!(
        table["rows"][0]["cells"],
        json!(["0s", "Normal", "Submit", "runnable/a", "Accepted: by dev"])
    );
}
