//! Deletion: preconditions, finalizers, propagation, namespaces.

use crate::world::{client, cluster, config_map, config_maps, job, job_with, jobs, pods, refusal, until};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;
use tallyman_chaos::SimulatedCluster;

async fn long_job(cluster: &SimulatedCluster) {
    jobs(cluster).create(&PostParams::default(), &job_with("report", "1h", &json!({}))).await.unwrap();
    until("a running pod", async || {
        let found = pods(cluster).list(&ListParams::default()).await.unwrap();
        let phase = found.items.first()?.status.as_ref()?.phase.clone()?;
        (phase == "Running").then_some(())
    })
    .await;
}

async fn pod_count(cluster: &SimulatedCluster) -> usize {
    pods(cluster).list(&ListParams::default().labels("job-name=report")).await.unwrap().items.len()
}

#[tokio::test]
async fn a_delete_of_another_uid_or_version_is_a_conflict() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let made = api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    let with = |uid: &str, version: Option<&str>| {
        DeleteParams::default().preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: version.map(str::to_owned),
        })
    };
    assert_eq!(refusal(api.delete("one", &with("another", None)).await), (409, "Conflict".to_owned()));
    let uid = made.metadata.uid.unwrap();
    assert_eq!(refusal(api.delete("one", &with(&uid, Some("1"))).await), (409, "Conflict".to_owned()));
    let deleted = api.delete("one", &with(&uid, made.metadata.resource_version.as_deref())).await.unwrap();
    assert!(deleted.is_right(), "gone at once: a Status");
    assert_eq!(refusal(api.delete("one", &DeleteParams::default()).await), (404, "NotFound".to_owned()));
}

#[tokio::test]
async fn a_deleted_object_with_a_finalizer_stays_until_it_is_released() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    let mut held = job("report");
    held.metadata.finalizers = Some(vec!["tallyman.dev/hold".to_owned()]);
    api.create(&PostParams::default(), &held).await.unwrap();
    let deleted = api.delete("report", &DeleteParams::background()).await.unwrap();
    let marked = deleted.left().expect("held: an object");
    assert!(marked.metadata.deletion_timestamp.is_some());
    let more = Patch::Merge(json!({"metadata": {"finalizers": ["tallyman.dev/hold", "x.dev/y"]}}));
    assert_eq!(refusal(api.patch("report", &PatchParams::default(), &more).await).0, 422);
    assert!(api.get("report").await.is_ok());
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("report", &PatchParams::default(), &none).await.unwrap();
    assert_eq!(refusal(api.get("report").await).0, 404);
}

#[tokio::test]
async fn background_deletion_removes_the_pods_after_the_job() {
    let cluster = cluster().await;
    long_job(&cluster).await;
    jobs(&cluster).delete("report", &DeleteParams::background()).await.unwrap();
    assert_eq!(refusal(jobs(&cluster).get("report").await).0, 404);
    until("no pods", async || (pod_count(&cluster).await == 0).then_some(())).await;
}

#[tokio::test]
async fn foreground_deletion_removes_the_pods_before_the_job() {
    let cluster = cluster().await;
    long_job(&cluster).await;
    let deleted = jobs(&cluster).delete("report", &DeleteParams::foreground()).await.unwrap();
    let finalizers = deleted.left().expect("held: an object").metadata.finalizers.unwrap();
    assert_eq!(finalizers, ["foregroundDeletion"]);
    until("no job", async || jobs(&cluster).get_opt("report").await.unwrap().is_none().then_some(())).await;
    assert_eq!(pod_count(&cluster).await, 0);
}

#[tokio::test]
async fn without_a_policy_the_pods_of_a_job_are_orphaned() {
    let cluster = cluster().await;
    long_job(&cluster).await;
    jobs(&cluster).delete("report", &DeleteParams::default()).await.unwrap();
    until("no job", async || jobs(&cluster).get_opt("report").await.unwrap().is_none().then_some(())).await;
    let left = pods(&cluster).list(&ListParams::default()).await.unwrap().items;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].metadata.owner_references, None);
}

#[tokio::test]
async fn a_deleted_namespace_takes_what_is_in_it_and_nothing_new() {
    let cluster = cluster().await;
    long_job(&cluster).await;
    let mut held = config_map("held", "a");
    held.metadata.finalizers = Some(vec!["x.dev/hold".to_owned()]);
    config_maps(&cluster).create(&PostParams::default(), &held).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client(&cluster));
    let marked = namespaces.delete("risk", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(marked.status.unwrap().phase.as_deref(), Some("Terminating"));
    let refused = config_maps(&cluster).create(&PostParams::default(), &config_map("new", "a")).await;
    let Err(kube::Error::Api(status)) = refused else { panic!("not refused") };
    assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
    assert_eq!(status.details.unwrap().causes[0].reason, "NamespaceTerminating");
    until("no job", async || jobs(&cluster).get_opt("report").await.unwrap().is_none().then_some(())).await;
    until("no pods", async || (pod_count(&cluster).await == 0).then_some(())).await;
    assert!(namespaces.get("risk").await.is_ok(), "the config map is held");
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    config_maps(&cluster).patch("held", &PatchParams::default(), &none).await.unwrap();
    until("no namespace", async || namespaces.get_opt("risk").await.unwrap().is_none().then_some(())).await;
}

#[tokio::test]
async fn the_first_namespaces_may_not_be_deleted() {
    let cluster = cluster().await;
    let namespaces: Api<Namespace> = Api::all(client(&cluster));
    assert_eq!(refusal(namespaces.delete("kube-system", &DeleteParams::default()).await).0, 403);
    assert_eq!(namespaces.get("kube-system").await.unwrap().metadata.uid, Some(cluster.uid()));
}
