//! A kube-apiserver that is killed, frozen or restarted while Jobs are being made.

use crate::stage::{Stage, on_west, run};
use futures::{StreamExt, stream};
use serde_json::json;
use std::time::Duration;

const APISERVER: &str = "kube-apiserver";
const WRITERS: usize = 8;

/// Longer than a request's deadline, so that the outcome of what is in flight is unknown.
const FROZEN: Duration = Duration::from_secs(30);

async fn submit(stage: &Stage, namespace: &str, numbers: std::ops::Range<usize>) {
    let submit = async |number: usize| {
        stage.submit(namespace, &run(&format!("run-{number}"), "west", "1s")).await;
    };
    stream::iter(numbers).for_each_concurrent(WRITERS, submit).await;
}

/// Each has succeeded, with one Job, which was made once.
async fn check(stage: &Stage, namespace: &str, count: usize) {
    for number in 0..count {
        let run = stage.until_phase(namespace, &format!("run-{number}"), "Succeeded").await;
        assert_eq!(run.0["status"]["attempts"].as_array().unwrap().len(), 1);
    }
    let jobs = stage.west.list(namespace, "jobs").await;
    assert_eq!(jobs.len(), count);
    assert!(jobs.iter().all(|job| job["status"]["succeeded"] == json!(1)));
    // A killed apiserver may have made one and not have told its audit log.
    let made = stage.west.jobs_made(namespace);
    assert!(made.values().all(|times| *times == 1), "made twice: {made:?}");
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn jobs_are_made_exactly_once_though_the_apiserver_is_killed_and_restarted_among_them() {
    on_west(async |stage| {
        let here = "killed";
        stage.west.namespace(here).await;
        submit(stage, here, 0..10).await;
        tokio::join!(submit(stage, here, 10..25), stage.west.kill(APISERVER, "KILL"));
        stage.west.restart(APISERVER).await;
        submit(stage, here, 25..35).await;
        // Once more, politely.
        tokio::join!(submit(stage, here, 35..40), stage.west.restart(APISERVER));
        check(stage, here, 40).await;
    });
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn creates_in_flight_to_a_frozen_apiserver_are_unknown_and_end_as_one_job_each() {
    on_west(async |stage| {
        let here = "frozen";
        stage.west.namespace(here).await;
        submit(stage, here, 0..5).await;
        let frozen = async {
            stage.west.kill(APISERVER, "STOP").await;
            tokio::time::sleep(FROZEN).await;
            let run = stage.read(here, "run-5").await.unwrap().body;
            stage.west.kill(APISERVER, "CONT").await;
            crate::stage::Run(run)
        };
        let (run, ()) = tokio::join!(frozen, submit(stage, here, 5..20));
        assert!(["Accepted", "Placed", "Sent", "Pending"].contains(&run.phase()), "{}", run.0["status"]);
        assert!(
            run.condition("ClusterReachable").starts_with("False"),
            "{}",
            run.condition("ClusterReachable")
        );
        check(stage, here, 20).await;
    });
}
