//! Backups are taken, verified and restored; a group whose quorum is lost for good goes on with one replica.

use crate::dev::{Dev, PATIENCE, Replica, binary, path, runnable, until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Output;
use tokio::process::Command;
use tokio::time::timeout;

/// Runs `tallyman operator ...`.
async fn operator(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("operator").args(arguments).env("TALLYMAN_SERVER", url);
    timeout(PATIENCE, command.output()).await.expect("the client answers").unwrap()
}

/// The same, which must succeed; gives what it printed.
async fn done(url: &str, arguments: &[&str]) -> String {
    let output = operator(url, arguments).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "operator {arguments:?}: {words}");
    String::from_utf8(output.stdout).unwrap()
}

async fn report(url: &str) -> Option<Value> {
    let output = operator(url, &["report", "-o", "json"]).await;
    serde_json::from_slice(&output.stdout).ok()
}

fn lose(dir: &Path, replicas: &[&str]) {
    replicas.iter().for_each(|name| fs::remove_dir_all(dir.join(name).join("data")).unwrap());
}

/// The names of the Jobs that a cluster has.
async fn jobs(dev: &Dev) -> Vec<String> {
    let mut names = Vec::new();
    for (_, server) in dev.clusters() {
        let answer = dev.get(&server, "/apis/batch/v1/jobs").await.unwrap();
        let name = |item: &Value| item["metadata"]["name"].as_str().unwrap().to_owned();
        names.extend(answer.body["items"].as_array().unwrap().iter().map(name));
    }
    names.sort_unstable();
    names
}

