//! Servers that are dead, frozen or killed in between: nothing is lost, and nothing is done or told twice.

use super::{Said, client, ended, file, run};
use crate::dev::{Dev, PATIENCE, Replica, path, signal, until};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

/// Nobody listens there.
const DEAD: &str = "http://127.0.0.1:1";

/// A process that does nothing until this is dropped.
struct Frozen(i32);

impl Frozen {
    fn new(pid: i32) -> Self {
        signal(pid, Signal::STOP);
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

/// How many runs of that namespace there are, on every replica.
async fn count(dev: &Dev, namespace: &str) -> BTreeSet<usize> {
    let mut counts = BTreeSet::new();
    for replica in dev.replicas() {
        let path = path(&format!("namespaces/{namespace}/runnables"));
        let answer = until("a replica lists", async || {
            dev.get(&replica.url, &path).await.filter(|answer| answer.status == 200)
        })
        .await;
        counts.insert(answer.body["items"].as_array().unwrap().len());
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_and_a_frozen_server_are_passed_over_and_nothing_is_done_twice() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let followers = dev.followers().await;
    let leader = dev.leader().await;
    let (frozen, alive) = (&followers[0], &followers[1]);
    let servers = [DEAD, frozen.url.as_str(), alive.url.as_str(), leader.url.as_str()];
    // A name of the server's choosing: done twice, it would be two runs.
    let path = folder.path().join("run.yaml");
    let run_file = std::fs::read_to_string(file(folder.path(), "x", "1s")).unwrap();
    std::fs::write(&path, run_file.replacen("\"name\":\"x\"}", "\"generateName\":\"x-\"}", 1)).unwrap();
    let path = path.to_str().unwrap();
    {
        let _frozen = Frozen::new(frozen.pid);
        ended(client(&servers, &["submit", path, "-n", "frozen", "--wait"])).await.ok();
        let said = ended(client(&servers, &["list", "-n", "frozen", "--no-headers"])).await.ok();
        assert_eq!(said.out.lines().count(), 1, "{said:?}");
    }
    // What the frozen server was sent is done now that it goes on: under the same key.
    ended(client(&[frozen.url.as_str()], &["list", "-n", "frozen"])).await.ok();
    assert_eq!(count(&dev, "frozen").await, BTreeSet::from([1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_nobody_knows_is_repeated_by_the_line_that_is_printed() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "x", "1s");
    let leader = dev.leader().await;
    let said = {
        let _frozen = Frozen::new(leader.pid);
        ended(client(&[leader.url.as_str()], &["submit", &path, "-n", "unknown"])).await
    };
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("no answer within 12 s"), "{said:?}");
    let line = said.attempt().strip_prefix("try: tallyman ").unwrap();
    let words: Vec<&str> = line.split("   (").next().unwrap().split_whitespace().collect();
    assert!(words.contains(&"--idempotency-key"), "{said:?}");
    for _ in 0..2 {
        until("it is repeated", async || (run(&dev, &words).await.code == 0).then_some(())).await;
    }
    assert_eq!(count(&dev, "unknown").await, BTreeSet::from([1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_and_a_watch_outlive_their_server_and_the_leader_without_a_gap() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "long", "15s");
    run(&dev, &["submit", &path, "-n", "risk"]).await.ok();
    let leader = dev.leader().await;
    let followers = dev.followers().await;
    // Both begin at the leader, which is killed; they go on at followers, one of which is frozen then.
    let servers = [leader.url.as_str(), followers[0].url.as_str(), followers[1].url.as_str()];
    let wait = tokio::spawn(ended(client(&servers, &["wait", "risk/long", "--timeout", "2m"])));
    let mut watch = client(&servers, &["watch", "risk/long", "-o", "json"]).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut events: Vec<Value> = Vec::new();
    let mut next = async |events: &mut Vec<Value>| {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("the watch says something").unwrap();
        line.map(|line| events.push(serde_json::from_str(&line).unwrap())).is_some()
    };
    assert!(next(&mut events).await);
    dev.until_phase("risk", "long", "Running").await;
    signal(leader.pid, Signal::KILL);
    // With the killed one back, another may be missed. It may lead again.
    until("the killed one is back and all serve", async || {
        let replicas = dev.replicas();
        let is_back = |replica: &Replica| replica.id == leader.id && replica.pid != leader.pid;
        replicas.iter().any(is_back).then_some(())?;
        for replica in &replicas {
            (dev.get(&replica.url, "/readyz").await?.status == 200).then_some(())?;
        }
        Some(())
    })
    .await;
    let new_leader = dev.leader().await;
    let missed = followers.iter().find(|replica| replica.id != new_leader.id).unwrap();
    let frozen = Frozen::new(missed.pid);
    while next(&mut events).await {}
    drop(frozen);
    assert!(timeout(PATIENCE, watch.wait()).await.unwrap().unwrap().success());
    let Said { code, out, err } = wait.await.unwrap();
    assert_eq!(code, 0, "{out}{err}");

    let revision = |event: &Value| {
        event["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let told: Vec<u64> = events.iter().map(revision).collect();
    assert!(told.is_sorted_by(|one, next| one < next), "told twice or out of order: {told:?}");
    assert_eq!(events.last().unwrap()["object"]["status"]["phase"], "Succeeded");
    // What one unbroken watch tells between the same revisions.
    let query =
        format!("watch=true&timeoutSeconds=2&resourceVersion={}&fieldSelector=metadata.name%3Dlong", told[0]);
    let url =
        format!("{}{}", new_leader.url, crate::dev::path(&format!("namespaces/risk/runnables?{query}")));
    let whole = dev.http.get(url).send().await.unwrap().text().await.unwrap();
    let all: Vec<u64> = whole.lines().map(|line| revision(&serde_json::from_str(line).unwrap())).collect();
    let last = *told.last().unwrap();
    let expected: Vec<u64> = all.into_iter().filter(|revision| *revision <= last).collect();
    assert_eq!(told[1..], expected, "a gap");
}
