//! Work on clusters that was not submitted here.

use crate::client::Server;
use crate::deployables::upgraded;
use crate::samples::{CLUSTERS, RUNNABLES, path};
use serde_json::{Value, json};
use tallyman_model::command::{ObserveForeign, Sighting};
use tallyman_model::record::Kind;
use tallyman_model::{Command, query, rule};

/// What is watched of the cluster `east`, as its document says.
fn observe() -> Value {
    json!([
        {"apiVersion": "batch/v1", "kind": "Job", "namespaces": ["ops", "risk"], "labelSelector": "team in (rates,fx)"},
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "labelSelector": {"matchLabels": {"a": "b"}}},
    ])
}

impl Server {
    /// A watch says what there is of a Job that a CronJob has made; gives the name under which it is shown.
    pub(crate) fn foreign(&self, status: Value, gone: bool) -> Option<String> {
        let value = json!({
            "metadata": {
                "name": "nightly-1", "namespace": "risk", "uid": "uid-1", "resourceVersion": "17",
                "creationTimestamp": "2026-11-20T10:00:00Z", "labels": {"team": "rates"},
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "c",
                    "controller": true}],
            },
            "spec": {}, "status": status,
        });
        let east = self.memory.look(|view| query::cluster(view, "east")).unwrap().unwrap();
        let cluster = east.head.ordinal;
        self.memory.run(Command::ObserveForeign(ObserveForeign {
            cluster,
            selector: east.observe[0].clone(),
            namespace: String::new(),
            plural: "jobs".to_owned(),
            timeline: east.timeline,
            cursor: Some("17".to_owned()),
            rule: None,
            items: vec![Sighting::of(rule::project(&Kind::Job, &value).unwrap(), gone)],
            unshown: Some(4),
        }));
        let shown = self.memory.look(|view| query::foreign(view, cluster, &Kind::Job, "uid-1")).unwrap();
        shown.map(|shown| shown.head.name)
    }
}

/// A cluster that shows a running Job of somebody else, and the Job's name here.
pub(crate) async fn observing() -> (Server, String) {
    let server = upgraded().await;
    server.memory.cluster("east");
    server.merge(&format!("{CLUSTERS}/east"), &json!({"spec": {"observe": observe()}})).await.done(200);
    let name = server.foreign(json!({"active": 1, "ready": 1}), false).unwrap();
    (server, name)
}

#[tokio::test]
async fn what_others_run_is_listed_with_what_it_is_and_where_it_comes_from() {
    let (server, name) = observing().await;
    server.submit("ours").await;
    let one = server.get(&path(&name)).await.done(200);
    assert_eq!(one["metadata"]["name"], *name);
    assert_eq!(one["metadata"]["labels"], json!({"team": "rates"}));
    assert_eq!(one["metadata"]["creationTimestamp"], "2026-11-20T10:00:00Z");
    assert_eq!((&one["status"]["phase"], &one["status"]["cluster"]), (&json!("Running"), &json!("east")));
    let foreign = &one["status"]["foreign"];
    assert_eq!(
        (&foreign["kind"], &foreign["name"], &foreign["uid"]),
        (&json!("Job"), &json!("nightly-1"), &json!("uid-1"))
    );
    assert_eq!(
        (&foreign["owner"]["kind"], &foreign["owner"]["name"]),
        (&json!("CronJob"), &json!("nightly"))
    );
    assert_eq!(foreign["selectedBy"]["namespaces"], json!(["ops", "risk"]));
    let names = async |query: &str| {
        let list = server.get(&format!("{RUNNABLES}?{query}")).await.done(200);
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for query in [
        "labelSelector=team%3Drates",
        "fieldSelector=status.foreign%3Dtrue",
        "fieldSelector=status.phase%3DRunning,status.cluster%3Deast",
        &format!("fieldSelector=metadata.name%3D{name}"),
    ] {
        assert_eq!(names(query).await, [name.as_str()], "{query}");
    }
    assert_eq!(names("fieldSelector=status.foreign!%3Dtrue").await, ["ours"]);
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let table = server.send("GET", &path(&name), &table, "").await.done(200);
    assert_eq!(
        table["rows"][0]["cells"].as_array().unwrap().len(),
        table["columnDefinitions"].as_array().unwrap().len()
    );
    assert_eq!(table["rows"][0]["cells"][1], "Running");
}

#[tokio::test]
async fn a_watch_of_runnables_tells_what_becomes_of_them() {
    let (server, name) = observing().await;
    let from = server.get(RUNNABLES).await.revision();
    let mut watch = server.watch(&format!("{RUNNABLES}?watch=true&resourceVersion={from}")).await;
    let ended =
        json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]});
    server.foreign(ended.clone(), false);
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["metadata"]["name"]), (&json!("MODIFIED"), &json!(name)));
    let status = &event["object"]["status"];
    assert_eq!((&status["phase"], &status["reason"]), (&json!("Failed"), &json!("ObjectFailed")));
    assert_eq!(status["message"], "BackoffLimitExceeded");
    server.foreign(ended, true);
    let event = watch.next().await.unwrap();
    assert!(event["object"]["status"]["foreign"]["goneAt"].is_string(), "{event}");
}

