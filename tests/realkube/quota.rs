//! Quotas that refuse Jobs, or their Pods.

use crate::stage::{Run, Stage, on_east, run, within};
use serde_json::json;

async fn quota(stage: &Stage, namespace: &str, what: &str, hard: u32) {
    let hard = json!({what: hard.to_string()});
    stage
        .east
        .apply(&json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "limit", "namespace": namespace}, "spec": {"hard": hard}}))
        .await;
    within("the quota is in force", async || {
        let quota = stage.east.find(namespace, "resourcequota", "limit").await?;
        (quota["status"]["hard"] == hard).then_some(())
    })
    .await;
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_job_whose_pods_a_quota_refuses_is_pending_and_says_that_it_has_no_pod() {
    on_east(async |stage| {
        let here = "no-pods";
        stage.east.namespace(here).await;
        quota(stage, here, "pods", 0).await;
        let mut late = run("late", "east", "1s");
        late["spec"]["finishBy"] = json!("5s");
        late["spec"]["onLate"] = json!("Stop");
        stage.submit(here, &late).await;
        stage.submit(here, &run("patient", "east", "1s")).await;
        let words = |run: &Run| run.condition("Observed").contains("no Pod");
        let waiting = stage.until_run(here, "patient", "says that it has no Pod", words).await;
        assert_eq!(waiting.phase(), "Pending");
        let ended = stage.until_phase(here, "late", "Failed").await;
        ended.is("Failed", "FinishByPassed", &["finishBy", "no Pod"]);
        assert!(stage.east.find(here, "job", "late").await.is_none(), "it was stopped");
        quota(stage, here, "pods", 5).await;
        stage.until_phase(here, "patient", "Succeeded").await;
    });
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_job_that_a_quota_refuses_is_tried_again_until_start_by_with_the_clusters_words() {
    on_east(async |stage| {
        let here = "no-jobs";
        stage.east.namespace(here).await;
        quota(stage, here, "count/jobs.batch", 0).await;
        let mut late = run("late", "east", "1s");
        late["spec"]["startBy"] = json!("5s");
        stage.submit(here, &late).await;
        stage.submit(here, &run("patient", "east", "1s")).await;
        let words = |run: &Run| run.condition("Created").contains("exceeded quota: limit");
        let waiting = stage.until_run(here, "patient", "says which quota", words).await;
        assert_eq!(waiting.reason(), "Retrying", "{}", waiting.0["status"]);
        let ended = stage.until_phase(here, "late", "Failed").await;
        ended.is("Failed", "StartByPassed", &["startBy", "exceeded quota: limit"]);
        quota(stage, here, "count/jobs.batch", 5).await;
        stage.until_phase(here, "patient", "Succeeded").await;
        assert_eq!(stage.east.jobs_made(here), [("patient".to_owned(), 1)].into());
    });
}
