//! The Jobs of a real CronJob, shown though nobody submitted them.

use crate::dev::{answer, path};
use crate::stage::{Stage, on_east, within};
use serde_json::{Value, json};

const HERE: &str = "foreign";

fn cron_job() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": HERE},
        "spec": {
            "schedule": "* * * * *", "successfulJobsHistoryLimit": 1,
            "jobTemplate": {
                "metadata": {"labels": {"team": "rates"}},
                "spec": {"template": {
                    "metadata": {"annotations": {"simulate.tallyman.dev/duration": "5s"}},
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]},
                }},
            },
        },
    })
}

/// What is shown of others' work, with their labels.
async fn shown(stage: &Stage) -> Option<Vec<Value>> {
    let query =
        format!("namespaces/{HERE}/runnables?fieldSelector=status.foreign%3Dtrue&labelSelector=team%3Drates");
    for replica in stage.dev.replicas() {
        if let Some(answer) =
            stage.dev.get(&replica.url, &path(&query)).await.filter(|answer| answer.status == 200)
        {
            return Some(answer.body["items"].as_array().unwrap().clone());
        }
    }
    None
}

async fn observe(stage: &Stage, observe: Value) {
    let patch = json!({"spec": {"observe": observe}}).to_string();
    within("the cluster selects it", async || {
        let url = format!("{}{}", stage.dev.replicas()[0].url, path("clusters/east"));
        let request = stage.dev.http.patch(url).header("content-type", "application/merge-patch+json");
        (answer(request.body(patch.clone())).await?.status == 200).then_some(())
    })
    .await;
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn the_jobs_of_a_cron_job_are_shown_run_end_and_vanish_with_it() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        observe(stage, json!([{"apiVersion": "batch/v1", "kind": "Job", "namespaces": [HERE]}])).await;
        stage.east.apply(&cron_job()).await;
        let child = within("a Job of it runs", async || {
            let found = shown(stage).await?;
            found.into_iter().find(|one| one["status"]["phase"] == "Running")
        })
        .await;
        let foreign = &child["status"]["foreign"];
        assert_eq!(
            (&foreign["owner"]["kind"], &foreign["owner"]["name"]),
            (&json!("CronJob"), &json!("nightly"))
        );
        let name = child["metadata"]["name"].as_str().unwrap();
        let url = format!(
            "{}{}",
            stage.dev.replicas()[0].url,
            path(&format!("namespaces/{HERE}/runnables/{name}"))
        );
        let refused =
            within("a removal is answered", async || answer(stage.dev.http.delete(&url)).await).await;
        assert_eq!((refused.status, &refused.body["reason"]), (409, &json!("Conflict")), "{refused:?}");
        within("it has ended", async || {
            shown(stage)
                .await?
                .into_iter()
                .find(|one| one["metadata"]["name"] == name && one["status"]["phase"] == "Succeeded")
        })
        .await;
        stage.east.kubectl(&["delete", "cronjob", "nightly", "-n", HERE]).await;
        within("what is left is what has ended, and is gone", async || {
            let left = shown(stage).await?;
            let is_over = |one: &Value| one["status"]["foreign"]["goneAt"].is_string();
            (!left.is_empty() && left.iter().all(is_over)).then_some(())
        })
        .await;
        assert!(stage.east.list(HERE, "jobs").await.is_empty());
        observe(stage, json!([])).await;
        within("nothing is shown any more", async || shown(stage).await?.is_empty().then_some(())).await;
    });
}
