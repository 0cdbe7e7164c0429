//! The night batch: two hundred Jobs over two clusters and all replicas, the leader killed three times.

use crate::dev::{Dev, binary, path, signal};
use crate::stage::{Run, Stage, on_west, run, within};
use futures::{StreamExt, stream};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::process::Command;

const JOBS: usize = 200;
const WRITERS: usize = 8;
const READS: usize = 1000;
const NIGHT: &str = "night";

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn two_hundred_jobs_run_exactly_once_on_two_clusters_though_the_leader_is_killed_three_times() {
    on_west(async |stage| {
        stage.east.namespace(NIGHT).await;
        stage.west.namespace(NIGHT).await;
        submit_all(stage).await;
        let runs = within("all have succeeded", async || {
            let runs = list(&stage.dev, "fieldSelector=status.phase%3DSucceeded&").await?;
            (runs.len() == JOBS).then_some(runs)
        })
        .await;
        check_jobs(stage, &runs).await;
        reads_cost_nothing(stage).await;
        nothing_is_left_after_cleanup(stage).await;
        verify_ledger(&stage.dev).await;
    });
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn submit_all(stage: &Stage) {
    let acknowledged = AtomicUsize::new(0);
    let submit = async |number: usize| {
        let mut body = run(&format!("night-{number}"), "", "1s");
        body["spec"].as_object_mut().unwrap().remove("placement");
        stage.submit(NIGHT, &body).await;
        // Three times in the middle of the others' submissions.
        if (acknowledged.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(JOBS / 4)
            && acknowledged.load(Ordering::SeqCst) < JOBS
        {
            signal(stage.dev.leader().await.pid, Signal::KILL);
        }
    };
    stream::iter(0..JOBS).for_each_concurrent(WRITERS, submit).await;
}

async fn list(dev: &Dev, query: &str) -> Option<Vec<Value>> {
    let url = dev.replicas().first()?.url.clone();
    let answer = dev.get(&url, &path(&format!("namespaces/{NIGHT}/runnables?{query}limit=500"))).await?;
    Some(answer.body["items"].as_array()?.clone())
}

/// One Job for each submission, on one cluster, made by one request; complete, once; let go.
async fn check_jobs(stage: &Stage, runs: &[Value]) {
    let mut found = Vec::new();
    let of_run = |run: &Value| (text(&run["metadata"]["uid"]), text(&Run(run.clone()).job()["uid"]));
    let expected: BTreeSet<(String, String)> = runs.iter().map(of_run).collect();
    for cluster in [&stage.east, &stage.west] {
        within("the holds are released", async || {
            let jobs = cluster.list(NIGHT, "jobs").await;
            jobs.iter().all(|job| job["metadata"]["finalizers"].is_null()).then_some(())
        })
        .await;
        let jobs = cluster.list(NIGHT, "jobs").await;
        assert!(!jobs.is_empty(), "both clusters were given work");
        assert!(jobs.iter().all(|job| job["status"]["succeeded"] == json!(1)), "complete, once");
        // A request whose client was killed may not be in the audit log as one that took effect.
        let made = cluster.jobs_made(NIGHT);
        assert!(made.len() <= jobs.len(), "{} Jobs were made, {} are there", made.len(), jobs.len());
        assert!(made.values().all(|times| *times == 1), "made twice: {made:?}");
        let label = |job: &Value| text(&job["metadata"]["labels"]["tallyman.dev/submission-uid"]);
        found.extend(jobs.iter().map(|job| (label(job), text(&job["metadata"]["uid"]))));
    }
    assert_eq!((found.len(), expected.len()), (JOBS, JOBS));
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
}

/// Tallyman itself asks a cluster now and then (contact, sweep): with a thousand reads it must not ask more than it
/// does without any in the same time.
async fn reads_cost_nothing(stage: &Stage) {
    let started = tokio::time::Instant::now();
    let before = stage.west.requests().await;
    assert!(before > 0, "the requests of the Jobs themselves are counted");
    let replicas = stage.dev.replicas();
    for number in 0..READS {
        let replica = &replicas[number % replicas.len()];
        let read = stage.dev.read(&replica.url, NIGHT, &format!("night-{}", number % JOBS)).await.unwrap();
        assert_eq!((read.status, &read.body["status"]["phase"]), (200, &json!("Succeeded")));
    }
    let took = started.elapsed();
    let with_reads = stage.west.requests().await - before;
    tokio::time::sleep(took).await;
    let idle = stage.west.requests().await - before - with_reads;
    eprintln!("{READS} reads in {took:?}: {with_reads} apiserver requests, {idle} in the same time without");
    assert!(with_reads <= idle + 10, "{READS} reads cost {with_reads} requests, {idle} without them");
}

async fn nothing_is_left_after_cleanup(stage: &Stage) {
    let names: Vec<String> = (0..JOBS).map(|number| format!("night-{number}")).collect();
    let delete = async |name: &String| drop(stage.delete(NIGHT, name).await);
    stream::iter(&names).for_each_concurrent(WRITERS, delete).await;
    within("all records are gone", async || list(&stage.dev, "").await.filter(Vec::is_empty).map(drop)).await;
    for cluster in [&stage.east, &stage.west] {
        within("the cluster is clean", async || {
            let all = ["get", "jobs,configmaps,pods", "-n", NIGHT, "-o", "name"];
            cluster.kubectl(&all).await.trim().is_empty().then_some(())
        })
        .await;
    }
}

/// The chain as each replica tells it.
async fn verify_ledger(dev: &Dev) {
    for replica in dev.replicas() {
        let mut command = Command::new(binary());
        command.env("TALLYMAN_SERVER", &replica.url).args(["audit", "verify"]);
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("chain verified"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}
