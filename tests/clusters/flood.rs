//! 10,000 status changes a second for a minute: what of it arrives at the log, and how soon it can be read.

use crate::dev::{answer, path, until_within};
use crate::load::{Load, NAMESPACE, PROBES};
use crate::report::{Table, verdict};
use crate::setting::{Setting, name, variable};
use crate::times::{Times, Versions, lags};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const CLUSTERS: usize = 50;
/// Jobs whose status changes, on all clusters together.
const JOBS: usize = 1_000;
/// How often changes are made.
const STEP: Duration = Duration::from_millis(5);
/// Submissions a second beside it.
const RATE: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn flood() {
    let setting = Setting::of(CLUSTERS).await;
    let jobs = usize::try_from(variable("JOBS", JOBS as u64)).unwrap();
    let (per_s, seconds) = (variable("CHANGES", 10_000), variable("SECONDS", 60));
    let mut jobs_load = Load::on(&setting.servers.urls);
    let busy = |number: usize, run: &mut Value| {
        run["spec"]["placement"] = json!({"clusters": [name(number % CLUSTERS)]});
        run["metadata"]["labels"] =
            if number < CLUSTERS { json!({"probe": "yes"}) } else { json!({"probe": "no"}) };
        run["metadata"]["name"] = json!(format!("busy-{number}"));
        run["spec"]["manifests"][0]["metadata"]["name"] = json!(format!("busy-{number}-input"));
        run["spec"]["manifests"][1]["metadata"]["name"] = json!(format!("busy-{number}"));
        // Its status is what this test says.
        run["spec"]["manifests"][1]["spec"]["managedBy"] = json!("example.com/busy");
    };
    let follow = setting.follow(&(0..CLUSTERS).collect::<Vec<_>>(), PROBES).await;
    jobs_load.run(100, Duration::from_secs_f64(jobs as f64 / 100.0), busy).await;
    until_within(PATIENCE, "all Jobs are there", async || {
        let made = follow.made.lock().unwrap();
        (made.keys().filter(|name| name.starts_with("busy-")).count() == jobs).then_some(())
    })
    .await;
    let shown = follow.shown.clone();

    let happened = Versions::default();
    let (before, meter) = (setting.applied().await, setting.meter());
    let mut load = Load::on(&setting.servers.urls);
    let time = Duration::from_secs(seconds);
    let (changes, ()) =
        tokio::join!(pour(&setting, jobs, per_s, time, &happened), load.run(RATE, time, |_, _| {}));
    let (took_s, after) = (meter.seconds(), setting.applied().await);
    meter.report(&setting, &format!("{per_s} changes a second, and {RATE} submissions")).await;
    until_within(PATIENCE, "the last changes are shown", async || {
        (lags(&happened, &shown, |_, _| true).1 == 0).then_some(())
    })
    .await;
    load.answered().await;
    follow.all_there_once(&load).await;
    let a_second = |count: u64| count as f64 / took_s;
    let asked = verdict(&format!("{per_s} for {seconds} s"), a_second(changes) > 0.98 * per_s as f64);
    let what = format!("status changes a second, of {jobs} Jobs on {CLUSTERS} clusters");
    Table::Figures.add(&format!("| {what} | {:.0} | {asked} |", a_second(changes)));
    Table::Figures
        .add(&format!("| log entries a second beside them | {:.0} | |", a_second(after.0 - before.0)));
    Table::Figures.add(&format!("| records changed a second | {:.0} | |", a_second(after.1 - before.1)));
    let (known, _) = lags(&happened, &shown, |_, _| true);
    known.report("one of these changes to readable on every follower, or one after it", None);
    let mut there = Times::default();
    for (name, at) in load.accepted.lock().unwrap().iter() {
        there.add(*at, follow.made.lock().unwrap()[name]);
    }
    there.report(&format!("accepted to Job in the cluster, {RATE}/s beside them"), None);
    for url in &setting.servers.urls {
        let listed = format!("{url}{}", path(&format!("namespaces/{NAMESPACE}/runnables?limit=1")));
        assert_eq!(answer(setting.http.get(listed)).await.unwrap().status, 200);
    }
}

/// Changes one Job after the other, `per_s` a second, as a task of its own; gives how many changes were made.
async fn pour(setting: &Setting, jobs: usize, per_s: u64, time: Duration, happened: &Versions) -> u64 {
    let (clusters, happened) = (Arc::clone(&setting.clusters), Arc::clone(happened));
    let work = async move {
        let begun = Instant::now();
        let mut made = 0_u64;
        while begun.elapsed() < time {
            let wanted = (begun.elapsed().as_secs_f64() * per_s as f64) as u64;
            // Who is behind does not do it all at once.
            let stop = wanted.min(made + per_s / 20);
            while made < stop {
                let number = usize::try_from(made).unwrap() % jobs;
                // What a Job says again is not written again, so it never does.
                let ready = 1 + made / jobs as u64;
                let status = json!({"active": 1 << 20, "ready": ready, "startTime": "2026-01-01T00:00:00Z"});
                let job = format!("busy-{number}");
                let cluster = &clusters[number % CLUSTERS];
                let version = cluster.set_job_status(NAMESPACE, &job, &status).unwrap();
                if number < CLUSTERS {
                    happened.lock().unwrap().entry(job).or_default().push((version, Instant::now()));
                }
                made += 1;
            }
            sleep(STEP).await;
        }
        made
    };
    tokio::spawn(work).await.unwrap()
}
