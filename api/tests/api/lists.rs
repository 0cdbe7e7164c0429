//! Lists, selectors and pages.

use crate::client::{Server, start};
use crate::samples::{RUNNABLES, path, runnable};
use serde_json::{Value, json};
use tallyman_model::{Reason, Revision};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

async fn selected(server: &Server, query: &str) -> String {
    let list = server.get(&format!("/apis/tallyman.dev/v1/runnables?{query}")).await.done(200);
    names(&list).join(" ")
}

#[tokio::test]
async fn a_list_is_selected_by_labels_and_fields() {
    let server = start().await;
    let east = server.memory.cluster("east");
    for (name, labels) in
        [("a", json!({"desk": "rates"})), ("b", json!({"desk": "fx", "tier": "1"})), ("c", json!({}))]
    {
        let mut body = runnable(name);
        body["metadata"]["labels"] = labels;
        server.post(RUNNABLES, &body).await.done(201);
    }
    let mut other = runnable("a");
    other["metadata"]["namespace"] = json!("ops");
    server.post(&RUNNABLES.replace("risk", "ops"), &other).await.done(201);
    server.memory.started("b", east);
    for (query, expected) in [
        ("", "a b c a"),
        ("labelSelector=desk", "a b a"),
        ("labelSelector=desk%3Drates", "a a"),
        ("labelSelector=desk%20in%20(fx,rates),tier", "b"),
        ("labelSelector=!desk", "c"),
        ("labelSelector=desk!%3Drates", "b c"),
        ("fieldSelector=metadata.name%3Da", "a a"),
        ("fieldSelector=metadata.name%3D%3Da,metadata.namespace%3Dops", "a"),
        ("fieldSelector=metadata.namespace!%3Dops", "a b c"),
        ("fieldSelector=status.phase%3DRunning", "b"),
        ("fieldSelector=status.phase!%3DRunning", "a c a"),
        ("fieldSelector=status.cluster%3Deast", "b"),
        ("fieldSelector=status.cluster%3Dwest", ""),
        ("fieldSelector=status.cluster!%3Deast", "a c a"),
        ("labelSelector=desk&fieldSelector=status.phase%3DAccepted", "a a"),
    ] {
        assert_eq!(selected(&server, query).await, expected, "{query}");
    }
    assert_eq!(names(&server.get(RUNNABLES).await.json()), ["a", "b", "c"]);
}

#[tokio::test]
async fn pages_show_one_revision_while_writes_go_on() {
    let server = start().await;
    for i in 0..5 {
        server.submit(&format!("a{i}")).await;
    }
    let first = server.get(&format!("{RUNNABLES}?limit=2")).await.done(200);
    assert_eq!(names(&first), ["a0", "a1"]);
    server.merge(&path("a2"), &json!({"metadata": {"labels": {"desk": "fx"}}})).await.done(200);
    server.send("DELETE", &path("a3"), &[], "").await.done(200);
    server.submit("b").await;
    let (mut page, mut seen, mut desks) = (first, Vec::new(), Vec::new());
    let revision = page["metadata"]["resourceVersion"].clone();
    loop {
        assert_eq!(page["metadata"]["resourceVersion"], revision);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        desks.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["metadata"]["labels"]["desk"].clone()),
        );
        assert!(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .all(|item| item["spec"]["manifests"][0]["kind"] == "Job")
        );
        let Some(token) = page["metadata"]["continue"].as_str() else { break };
        page = server.get(&format!("{RUNNABLES}?limit=2&continue={token}")).await.done(200);
    }
    assert_eq!(seen, ["a0", "a1", "a2", "a3", "a4"]);
    assert!(desks.iter().all(|desk| desk == "rates"));
    let old =
        format!("{RUNNABLES}?resourceVersion={}&resourceVersionMatch=Exact", revision.as_str().unwrap());
    assert_eq!(names(&server.get(&old).await.done(200)).len(), 5);
    assert_eq!(names(&server.get(RUNNABLES).await.done(200)), ["a0", "a1", "a2", "a4", "b"]);
}

#[tokio::test]
async fn a_page_of_an_expired_revision_is_410_with_a_token_that_goes_on() {
    let server = start().await;
    for i in 0..4 {
        server.submit(&format!("a{i}")).await;
    }
    let first = server.get(&format!("{RUNNABLES}?limit=2")).await.done(200);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let newest = server.submit("b").await.revision();
    server.memory.compact(Revision(newest));
    let reply = server.get(&format!("{RUNNABLES}?limit=2&continue={token}")).await;
    reply.refused(410, "Expired");
    let fresh = reply.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = server.get(&format!("{RUNNABLES}?continue={fresh}")).await.done(200);
    assert_eq!(names(&rest), ["a2", "a3", "b"]);
    let exact = format!("{RUNNABLES}?resourceVersion=4&resourceVersionMatch=Exact");
    server.get(&exact).await.refused(410, "Expired");
}

