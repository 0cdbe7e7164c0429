//! Server-side apply and who owns which field.

use crate::world::{client, cluster, config_map, config_maps, refusal};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::Status;
use serde_json::{Value, json};

fn map(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": data})
}

async fn apply(api: &Api<ConfigMap>, manager: &str, data: Value) -> Result<ConfigMap, kube::Error> {
    api.patch("one", &PatchParams::apply(manager), &Patch::Apply(map(&data))).await
}

fn data(made: &ConfigMap) -> Value {
    serde_json::to_value(&made.data).unwrap()
}

fn owners(made: &ConfigMap) -> Vec<(String, String, Value)> {
    let entries = made.metadata.managed_fields.clone().unwrap_or_default();
    let entry = |entry: k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        (entry.manager.unwrap(), entry.operation.unwrap(), entry.fields_v1.unwrap().0)
    };
    entries.into_iter().map(entry).collect()
}

fn status(answer: Result<ConfigMap, kube::Error>) -> Status {
    match answer {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn an_apply_makes_what_is_not_there_and_the_same_again_changes_nothing() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let made = apply(&api, "a", json!({"x": "1"})).await.unwrap();
    assert_eq!(owners(&made), [("a".to_owned(), "Apply".to_owned(), json!({"f:data": {"f:x": {}}}))]);
    let again = apply(&api, "a", json!({"x": "1"})).await.unwrap();
    assert_eq!(again.metadata.resource_version, made.metadata.resource_version);
    let with_uid = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "two", "uid": "u"}});
    let none = api.patch("two", &PatchParams::apply("a"), &Patch::Apply(with_uid)).await;
    assert_eq!(refusal(none), (409, "Conflict".to_owned()));
}

#[tokio::test]
async fn what_is_applied_no_more_goes_unless_somebody_else_owns_it() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    apply(&api, "a", json!({"x": "1", "y": "1", "z": "1"})).await.unwrap();
    apply(&api, "b", json!({"y": "1"})).await.unwrap();
    let made = apply(&api, "a", json!({"x": "2"})).await.unwrap();
    assert_eq!(data(&made), json!({"x": "2", "y": "1"}));
}

#[tokio::test]
async fn a_field_of_somebody_else_is_a_conflict_that_names_him_until_it_is_forced() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    apply(&api, "a", json!({"x": "1", "y": "1"})).await.unwrap();
    let edit = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
    let edited =
        api.patch("one", &edit, &Patch::Merge(json!({"data": {"x": "2", "own": "3"}}))).await.unwrap();
    let changed = json!({"f:data": {"f:own": {}, "f:x": {}}});
    assert_eq!(
        owners(&edited),
        [
            ("a".to_owned(), "Apply".to_owned(), json!({"f:data": {"f:y": {}}})),
            ("kubectl-edit".to_owned(), "Update".to_owned(), changed),
        ]
    );
    let refused = status(apply(&api, "a", json!({"x": "1", "y": "1"})).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    let begin = r#"Apply failed with 1 conflict: conflict with "kubectl-edit" using v1 at "#;
    assert!(
        refused.message.starts_with(begin) && refused.message.ends_with(": .data.x"),
        "{}",
        refused.message
    );
    let cause = &refused.details.as_ref().unwrap().causes[0];
    assert_eq!((cause.reason.as_str(), cause.field.as_str()), ("FieldManagerConflict", ".data.x"));
    let forced = api
        .patch("one", &PatchParams::apply("a").force(), &Patch::Apply(map(&json!({"x": "1", "y": "1"}))))
        .await;
    let forced = forced.unwrap();
    assert_eq!(data(&forced), json!({"x": "1", "y": "1", "own": "3"}));
    assert_eq!(owners(&forced)[1].2, json!({"f:data": {"f:own": {}}}));
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let made = apply(&api, "a", json!({"x": "1"})).await.unwrap();
    let dry = PatchParams::apply("a").dry_run();
    let would = api.patch("one", &dry, &Patch::Apply(map(&json!({"x": "2"})))).await.unwrap();
    assert_eq!(data(&would), json!({"x": "2"}));
    let now = api.get("one").await.unwrap();
    assert_eq!(now.metadata.resource_version, made.metadata.resource_version);
}

#[tokio::test]
async fn a_client_may_take_over_what_it_made_by_writing_the_managers_anew() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let post = PostParams { field_manager: Some("a".to_owned()), ..PostParams::default() };
    let made = api.create(&post, &config_map("one", "t")).await.unwrap();
    assert_eq!(owners(&made)[0].1, "Update");
    let mut entries = serde_json::to_value(made.metadata.managed_fields.unwrap()).unwrap();
    entries[0]["operation"] = json!("Apply");
    let taken = json!({"metadata": {"managedFields": entries}});
    let params = PatchParams { field_manager: Some("a".to_owned()), ..PatchParams::default() };
    let taken = api.patch("one", &params, &Patch::Merge(taken)).await.unwrap();
    assert_eq!(owners(&taken).iter().map(|entry| entry.1.as_str()).collect::<Vec<_>>(), ["Apply"]);
    let applied = apply(&api, "a", json!({"new": "1"})).await.unwrap();
    assert_eq!(data(&applied), json!({"new": "1"}));
    assert_eq!(applied.metadata.labels, None);
}

#[tokio::test]
async fn containers_are_merged_by_name_and_an_apply_without_a_manager_is_refused() {
    let cluster = cluster().await;
    let resource = kube::api::ApiResource::erase::<k8s_openapi::api::batch::v1::Job>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client(&cluster), "risk", &resource);
    let job = |containers: Value| {
        let spec = json!({"restartPolicy": "Never", "containers": containers});
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {"suspend": true, "template": {"spec": spec}}})
    };
    let both = json!([{"name": "main", "image": "i"}, {"name": "side", "image": "s"}]);
    api.patch("j", &PatchParams::apply("a"), &Patch::Apply(job(both))).await.unwrap();
    let dry = PatchParams::apply("b").dry_run();
    let theirs = job(json!([{"name": "main", "image": "i", "workingDir": "/w"}]));
    let merged = api.patch("j", &dry, &Patch::Apply(theirs)).await.unwrap();
    let containers = &merged.data["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers.as_array().unwrap().len(), 2);
    assert_eq!((&containers[0]["workingDir"], &containers[1]["image"]), (&json!("/w"), &json!("s")));
    let nobody = api.patch("j", &PatchParams::default(), &Patch::Apply(job(json!([])))).await;
    assert_eq!(refusal(nobody), (422, "Invalid".to_owned()));
}
