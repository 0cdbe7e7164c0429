//! Why runs do not get on, looked up where it is worth it.

use crate::world::World;
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_model::record::{Diagnosis, Kind};
use tallyman_model::{Env, Phase, limits};

/// A Pod with one container that waits for `reason`.
fn pod(reason: &str) -> Value {
    let waiting = json!({"reason": reason, "message": "words"});
    json!({
        "metadata": {"name": "report-x7k2p", "uid": "pod-uid"}, "spec": {"nodeName": "node-1"},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "main", "image": "i", "state": {"waiting": waiting}}]},
    })
}

fn warning(message: &str) -> Value {
    json!({"type": "Warning", "reason": "FailedCreate", "message": message, "lastTimestamp": "2027-01-15T08:00:00Z"})
}

fn led(stuck: &[&str]) -> World {
    let world = World::led();
    world.raise();
    world.east().with(|inner| inner.stuck = stuck.iter().map(|&name| name.to_owned()).collect());
    world
}

fn free(world: &World, name: &str) {
    world.east().with(|inner| inner.stuck.remove(name));
    world.east().changed.send_modify(|_| {});
}

fn diagnosis(world: &World, name: &str) -> Option<Diagnosis> {
    world.find(name)?.diagnosis().cloned()
}

async fn until_reason(world: &World, name: &str, reason: &str) {
    world
        .until(&format!("{name} says {reason}"), |world| {
            diagnosis(world, name).is_some_and(|found| found.finding.reason == reason)
        })
        .await;
}

fn looks(world: &World) -> usize {
    world.east().with(|inner| inner.looks.len())
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_pod_does_not_start_says_why_until_it_does() {
    let world = led(&["report"]);
    world.east().with(|inner| inner.pods = vec![pod("ImagePullBackOff")]);
    world.submit("report", |_| {});
    until_reason(&world, "report", "ImagePullBackOff").await;
    let run = world.get("report");
    assert_eq!(run.phase, Phase::Pending);
    let uid = run.head.uid;
    let selector = format!("tallyman.dev/submission-uid={uid},tallyman.dev/attempt=1");
    assert_eq!(
        world.east().with(|inner| inner.looks.clone()),
        [selector],
        "what explains itself is one request"
    );
    world.east().with(|inner| inner.pods = vec![pod("ErrImagePull")]);
    until_reason(&world, "report", "ErrImagePull").await;
    free(&world, "report");
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(diagnosis(&world, "report"), None);
}

#[tokio::test(start_paused = true)]
async fn runs_that_start_are_not_looked_into() {
    let world = led(&[]);
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(looks(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_without_a_pod_says_what_its_events_say() {
    let world = led(&["report"]);
    world.east().with(|inner| inner.warnings = vec![warning("exceeded quota: limit")]);
    world.submit("report", |_| {});
    until_reason(&world, "report", "FailedCreate").await;
    let found = diagnosis(&world, "report").unwrap().finding;
    assert_eq!(found.message, "Job risk/report has no Pod: FailedCreate: exceeded quota: limit");
    let uid = world.get("report").main_object().unwrap().uid.clone().unwrap();
    assert_eq!(world.east().with(|inner| inner.looks[1].clone()), uid);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_kueue_keeps_suspended_says_what_it_waits_for() {
    let world = led(&["report"]);
    let waits = json!({"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": "no quota for cpu"});
    let workload = json!({"spec": {"queueName": "team"}, "status": {"conditions": [waits]}});
    world.east().with(|inner| inner.workload = Some(workload));
    world.submit("report", |_| {});
    until_reason(&world, "report", "Pending").await;
    let found = diagnosis(&world, "report").unwrap().finding;
    assert_eq!(
        found.message,
        "Job risk/report is suspended: Pending: Kueue, queue \"team\": no quota for cpu"
    );
    free(&world, "report");
    world.until_phase("report", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_keeps_how_its_last_pod_ended_and_the_next_one_goes_on() {
    let world = led(&[]);
    world.east().with(|inner| {
        inner.failing.insert("report".to_owned());
        let ended = json!({"exitCode": 137, "signal": 9, "reason": "OOMKilled"});
        inner.pods = vec![json!({
            "metadata": {"name": "report-x7k2p", "uid": "pod-uid"},
            "status": {"phase": "Failed", "containerStatuses": [{"name": "main", "state": {"terminated": ended}}]},
        })];
    });
    world.submit("report", |value| value["spec"]["attempts"] = json!({"max": 2, "backoff": "1s"}));
    world.until_phase("report", Phase::Succeeded).await;
    let run = world.get("report");
    let pod = &run.attempts[0].diagnosis.as_ref().expect("it was looked into").finding.pods[0];
    assert_eq!((pod.reason.as_str(), pod.exit_code, pod.signal), ("OOMKilled", Some(137), Some(9)));
    assert_eq!(run.attempts[1].diagnosis, None);
    assert_eq!(looks(&world), 1, "once is enough");
}

#[tokio::test(start_paused = true)]
async fn what_stays_stuck_is_looked_at_ever_more_slowly() {
    let world = led(&["report"]);
    world.east().with(|inner| inner.pods = vec![pod("CreateContainerConfigError")]);
    world.submit("report", |value| value["spec"]["startBy"] = json!("48h"));
    until_reason(&world, "report", "CreateContainerConfigError").await;
    world.pass(Duration::from_secs(3_600)).await;
    assert!((5..=12).contains(&looks(&world)), "{} looks in an hour", looks(&world));
    let found = diagnosis(&world, "report").unwrap();
    assert!(world.state.env.now_ms() - found.at_ms <= limits::DIAGNOSIS_DELAY_MS_MAX + 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_forbids_it_is_told_of_asked_rarely_and_gets_its_work_all_the_same() {
    let world = led(&["stuck"]);
    world.east().with(|inner| inner.pods_denied = true);
    world.submit("stuck", |_| {});
    until_reason(&world, "stuck", "NotAllowed").await;
    world.until("the cluster says so", |world| world.cluster("east").message.contains("403")).await;
    world.submit("other", |_| {});
    world.until_phase("other", Phase::Succeeded).await;
    assert!(looks(&world) < 5, "{}", looks(&world));
}

#[tokio::test(start_paused = true)]
async fn many_that_are_stuck_are_asked_about_at_a_pace_and_hold_nothing_up() {
    let names: Vec<String> = (0..100).map(|number| format!("stuck-{number}")).collect();
    let world = led(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.east().with(|inner| inner.pods = vec![pod("ImagePullBackOff")]);
    for name in &names {
        world.submit(name, |_| {});
    }
    let created = |world: &World| names.iter().all(|name| world.east().created(Kind::Job, name) == 1);
    world.until("all are created", created).await;
    until_reason(&world, "stuck-99", "ImagePullBackOff").await;
    let before = looks(&world);
    world.pass(Duration::from_secs(10)).await;
    assert!(looks(&world) - before <= 51, "{} requests in 10 s", looks(&world) - before);
    world.submit("other", |_| {});
    let from = world.state.env.now_ms();
    world.until_phase("other", Phase::Succeeded).await;
    assert!(world.state.env.now_ms() - from < 5_000);
}
