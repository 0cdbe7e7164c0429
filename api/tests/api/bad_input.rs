//! Bad input: a clear `Status`, and nothing changed.

use crate::client::{Reply, Server, start};
use crate::samples::{CLUSTERS, RUNNABLES, path, runnable};
use serde_json::{Value, json};
use tallyman_model::command::{Choice, Place};
use tallyman_model::{Command, Revision};

/// Sends a body that must be refused; nothing may have reached the log.
async fn refused(
    server: &Server,
    body: impl Into<hyper::body::Bytes>,
    code: u16,
    reason: &str,
) -> (String, Value) {
    let before = server.memory.index();
    let reply = server.send("POST", RUNNABLES, &[], body).await;
    let message = reply.refused(code, reason);
    assert_eq!(server.memory.index(), before, "{message}");
    (message, reply.json())
}

fn fields(status: &Value) -> Vec<String> {
    let causes = status["details"]["causes"].as_array().unwrap();
    causes.iter().map(|cause| cause["field"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_not_json_or_yaml_is_told_with_line_and_column() {
    let server = start().await;
    for (body, place) in
        [("{\"a\": 1,\n \"b\" 2}", "line 2, column"), ("a: [1,\nb: }\n", "line "), ("{", "line 1, column")]
    {
        let (message, _) = refused(&server, body, 400, "BadRequest").await;
        assert!(message.contains(place) && message.contains("column"), "{message}");
    }
    refused(&server, "", 400, "BadRequest").await;
    refused(&server, &b"\xff\xfe\x00"[..], 400, "BadRequest").await;
    refused(&server, "[]", 422, "Invalid").await;
    refused(&server, "just words", 422, "Invalid").await;
}

#[tokio::test]
async fn wrong_kinds_and_unknown_fields_are_named() {
    let server = start().await;
    let mut body = runnable("a");
    body["kind"] = json!("Job");
    body["apiVersion"] = json!("tallyman.dev/v2");
    body["metadata"]["owner"] = json!("x");
    body["spec"]["manifest"] = json!([]);
    body["spec"]["attempts"] = json!({"max": 0, "retries": 1});
    let (_, status) = refused(&server, body.to_string(), 422, "Invalid").await;
    for field in [
        "kind",
        "apiVersion",
        "metadata.owner",
        "spec.manifest",
        "spec.attempts.max",
        "spec.attempts.retries",
    ] {
        assert!(fields(&status).contains(&field.to_owned()), "{field} of {status}");
    }
    let mut approvals = runnable("a");
    approvals["spec"]["approvals"] = json!({"required": 2});
    let (message, _) = refused(&server, approvals.to_string(), 422, "Invalid").await;
    assert!(message.contains("spec.approvals.groups: must name 1 to 20 groups"), "{message}");
}

#[tokio::test]
async fn none_and_too_many_manifests_are_refused() {
    let server = start().await;
    for count in [0, 101] {
        let mut body = runnable("a");
        let config =
            |i| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{i}")}});
        body["spec"]["manifests"] = (0..count).map(config).collect();
        let (message, status) = refused(&server, body.to_string(), 422, "Invalid").await;
        assert!(message.contains("1 to 100"), "{message}");
        assert_eq!(fields(&status), ["spec.manifests"]);
    }
}

#[tokio::test]
async fn two_documents_are_refused() {
    let server = start().await;
    let one = runnable("a").to_string();
    let (message, _) = refused(&server, format!("{one}\n---\n{one}"), 400, "BadRequest").await;
    assert!(message.contains("one document"), "{message}");
    let (message, _) = refused(&server, format!("{one}{one}"), 400, "BadRequest").await;
    assert!(message.contains("one document"), "{message}");
}

#[tokio::test]
async fn names_that_kubernetes_would_refuse_are_refused() {
    let server = start().await;
    for name in ["A", "a_b", "-a", "a..b", &"a".repeat(254)] {
        let mut body = runnable("x");
        body["metadata"]["name"] = json!(name);
        let (_, status) = refused(&server, body.to_string(), 422, "Invalid").await;
        assert_eq!(fields(&status), ["metadata.name"], "{name}");
    }
    let mut job = runnable("x");
    job["spec"]["manifests"][0]["metadata"]["name"] = json!("a".repeat(64));
    let (_, status) = refused(&server, job.to_string(), 422, "Invalid").await;
    assert_eq!(fields(&status), ["spec.manifests[0].metadata.name"]);
}

#[tokio::test]
async fn another_namespace_is_refused() {
    let server = start().await;
    let mut body = runnable("a");
    body["metadata"]["namespace"] = json!("ops");
    let (_, status) = refused(&server, body.to_string(), 422, "Invalid").await;
    assert_eq!(fields(&status), ["metadata.namespace"]);
    let mut job = runnable("a");
    job["spec"]["manifests"][0]["metadata"]["namespace"] = json!("ops");
    let (_, status) = refused(&server, job.to_string(), 422, "Invalid").await;
    assert_eq!(fields(&status), ["spec.manifests[0].metadata.namespace"]);
    let to_nowhere =
        server.post("/apis/tallyman.dev/v1/namespaces/Not_A_Name/runnables", &runnable("a")).await;
    to_nowhere.refused(422, "Invalid");
}

#[tokio::test]
async fn what_is_no_namespace_has_no_list() {
    let server = start().await;
    for namespace in ["Bad%20NS", "..", "%2e%2e", "a.b", "-a", &"a".repeat(64)] {
        let list = format!("/apis/tallyman.dev/v1/namespaces/{namespace}/runnables");
        for path in [list.clone(), format!("{list}?watch=true"), format!("{list}/a")] {
            let reply = server.get(&path).await;
            assert!(reply.refused(422, "Invalid").contains("no namespace"), "{path}");
            assert_eq!(fields(&reply.json()), ["metadata.namespace"], "{path}");
        }
    }
    assert_eq!(
        server.get("/apis/tallyman.dev/v1/namespaces/unused/runnables").await.done(200)["items"],
        json!([])
    );
}

#[tokio::test]
async fn annotations_that_are_too_large_are_413_and_say_where_to_put_them() {
    let server = start().await;
    let large = json!({"a": "x".repeat(150 * 1024), "b": "y".repeat(150 * 1024)});
    let mut body = runnable("a");
    body["metadata"]["annotations"] = large.clone();
    let (message, status) = refused(&server, body.to_string(), 413, "RequestEntityTooLarge").await;
    assert!(message.contains("elsewhere") && message.contains("262144"), "{message}");
    assert_eq!((&status["details"]["kind"], &status["details"]["name"]), (&json!("runnables"), &json!("a")));
    let cluster = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "east", "annotations": large},
        "spec": {"kubeconfig": {"path": "/etc/east"}},
    });
    server.post(CLUSTERS, &cluster).await.refused(413, "RequestEntityTooLarge");
    let before = server.submit("a").await.json();
    let patch = json!({"metadata": {"annotations": large}});
    let reply = server.merge(&path("a"), &patch).await;
    let message = reply.refused(413, "RequestEntityTooLarge");
    assert!(message.contains("elsewhere"), "{message}");
    assert_eq!(reply.json()["details"]["name"], "a");
    // What each patch adds fits, and what it adds up to does not.
    for (key, code) in [("a", 200), ("b", 413)] {
        let patch = json!({"metadata": {"annotations": {key: "x".repeat(150 * 1024)}}});
        assert_eq!(server.merge(&path("a"), &patch).await.status.as_u16(), code, "{key}");
    }
    let after = server.get(&path("a")).await.json();
    assert_eq!((&after["metadata"]["uid"], &after["spec"]), (&before["metadata"]["uid"], &before["spec"]));
    assert_eq!(after["metadata"]["annotations"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unknown_cluster_is_refused_and_named() {
    let server = start().await;
    let mut body = runnable("a");
    body["spec"]["placement"] = json!({"clusters": ["nowhere"]});
    let reply = server.post(RUNNABLES, &body).await;
    reply.refused(422, "Invalid");
    assert_eq!(fields(&reply.json()), ["spec.placement.clusters[0]"]);
    server.get(&path("a")).await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_secret_is_refused_and_quoted_nowhere() {
    let server = start().await;
    let mut body = runnable("a");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "hunter2"}});
    body["spec"]["manifests"].as_array_mut().unwrap().push(secret);
    let (message, status) = refused(&server, body.to_string(), 422, "Invalid").await;
    assert!(message.contains("Secret") && !status.to_string().contains("hunter2"), "{message}");
}

#[tokio::test]
async fn bad_selectors_tokens_and_revisions_are_refused() {
    let server = start().await;
    for query in [
        "labelSelector=a%20in%20b",
        "labelSelector=%3D",
        "fieldSelector=spec.color%3Dred",
        "fieldSelector=status.phase%3DSleeping",
        "fieldSelector=status.phase",
        "limit=many",
        "limit=-1",
        "continue=nonsense",
        "continue=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "resourceVersion=abc",
        "resourceVersion=-1",
        "resourceVersion=1&resourceVersionMatch=Sometime",
        "resourceVersionMatch=Exact",
        "consistency=strong",
        "timeout=soon",
        "labelselector=a",
    ] {
        server.get(&format!("{RUNNABLES}?{query}")).await.refused(400, "BadRequest");
    }
    server.submit("a").await;
    server.submit("b").await;
    let page = server.get(&format!("{RUNNABLES}?limit=1")).await.done(200);
    let token = page["metadata"]["continue"].as_str().unwrap();
    let other = format!("{RUNNABLES}?limit=1&labelSelector=desk&continue={token}");
    assert!(server.get(&other).await.refused(400, "BadRequest").contains("another list"));
    let both = format!("{RUNNABLES}?continue={token}&resourceVersion=4");
    server.get(&both).await.refused(400, "BadRequest");
}

#[tokio::test]
async fn what_would_change_the_meaning_of_a_request_is_not_ignored() {
    let server = start().await;
    let before = server.memory.index();
    for wrong in ["dryRun=Client", "fieldValidation=Maybe", "force=true"] {
        let path = format!("{RUNNABLES}?{wrong}");
        let (name, _) = wrong.split_once('=').unwrap();
        assert!(server.post(&path, &runnable("a")).await.refused(400, "BadRequest").contains(name));
    }
    for path in ["/operator/transfer-leader?dryRun=All", "/operator/init?dryRun=All"] {
        assert!(server.post(path, &json!({})).await.refused(422, "Invalid").contains("dryRun"));
    }
    for (content_type, code) in [
        ("application/vnd.kubernetes.protobuf", 415),
        ("application/cbor", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/merge-patch+json", 415),
    ] {
        let headers = [("content-type", content_type)];
        let reply = server.send("POST", RUNNABLES, &headers, runnable("a").to_string()).await;
        reply.refused(code, "UnsupportedMediaType");
    }
    let gzip = [("content-encoding", "gzip")];
    server.send("POST", RUNNABLES, &gzip, "x").await.refused(415, "UnsupportedMediaType");
    for accept in ["application/vnd.kubernetes.protobuf", "text/html", "image/png"] {
        let reply = server.send("GET", RUNNABLES, &[("accept", accept)], "").await;
        reply.refused(406, "NotAcceptable");
    }
    for key in ["", &"k".repeat(256)] {
        let headers = [("idempotency-key", key)];
        server.send("POST", RUNNABLES, &headers, runnable("a").to_string()).await.refused(400, "BadRequest");
    }
    assert_eq!(server.memory.index(), before);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_as_such() {
    let server = start().await;
    server.submit("a").await;
    let allow = |reply: &Reply| {
        let mut methods: Vec<_> = reply.header("allow").split(',').map(str::to_owned).collect();
        methods.sort();
        methods.join(",")
    };
    for path in [
        "/nowhere",
        "/openapi/v2",
        "/openapi/v3/apis/apps/v1",
        "/api/v1/pods",
        "/apis/apps/v1",
        "/apis/tallyman.dev/v1/schedules",
        &format!("{}/logs", path("a")),
    ] {
        server.get(path).await.refused(404, "NotFound");
    }
    for (method, path, allowed) in [
        ("PUT", RUNNABLES, "GET,HEAD,POST"),
        ("DELETE", RUNNABLES, "GET,HEAD,POST"),
        ("POST", &path("a"), "DELETE,GET,HEAD,PATCH,PUT"),
        ("GET", &format!("{}/cancel", path("a")), "POST"),
        ("POST", "/livez", "GET,HEAD"),
        ("DELETE", "/apis/tallyman.dev/v1/replicas/r1", "GET,HEAD"),
        ("BREW", RUNNABLES, "GET,HEAD,POST"),
    ] {
        let reply = server.send(method, path, &[], "").await;
        reply.refused(405, "MethodNotAllowed");
        assert_eq!(allow(&reply), allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn a_name_that_another_submission_holds_is_taken_and_waits_and_names_the_holder() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    let mut second = runnable("a");
    second["metadata"]["name"] = json!("b");
    server.post(RUNNABLES, &second).await.done(201);
    let run = server.memory.run_of("b").head.ordinal;
    let why = String::new();
    server.memory.run(Command::Place(Place { run, attempt: 1, choice: Choice::On(east), why }));
    let document = server.get(&path("b")).await.done(200);
    let conditions = document["status"]["conditions"].as_array().unwrap();
    let placed = conditions.iter().find(|one| one["type"] == "Placed").unwrap();
    assert_eq!((&placed["status"], &placed["reason"]), (&json!("False"), &json!("NameHeld")));
    assert!(placed["message"].as_str().unwrap().contains("risk/a"), "{placed}");
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused() {
    let server = start().await;
    for path in
        ["/%ff", "/apis/tallyman.dev/v1/namespaces/%c3%28/runnables", "/apis/tallyman.dev/v1/clusters/%zz"]
    {
        server.get(path).await.refused(400, "BadRequest");
    }
    server.get("/apis/tallyman.dev/v1/clusters/%2e%2e%2fetc").await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_revision_of_nothing_is_no_crash() {
    let server = start().await;
    server.memory.compact(Revision(3));
    for revision in ["18446744073709551615", "18446744073709551616", "1"] {
        let path = format!("{RUNNABLES}?resourceVersion={revision}&resourceVersionMatch=Exact&timeout=10ms");
        let code = server.get(&path).await.status.as_u16();
        assert!([400, 410, 504].contains(&code), "{revision}: {code}");
    }
}
