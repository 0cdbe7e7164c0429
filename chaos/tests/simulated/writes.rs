//! Creates, updates, patches.

use crate::world::{client, cluster, config_map, config_maps, job, jobs, refusal, start};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tallyman_chaos::SimulatedClusterOptions;

#[tokio::test]
async fn a_created_object_has_what_a_server_gives() {
    let cluster = cluster().await;
    let made = jobs(&cluster).create(&PostParams::default(), &job("report")).await.unwrap();
    let metadata = made.metadata;
    assert_eq!(metadata.uid.unwrap().len(), 36);
    assert_eq!(metadata.generation, Some(1));
    assert!(metadata.creation_timestamp.is_some() && metadata.resource_version.is_some());
    let spec = made.spec.unwrap();
    assert_eq!((spec.backoff_limit, spec.completions, spec.parallelism), (Some(6), Some(1), Some(1)));
    let labels = spec.template.metadata.unwrap().labels.unwrap();
    assert_eq!(labels["batch.kubernetes.io/job-name"], "report");
}

#[tokio::test]
async fn a_taken_name_is_refused_and_a_generated_one_is_found() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    let again = api.create(&PostParams::default(), &config_map("one", "a")).await;
    assert_eq!(refusal(again), (409, "AlreadyExists".to_owned()));
    let mut generated = config_map("", "a");
    generated.metadata.name = None;
    generated.metadata.generate_name = Some("gen-".to_owned());
    let made = api.create(&PostParams::default(), &generated).await.unwrap();
    let name = made.metadata.name.unwrap();
    assert!(name.len() == 9 && name.starts_with("gen-"), "{name}");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    api.create(&dry, &config_map("one", "a")).await.unwrap();
    assert_eq!(refusal(api.get("one").await), (404, "NotFound".to_owned()));
}

#[tokio::test]
async fn objects_that_kubernetes_would_not_take_are_refused() {
    let cluster = cluster().await;
    let api: Api<Job> = jobs(&cluster);
    let post = PostParams::default();
    let mut without_containers = job("report");
    if let Some(template) = &mut without_containers.spec.as_mut().unwrap().template.spec {
        template.containers.clear();
    }
    let Err(kube::Error::Api(status)) = api.create(&post, &without_containers).await else {
        panic!("not refused")
    };
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert_eq!(status.details.unwrap().causes[0].field, "spec.template.spec.containers");
    assert_eq!(refusal(api.create(&post, &job("Not_A_Name")).await).0, 422);
    let maps = config_maps(&cluster);
    let mut large = config_map("large", "a");
    large.data.as_mut().unwrap().insert("k".to_owned(), "x".repeat(1_100_000));
    assert_eq!(refusal(maps.create(&post, &large).await).0, 422);
    large.data.as_mut().unwrap().insert("k".to_owned(), "x".repeat(3_200_000));
    assert_eq!(refusal(maps.create(&post, &large).await), (413, "RequestEntityTooLarge".to_owned()));
    assert!(maps.list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_missing_namespace_is_made_or_refused_as_strictness_asks() {
    let lenient = cluster().await;
    jobs(&lenient).create(&PostParams::default(), &job("report")).await.unwrap();
    assert!(Api::<Namespace>::all(client(&lenient)).get("risk").await.is_ok());
    let strict =
        start(SimulatedClusterOptions { strict: true, ..SimulatedClusterOptions::named("east") }).await;
    let refused = jobs(&strict).create(&PostParams::default(), &job("report")).await;
    let Err(kube::Error::Api(status)) = refused else { panic!("not refused") };
    assert_eq!((status.code, status.message.as_str()), (404, r#"namespaces "risk" not found"#));
}

#[tokio::test]
async fn an_update_of_another_version_is_a_conflict() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let first = api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    let mut second = first.clone();
    second.data.as_mut().unwrap().insert("k".to_owned(), "second".to_owned());
    let replaced = api.replace("one", &PostParams::default(), &second).await.unwrap();
    assert_ne!(replaced.metadata.resource_version, first.metadata.resource_version);
    let stale = api.replace("one", &PostParams::default(), &first).await;
    assert_eq!(refusal(stale), (409, "Conflict".to_owned()));
}

#[tokio::test]
async fn an_update_that_changes_nothing_takes_no_version() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let first = api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    let patch = Patch::Merge(json!({"data": {"k": "one"}}));
    let same = api.patch("one", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(same.metadata.resource_version, first.metadata.resource_version);
}

#[tokio::test]
async fn patches_hold_to_their_preconditions() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let made = api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    let params = PatchParams::default();
    let merge = |metadata: serde_json::Value| Patch::Merge(json!({"metadata": metadata}));
    let other_version =
        api.patch("one", &params, &merge(json!({"resourceVersion": "1", "labels": {"x": "y"}}))).await;
    assert_eq!(refusal(other_version), (409, "Conflict".to_owned()));
    let other_uid = api.patch("one", &params, &merge(json!({"uid": "another", "labels": {"x": "y"}}))).await;
    assert_eq!(refusal(other_uid), (422, "Invalid".to_owned()));
    let uid = made.metadata.uid.clone().unwrap();
    let ours = api.patch("one", &params, &merge(json!({"uid": uid, "labels": {"x": "y"}}))).await.unwrap();
    assert_eq!(ours.metadata.labels.unwrap()["x"], "y");
}

#[tokio::test]
async fn a_json_patch_applies_if_its_test_holds() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    let send = async |steps: serde_json::Value| {
        let request = hyper::Request::patch("/api/v1/namespaces/risk/configmaps/one")
            .header(hyper::header::CONTENT_TYPE, "application/json-patch+json")
            .body(steps.to_string().into_bytes());
        client(&cluster).request::<ConfigMap>(request.unwrap()).await
    };
    let replace = json!({"op": "replace", "path": "/data/k", "value": "new"});
    let failed = send(json!([{"op": "test", "path": "/data/k", "value": "x"}, replace])).await;
    assert_eq!(refusal(failed).0, 422);
    let done = send(json!([{"op": "test", "path": "/data/k", "value": "one"}, replace])).await.unwrap();
    assert_eq!(done.data.unwrap()["k"], "new");
}

#[tokio::test]
async fn a_status_is_changed_only_through_its_subresource() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    let mut suspended = job("report");
    suspended.spec.as_mut().unwrap().suspend = Some(true);
    api.create(&PostParams::default(), &suspended).await.unwrap();
    let params = PatchParams::default();
    let patch = Patch::Merge(json!({"status": {"succeeded": 7}, "metadata": {"labels": {"x": "y"}}}));
    let patched = api.patch("report", &params, &patch).await.unwrap();
    assert_eq!(patched.status.unwrap().succeeded, None);
    let patch = Patch::Merge(json!({"status": {"succeeded": 7}, "spec": {"backoffLimit": 1}}));
    let patched = api.patch_status("report", &params, &patch).await.unwrap();
    assert_eq!(patched.status.unwrap().succeeded, Some(7));
    assert_eq!(patched.spec.unwrap().backoff_limit, Some(6));
}

#[tokio::test]
async fn the_template_of_a_job_is_immutable() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    api.create(&PostParams::default(), &job("report")).await.unwrap();
    let patch = Patch::Merge(json!({"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}));
    assert_eq!(refusal(api.patch("report", &PatchParams::default(), &patch).await).0, 422);
}
