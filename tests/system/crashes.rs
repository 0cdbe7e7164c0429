//! Replicas killed at random moments under load: nothing acknowledged is lost, nothing is created twice.

use crate::dev::{Dev, PATIENCE, binary, is_alive, path, runnable, signal, until};
use crate::history::{Acknowledged, Choices, Load, check_all_succeeded};
use crate::witness::Witness;
use futures::{StreamExt, stream};
use rustix::process::Signal;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

fn seed() -> u64 {
    std::process::id().into()
}

async fn under_load(rounds: u64, kill: impl AsyncFn(&Dev, &mut Choices)) {
    let dev = Arc::new(Dev::start(&[]).await);
    let (witness, watches) = Witness::of(dev.clusters());
    let mut choices = Choices::seeded(seed());
    let load = Load::start(&dev, 4, seed());
    for _ in 0..rounds {
        load.progress(5).await;
        // The moment of the fault is random on purpose; nothing is waited for here.
        sleep(Duration::from_millis(choices.below(400))).await;
        kill(&dev, &mut choices).await;
        load.progress(5).await;
    }
    let acknowledged = load.finish().await;
    check_all_succeeded(&dev, &acknowledged).await;
    let jobs = witness.jobs_of();
    for one in &acknowledged {
        assert_eq!(jobs.get(&one.uid), Some(&1), "Jobs ever made for {}", one.name);
    }
    assert!(jobs.values().all(|count| *count == 1), "{jobs:?}");
    same_ledger_everywhere(&dev).await;
    watches.iter().for_each(|watch| watch.abort());
}

