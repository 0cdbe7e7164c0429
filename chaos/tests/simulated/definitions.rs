//! Custom kinds: defined, served, and gone again.

use crate::world::{client, cluster, refusal, start, until};
use futures::TryStreamExt as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};
use std::pin::pin;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions};

const OPEN_SCHEMA: &str = "x-kubernetes-preserve-unknown-fields";

/// A namespaced kind `Case` in a group of the tests, with these versions, the first one stored.
fn cases(versions: &[&str], subresources: &Value) -> CustomResourceDefinition {
    let version = |(number, name): (usize, &&str)| {
        json!({
            "name": name,
            "served": true,
            "storage": number == 0,
            "schema": {"openAPIV3Schema": {"type": "object", OPEN_SCHEMA: true}},
            "subresources": subresources,
        })
    };
    let versions: Vec<Value> = versions.iter().enumerate().map(version).collect();
    let names = json!({"kind": "Case", "plural": "cases", "shortNames": ["cs"]});
    let value = json!({
        "metadata": {"name": "cases.tests.example.com"},
        "spec": {"group": "tests.example.com", "names": names, "scope": "Namespaced", "versions": versions},
    });
    serde_json::from_value(value).unwrap()
}

fn definitions(cluster: &SimulatedCluster) -> Api<CustomResourceDefinition> {
    Api::all(client(cluster))
}

fn api(cluster: &SimulatedCluster, version: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("tests.example.com", version, "Case");
    Api::namespaced_with(client(cluster), "risk", &ApiResource::from_gvk_with_plural(&kind, "cases"))
}

fn case(name: &str) -> DynamicObject {
    let value = json!({
        "apiVersion": "tests.example.com/v1",
        "kind": "Case",
        "metadata": {"name": name},
        "spec": {"a": 1},
    });
    serde_json::from_value(value).unwrap()
}

async fn conditions(cluster: &SimulatedCluster, name: &str) -> Vec<(String, String, String)> {
    let status = definitions(cluster).get(name).await.unwrap().status;
    let held = status.and_then(|status| status.conditions).unwrap_or_default();
    held.into_iter().map(|held| (held.type_, held.status, held.reason.unwrap_or_default())).collect()
}

async fn until_established(cluster: &SimulatedCluster, name: &str) {
    until("an established definition", async || {
        let held = conditions(cluster, name).await;
        held.iter().any(|(kind, status, _)| kind == "Established" && status == "True").then_some(())
    })
    .await;
}

async fn define(cluster: &SimulatedCluster, definition: &CustomResourceDefinition) {
    definitions(cluster).create(&PostParams::default(), definition).await.unwrap();
    until_established(cluster, definition.metadata.name.as_deref().unwrap()).await;
}

async fn get(cluster: &SimulatedCluster, path: &str) -> Result<Value, kube::Error> {
    client(cluster).request(hyper::Request::get(path).body(Vec::new()).unwrap()).await
}

#[tokio::test]
async fn a_kind_is_served_and_discovered_once_it_is_defined() {
    let cluster = cluster().await;
    assert_eq!(refusal(api(&cluster, "v1").list(&ListParams::default()).await).0, 404);
    assert_eq!(refusal(get(&cluster, "/apis/tests.example.com").await).0, 404);
    define(&cluster, &cases(&["v1"], &json!({}))).await;
    let expected = [
        ("NamesAccepted".to_owned(), "True".to_owned(), "NoConflicts".to_owned()),
        ("Established".to_owned(), "True".to_owned(), "InitialNamesAccepted".to_owned()),
    ];
    assert_eq!(conditions(&cluster, "cases.tests.example.com").await, expected);
    let found = get(&cluster, "/apis/tests.example.com/v1").await.unwrap();
    assert_eq!(found["resources"].as_array().unwrap().len(), 1, "no status subresource");
    assert_eq!(found["resources"][0]["shortNames"], json!(["cs"]));
    assert_eq!(found["resources"][0]["singularName"], "case");
    let index = get(&cluster, "/openapi/v3").await.unwrap();
    assert!(index["paths"]["apis/tests.example.com/v1"].is_object());
    let made = api(&cluster, "v1").create(&PostParams::default(), &case("one")).await.unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    assert_eq!(api(&cluster, "v1").get("one").await.unwrap().data, made.data);
}

