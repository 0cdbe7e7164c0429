//! Sent, created and observed, as documents and rows tell them apart.

use crate::client::{Server, start};
use crate::samples::path;
use serde_json::{Value, json};
use tallyman_model::Command;
use tallyman_model::command::{Conclude, Contact, Observation, Outcome};
use tallyman_model::record::{Kind, Seen};
use tallyman_model::rule::Verdict;

fn answer(server: &Server, name: &str) -> Outcome {
    let run = server.memory.run_of(name);
    Outcome::Done(Box::new(Observation {
        described: None,
        kind: Kind::Job,
        namespace: "risk".to_owned(),
        name: run.objects[0].name.clone(),
        uid: format!("job-{name}"),
        resource_version: "8817".to_owned(),
        gone: false,
        group: Some(tallyman_model::Uid([9; 16])),
        submission: Some(run.head.uid),
        attempt: Some(1),
        digest: Some(run.planned[0].digest.to_string()),
        held: true,
        seen: Seen { resource_version: "8817".to_owned(), ..Seen::default() },
        verdict: Some(Verdict::Pending),
    }))
}

fn conclude(server: &Server, name: &str, outcome: Outcome) {
    let run = server.memory.run_of(name);
    let intent = run.objects[0].pending.map_or(0, |intent| intent.index);
    server.memory.run(Command::Conclude(Conclude { run: run.head.ordinal, object: 0, intent, outcome }));
}

async fn shown(server: &Server, name: &str) -> Value {
    server.get(&path(name)).await.done(200)["status"].clone()
}

fn condition(status: &Value, name: &str) -> (String, String, String) {
    let all = status["conditions"].as_array().unwrap();
    let one = all.iter().find(|one| one["type"] == name).unwrap();
    let text = |field: &str| one[field].as_str().unwrap().to_owned();
    (text("status"), text("reason"), text("message"))
}

async fn column(server: &Server, name: &str) -> Value {
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let table = server.send("GET", &path(name), &accept, "").await.done(200);
    let columns = table["columnDefinitions"].as_array().unwrap();
    let at = columns.iter().position(|column| column["name"] == "Object").unwrap();
    table["rows"][0]["cells"][at].clone()
}

fn of<'a>(status: &'a Value, field: &str) -> &'a Value {
    &status["attempts"][0]["objects"][0][field]
}

#[tokio::test]
async fn sent_created_and_observed_are_told_apart_with_when_each_was() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("report").await;
    assert_eq!(column(&server, "report").await, "Planned");
    server.memory.place("report", east);
    server.memory.intend("report");
    let status = shown(&server, "report").await;
    assert_eq!(column(&server, "report").await, "Sent");
    assert!(of(&status, "sentAt").is_string() && of(&status, "createdAt").is_null());
    assert_eq!(condition(&status, "Created").1, "Sent");
    assert_eq!(condition(&status, "Observed").0, "Unknown");

    conclude(&server, "report", answer(&server, "report"));
    let status = shown(&server, "report").await;
    assert_eq!(column(&server, "report").await, "Created");
    assert!(of(&status, "createdAt").is_string() && of(&status, "observedAt").is_null());
    assert_eq!(
        condition(&status, "Created"),
        ("True".to_owned(), "Created".to_owned(), "UID job-report".to_owned())
    );
    let expected = ["Unknown", "NotObservedYet", "created; its watch has not told of it"].map(str::to_owned);
    assert_eq!(condition(&status, "Observed"), expected.into());
    assert!(status["observed"].is_null(), "the answer to a create is no observation");

    server.memory.observe("report", Verdict::Pending, false);
    let status = shown(&server, "report").await;
    assert_eq!(column(&server, "report").await, "Observed");
    assert!(of(&status, "observedAt").is_string());
    assert_eq!(condition(&status, "Observed").0, "True");
    assert_eq!(status["observed"]["resourceVersion"], "8817");
}

#[tokio::test]
async fn what_may_not_be_watched_is_said_to_be_created_and_not_watched_with_what_a_read_found() {
    let server = start().await;
    let cluster = server.memory.cluster("east");
    server.submit("report").await;
    server.memory.place("report", cluster);
    server.memory.intend("report");
    conclude(&server, "report", answer(&server, "report"));
    server.memory.run(Command::Contact(Contact {
        cluster,
        reachable: true,
        kube_system_uid: None,
        version: String::new(),
        rewound: false,
        relayed_by: None,
        unwatched: vec!["jobs".to_owned()],
        message: "the cluster answered 403 Forbidden: cannot watch jobs".to_owned(),
    }));
    let status = shown(&server, "report").await;
    let words = "created, not watched; the cluster answered 403 Forbidden: cannot watch jobs";
    assert_eq!(condition(&status, "Observed"), ["False", "NotWatched", words].map(str::to_owned).into());
    assert_eq!(column(&server, "report").await, "Unwatched");
    conclude(&server, "report", answer(&server, "report"));
    let status = shown(&server, "report").await;
    let (_, _, message) = condition(&status, "Observed");
    let read_at = of(&status, "readAt").as_str().unwrap();
    assert_eq!(message, format!("{words}; it was there when it was read at {read_at}"));
    assert_eq!(of(&status, "observedAt"), &json!(null));
}