/// Two replicas at one point of the log have one ledger and one state hash; the points meet when nothing is going on.
async fn same_ledger_everywhere(dev: &Dev) {
    let replicas = dev.replicas();
    until("all replicas have the same ledger", async || {
        let mut heads = Vec::new();
        for replica in &replicas {
            let answer = dev.get(&replica.url, "/operator/status").await?;
            heads.push((answer.body["ledger"].clone(), answer.body["stateHash"]["hash"].clone()));
        }
        (heads[0].0 != json!(null) && heads.iter().all(|head| *head == heads[0])).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_loses_nothing_and_nothing_runs_twice() {
    under_load(4, async |dev, _| signal(dev.leader().await.pid, Signal::KILL)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_follower_loses_nothing_and_nothing_runs_twice() {
    under_load(3, async |dev, choices| {
        let followers = dev.followers().await;
        signal(followers[choices.below(2) as usize].pid, Signal::KILL);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_replicas_killed_at_once_lose_nothing_and_nothing_runs_twice() {
    under_load(2, async |dev, _| dev.replicas().iter().for_each(|replica| signal(replica.pid, Signal::KILL)))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_killed_while_snapshots_are_taken_sent_and_installed_lose_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary());
    command.env("TALLYMAN_SNAPSHOT_LOG_BYTES", (64 * 1024).to_string());
    let dev = Dev::spawn(command, &temporary.path().join("dev"), &[]);
    dev.wait_ready().await;
    let mut choices = Choices::seeded(seed());
    let mut acknowledged = submit(&dev, "first", 150).await;
    until("the log's beginning is gone", async || {
        dev.replicas().iter().all(|one| said(&dev, &one.id, "took a snapshot") > 0).then_some(())
    })
    .await;
    for round in 0..4 {
        // Blank, it needs a snapshot.
        let blank = dev.followers().await.remove(choices.below(2) as usize);
        signal(blank.pid, Signal::STOP);
        std::fs::remove_dir_all(&blank.dir).unwrap();
        signal(blank.pid, Signal::KILL);
        acknowledged.extend(submit(&dev, &format!("round-{round}"), 20).await);
        // The moment of the fault is random on purpose; nothing is waited for here.
        sleep(Duration::from_millis(choices.below(1000))).await;
        let leader = dev.leader().await;
        let again = dev.replicas().into_iter().find(|one| one.url == blank.url).unwrap_or(blank);
        signal(if choices.below(3) > 0 { again.pid } else { leader.pid }, Signal::KILL);
        // Before, another directory that is lost would be one too many.
        dev.wait_ready().await;
    }
    check_all_succeeded(&dev, &acknowledged).await;
    same_ledger_everywhere(&dev).await;
    assert!(["r1", "r2", "r3"].iter().any(|id| said(&dev, id, "installing a snapshot") > 0));
}

/// Submits, and gives what was acknowledged.
async fn submit(dev: &Dev, prefix: &str, count: u64) -> Vec<Acknowledged> {
    let url = dev.leader().await.url;
    let submit = async |number| {
        let name = format!("{prefix}-{number}");
        let answer = dev.submit(&url, "load", &runnable(&name, "10ms")).await?;
        let uid = answer.body["metadata"]["uid"].as_str()?.to_owned();
        (answer.status == 201).then(|| Acknowledged { name, uid, revision: answer.revision() })
    };
    let submitted: Vec<_> = stream::iter(0..count).map(submit).buffer_unordered(8).collect().await;
    submitted.into_iter().flatten().collect()
}

/// How often a replica has logged `words`.
fn said(dev: &Dev, id: &str, words: &str) -> usize {
    let log = std::fs::read_to_string(dev.dir.join(id).join("server.log")).unwrap();
    log.lines().filter(|line| line.contains(words)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_restarts_from_disk() {
    let dev = Dev::start(&[]).await;
    let url = dev.replicas()[0].url.clone();
    let done = dev.submit(&url, "risk", &runnable("done", "50ms")).await.unwrap();
    dev.until_phase("risk", "done", "Succeeded").await;
    dev.submit(&url, "risk", &runnable("running", "2s")).await.unwrap();
    dev.until_phase("risk", "running", "Running").await;
    let (dir, _temporary) = dev.stop_keeping().await;

    let dev = Dev::start_in(&dir, &[]).await;
    let run = dev.until_phase("risk", "running", "Succeeded").await;
    assert_eq!(run["status"]["attempts"].as_array().unwrap().len(), 1, "it went on and was not run again");
    let again = dev.read(&dev.replicas()[2].url, "risk", "done").await.unwrap();
    assert_eq!(again.body["metadata"]["uid"], done.body["metadata"]["uid"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_told_to_stop_hands_over_and_writes_go_on() {
    let dev = Arc::new(Dev::start(&[]).await);
    let load = Load::start(&dev, 2, seed());
    load.progress(5).await;
    let leader = dev.leader().await;
    signal(leader.pid, Signal::TERM);
    until("another replica leads", async || (dev.leader().await.id != leader.id).then_some(())).await;
    load.progress(5).await;
    let acknowledged = load.finish().await;
    check_all_succeeded(&dev, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_says_what_became_of_a_killed_leader() {
    let dev = Dev::start(&[]).await;
    let leader = dev.leader().await;
    signal(leader.pid, Signal::KILL);
    until("dev says how long writes paused, who leads now, and that the replica has caught up", async || {
        let output = dev.output();
        let said = |words: &[&str]| output.lines().any(|line| words.iter().all(|word| line.contains(word)));
        (said(&["paused"]) && said(&["leads now"]) && said(&[&leader.id, "caught up"])).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_when_dev_is_killed() {
    let dev = Dev::start(&[]).await;
    let pids: Vec<i32> = dev.replicas().iter().map(|replica| replica.pid).collect();
    signal(dev.pid(), Signal::KILL);
    let all_gone =
        until("its replicas are gone", async || pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
    timeout(PATIENCE, all_gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_on_three_replicas_at_once_is_one_submission() {
    let dev = Dev::start(&[]).await;
    for round in 0..10 {
        let key = format!("key-{round}");
        let body = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"generateName": "once-"},
            "spec": runnable(&format!("once-{round}"), "10ms")["spec"],
        });
        let requests = dev.replicas().into_iter().map(|replica| {
            let url = format!("{}{}", replica.url, path("namespaces/once/runnables"));
            crate::dev::answer(dev.http.post(url).header("idempotency-key", &key).json(&body))
        });
        let answers = futures::future::join_all(requests).await;
        let uids: Vec<_> =
            answers.iter().map(|answer| &answer.as_ref().unwrap().body["metadata"]["uid"]).collect();
        assert!(uids[0].is_string() && uids.iter().all(|uid| *uid == uids[0]), "{answers:?}");
        let replayed =
            answers.iter().filter(|answer| answer.as_ref().unwrap().header("idempotency-replayed") == "true");
        assert_eq!(replayed.count(), 2);
    }
}
