//! What `kubectl apply` sends, both ways.

use crate::client::{Reply, Server, start};
use crate::samples::{CLUSTERS, RUNNABLES, path, runnable};
use serde_json::{Value, json};

impl Server {
    async fn apply(&self, path: &str, configuration: &Value) -> Reply {
        let path = format!("{path}?fieldManager=kubectl&fieldValidation=Strict&force=true");
        let headers = [("content-type", "application/apply-patch+yaml")];
        self.send("PATCH", &path, &headers, configuration.to_string()).await
    }
}

#[tokio::test]
async fn what_is_applied_first_is_made_and_then_changes_labels_and_annotations_only() {
    let server = start().await;
    let mut wanted = runnable("a");
    let first = server.apply(&path("a"), &wanted).await.done(201);
    assert_eq!(first["status"]["phase"], "Accepted");
    // The same again changes nothing.
    let second = server.apply(&path("a"), &wanted).await.done(200);
    assert_eq!(second["metadata"], first["metadata"]);
    // Other labels, and no spec at all.
    wanted["metadata"]["labels"] = json!({"desk": "fx"});
    wanted["metadata"]["annotations"] = json!({"note": "b"});
    wanted.as_object_mut().unwrap().remove("spec");
    let third = server.apply(&path("a"), &wanted).await.done(200);
    assert_eq!(third["metadata"]["labels"], json!({"desk": "fx"}));
    assert_eq!(third["metadata"]["annotations"], json!({"note": "b"}));
    assert_eq!((&third["metadata"]["uid"], &third["spec"]), (&first["metadata"]["uid"], &first["spec"]));
}

#[tokio::test]
async fn another_spec_is_refused_with_its_fields() {
    let server = start().await;
    server.submit("a").await;
    let mut wanted = runnable("a");
    wanted["spec"]["startBy"] = json!("1h");
    wanted["spec"]["manifests"][0]["spec"] = json!({"template": {}, "parallelism": 2});
    for merge in [false, true] {
        let reply = if merge {
            server.merge(&path("a"), &wanted).await
        } else {
            server.apply(&path("a"), &wanted).await
        };
        let message = reply.refused(422, "Invalid");
        assert!(message.contains("submit changed work under another name"), "{message}");
        let causes = reply.json()["details"]["causes"].clone();
        let fields: Vec<_> = causes.as_array().unwrap().iter().map(|cause| cause["field"].clone()).collect();
        assert_eq!(fields, ["spec.startBy", "spec.manifests[0]"]);
    }
    let mut unknown = runnable("a");
    unknown["spec"]["colour"] = json!("red");
    server.apply(&path("a"), &unknown).await.refused(422, "Invalid");
}

#[tokio::test]
async fn a_spec_that_means_the_same_is_the_same() {
    let server = start().await;
    let mut wanted = runnable("a");
    wanted["spec"]["manifests"][0]["metadata"] = json!({"generateName": "report-"});
    wanted["spec"]["startBy"] = json!("2d");
    let taken = server.post(RUNNABLES, &wanted).await.done(201);
    // As it was sent, as it is read, and with names and namespaces written out.
    let mut written_out = wanted.clone();
    written_out["spec"]["manifests"][0]["metadata"] =
        json!({"name": taken["spec"]["main"]["name"], "namespace": "risk"});
    written_out["spec"]["startBy"] = json!("48h");
    let mut read = taken.clone();
    read["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    for same in [&wanted, &read, &written_out] {
        server.apply(&path("a"), same).await.done(200);
        let merged = server.merge(&path("a"), same).await.done(200);
        assert_eq!(merged["metadata"], taken["metadata"]);
    }
}

#[tokio::test]
async fn what_a_later_configuration_does_not_name_stays_and_that_is_said() {
    let server = start().await;
    let mut wanted = runnable("a");
    assert_eq!(server.apply(&path("a"), &wanted).await.header("warning"), "");
    wanted["metadata"].as_object_mut().unwrap().remove("labels");
    // kubectl keeps a note of its own in an annotation, and sends it as a configuration of its own.
    let note = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
    let of_kubectl =
        json!({"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"annotations": note}});
    assert_eq!(server.apply(&path("a"), &of_kubectl).await.header("warning"), "");
    let reply = server.apply(&path("a"), &wanted).await;
    assert_eq!(reply.done(200)["metadata"]["labels"], json!({"desk": "rates"}));
    let warning = reply.header("warning");
    assert!(warning.starts_with("299 - \"kept though") && warning.contains("labels.desk"), "{warning}");
    assert!(!warning.contains("kubectl.kubernetes.io"), "{warning}");
}

#[tokio::test]
async fn what_is_applied_must_be_what_the_path_names() {
    let server = start().await;
    let mut wrong_name = runnable("b");
    wrong_name["metadata"]["generateName"] = json!("b-");
    let message = server.apply(&path("a"), &wrong_name).await.refused(422, "Invalid");
    assert!(message.contains("metadata.name") && message.contains("generateName"), "{message}");
    let mut wrong_kind = runnable("a");
    wrong_kind["kind"] = json!("Cluster");
    server.apply(&path("a"), &wrong_kind).await.refused(422, "Invalid");
    server.apply(&path("a"), &json!(["a"])).await.refused(400, "BadRequest");
    // A UID is of something that is there.
    let mut other = runnable("a");
    other["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000");
    server.apply(&path("a"), &other).await.refused(404, "NotFound");
    let nothing_to_run =
        json!({"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"}});
    server.apply(&path("a"), &nothing_to_run).await.refused(422, "Invalid");
    assert_eq!(server.get(RUNNABLES).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_merge_patch_may_carry_what_the_server_sets_and_not_change_it() {
    let server = start().await;
    let taken = server.submit("a").await.json();
    let server_fields = json!({"metadata": {
        "creationTimestamp": taken["metadata"]["creationTimestamp"], "generation": 1, "managedFields": null,
    }, "status": {}});
    server.merge(&path("a"), &server_fields).await.done(200);
    let changed = json!({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}});
    server.merge(&path("a"), &changed).await.refused(422, "Invalid");
    assert_eq!(server.get(&path("a")).await.json(), taken);
}

#[tokio::test]
async fn a_cluster_is_applied_too() {
    let server = start().await;
    let mut wanted = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "east"},
        "spec": {"kubeconfig": {"path": "/etc/east"}},
    });
    let path = format!("{CLUSTERS}/east");
    server.apply(&path, &wanted).await.done(201);
    wanted["spec"]["cordoned"] = json!(true);
    assert_eq!(server.apply(&path, &wanted).await.done(200)["spec"]["cordoned"], true);
    let other = format!("{CLUSTERS}/west");
    server.apply(&other, &wanted).await.refused(400, "BadRequest");
    wanted["metadata"]["name"] = json!("West");
    server.apply(&format!("{CLUSTERS}/West"), &wanted).await.refused(422, "Invalid");
}
