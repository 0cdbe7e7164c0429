//! Nothing is sent for a while, as operators and users meet it.

use crate::client::run;
use crate::dev::{Dev, path, runnable, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_the_group_and_of_a_tenant_is_told_everywhere_and_ends_without_loss() {
    let dev = Dev::start(&[]).await;
    let url = dev.followers().await[0].url.clone();
    until("the group has seen that all its replicas know the command", async || {
        let paused = run(&dev, &["operator", "pause", "--reason", "the network is being worked on"]).await;
        (paused.code == 0).then_some(())
    })
    .await;
    assert_eq!(dev.submit(&url, "risk", &runnable("report", "10ms")).await.unwrap().status, 201);
    let status = run(&dev, &["operator", "status"]).await;
    assert!(status.out.contains("sends: no (paused by dev"), "{status:?}");
    assert!(status.out.contains("the network is being worked on"), "{status:?}");
    let ready = dev.http.get(format!("{url}/readyz?verbose")).send().await.unwrap().text().await.unwrap();
    assert!(ready.contains("sending paused: the group is paused by dev"), "{ready}");
    let waiting = until("the run says what it waits for", async || {
        let answer = dev.get(&url, &path("namespaces/risk/runnables/report")).await?;
        answer.body["status"]["waitingFor"].as_str().map(str::to_owned)
    })
    .await;
    assert!(waiting.contains("the network is being worked on"), "{waiting}");

    assert_eq!(run(&dev, &["operator", "pause", "--tenant", "risk"]).await.code, 0);
    assert_eq!(run(&dev, &["operator", "resume"]).await.code, 0);
    until("the tenant's own pause is told", async || {
        let answer = dev.get(&url, &path("namespaces/risk/runnables/report")).await?;
        (answer.body["status"]["reason"] == "Paused").then_some(())
    })
    .await;
    assert_eq!(dev.submit(&url, "desk", &runnable("other", "10ms")).await.unwrap().status, 201);
    dev.until_phase("desk", "other", "Succeeded").await;
    let status = run(&dev, &["operator", "status"]).await;
    assert!(status.out.contains("sends for risk: no (paused by dev"), "{status:?}");
    assert_eq!(run(&dev, &["operator", "resume", "--tenant", "risk"]).await.code, 0);
    dev.until_phase("risk", "report", "Succeeded").await;
}
