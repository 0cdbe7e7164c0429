//! Data directories that are lost, or another group's.

use crate::dev::{Dev, path, runnable, signal, until};
use rustix::process::Signal;
use serde_json::json;
use std::fs;

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
    let (dir, _temporary) = Dev::start(&[]).await.stop_keeping().await;
    // Another group at the same addresses, and then the first one's r1 among it.
    let (mine, kept) = (dir.join("r1/data"), dir.join("kept"));
    fs::rename(&mine, &kept).unwrap();
    ["r2/data", "r3/data"].iter().for_each(|data| fs::remove_dir_all(dir.join(data)).unwrap());
    Dev::start_in(&dir, &[]).await.stop().await;
    fs::remove_dir_all(&mine).unwrap();
    fs::rename(&kept, &mine).unwrap();

    let dev = Dev::spawn_in(&dir, &[]);
    let stranger =
        until("the replicas run", async || dev.replicas().into_iter().find(|one| one.id == "r1")).await;
    let said = until("its peers have refused it and it says so", async || {
        let answer = dev.get(&stranger.url, "/operator/status").await?;
        answer.body["refusedByPeer"].as_str().map(str::to_owned)
    })
    .await;
    assert!(said.contains("group"), "{said}");
    let read = dev.get(&stranger.url, &path("runnables")).await.unwrap();
    assert_eq!(read.status, 503, "{read:?}");
    let ready = dev.get(&stranger.url, "/readyz").await.unwrap();
    assert_eq!(ready.status, 503, "{ready:?}");
    until("the two others serve", async || {
        let url = &dev.replicas()[1].url;
        dev.get(url, &path("runnables")).await.filter(|answer| answer.status == 200)
    })
    .await;
}
