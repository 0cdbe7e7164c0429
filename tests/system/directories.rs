//! Data directories that are lost, or another group's.

use crate::secured::free_port;
use crate::dev::{Dev, PATIENCE, binary, path, runnable, signal, until};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::process::Stdio;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lost_its_directory_joins_under_a_new_id_and_the_old_one_leaves() {
    let dev = Dev::start(&[]).await;
    let lost = dev.followers().await.remove(0);
    let url = dev.leader().await.url;
    dev.submit(&url, "risk", &runnable("before", "10ms")).await.unwrap();
    signal(lost.pid, Signal::STOP);
    // Moved away while it stands still, so that nothing is written between the kill and the restart.
    fs::remove_dir_all(lost.dir.join("data")).or_else(|_| fs::remove_dir_all(&lost.dir)).unwrap();
    signal(lost.pid, Signal::KILL);

    let voters = until("a replica with a new id votes in its place", async || {
        let answer = dev.get(&dev.leader().await.url, &path("replicas")).await?;
        let items = answer.body["items"].as_array()?.clone();
        let voters: Vec<String> = items
            .iter()
            .filter(|item| item["status"]["role"] != json!("Learner"))
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        (voters.len() == 3 && !voters.contains(&lost.id)).then_some(voters)
    })
    .await;
    let new = until("dev.json names it", async || {
        dev.replicas().into_iter().find(|replica| replica.url == lost.url && voters.contains(&replica.id))
    })
    .await;
    assert_ne!(new.id, lost.id);
    let found = until("it shows what was written before", async || {
        dev.read(&new.url, "risk", "before").await.filter(|answer| answer.status == 200)
    })
    .await;
    assert_eq!(found.header("tallyman-served-by"), new.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_another_group_is_refused_with_what_to_do() {
    let one = Dev::start(&[]).await;
    let (one_dir, _one) = one.stop_keeping().await;
    let other = Dev::start(&[]).await;
    let (other_dir, _other) = other.stop_keeping().await;

    // r1 of one group starts on the disk of r1 of the other, among its own peers.
    let (mine, foreign) = (one_dir.join("r1"), other_dir.join("r1"));
    let config = fs::read_to_string(mine.join("config.toml")).unwrap();
    let foreign_data = foreign.join("data");
    let data = if foreign_data.exists() { foreign_data } else { foreign };
    // Ports of its own: the replica whose place it takes is only frozen.
    let config: String = config
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some(("data_dir", _)) => format!("data_dir = {data:?}\n"),
            Some((key @ ("api_listen" | "peer_listen"), _)) => format!("{key} = \"127.0.0.1:{}\"\n", free_port()),
            _ => format!("{line}\n"),
        })
        .collect();
    let file = mine.join("foreign.toml");
    fs::write(&file, config).unwrap();
    let peers = Dev::start_in(&one_dir, &[]).await;
    let peer = peers.replicas().into_iter().find(|replica| replica.id == "r1").unwrap();
    signal(peer.pid, Signal::STOP);
    let mut command = Command::new(binary());
    command.arg("server").arg("--config").arg(&file).stdin(Stdio::piped()).kill_on_drop(true);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it does not stay").unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(said.contains("group"), "{said}");
    signal(peer.pid, Signal::CONT);
}