#[tokio::test]
async fn every_change_of_them_is_refused_in_words() {
    let (server, name) = observing().await;
    let before = server.get(&path(&name)).await.done(200);
    let one = path(&name);
    let says = |message: String| {
        assert!(message.contains("was not submitted here, and is only shown"), "{message}");
        assert!(message.contains("Job risk/nightly-1 changes it on cluster east"), "{message}");
    };
    for action in ["cancel", "retry", "move"] {
        says(server.post(&format!("{one}/{action}"), &json!({"reason": "x"})).await.refused(409, "Conflict"));
    }
    let digest = format!("sha256:{}", "0".repeat(64));
    let decision = json!({"decision": "Approve", "digest": digest});
    says(server.post(&format!("{one}/approvals"), &decision).await.refused(409, "Conflict"));
    says(server.send("DELETE", &one, &[], "").await.refused(409, "Conflict"));
    for patch in [
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"metadata": {"labels": null}}),
        json!({"spec": {}}),
    ] {
        says(server.merge(&one, &patch).await.refused(409, "Conflict"));
    }
    let json_patch = [("content-type", "application/json-patch+json")];
    let add = r#"[{"op": "add", "path": "/metadata/labels/a", "value": "b"}]"#;
    says(server.send("PATCH", &one, &json_patch, add).await.refused(409, "Conflict"));
    let apply = [("content-type", "application/apply-patch+yaml")];
    let mut applied = crate::samples::runnable(&name);
    applied["metadata"]["labels"] = json!({"a": "b"});
    let query = format!("{one}?fieldManager=me");
    says(server.send("PATCH", &query, &apply, applied.to_string()).await.refused(409, "Conflict"));
    server.send("PUT", &one, &[], applied.to_string()).await.refused(405, "MethodNotAllowed");
    server.post(RUNNABLES, &applied).await.refused(422, "Invalid");
    assert_eq!(server.get(&one).await.done(200), before);
}

#[tokio::test]
async fn a_cluster_says_what_it_selects_and_how_much_of_it_is_shown() {
    let (server, _) = observing().await;
    let east = server.get(&format!("{CLUSTERS}/east")).await.done(200);
    assert_eq!(east["spec"]["observe"][0]["labelSelector"], "team in (rates,fx)");
    assert_eq!(east["spec"]["observe"][1], observe()[1]);
    let jobs = &east["status"]["foreign"][0];
    assert_eq!((&jobs["kind"], &jobs["shown"], &jobs["notShown"]), (&json!("Job"), &json!(1), &json!(4)));
    assert_eq!(east["status"]["activeRuns"], 0);
    // What was read is taken as it is.
    let mut same = east.clone();
    same["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let put = server.send("PUT", &format!("{CLUSTERS}/east"), &[], same.to_string()).await.done(200);
    assert_eq!(put["spec"], east["spec"]);
    let patch = json!({"spec": {"observe": null}});
    let none = server.merge(&format!("{CLUSTERS}/east"), &patch).await.done(200);
    assert_eq!((&none["spec"]["observe"], &none["status"]["foreign"]), (&Value::Null, &Value::Null));
    let left = server.get(&format!("{RUNNABLES}?fieldSelector=status.foreign%3Dtrue")).await.done(200);
    assert_eq!(left["items"], json!([]));
    let patch = json!({"spec": {"observe": [{"apiVersion": "v1", "kind": "Secret"}]}});
    let message = server.merge(&format!("{CLUSTERS}/east"), &patch).await.refused(422, "Invalid");
    assert!(message.contains("spec.observe[0].kind"), "{message}");
}
