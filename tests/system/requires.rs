//! A run that requires a deployable, as users meet it, while leaders are killed.

use crate::deployable::{deployable, is_synced, kill_leader, send, until_it};
use crate::dev::{Dev, runnable, until};
use serde_json::{Value, json};

/// Waits until the run says so on every replica.
async fn until_said(dev: &Dev, words: &str) -> Value {
    until(words, async || {
        let mut said = None;
        for replica in dev.replicas() {
            let document = dev.read(&replica.url, "risk", "report").await?.body;
            document["status"]["message"].as_str().filter(|message| message.contains(words))?;
            said = Some(document);
        }
        said
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_starts_where_the_deployable_that_it_requires_is_at_its_revision_while_leaders_are_killed() {
    let dev = Dev::start(&[]).await;
    let mut run = runnable("report", "1s");
    run["spec"]["requires"] = json!([{"deployable": "settings", "revision": 2}]);
    run["spec"]["placement"] = json!({"clusters": ["west"]});
    until("the group is at the version that this takes", async || {
        let answer = dev.submit(&dev.leader().await.url, "risk", &run).await?;
        (answer.status == 201).then_some(())
    })
    .await;
    let waits = until_said(&dev, "west lacks deployable settings (there is none of that name)").await;
    assert_eq!(waits["status"]["phase"], "Accepted", "{waits:#}");
    assert_eq!(waits["status"]["reason"], "AwaitingDeployable");
    assert_eq!(waits["spec"]["requires"], run["spec"]["requires"]);

    send(&dev, reqwest::Method::POST, "", &deployable("info")).await;
    until_it(&dev, "it is on both clusters", |body| is_synced(body, 1)).await;
    kill_leader(&dev).await;
    until_said(&dev, "west lacks deployable settings (revision 1 is there and not 2)").await;
    send(&dev, reqwest::Method::PUT, "/settings", &deployable("debug")).await;
    kill_leader(&dev).await;
    dev.until_phase("risk", "report", "Succeeded").await;
    until_it(&dev, "the second revision is on both clusters", |body| is_synced(body, 2)).await;
}
