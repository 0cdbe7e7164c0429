//! From an event at a cluster to its being readable on every follower.
//!
//! The cluster's own watch says when an event happened, watches on the followers when a read there shows it: they are
//! told after the state that reads are served from has been replaced.

use crate::dev::{Dev, path, runnable};
use futures::StreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Submissions, one after the other.
const RUNS: usize = 60;
/// The time between two.
const EVERY: Duration = Duration::from_millis(100);
/// How long the last one's events are waited for.
const LAST: Duration = Duration::from_secs(5);

/// Versions of one Job, with when each was seen first.
type Seen = Arc<Mutex<BTreeMap<String, Vec<(u64, Instant)>>>>;

/// The times in ms.
pub(crate) async fn measure(dev: &Dev) -> Vec<f64> {
    let (_, server) = dev.clusters().remove(0);
    let happened = Seen::default();
    let jobs = format!("{server}/apis/batch/v1/jobs?watch=true");
    let mut tasks = vec![tokio::spawn(follow(jobs, Arc::clone(&happened), changed_status()))];
    let mut shown = Vec::new();
    for follower in dev.followers().await {
        let seen = Seen::default();
        let runs = format!("{}{}", follower.url, path("runnables?watch=true&timeoutSeconds=600"));
        tasks.push(tokio::spawn(follow(runs, Arc::clone(&seen), shown_version)));
        shown.push(seen);
    }
    let leader = dev.leader().await;
    for number in 0..RUNS {
        let body = runnable(&format!("event-{number}"), "150ms");
        let url = format!("{}{}", leader.url, path("namespaces/events/runnables"));
        let answer = dev.http.post(url).body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        sleep(EVERY).await;
    }
    sleep(LAST).await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let happened = happened.lock().unwrap();
    let mut all = Vec::new();
    for (uid, events) in happened.iter() {
        for (version, at) in events {
            let latest = shown.iter().map(|seen| first_at(&seen.lock().unwrap(), uid, *version)).max();
            let latest =
                latest.flatten().unwrap_or_else(|| panic!("job {uid} at {version} is shown nowhere"));
            all.push(latest.saturating_duration_since(*at).as_secs_f64() * 1000.0);
        }
    }
    assert!(all.len() >= RUNS, "{} events of {RUNS} runs", all.len());
    all
}

/// When that version of the Job, or a later one, was seen first.
fn first_at(seen: &BTreeMap<String, Vec<(u64, Instant)>>, uid: &str, version: u64) -> Option<Instant> {
    seen.get(uid)?.iter().filter(|(found, _)| *found >= version).map(|(_, at)| *at).min()
}

async fn follow(url: String, seen: Seen, mut version: impl FnMut(&Value) -> Option<(String, u64)>) {
    let http = reqwest::Client::builder().build().unwrap();
    let mut body = http.get(url).send().await.unwrap().bytes_stream();
    let mut rest = Vec::new();
    while let Some(Ok(chunk)) = body.next().await {
        let now = Instant::now();
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if let Some((uid, number)) = serde_json::from_slice(&line).ok().as_ref().and_then(&mut version) {
                seen.lock().unwrap().entry(uid).or_default().push((number, now));
            }
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Of a Job's event: its UID and version, if its status has changed.
fn changed_status() -> impl FnMut(&Value) -> Option<(String, u64)> + Send {
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    move |event| {
        let job = &event["object"];
        let uid = text(&job["metadata"]["uid"])?;
        let before = known.insert(uid.clone(), job["status"].clone());
        let same = before.as_ref() == Some(&job["status"]) || event["type"] == "DELETED";
        let version = text(&job["metadata"]["resourceVersion"])?.parse().ok()?;
        (!same).then_some((uid, version))
    }
}

/// Of a runnable's event: the UID of its Job, and the version of it that is shown.
fn shown_version(event: &Value) -> Option<(String, u64)> {
    let status = &event["object"]["status"];
    let version = text(&status["observed"]["resourceVersion"])?.parse().ok()?;
    let objects = status["attempts"][0]["objects"].as_array()?;
    let job = objects.iter().find(|object| object["kind"] == "Job")?;
    Some((text(&job["uid"])?, version))
}