#[tokio::test]
async fn spec_and_status_are_one_document_without_a_status_subresource() {
    let cluster = cluster().await;
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    let api = api(&cluster, "v1");
    let mut new = case("one");
    new.data["status"] = json!({"phase": "Odd"});
    let made = api.create(&PostParams::default(), &new).await.unwrap();
    assert_eq!(made.data["status"]["phase"], "Odd");
    let patch =
        |value| async { api.patch("one", &PatchParams::default(), &Patch::Merge(value)).await.unwrap() };
    assert_eq!(patch(json!({"status": {"phase": "New"}})).await.metadata.generation, Some(2));
    assert_eq!(patch(json!({"metadata": {"labels": {"a": "b"}}})).await.metadata.generation, Some(2));
    let mut replaced = case("one");
    let blind = api.replace("one", &PostParams::default(), &replaced).await;
    assert_eq!(refusal(blind), (422, "Invalid".to_owned()), "an update has to say of what version");
    replaced.metadata.resource_version = api.get("one").await.unwrap().metadata.resource_version;
    let erased = api.replace("one", &PostParams::default(), &replaced).await.unwrap();
    assert_eq!((&erased.data["status"], erased.metadata.generation), (&Value::Null, Some(3)));
    let status = api.patch_status("one", &PatchParams::default(), &Patch::Merge(json!({}))).await;
    assert_eq!(refusal(status), (404, "NotFound".to_owned()));
}

#[tokio::test]
async fn a_status_subresource_alone_writes_the_status() {
    let cluster = cluster().await;
    define(&cluster, &cases(&["v1"], &json!({"status": {}}))).await;
    let api = api(&cluster, "v1");
    let mut new = case("one");
    new.data["status"] = json!({"phase": "Odd"});
    let made = api.create(&PostParams::default(), &new).await.unwrap();
    assert_eq!(made.data["status"], Value::Null);
    let both = Patch::Merge(json!({"spec": {"a": 2}, "status": {"phase": "New"}}));
    let changed = api.patch("one", &PatchParams::default(), &both).await.unwrap();
    assert_eq!((&changed.data["status"], changed.metadata.generation), (&Value::Null, Some(2)));
    let more = Patch::Merge(json!({
        "metadata": {"labels": {"a": "b"}},
        "spec": {"a": 3},
        "status": {"phase": "New"},
    }));
    let told = api.patch_status("one", &PatchParams::default(), &more).await.unwrap();
    assert_eq!((&told.data["status"]["phase"], &told.data["spec"]["a"]), (&json!("New"), &json!(2)));
    assert_eq!((told.metadata.labels, told.metadata.generation), (None, Some(2)));
}

#[tokio::test]
async fn a_strategic_merge_patch_of_a_custom_object_is_refused() {
    let cluster = cluster().await;
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    let api = api(&cluster, "v1");
    api.create(&PostParams::default(), &case("one")).await.unwrap();
    let strategic = Patch::Strategic(json!({"spec": {"a": 2}}));
    assert_eq!(refusal(api.patch("one", &PatchParams::default(), &strategic).await).0, 415);
}

#[tokio::test]
async fn an_object_is_served_in_every_version_of_its_kind() {
    let cluster = cluster().await;
    define(&cluster, &cases(&["v1", "v1beta1"], &Value::Null)).await;
    let made = api(&cluster, "v1").create(&PostParams::default(), &case("one")).await.unwrap();
    let found = api(&cluster, "v1beta1").get("one").await.unwrap();
    assert_eq!(found.types.unwrap().api_version, "tests.example.com/v1beta1");
    assert_eq!(found.metadata, made.metadata);
    assert_eq!(refusal(api(&cluster, "v2").get("one").await).0, 404);
    let group = get(&cluster, "/apis/tests.example.com").await.unwrap();
    assert_eq!(group["preferredVersion"]["version"], "v1");
    let wrong = api(&cluster, "v1beta1").create(&PostParams::default(), &case("two")).await;
    assert_eq!(refusal(wrong).0, 400);
}

