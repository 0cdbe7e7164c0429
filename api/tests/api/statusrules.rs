//! Rules that users make for kinds of their own.

use crate::client::start;
use serde_json::{Value, json};

const RULES: &str = "/apis/tallyman.dev/v1/statusrules";

fn spark(succeeded: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "StatusRule", "metadata": {"name": "spark", "labels": {"a": "b"}},
        "spec": {"group": "sparkoperator.k8s.io", "kind": "SparkApplication", "succeeded": succeeded,
            "failed": "object.status.state == 'FAILED'"},
    })
}

#[tokio::test]
async fn a_rule_is_made_read_listed_changed_and_taken_away() {
    let server = start().await;
    server.memory.raise();
    let one = format!("{RULES}/spark");
    let made = server.post(RULES, &spark("object.status.state == 'COMPLETED'")).await.done(201);
    assert_eq!(made["spec"]["succeeded"], "object.status.state == 'COMPLETED'");
    server.post(RULES, &spark("true")).await.refused(409, "AlreadyExists");
    let mut other = spark("true");
    other["metadata"]["name"] = json!("other");
    let said = server.post(RULES, &other).await.refused(409, "Conflict");
    assert!(said.contains("\"spark\" is for SparkApplication already"), "{said}");
    let list = server.get(RULES).await.done(200);
    assert_eq!(
        (&list["kind"], &list["items"][0]["metadata"]["name"]),
        (&json!("StatusRuleList"), &json!("spark"))
    );
    let changed = server.merge(&one, &json!({"spec": {"message": "object.status.why"}})).await.done(200);
    assert_eq!(changed["spec"]["message"], "object.status.why");
    let mut put = server.get(&one).await.json();
    put["spec"]["succeeded"] = json!("object.status.done");
    let reply = server.send("PUT", &one, &[], put.to_string()).await;
    assert_eq!(reply.done(200)["spec"]["succeeded"], "object.status.done");
    server.send("PUT", &one, &[], put.to_string()).await.refused(409, "Conflict");
    let apply = [("content-type", "application/apply-patch+yaml")];
    let applied = server.send("PATCH", &one, &apply, spark("object.status.ok").to_string()).await;
    assert_eq!(applied.done(200)["spec"]["succeeded"], "object.status.ok");
    let records = server.get("/apis/tallyman.dev/v1/auditrecords").await.done(200);
    let verbs: Vec<&str> =
        records["items"].as_array().unwrap().iter().filter_map(|one| one["spec"]["verb"].as_str()).collect();
    assert_eq!(verbs.iter().filter(|verb| **verb == "put-status-rule").count(), 4, "{verbs:?}");
    assert_eq!(server.send("DELETE", &one, &[], "").await.done(200)["status"], "Success");
    server.get(&one).await.refused(404, "NotFound");
    let applied = server.send("PATCH", &one, &apply, spark("true").to_string()).await;
    applied.done(201);
}

#[tokio::test]
async fn an_expression_that_cannot_be_read_is_refused_with_its_place() {
    let server = start().await;
    let said = server.post(RULES, &spark("object.status.state = 'COMPLETED'")).await.refused(422, "Invalid");
    assert!(said.contains("spec.succeeded"), "{said}");
    assert!(said.contains("character 21: equality is =="), "{said}");
    server.get(&format!("{RULES}/spark")).await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_kind_with_a_rule_may_be_the_main_one_of_a_run_and_without_it_the_answer_says_what_to_do() {
    let server = start().await;
    server.memory.raise();
    let run = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "pi"},
        "spec": {"manifests": [{"apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication",
            "metadata": {"name": "pi"}, "spec": {}}]},
    });
    let runs = "/apis/tallyman.dev/v1/namespaces/risk/runnables";
    let said = server.post(runs, &run).await.refused(422, "Invalid");
    assert!(said.contains("a status rule for its kind says it"), "{said}");
    server.post(RULES, &spark("object.status.state == 'COMPLETED'")).await.done(201);
    server.post(runs, &run).await.done(201);
}
