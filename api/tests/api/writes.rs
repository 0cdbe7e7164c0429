//! Writes of runnables.

use crate::client::start;
use crate::samples::{CLUSTERS, RUNNABLES, path, runnable};
use serde_json::{Value, json};
use tallyman_api::backend::ProposeError;
use tallyman_model::rule::Verdict;

#[tokio::test]
async fn a_created_runnable_is_answered_as_it_was_taken() {
    let server = start().await;
    let reply = server.submit("report").await;
    let document = reply.json();
    let metadata = &document["metadata"];
    assert_eq!(document["apiVersion"], "tallyman.dev/v1");
    assert_eq!(document["kind"], "Runnable");
    assert_eq!((&metadata["name"], &metadata["namespace"]), (&json!("report"), &json!("risk")));
    assert_eq!(metadata["resourceVersion"], reply.header("etag").trim_matches('"'));
    assert_eq!(
        (metadata["generation"].as_u64(), document["status"]["observedGeneration"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(document["status"]["phase"], "Accepted");
    assert_eq!(document["status"]["submittedBy"], "dev");
    assert!(document["status"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(document["spec"]["startBy"], "24h");
    assert_eq!(document["spec"]["manifests"][0]["metadata"]["name"], "report");
    assert_eq!(reply.header("tallyman-leader"), "r1");
    assert_eq!(reply.header("tallyman-served-by"), "r2");
    assert_eq!(reply.header("tallyman-on-disk"), "2/3");
    // What was answered is what is read.
    assert_eq!(server.get(&path("report")).await.json(), document);
}

#[tokio::test]
async fn a_runnable_is_taken_as_yaml_without_a_content_type_and_its_names_are_made() {
    let server = start().await;
    let yaml = "apiVersion: tallyman.dev/v1\nkind: Runnable\nmetadata: {generateName: nightly-}\nspec:\n  manifests:\n  \
                - apiVersion: batch/v1\n    kind: Job\n    metadata: {generateName: report-}\n    spec: {template: {}}\n";
    let document = server.send("POST", RUNNABLES, &[], yaml).await.done(201);
    let name = document["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("nightly-") && name.len() == "nightly-".len() + 5, "{name}");
    // The manifests are kept as written: what was sent and what is read can be compared.
    assert_eq!(document["spec"]["manifests"][0]["metadata"], json!({"generateName": "report-"}));
    let job = document["spec"]["main"]["name"].as_str().unwrap();
    assert!(job.starts_with("report-") && job.len() == "report-".len() + 5, "{job}");
    let mut again = document.clone();
    again["metadata"] = json!({"name": "again"});
    server.post(RUNNABLES, &again).await.done(201);
}

#[tokio::test]
async fn what_is_read_can_be_submitted_again_under_another_name() {
    let server = start().await;
    let mut document = server.submit("a").await.json();
    document["metadata"]["name"] = json!("b");
    let again = server.post(RUNNABLES, &document).await.done(201);
    assert_eq!(again["spec"], document["spec"]);
    assert_eq!(again["status"]["digest"], document["status"]["digest"]);
}

#[tokio::test]
async fn conditions_tell_a_run_from_acceptance_to_its_end() {
    let server = start().await;
    let memory = server.memory.clone();
    let east = memory.cluster("east");
    server.submit("report").await;
    let conditions = |document: &Value| -> Vec<String> {
        let list = document["status"]["conditions"].as_array().unwrap();
        list.iter()
            .map(|one| format!("{}={}", one["type"].as_str().unwrap(), one["status"].as_str().unwrap()))
            .collect()
    };
    let now = server.get(&path("report")).await.json();
    assert_eq!(
        conditions(&now),
        [
            "Accepted=True",
            "Approved=True",
            "Placed=False",
            "Created=Unknown",
            "Observed=Unknown",
            "ClusterReachable=Unknown",
            "Succeeded=Unknown",
            "Finished=False"
        ]
    );
    memory.started("report", east);
    let now = server.get(&path("report")).await.json();
    assert_eq!(now["status"]["phase"], "Running");
    assert_eq!(now["status"]["cluster"], "east");
    assert_eq!(now["status"]["observed"]["resourceVersion"], "8817");
    let object = &now["status"]["attempts"][0]["objects"][0];
    assert_eq!((&object["kind"], &object["uid"]), (&json!("Job"), &json!("job-report")));
    for holds in ["Placed=True", "Created=True", "Observed=True", "ClusterReachable=True", "Finished=False"] {
        assert!(conditions(&now).iter().any(|one| one == holds), "{holds} of {:?}", conditions(&now));
    }
    memory.observe("report", Verdict::Succeeded, false);
    let now = server.get(&path("report")).await.json();
    assert_eq!(now["status"]["phase"], "Succeeded");
    assert!(conditions(&now).contains(&"Succeeded=True".to_owned()));
    assert!(conditions(&now).contains(&"Finished=True".to_owned()));
}

#[tokio::test]
async fn the_same_key_and_body_is_answered_again_and_another_body_is_refused() {
    let server = start().await;
    let send = |body: Value| {
        let server = &server;
        async move { server.send("POST", RUNNABLES, &[("idempotency-key", "build-1")], body.to_string()).await }
    };
    let mut generated = runnable("x");
    generated["metadata"] = json!({"generateName": "x-"});
    let first = send(generated.clone()).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = send(generated.clone()).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.done(201)["metadata"]["name"], again.done(201)["metadata"]["name"]);
    assert_eq!(again.header("tallyman-revision"), first.header("tallyman-revision"));
    generated["metadata"]["generateName"] = json!("y-");
    let message = send(generated).await.refused(422, "Invalid");
    assert!(message.contains("build-1"), "{message}");
    let list = server.get(RUNNABLES).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_submission_whose_runnable_is_deleted_since_says_which_that_was() {
    let server = start().await;
    let key = [("idempotency-key", "k")];
    let create = || server.send("POST", RUNNABLES, &key, runnable("a").to_string());
    let uid = create().await.done(201)["metadata"]["uid"].clone();
    let path = path("a");
    let delete = || server.send("DELETE", &path, &key, "");
    delete().await.done(200);
    let again = create().await;
    let message = again.refused(410, "Gone");
    assert!(message.contains("risk/a") && message.contains("deleted since"), "{message}");
    let details = again.json()["details"].clone();
    let expected = json!({"group": "tallyman.dev", "kind": "runnables", "name": "a", "uid": uid});
    assert_eq!(details, expected);
    assert_eq!(server.get(RUNNABLES).await.json()["items"], json!([]));
    let again = delete().await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, "true"));
}

#[tokio::test]
async fn the_name_that_was_generated_is_told_also_when_its_runnable_is_deleted_since() {
    let server = start().await;
    let mut generated = runnable("x");
    generated["metadata"] = json!({"generateName": "x-"});
    let create = || server.send("POST", RUNNABLES, &[("idempotency-key", "k")], generated.to_string());
    let first = create().await.done(201);
    let name = first["metadata"]["name"].as_str().unwrap();
    server.send("DELETE", &path(name), &[], "").await.done(200);
    let again = create().await;
    again.refused(410, "Gone");
    assert_eq!(again.json()["details"]["name"], first["metadata"]["name"]);
    assert_eq!(again.json()["details"]["uid"], first["metadata"]["uid"]);
}

#[tokio::test]
async fn the_same_key_and_body_at_once_is_one_submission() {
    let server = start().await;
    let (one, two) = (
        crate::client::start_with(&server.memory, |_, _| {}).await,
        crate::client::start_with(&server.memory, |_, _| {}).await,
    );
    let mut body = runnable("x");
    body["metadata"] = json!({"generateName": "x-"});
    let body = body.to_string();
    let send = |server| {
        let body = body.clone();
        let server: &crate::client::Server = server;
        async move { server.send("POST", RUNNABLES, &[("idempotency-key", "k")], body).await.done(201) }
    };
    let (a, b, c) = tokio::join!(send(&server), send(&one), send(&two));
    assert_eq!(a["metadata"]["uid"], b["metadata"]["uid"]);
    assert_eq!(a["metadata"]["uid"], c["metadata"]["uid"]);
    assert_eq!(server.get(RUNNABLES).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_proposal_that_was_not_sent_may_be_repeated_and_one_with_an_unknown_outcome_only_with_its_key() {
    let server = start().await;
    let fail = |error| server.memory.knobs.lock().unwrap().propose_fails = error;
    fail(Some(ProposeError::NotSent { why: "no leader is known".to_owned(), retry_after_s: 2, busy: false }));
    let reply = server.post(RUNNABLES, &runnable("a")).await;
    reply.refused(503, "ServiceUnavailable");
    assert_eq!(reply.header("retry-after"), "2");
    assert_eq!(reply.json()["details"]["retryAfterSeconds"], 2);
    fail(Some(ProposeError::NotSent {
        why: "64 MiB are in flight".to_owned(),
        retry_after_s: 1,
        busy: true,
    }));
    server.post(RUNNABLES, &runnable("a")).await.refused(429, "TooManyRequests");
    fail(Some(ProposeError::DiskFull { why: "disks are full: r2 has 5 MiB left".to_owned() }));
    let reply = server.post(RUNNABLES, &runnable("a")).await;
    let message = reply.refused(507, "InsufficientStorage");
    assert!(message.contains("r2 has 5 MiB left") && message.contains("Free space"), "{message}");
    assert_eq!(reply.header("retry-after"), "", "only a person helps");
    fail(None);
    server.memory.knobs.lock().unwrap().answer_lost = true;
    let reply = server.post(RUNNABLES, &runnable("a")).await;
    let message = reply.refused(504, "Timeout");
    assert!(message.contains("unknown") && message.contains("Idempotency-Key"), "{message}");
    // Clients repeat by themselves when they see this header.
    assert_eq!(reply.header("retry-after"), "");
    let key = [("idempotency-key", "k")];
    let reply = server.send("POST", RUNNABLES, &key, runnable("b").to_string()).await;
    assert_eq!(reply.header("retry-after"), "1");
    server.memory.knobs.lock().unwrap().answer_lost = false;
    let reply = server.send("POST", RUNNABLES, &key, runnable("b").to_string()).await;
    assert_eq!((reply.status.as_u16(), reply.header("idempotency-replayed")), (201, "true"));
}

#[tokio::test]
async fn a_taken_name_is_a_conflict() {
    let server = start().await;
    server.submit("a").await;
    let reply = server.post(RUNNABLES, &runnable("a")).await;
    reply.refused(409, "AlreadyExists");
}

#[tokio::test]
async fn a_refused_write_names_what_it_is_about() {
    let server = start().await;
    server.submit("a").await;
    let cluster = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "east"},
        "spec": {"kubeconfig": {"path": "/etc/east"}},
    });
    server.post(CLUSTERS, &cluster).await.done(201);
    let nobody = json!({"metadata": {"labels": {"a": "b"}}});
    let (cancel, retry) = (format!("{}/cancel", path("no")), format!("{}/retry", path("no")));
    let confirm = json!({"kubeSystemUID": "x"});
    for (reply, reason, kind, name) in [
        (server.post(RUNNABLES, &runnable("a")).await, "AlreadyExists", "runnables", "a"),
        (server.post(CLUSTERS, &cluster).await, "AlreadyExists", "clusters", "east"),
        (server.merge(&path("no"), &nobody).await, "NotFound", "runnables", "no"),
        (server.send("DELETE", &path("no"), &[], "").await, "NotFound", "runnables", "no"),
        (server.send("POST", &cancel, &[], "").await, "NotFound", "runnables", "no"),
        (server.send("POST", &retry, &[], "").await, "NotFound", "runnables", "no"),
        (server.send("DELETE", &format!("{CLUSTERS}/no"), &[], "").await, "NotFound", "clusters", "no"),
        (server.post(&format!("{CLUSTERS}/no/confirm"), &confirm).await, "NotFound", "clusters", "no"),
    ] {
        let status = reply.json();
        assert_eq!(
            (&status["reason"], &status["details"]["kind"], &status["details"]["name"]),
            (&json!(reason), &json!(kind), &json!(name)),
            "{status}"
        );
        assert_eq!(status["details"]["group"], "tallyman.dev");
    }
}

#[tokio::test]
async fn merge_and_json_patches_change_labels_and_annotations() {
    let server = start().await;
    server.submit("a").await;
    let patch = json!({"metadata": {"labels": {"tier": "1", "desk": null}, "annotations": {"note": "x"}}});
    let document = server.merge(&path("a"), &patch).await.done(200);
    assert_eq!(document["metadata"]["labels"], json!({"tier": "1"}));
    assert_eq!(document["metadata"]["annotations"], json!({"note": "x"}));
    assert_eq!(document["spec"]["manifests"][0]["kind"], "Job");
    let json_patch = json!([
        {"op": "test", "path": "/metadata/labels/tier", "value": "1"},
        {"op": "replace", "path": "/metadata/labels/tier", "value": "2"},
        {"op": "remove", "path": "/metadata/annotations/note"},
    ]);
    let headers = [("content-type", "application/json-patch+json")];
    let document = server.send("PATCH", &path("a"), &headers, json_patch.to_string()).await.done(200);
    assert_eq!(document["metadata"]["labels"], json!({"tier": "2"}));
    assert_eq!(document["metadata"].get("annotations"), None);
    let document = server.merge(&path("a"), &json!({"metadata": {"labels": null}})).await.done(200);
    assert_eq!(document["metadata"].get("labels"), None);
}

#[tokio::test]
async fn a_patch_of_anything_else_is_refused_and_changes_nothing() {
    let server = start().await;
    let before = server.submit("a").await.json();
    for patch in [
        json!({"spec": {"startBy": "1h"}}),
        json!({"metadata": {"name": "b"}}),
        json!({"metadata": {"labels": {"tallyman.dev/group": "x"}}}),
        json!({"metadata": {"labels": {"a": 1}}}),
        json!({"metadata": {"labels": {"-a": "b"}}}),
        json!({"metadata": {"labels": {"a": "b c"}}}),
        json!({"metadata": {"finalizers": []}}),
        json!({"kind": "Cluster"}),
        json!({"status": {"phase": "Succeeded"}}),
    ] {
        server.merge(&path("a"), &patch).await.refused(422, "Invalid");
    }
    let headers = [("content-type", "application/json-patch+json")];
    let spec = json!([{"op": "replace", "path": "/spec/startBy", "value": "1h"}]).to_string();
    server.send("PATCH", &path("a"), &headers, spec).await.refused(422, "Invalid");
    let malformed = json!([{"op": "spin"}]).to_string();
    server.send("PATCH", &path("a"), &headers, malformed).await.refused(400, "BadRequest");
    let strategic = [("content-type", "application/strategic-merge-patch+json")];
    let message =
        server.send("PATCH", &path("a"), &strategic, "{}").await.refused(415, "UnsupportedMediaType");
    assert!(message.contains("merge-patch+json"), "{message}");
    server
        .merge(&path("nobody"), &json!({"metadata": {"labels": {"a": "b"}}}))
        .await
        .refused(404, "NotFound");
    assert_eq!(server.get(&path("a")).await.json(), before);
}

#[tokio::test]
async fn a_runnable_is_not_replaced() {
    let server = start().await;
    server.submit("a").await;
    let reply = server.send("PUT", &path("a"), &[], runnable("a").to_string()).await;
    assert!(reply.refused(405, "MethodNotAllowed").contains("immutable"));
    assert_eq!(reply.header("allow"), "GET,HEAD,PATCH,DELETE");
}

#[tokio::test]
async fn if_match_guards_every_change() {
    let server = start().await;
    let first = server.submit("a").await.header("etag").to_owned();
    server.merge(&path("a"), &json!({"metadata": {"labels": {"b": "c"}}})).await.done(200);
    let stale = [("if-match", first.as_str()), ("content-type", "application/merge-patch+json")];
    let patch = json!({"metadata": {"labels": {"b": "d"}}}).to_string();
    server.send("PATCH", &path("a"), &stale, patch.clone()).await.refused(412, "PreconditionFailed");
    server.send("DELETE", &path("a"), &stale[..1], "").await.refused(412, "PreconditionFailed");
    server
        .send("POST", &format!("{}/cancel", path("a")), &stale[..1], "")
        .await
        .refused(412, "PreconditionFailed");
    server
        .send("DELETE", &path("a"), &[("if-match", "\"nonsense\"")], "")
        .await
        .refused(412, "PreconditionFailed");
    // The same condition in the body is a conflict, as in Kubernetes.
    let body = json!({"metadata": {"resourceVersion": first.trim_matches('"'), "labels": {"b": "d"}}});
    server.merge(&path("a"), &body).await.refused(409, "Conflict");
    let current = server.get(&path("a")).await.header("etag").to_owned();
    let fresh = [("if-match", current.as_str()), ("content-type", "application/merge-patch+json")];
    server.send("PATCH", &path("a"), &fresh, patch).await.done(200);
}

#[tokio::test]
async fn a_runnable_without_objects_is_gone_as_soon_as_it_is_deleted() {
    let server = start().await;
    let uid = server.submit("a").await.json()["metadata"]["uid"].clone();
    let reply = server.send("DELETE", &path("a"), &[], "").await;
    let status = reply.done(200);
    assert_eq!((&status["kind"], &status["status"]), (&json!("Status"), &json!("Success")));
    assert_eq!((&status["details"]["uid"], &status["details"]["name"]), (&uid, &json!("a")));
    server.get(&path("a")).await.refused(404, "NotFound");
    server.send("DELETE", &path("a"), &[], "").await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_runnable_with_objects_stays_until_they_are_gone_and_names_the_cluster() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    let document = server.send("DELETE", &path("a"), &[], "").await.done(200);
    assert_eq!(document["metadata"]["finalizers"], json!(["tallyman.dev/objects"]));
    assert!(document["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(document["status"]["phase"], "Stopping");
    let conditions = document["status"]["conditions"].as_array().unwrap();
    let removed = conditions.iter().find(|one| one["type"] == "ObjectsRemoved").unwrap();
    assert_eq!(removed["status"], "False");
    assert!(removed["message"].as_str().unwrap().contains("\"east\""), "{removed}");
    // Asking again changes nothing.
    let again = server.send("DELETE", &path("a"), &[], "").await.done(200);
    assert_eq!(again["metadata"]["resourceVersion"], document["metadata"]["resourceVersion"]);
    server.memory.observe("a", Verdict::Failed, true);
    server.get(&path("a")).await.refused(404, "NotFound");
}

#[tokio::test]
async fn delete_options_are_served_or_refused() {
    let server = start().await;
    let uid = server.submit("a").await.json()["metadata"]["uid"].clone();
    let json = [("content-type", "application/json")];
    let delete = |body: Value| {
        let server = &server;
        async move { server.send("DELETE", &path("a"), &json, body.to_string()).await }
    };
    delete(json!({"propagationPolicy": "Orphan"})).await.refused(422, "Invalid");
    delete(json!({"dryRun": ["Some"]})).await.refused(422, "Invalid");
    delete(json!({"dryRun": ["All"]})).await.done(200);
    delete(json!({"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}}))
        .await
        .refused(409, "Conflict");
    delete(json!({"preconditions": {"resourceVersion": "1"}})).await.refused(409, "Conflict");
    let query = format!("{}?dryRun=All", path("a"));
    server.send("DELETE", &query, &[], "").await.done(200);
    server.get(&path("a")).await.done(200);
    let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background",
        "gracePeriodSeconds": 0, "preconditions": {"uid": uid}});
    delete(options).await.done(200);
}

#[tokio::test]
async fn cancel_and_retry_do_what_they_say_and_conflict_when_they_cannot() {
    let server = start().await;
    server.submit("a").await;
    let action = |action: &str| format!("{}/{action}", path("a"));
    server.post(&action("retry"), &json!({})).await.refused(409, "Conflict");
    let document = server.post(&action("cancel"), &json!({"reason": "not needed"})).await.done(200);
    assert_eq!(document["status"]["phase"], "Cancelled");
    assert!(document["status"]["message"].as_str().unwrap().contains("not needed"));
    assert_eq!(document["spec"]["manifests"][0]["kind"], "Job");
    server.post(&action("cancel"), &json!({})).await.refused(409, "Conflict");
    let document = server.send("POST", &action("retry"), &[], "").await.done(200);
    assert_eq!(document["status"]["phase"], "Accepted");
    server.post(&action("cancel"), &json!({"raeson": "x"})).await.refused(422, "Invalid");
    server.post(&action("rewind"), &json!({})).await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_replica_that_is_behind_shows_its_own_write_with_the_manifests() {
    let server = start().await;
    server.memory.freeze(true);
    let document = server.submit("a").await.json();
    assert_eq!(document["spec"]["manifests"][0]["kind"], "Job");
    server.get(&format!("{}?consistency=stale", path("a"))).await.refused(404, "NotFound");
    let memory = server.memory.clone();
    let waits = tokio::spawn(async move {
        // The patch is answered once this replica has caught up with it.
        server.merge(&path("a"), &json!({"metadata": {"labels": {"b": "c"}}})).await.done(200)
    });
    while memory.index() < 3 {
        tokio::task::yield_now().await;
    }
    memory.freeze(false);
    let document = waits.await.unwrap();
    assert_eq!(document["spec"]["manifests"][0]["kind"], "Job");
    assert_eq!(document["metadata"]["labels"]["b"], "c");
}