/// Waits until three replicas vote, and gives one that has just joined.
async fn joined(dev: &Dev) -> Replica {
    until("three replicas vote", async || {
        let url = dev.replicas().first()?.url.clone();
        let answer = dev.get(&url, "/operator/status").await?;
        let is_full = answer.body["voters"].as_array()?.len() == 3 && answer.body["learners"] == json!([]);
        is_full.then_some(())
    })
    .await;
    until("the last one serves", async || {
        let last = dev.replicas().pop()?;
        (dev.get(&last.url, "/readyz").await?.status == 200).then_some(last)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_group_has_what_the_backup_has_and_sends_nothing_before_it_is_confirmed() {
    let dev = Dev::start(&[]).await;
    let url = dev.followers().await.remove(0).url;
    dev.submit(&url, "risk", &runnable("ended", "10ms")).await.unwrap();
    dev.until_phase("risk", "ended", "Succeeded").await;
    dev.submit(&url, "risk", &runnable("running", "600s")).await.unwrap();
    dev.until_phase("risk", "running", "Running").await;
    let file = dev.dir.join("night.tallyman").display().to_string();
    let saved = done(&url, &["snapshot", "save", &file]).await;
    assert!(saved.contains("2 runnables, 2 clusters") && saved.contains("chain verified"), "{saved}");
    let again = operator(&url, &["snapshot", "save", &file]).await;
    assert_eq!(again.status.code(), Some(4), "a backup is not replaced by accident");
    let said = done(&url, &["snapshot", "inspect", &file]).await;
    assert!(said.contains("group       dev (") && said.contains("state hash"), "{said}");

    // What comes after it is lost, but not on its cluster.
    let lost = dev.submit(&url, "risk", &runnable("lost", "600s")).await.unwrap();
    dev.until_phase("risk", "lost", "Running").await;
    let (dir, _temporary) = dev.stop_keeping().await;
    lose(&dir, &["r1", "r2", "r3"]);
    let config = dir.join("r1/config.toml").display().to_string();

    let mut damaged = fs::read(&file).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 4;
    let bad = dir.join("damaged").display().to_string();
    fs::write(&bad, damaged).unwrap();
    for verb in [vec!["snapshot", "verify", &bad], vec!["snapshot", "restore", &bad, "--config", &config]] {
        let refused = operator(&url, &verb).await;
        assert_eq!(refused.status.code(), Some(1), "{verb:?}: {refused:?}");
    }
    let begun = done(&url, &["snapshot", "restore", &file, "--config", &config]).await;
    assert!(begun.contains("tallyman operator confirm"), "{begun}");

    let dev = Dev::spawn_in(&dir, &[]);
    let last = joined(&dev).await;
    let url = last.url.clone();
    let kept = dev.read(&url, "risk", "ended").await.unwrap();
    assert_eq!(kept.body["status"]["phase"], json!("Succeeded"));
    assert_eq!(dev.read(&url, "risk", "lost").await.unwrap().status, 404);
    let token = format!("runnables?resourceVersion={}&resourceVersionMatch=NotOlderThan", lost.revision());
    let gone = dev.get(&url, &path(&token)).await.unwrap();
    assert_eq!((gone.status, &gone.body["reason"]), (410, &json!("Expired")), "{gone:?}");

    let before = jobs(&dev).await;
    let new = dev.submit(&url, "risk", &runnable("new", "10ms")).await.unwrap();
    assert_eq!(new.status, 201, "submissions are taken");
    let early = operator(&url, &["confirm"]).await;
    assert!(matches!(early.status.code(), Some(0 | 4)), "{early:?}");
    let status = done(&url, &["status"]).await;
    if early.status.code() == Some(4) {
        assert!(String::from_utf8_lossy(&early.stderr).contains("not been compared"), "{early:?}");
        assert!(status.contains("sends: no"), "{status}");
        let report = until("all clusters are compared", async || {
            let report = report(&url).await?;
            let all = report["clusters"].as_array()?.iter().all(|cluster| cluster["compared"] == json!(true));
            all.then_some(report)
        })
        .await;
        assert_eq!(report["confirmed"], json!(false));
        let names: Vec<&Value> = report["clusters"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|cluster| cluster["unknown"].as_array().unwrap())
            .map(|stray| &stray["name"])
            .collect();
        assert!(names.contains(&&json!("lost")), "what nobody accounts for is named: {report}");
        assert_eq!(report["waiting"]["runs"][0]["name"], json!("new"), "{report}");
        assert_eq!(dev.read(&url, "risk", "new").await.unwrap().body["status"]["phase"], json!("Accepted"));
        assert_eq!(jobs(&dev).await, before, "nothing was sent, and nothing deleted");
        done(&url, &["confirm"]).await;
    }
    dev.until_phase("risk", "new", "Succeeded").await;
    assert_eq!(dev.read(&url, "risk", "running").await.unwrap().body["status"]["phase"], json!("Running"));
    let mut expected = [before, vec!["new".to_owned()]].concat();
    expected.sort_unstable();
    assert_eq!(jobs(&dev).await, expected, "what ran runs on, and nothing twice");
    assert!(!done(&url, &["status"]).await.contains("sends: no"));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_lost_its_quorum_for_good_goes_on_with_one_replica() {
    let dev = Dev::start(&[]).await;
    let url = dev.leader().await.url;
    let blank = operator(&url, &["report"]).await;
    assert_eq!(blank.status.code(), Some(3), "there is nothing to confirm");
    let written = dev.submit(&url, "risk", &runnable("kept", "10ms")).await.unwrap();
    dev.until_phase("risk", "kept", "Succeeded").await;
    let one = dev.replicas().remove(0);
    let config = one.dir.join("config.toml");
    let config = if config.exists() { config } else { dev.dir.join("r1/config.toml") };
    let config = config.display().to_string();
    let token = format!(
        "namespaces/risk/runnables/kept?resourceVersion={}&resourceVersionMatch=NotOlderThan",
        written.revision()
    );
    until("it has it", async || dev.get(&one.url, &path(&token)).await.filter(|answer| answer.status == 200))
        .await;
    let in_use = operator(&url, &["recover", "--config", &config]).await;
    let words = String::from_utf8_lossy(&in_use.stderr).into_owned();
    assert!(in_use.status.code() == Some(1) && words.contains("another process uses it"), "{words}");

    let (dir, _temporary) = dev.stop_keeping().await;
    lose(&dir, &["r2", "r3"]);
    let begun = done(&url, &["recover", "--config", &config]).await;
    assert!(begun.contains("what was there before is in"), "{begun}");
    let dev = Dev::spawn_in(&dir, &[]);
    let last = joined(&dev).await;
    let kept = dev.get(&last.url, &path(&token)).await.unwrap();
    assert_eq!(kept.status, 200, "a token of what was kept is served: {kept:?}");
    let ready = dev.get(&last.url, "/readyz?verbose").await.unwrap();
    assert!(ready.body.as_str().unwrap().contains("tallyman operator confirm"), "{ready:?}");
    done(&last.url, &["confirm", "--without", "east", "--without", "west"]).await;
    dev.submit(&last.url, "risk", &runnable("new", "10ms")).await.unwrap();
    dev.until_phase("risk", "new", "Succeeded").await;
    let records = dev.get(&last.url, &path("auditrecords?limit=500")).await.unwrap();
    let verbs: Vec<&Value> =
        records.body["items"].as_array().unwrap().iter().map(|one| &one["spec"]["verb"]).collect();
    for verb in ["begin-lineage", "confirm-lineage"] {
        assert!(records.body.to_string().contains(verb), "{verb} is in the ledger: {verbs:?}");
    }
    dev.stop().await;
}

/// Until each of these runs has that phase.
async fn until_phases(dev: &Dev, names: &[&str], phase: &str) {
    for name in names {
        dev.until_phase("risk", name, phase).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_were_sent_after_the_backup_are_taken_over_and_each_exists_once() {
    let dev = Dev::start(&[]).await;
    let url = dev.leader().await.url;
    let cluster = async |url: &str, arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.arg("cluster").args(arguments).env("TALLYMAN_SERVER", url);
        assert!(timeout(PATIENCE, command.output()).await.unwrap().unwrap().status.success());
    };
    // They are taken, and wait.
    let clusters = ["east", "west"];
    for name in clusters {
        cluster(&url, &["cordon", name]).await;
    }
    let sent = ["sent-1", "sent-2", "sent-3", "sent-4"];
    for name in sent {
        dev.submit(&url, "risk", &runnable(name, "600s")).await.unwrap();
    }
    for name in ["ended", "unsent"] {
        dev.submit(&url, "risk", &runnable(name, "10ms")).await.unwrap();
    }
    let file = dev.dir.join("waiting.tallyman").display().to_string();
    done(&url, &["snapshot", "save", &file]).await;
    let mut stop = Command::new(binary());
    stop.args(["cancel", "risk/unsent"]).env("TALLYMAN_SERVER", &url);
    assert!(timeout(PATIENCE, stop.output()).await.unwrap().unwrap().status.success());
    for name in clusters {
        cluster(&url, &["uncordon", name]).await;
    }
    until_phases(&dev, &sent, "Running").await;
    dev.until_phase("risk", "ended", "Succeeded").await;
    let made = jobs(&dev).await;

    let (dir, _temporary) = dev.stop_keeping().await;
    lose(&dir, &["r1", "r2", "r3"]);
    let config = dir.join("r1/config.toml").display().to_string();
    done(&url, &["snapshot", "restore", &file, "--config", &config]).await;
    let dev = Dev::spawn_in(&dir, &[]);
    let url = joined(&dev).await.url;
    until_phases(&dev, &sent, "Running").await;
    dev.until_phase("risk", "ended", "Succeeded").await;
    let report = until("all clusters are compared", async || {
        let report = report(&url).await?;
        let all = report["clusters"].as_array()?.iter().all(|cluster| cluster["compared"] == json!(true));
        all.then_some(report)
    })
    .await;
    let adopted = report["changed"]["runs"].as_array().unwrap().iter();
    let adopted = adopted.filter(|run| run["adopted"] == json!(true)).count();
    assert_eq!((adopted, &report["confirmed"]), (5, &json!(false)), "{report}");
    assert_eq!(report["waiting"]["count"], json!(1), "only what was never sent: {report}");
    let words = done(&url, &["report"]).await;
    assert!(words.contains("taken over: it was sent after the backup"), "{words}");
    assert_eq!(jobs(&dev).await, made);
    done(&url, &["confirm"]).await;
    for name in clusters {
        cluster(&url, &["uncordon", name]).await;
    }
    dev.until_phase("risk", "unsent", "Succeeded").await;
    let mut expected = [made, vec!["unsent".to_owned()]].concat();
    expected.sort_unstable();
    assert_eq!(jobs(&dev).await, expected, "each once, over all clusters");
    dev.stop().await;
}