#[tokio::test]
async fn an_answer_has_a_bound_and_the_rest_is_behind_a_token() {
    let server = start().await;
    let filler = "x".repeat(900 * 1024);
    for i in 0..20 {
        let mut body = runnable(&format!("a{i}"));
        body["spec"]["manifests"][0]["spec"]["filler"] = json!(filler);
        server.post(RUNNABLES, &body).await.done(201);
    }
    let first = server.get(RUNNABLES).await;
    assert!(first.body.len() < 18 * 1024 * 1024, "{}", first.body.len());
    let first = first.done(200);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = server.get(&format!("{RUNNABLES}?continue={token}")).await.done(200);
    assert_eq!(names(&first).len() + names(&rest).len(), 20);
    assert_eq!(rest["metadata"].get("continue"), None);
}

#[tokio::test]
async fn people_get_rows() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    for path in [RUNNABLES.to_owned(), path("a")] {
        let table = server.send("GET", &path, &accept, "").await.done(200);
        assert_eq!(table["kind"], "Table");
        let columns: Vec<_> =
            table["columnDefinitions"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(
            columns,
            [
                "Name", "Phase", "Cluster", "Attempt", "Age", "Digest", "Object", "Observed", "Reason",
                "Message"
            ]
        );
        let wide = |one: &&Value| one["priority"] == 1;
        let definitions = table["columnDefinitions"].as_array().unwrap();
        assert_eq!(definitions.iter().filter(wide).count(), 5);
        let cells = table["rows"][0]["cells"].as_array().unwrap();
        assert_eq!(cells[..5], json!(["a", "Running", "east", 1, "0s"]).as_array().unwrap()[..]);
        assert_eq!(cells[5].as_str().unwrap().len(), 12);
        assert_eq!(cells[6..], json!(["Observed", "0s", "<none>", "<none>"]).as_array().unwrap()[..]);
        assert_eq!(table["rows"][0]["object"]["metadata"]["name"], "a");
    }
    for (path, first) in [("clusters", "east"), ("replicas", "r1"), ("auditrecords", "1")] {
        let table = server.send("GET", &format!("/apis/tallyman.dev/v1/{path}"), &accept, "").await.done(200);
        assert_eq!(table["rows"][0]["cells"][0], first, "{path}");
        let (row, columns) = (&table["rows"][0]["cells"], &table["columnDefinitions"]);
        assert_eq!(row.as_array().unwrap().len(), columns.as_array().unwrap().len(), "{path}");
    }
}

#[tokio::test]
async fn rows_have_as_much_of_the_object_as_is_asked_for() {
    let server = start().await;
    server.submit("a").await;
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let object = |path: String| {
        let server = &server;
        async move { server.send("GET", &path, &accept, "").await.done(200)["rows"][0]["object"].clone() }
    };
    for path in [RUNNABLES.to_owned(), path("a"), "/apis/tallyman.dev/v1/auditrecords".to_owned()] {
        assert_eq!(object(path.clone()).await["kind"], "PartialObjectMetadata");
        assert_eq!(object(format!("{path}?includeObject=None")).await, json!(null));
        // kubectl sorts by it.
        let whole = object(format!("{path}?includeObject=Object")).await;
        assert_eq!(whole["apiVersion"], "tallyman.dev/v1");
        assert!(whole["spec"].is_object(), "{whole}");
    }
    let wrong = format!("{RUNNABLES}?includeObject=All");
    server.send("GET", &wrong, &accept, "").await.refused(400, "BadRequest");
}

#[tokio::test]
async fn what_no_cluster_took_is_found_in_one_list() {
    let server = start().await;
    let east = server.memory.cluster("east");
    for name in ["refused", "waits", "fine"] {
        server.submit(name).await;
    }
    server.memory.started("fine", east);
    server.memory.refused("refused", east, Reason::Refused, true);
    server.memory.refused("waits", east, Reason::NeedsOperator, false);
    for (query, expected) in [
        ("fieldSelector=status.deadLetter%3Dtrue", "refused"),
        ("fieldSelector=status.deadLetter!%3Dtrue", "waits fine"),
        ("fieldSelector=status.reason%3DNeedsOperator", "waits"),
        ("fieldSelector=status.reason%3D", "fine"),
    ] {
        assert_eq!(selected(&server, query).await, expected, "{query}");
    }
    let document = server.get(&path("refused")).await.done(200);
    assert_eq!(
        (&document["status"]["deadLetter"], &document["status"]["reason"]),
        (&json!(true), &json!("Refused"))
    );
    assert_eq!(document["status"]["message"], "the cluster's words");
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("tallyman_dead_letters 1"), "{metrics}");
    let etag = [("if-match", "\"3\"")];
    let retry = format!("{}/retry", path("refused"));
    server.send("POST", &retry, &etag, "").await.refused(412, "PreconditionFailed");
    server.send("POST", &retry, &[], "").await.done(200);
    assert_eq!(selected(&server, "fieldSelector=status.deadLetter%3Dtrue").await, "");
}
