//! Pods that a real scheduler cannot place, and that a real quota refuses: the run says so in their words.

use crate::stage::{Run, Stage, job, on_east, on_west, run, within};
use serde_json::{Value, json};

fn why(run: &Run) -> &Value {
    &run.0["status"]["attempts"][0]["diagnosis"]
}

async fn until_why(stage: &Stage, namespace: &str, name: &str, reason: &str) -> Run {
    stage.until_run(namespace, name, &format!("says {reason}"), |run| why(run)["reason"] == reason).await
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_pod_that_fits_on_no_node_is_told_of_in_the_schedulers_words() {
    on_east(async |stage| {
        let here = "unschedulable";
        stage.east.namespace(here).await;
        let mut big = run("big", "east", "1s");
        job(&mut big)["spec"]["template"]["spec"]["containers"][0]["resources"] =
            json!({"requests": {"memory": "100Ti"}});
        stage.submit(here, &big).await;
        let stuck = until_why(stage, here, "big", "Unschedulable").await;
        assert_eq!((stuck.phase(), stuck.reason()), ("Pending", "Unschedulable"));
        assert!(stuck.message().contains("Insufficient memory"), "{}", stuck.message());
        assert!(stuck.condition("Observed").contains("Insufficient memory"));
        let labels = &stage.east.list(here, "pods").await[0]["metadata"]["labels"];
        assert_eq!(labels["tallyman.dev/submission-uid"], stuck.uid());
        let swept = stage.cluster("east").await["status"]["strays"].clone();
        assert!(!swept.to_string().contains(here), "its Pods are no strays: {swept}");
        stage.delete(here, "big").await;
        stage.until_gone(here, "big").await;
    });
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_quota_that_refuses_pods_is_named() {
    on_east(async |stage| {
        let here = "refused-pods";
        stage.east.namespace(here).await;
        let quota = |pods: u32| {
            json!({"apiVersion": "v1", "kind": "ResourceQuota",
                "metadata": {"name": "limit", "namespace": here}, "spec": {"hard": {"pods": pods.to_string()}}})
        };
        stage.east.apply(&quota(0)).await;
        within("the quota is in force", async || {
            let quota = stage.east.find(here, "resourcequota", "limit").await?;
            quota["status"]["hard"].is_object().then_some(())
        })
        .await;
        stage.submit(here, &run("patient", "east", "1s")).await;
        let stuck = until_why(stage, here, "patient", "FailedCreate").await;
        assert!(stuck.message().contains("exceeded quota: limit"), "{}", stuck.message());
        stage.east.apply(&quota(5)).await;
        let done = stage.until_phase(here, "patient", "Succeeded").await;
        assert_eq!(why(&done), &Value::Null);
    });
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn without_the_optional_rights_all_else_works_and_the_run_says_what_is_not_known() {
    on_west(async |stage| {
        let here = "not-allowed";
        stage.west.namespace(here).await;
        let all = stage.west.rules().await;
        let optional =
            |rule: &Value| rule["resources"] == json!(["pods"]) || rule["resources"] == json!(["events"]);
        let needed: Vec<&Value> = all.as_array().unwrap().iter().filter(|rule| !optional(rule)).collect();
        stage.west.allow(&json!(needed)).await;
        let mut big = run("big", "west", "1s");
        job(&mut big)["spec"]["template"]["spec"]["containers"][0]["resources"] =
            json!({"requests": {"memory": "100Ti"}});
        stage.submit(here, &big).await;
        let stuck = until_why(stage, here, "big", "NotAllowed").await;
        assert!(stuck.message().contains("cannot list resource \"pods\""), "{}", stuck.message());
        stage.submit(here, &run("other", "west", "1s")).await;
        stage.until_phase(here, "other", "Succeeded").await;
        stage.west.allow(&all).await;
        stage.delete(here, "big").await;
        stage.until_gone(here, "big").await;
    });
}
