//! The ledger as a resource.

use crate::client::start;
use crate::samples::path;
use serde_json::{Value, json};
use tallyman_model::Digest;
use tallyman_model::ledger::next_hash;

const AUDIT: &str = "/apis/tallyman.dev/v1/auditrecords";

fn verbs(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["spec"]["verb"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_change_has_its_record_and_the_chain_can_be_verified_from_outside() {
    let server = start().await;
    server.submit("a").await;
    server.send("POST", &format!("{}/cancel", path("a")), &[("impersonate-user", "ann")], "").await.done(200);
    let list = server.get(AUDIT).await;
    assert_eq!(verbs(&list.json()), ["found", "submit", "cancel"]);
    #[derive(serde::Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        items: Vec<Item<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Item<'a> {
        #[serde(borrow)]
        spec: &'a serde_json::value::RawValue,
        status: Value,
    }
    let text = list.text();
    let items: List<'_> = serde_json::from_str(&text).unwrap();
    let mut head = Digest::default();
    for item in items.items {
        head = next_hash(&head, item.spec.get().as_bytes());
        assert_eq!(item.status["hash"], head.to_string());
    }
}

#[tokio::test]
async fn records_are_selected_by_submission_person_and_verb() {
    let server = start().await;
    server.submit("a").await;
    server.submit("b").await;
    server.send("POST", &format!("{}/cancel", path("a")), &[("impersonate-user", "ann")], "").await.done(200);
    let selected = |selector: &str| {
        let (server, path) = (&server, format!("{AUDIT}?fieldSelector={selector}"));
        async move { verbs(&server.get(&path).await.done(200)).join(" ") }
    };
    assert_eq!(selected("spec.submission%3Drisk/a").await, "submit cancel");
    assert_eq!(selected("spec.submission%3Drisk/b").await, "submit");
    assert_eq!(selected("spec.submission%3Drisk/nobody").await, "");
    assert_eq!(selected("spec.user%3Dann").await, "cancel");
    assert_eq!(selected("spec.user!%3Dann,spec.verb%3Dsubmit").await, "submit submit");
    assert_eq!(selected("metadata.name%3D2").await, "submit");
    // After a runnable is gone, its records are still found by its name.
    server.send("DELETE", &path("b"), &[], "").await.done(200);
    assert_eq!(selected("spec.submission%3Drisk/b").await, "submit delete");
    for wrong in ["spec.submission%3Da", "spec.submission!%3Drisk/a", "spec.color%3Dred"] {
        server.get(&format!("{AUDIT}?fieldSelector={wrong}")).await.refused(400, "BadRequest");
    }
}

#[tokio::test]
async fn a_record_is_read_by_its_number_and_the_list_by_pages() {
    let server = start().await;
    for name in ["a", "b", "c"] {
        server.submit(name).await;
    }
    let record = server.get(&format!("{AUDIT}/2")).await.done(200);
    assert_eq!((&record["kind"], &record["metadata"]["name"]), (&json!("AuditRecord"), &json!("2")));
    assert_eq!(record["spec"]["subjects"][0]["name"], "a");
    for missing in ["0", "99", "x"] {
        server.get(&format!("{AUDIT}/{missing}")).await.refused(404, "NotFound");
    }
    let first = server.get(&format!("{AUDIT}?limit=3")).await.done(200);
    server.submit("d").await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = server.get(&format!("{AUDIT}?limit=3&continue={token}")).await.done(200);
    // What came after the first page is of a later list.
    assert_eq!((verbs(&first).len(), verbs(&rest).len()), (3, 1));
    assert_eq!(rest["metadata"].get("continue"), None);
}

#[tokio::test]
async fn the_ledger_is_watched() {
    let server = start().await;
    let from = server.submit("a").await.revision();
    server.submit("b").await;
    let query = format!("{AUDIT}?watch=true&resourceVersion={from}&fieldSelector=spec.user%3Ddev");
    let mut watch = server.watch(&query).await;
    server.memory.cluster("east");
    server.submit("c").await;
    for name in ["b", "c"] {
        let event = watch.next().await.unwrap();
        assert_eq!(
            (&event["type"], &event["object"]["spec"]["subjects"][0]["name"]),
            (&json!("ADDED"), &json!(name))
        );
    }
}
