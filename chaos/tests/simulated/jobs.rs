//! Jobs run and end as they are asked to.

use crate::world::{cluster, condition, job, job_with, jobs, pods, until};
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeMap;

fn conditions(job: &Job) -> Vec<(String, String)> {
    let all = job.status.clone().unwrap().conditions.unwrap();
    all.into_iter().map(|held| (held.type_, held.reason.unwrap_or_default())).collect()
}

fn failing(name: &str, spec: &serde_json::Value) -> Job {
    let mut job = job_with(name, "5ms", spec);
    let annotations: &mut BTreeMap<_, _> = job.metadata.annotations.get_or_insert_default();
    annotations.insert("simulate.tallyman.dev/outcome".to_owned(), "fail".to_owned());
    job
}

#[tokio::test]
async fn a_job_gets_a_pod_runs_and_completes() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    api.create(&PostParams::default(), &job_with("report", "300ms", &json!({}))).await.unwrap();
    until("a ready pod", async || {
        let status = api.get_status("report").await.unwrap().status?;
        (status.active == Some(1) && status.ready == Some(1) && status.start_time.is_some()).then_some(())
    })
    .await;
    let found = pods(&cluster).list(&ListParams::default().labels("job-name=report")).await.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].metadata.owner_references.as_ref().unwrap()[0].controller, Some(true));
    let done = condition(&api, "report", "Complete").await;
    let names: Vec<String> = conditions(&done).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["SuccessCriteriaMet", "Complete"]);
    let status = done.status.unwrap();
    assert_eq!((status.succeeded, status.active, status.failed), (Some(1), None, None));
    assert!(status.completion_time.is_some());
}

#[tokio::test]
async fn a_failing_job_is_tried_again_up_to_its_backoff_limit() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    api.create(&PostParams::default(), &failing("report", &json!({"backoffLimit": 2}))).await.unwrap();
    let failed = condition(&api, "report", "Failed").await;
    let reason = "BackoffLimitExceeded".to_owned();
    let expected = [("FailureTarget".to_owned(), reason.clone()), ("Failed".to_owned(), reason)];
    assert_eq!(conditions(&failed), expected);
    assert_eq!(failed.status.unwrap().failed, Some(3));
    let found = pods(&cluster).list(&ListParams::default()).await.unwrap().items;
    assert_eq!(found.len(), 3);
}

#[tokio::test]
async fn a_job_over_its_deadline_fails() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    let late = job_with("report", "1h", &json!({"activeDeadlineSeconds": 1}));
    api.create(&PostParams::default(), &late).await.unwrap();
    let failed = condition(&api, "report", "Failed").await;
    assert_eq!(conditions(&failed)[1].1, "DeadlineExceeded");
    assert_eq!(failed.status.unwrap().active, None);
}

#[tokio::test]
async fn a_finished_job_goes_when_its_time_to_live_is_over() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    let short = job_with("report", "5ms", &json!({"ttlSecondsAfterFinished": 1}));
    api.create(&PostParams::default(), &short).await.unwrap();
    condition(&api, "report", "Complete").await;
    until("no job", async || api.get_opt("report").await.unwrap().is_none().then_some(())).await;
    until("no pods", async || {
        pods(&cluster).list(&ListParams::default()).await.unwrap().items.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_job_with_completions_runs_as_many_pods() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    let many = job_with("report", "20ms", &json!({"completions": 5, "parallelism": 2}));
    api.create(&PostParams::default(), &many).await.unwrap();
    let done = condition(&api, "report", "Complete").await;
    assert_eq!(done.status.unwrap().succeeded, Some(5));
    assert_eq!(pods(&cluster).list(&ListParams::default()).await.unwrap().items.len(), 5);
}

#[tokio::test]
async fn a_suspended_job_runs_when_it_is_resumed() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    let mut suspended = job("report");
    suspended.spec.as_mut().unwrap().suspend = Some(true);
    api.create(&PostParams::default(), &suspended).await.unwrap();
    condition(&api, "report", "Suspended").await;
    assert!(pods(&cluster).list(&ListParams::default()).await.unwrap().items.is_empty());
    let resume = Patch::Merge(json!({"spec": {"suspend": false}}));
    api.patch("report", &PatchParams::default(), &resume).await.unwrap();
    condition(&api, "report", "Complete").await;
}

#[tokio::test]
async fn a_pod_that_is_deleted_is_replaced() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    api.create(&PostParams::default(), &job_with("report", "1h", &json!({}))).await.unwrap();
    let first = until("a pod", async || {
        let found = pods(&cluster).list(&ListParams::default()).await.unwrap().items;
        found.first()?.metadata.name.clone()
    })
    .await;
    pods(&cluster).delete(&first, &Default::default()).await.unwrap();
    until("another pod", async || {
        let found = pods(&cluster).list(&ListParams::default()).await.unwrap().items;
        (found.len() == 1 && found[0].metadata.name.as_ref() != Some(&first)).then_some(())
    })
    .await;
    assert_eq!(api.get("report").await.unwrap().status.unwrap().failed, Some(1));
}

#[tokio::test]
async fn a_job_that_another_controller_manages_has_the_status_that_is_set() {
    let cluster = cluster().await;
    let api = jobs(&cluster);
    let managed = job_with("report", "1s", &json!({"managedBy": "example.com/other"}));
    api.create(&PostParams::default(), &managed).await.unwrap();
    let version = cluster.set_job_status("risk", "report", &json!({"active": 3, "ready": 2})).unwrap();
    let found = api.get("report").await.unwrap();
    assert_eq!(found.metadata.resource_version, Some(version.to_string()));
    assert_eq!(found.status.unwrap().ready, Some(2));
    assert_eq!(pods(&cluster).list(&ListParams::default()).await.unwrap().items.len(), 0);
    assert_eq!(cluster.set_job_status("risk", "nobody", &json!({})).unwrap(), 0);
}