#[tokio::test]
async fn a_deleted_definition_takes_its_objects_ends_watches_and_is_gone() {
    let cluster = cluster().await;
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    let api = api(&cluster, "v1");
    let mut held = case("held");
    held.metadata.finalizers = Some(vec!["x.dev/hold".to_owned()]);
    let first = api.create(&PostParams::default(), &held).await.unwrap();
    api.create(&PostParams::default(), &case("free")).await.unwrap();
    let version = first.metadata.resource_version.unwrap();
    let mut events = pin!(api.watch(&WatchParams::default().disable_bookmarks(), &version).await.unwrap());
    let marked =
        definitions(&cluster).delete("cases.tests.example.com", &DeleteParams::default()).await.unwrap();
    let marked = marked.left().expect("held: an object");
    assert_eq!(marked.metadata.finalizers.unwrap(), ["customresourcecleanup.apiextensions.k8s.io"]);
    until("one object", async || {
        (api.list(&ListParams::default()).await.unwrap().items.len() == 1).then_some(())
    })
    .await;
    let held = conditions(&cluster, "cases.tests.example.com").await;
    let terminating = held.iter().find(|(kind, ..)| kind == "Terminating").unwrap();
    assert_eq!((terminating.1.as_str(), terminating.2.as_str()), ("True", "InstanceDeletionInProgress"));
    assert_eq!(refusal(api.create(&PostParams::default(), &case("new")).await).0, 405);
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("held", &PatchParams::default(), &none).await.unwrap();
    until("no definition", async || {
        definitions(&cluster).get_opt("cases.tests.example.com").await.unwrap().is_none().then_some(())
    })
    .await;
    assert_eq!(refusal(api.list(&ListParams::default()).await).0, 404);
    let mut deleted = Vec::new();
    while let Some(event) = events.try_next().await.unwrap() {
        if let WatchEvent::Deleted(object) = event {
            deleted.push(object.metadata.name.unwrap());
        }
    }
    assert_eq!(deleted, ["free", "held"]);
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    assert!(
        api.list(&ListParams::default()).await.unwrap().items.is_empty(),
        "the kind is back, its objects are not"
    );
}

#[tokio::test]
async fn a_changed_definition_ends_the_watches_of_its_kind() {
    let cluster = cluster().await;
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    let mut events = pin!(api(&cluster, "v1").watch(&WatchParams::default(), "0").await.unwrap());
    let names = Patch::Merge(json!({"spec": {"names": {"shortNames": ["cs", "cse"]}}}));
    definitions(&cluster).patch("cases.tests.example.com", &PatchParams::default(), &names).await.unwrap();
    while events.try_next().await.unwrap().is_some() {}
    assert!(api(&cluster, "v1").list(&ListParams::default()).await.is_ok());
}

#[tokio::test]
async fn a_definition_waits_for_names_that_another_one_has() {
    let cluster = cluster().await;
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    let mut rival = cases(&["v1"], &Value::Null);
    rival.metadata.name = Some("trials.tests.example.com".to_owned());
    rival.spec.names.plural = "trials".to_owned();
    definitions(&cluster).create(&PostParams::default(), &rival).await.unwrap();
    let conflict = ("NamesAccepted".to_owned(), "False".to_owned(), "SingularConflict".to_owned());
    until("a conflict", async || {
        conditions(&cluster, "trials.tests.example.com").await.contains(&conflict).then_some(())
    })
    .await;
    assert_eq!(refusal(get(&cluster, "/apis/tests.example.com/v1/trials").await).0, 404);
    definitions(&cluster).delete("cases.tests.example.com", &DeleteParams::default()).await.unwrap();
    until_established(&cluster, "trials.tests.example.com").await;
    assert!(get(&cluster, "/apis/tests.example.com/v1/trials").await.is_ok());
}

