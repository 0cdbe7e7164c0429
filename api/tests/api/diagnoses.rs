//! Why a run does not start, and where its logs are, as documents and rows show it.

use crate::client::{Server, start};
use crate::samples::{RUNNABLES, path};
use serde_json::{Value, json};
use tallyman_model::command::{Diagnose, RaiseVersion};
use tallyman_model::record::{Finding, PodSeen};
use tallyman_model::rule::Verdict;
use tallyman_model::{Command, GROUP_VERSION, ReplicaId};

const CLUSTER: &str = "/apis/tallyman.dev/v1/clusters/east";

fn finding() -> Finding {
    let pod = PodSeen {
        name: "report-x7k2p".to_owned(),
        node: "node-1".to_owned(),
        phase: "Failed".to_owned(),
        reason: "OOMKilled".to_owned(),
        container: "main".to_owned(),
        exit_code: Some(137),
        ..PodSeen::default()
    };
    let message = "Pod report-x7k2p: container main: OOMKilled, exit code 137".to_owned();
    Finding { reason: "OOMKilled".to_owned(), message, pods: vec![pod] }
}

fn diagnose(server: &Server, name: &str) {
    let run = server.memory.run_of(name);
    let (ordinal, uid) = (run.head.ordinal, run.main_object().unwrap().uid.clone().unwrap());
    server.memory.run(Command::Diagnose(Diagnose { run: ordinal, attempt: 1, uid, finding: finding() }));
}

/// A run on `east` whose Job is as `verdict` says, looked into.
async fn looked_into(verdict: Verdict) -> (Server, Value) {
    let server = start().await;
    let understood_by = [1, 2, 3].map(ReplicaId).to_vec();
    server.memory.run(Command::RaiseVersion(RaiseVersion { to: GROUP_VERSION, understood_by }));
    let east = server.memory.cluster("east");
    server.submit("report").await;
    server.memory.place("report", east);
    server.memory.intend("report");
    server.memory.observe("report", verdict, false);
    diagnose(&server, "report");
    let run = server.get(&path("report")).await.done(200);
    (server, run)
}

#[tokio::test]
async fn a_run_that_waits_says_why_everywhere_and_since_when_that_is_known() {
    let (server, run) = looked_into(Verdict::Pending).await;
    let status = &run["status"];
    assert_eq!((&status["phase"], &status["reason"]), (&json!("Pending"), &json!("OOMKilled")));
    let selected = format!("{RUNNABLES}?fieldSelector=status.reason%3DOOMKilled");
    assert_eq!(server.get(&selected).await.done(200)["items"].as_array().unwrap().len(), 1);
    let seen = &status["attempts"][0]["diagnosis"]["at"];
    let words = format!("{} (seen {})", finding().message, seen.as_str().unwrap());
    assert_eq!(status["message"], json!(words));
    let conditions = status["conditions"].as_array().unwrap();
    let observed = conditions.iter().find(|condition| condition["type"] == "Observed").unwrap();
    assert_eq!((&observed["reason"], &observed["message"]), (&json!("OOMKilled"), &json!(words)));
    let pod = json!({"name": "report-x7k2p", "node": "node-1", "phase": "Failed", "reason": "OOMKilled",
        "container": "main", "exitCode": 137, "restarts": 0});
    assert_eq!(status["attempts"][0]["pods"], json!([pod]));
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let table = server.send("GET", &path("report"), &accept, "").await.done(200);
    let cells = table["rows"][0]["cells"].to_string();
    assert!(cells.contains("OOMKilled") && cells.contains("exit code 137"), "{cells}");
    server.memory.observe("report", Verdict::Running, false);
    let run = server.get(&path("report")).await.done(200);
    assert_eq!(
        (&run["status"]["message"], &run["status"]["attempts"][0]["pods"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn a_run_that_failed_says_how_its_last_pod_ended() {
    let (_server, run) = looked_into(Verdict::Failed).await;
    assert_eq!(run["status"]["reason"], "ObjectFailed");
    assert_eq!(run["status"]["message"], json!(finding().message));
}

#[tokio::test]
async fn logs_are_linked_by_the_template_of_the_cluster() {
    let (server, _) = looked_into(Verdict::Pending).await;
    let link = async |template: &str| {
        let patch = json!({"spec": {"logLink": template}});
        let cluster = server.merge(CLUSTER, &patch).await.done(200);
        assert_eq!(cluster["spec"]["logLink"], template);
        server.get(&path("report")).await.done(200)["status"]["attempts"][0].clone()
    };
    let attempt = link("https://logs.example.com/{cluster}?job={name}&uid={uid}").await;
    assert_eq!(attempt["logLink"], "https://logs.example.com/east?job=report&uid=job-report");
    assert_eq!(attempt["pods"][0]["logLink"], Value::Null);
    let attempt = link("https://logs.example.com/{namespace}/{pod}").await;
    assert_eq!(attempt["pods"][0]["logLink"], "https://logs.example.com/risk/report-x7k2p");
    assert_eq!(attempt["logLink"], Value::Null);
    let bad = server.merge(CLUSTER, &json!({"spec": {"logLink": "logs/{pod}"}})).await;
    assert!(bad.done(422).to_string().contains("spec.logLink"));
}