#[tokio::test]
async fn a_wrong_definition_is_refused_in_the_words_of_kubernetes() {
    let cluster = cluster().await;
    let made = async |change: fn(&mut CustomResourceDefinition)| {
        let mut definition = cases(&["v1", "v2"], &Value::Null);
        change(&mut definition);
        match definitions(&cluster).create(&PostParams::default(), &definition).await {
            Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
            other => panic!("expected a refusal, got {other:?}"),
        }
    };
    let (code, said) = made(|definition| definition.metadata.name = Some("x.tests.example.com".into())).await;
    assert_eq!(code, 422);
    assert!(said.contains(r#"must be spec.names.plural+"."+spec.group"#), "{said}");
    let (_, said) = made(|definition| definition.spec.versions[1].storage = true).await;
    assert!(said.contains("must have exactly one version marked as storage version"), "{said}");
    let (_, said) = made(|definition| definition.spec.versions[1].schema = None).await;
    assert!(said.contains("schemas are required"), "{said}");
    let (_, said) = made(|definition| {
        definition.spec.group = "apps.k8s.io".into();
        definition.metadata.name = Some("cases.apps.k8s.io".into());
    })
    .await;
    assert!(said.contains("protected groups must have approval annotation"), "{said}");
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    let scope = Patch::Merge(json!({"spec": {"scope": "Cluster"}}));
    let changed =
        definitions(&cluster).patch("cases.tests.example.com", &PatchParams::default(), &scope).await;
    assert_eq!(refusal(changed), (422, "Invalid".to_owned()));
}

#[tokio::test]
async fn a_cluster_can_be_made_without_the_kinds_of_argo() {
    let with = cluster().await;
    let found = get(&with, "/apis/argoproj.io/v1alpha1").await.unwrap();
    let names: Vec<&str> =
        found["resources"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["workflows", "workflowtemplates"]);
    let without =
        start(SimulatedClusterOptions { argo: false, ..SimulatedClusterOptions::named("west") }).await;
    assert_eq!(refusal(get(&without, "/apis/argoproj.io/v1alpha1").await).0, 404);
    assert!(definitions(&without).list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn custom_objects_and_their_kind_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let kept = || SimulatedClusterOptions {
        dir: Some(dir.path().to_owned()),
        ..SimulatedClusterOptions::named("east")
    };
    let first = start(kept()).await;
    define(&first, &cases(&["v1"], &Value::Null)).await;
    let made = api(&first, "v1").create(&PostParams::default(), &case("one")).await.unwrap();
    first.stop().await;
    let second = start(kept()).await;
    assert_eq!(api(&second, "v1").get("one").await.unwrap(), made);
}

#[tokio::test]
async fn a_directory_from_before_custom_kinds_is_read_and_gets_those_of_argo() {
    let dir = tempfile::tempdir().unwrap();
    let lines = [
        r#"{"format":1,"floor":2}"#,
        r#"{"kind":"namespaces","change":"BASE","object":{"metadata":{"name":"kube-system","resourceVersion":"2","uid":"u2"}}}"#,
        r#"{"kind":"configmaps","change":"ADDED","object":{"data":{"k":"v"},"metadata":{"name":"one","namespace":"risk","resourceVersion":"3","uid":"u3"}}}"#,
    ];
    std::fs::write(dir.path().join("objects.jsonl"), lines.join("\n") + "\n").unwrap();
    let cluster = start(SimulatedClusterOptions {
        dir: Some(dir.path().to_owned()),
        ..SimulatedClusterOptions::named("east")
    })
    .await;
    assert_eq!(cluster.uid(), "u2");
    assert!(crate::world::config_maps(&cluster).get("one").await.is_ok());
    assert!(get(&cluster, "/apis/argoproj.io/v1alpha1/workflows").await.is_ok());
}

#[tokio::test]
async fn a_definition_whose_finalizer_is_taken_off_takes_the_rest_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let kept = || SimulatedClusterOptions {
        dir: Some(dir.path().to_owned()),
        ..SimulatedClusterOptions::named("east")
    };
    let cluster = start(kept()).await;
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    let mut held = case("held");
    held.metadata.finalizers = Some(vec!["x.dev/hold".to_owned()]);
    api(&cluster, "v1").create(&PostParams::default(), &held).await.unwrap();
    let all = definitions(&cluster);
    all.delete("cases.tests.example.com", &DeleteParams::default()).await.unwrap();
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    all.patch("cases.tests.example.com", &PatchParams::default(), &none).await.unwrap();
    cluster.stop().await;
    let cluster = start(kept()).await;
    define(&cluster, &cases(&["v1"], &Value::Null)).await;
    assert!(api(&cluster, "v1").list(&ListParams::default()).await.unwrap().items.is_empty());
}
