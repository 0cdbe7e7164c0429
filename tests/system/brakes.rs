//! Stopping much at once, as operators meet it.

use crate::client::run;
use crate::dev::{Dev, path, runnable, until};
use serde_json::json;

const RUNS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mass_cancel_waits_for_an_operator_who_sees_why_and_agrees() {
    let dev = Dev::start(&["--clusters", "1"]).await;
    let url = dev.leader().await.url;
    for i in 0..RUNS {
        let mut body = runnable(&format!("run-{i}"), "1h");
        body["metadata"]["labels"] = json!({"desk": "rates"});
        assert_eq!(dev.submit(&url, "risk", &body).await.unwrap().status, 201);
    }
    let in_phase = async |phase: &str| {
        let query = format!("namespaces/risk/runnables?fieldSelector=status.phase%3D{phase}");
        Some(dev.get(&url, &path(&query)).await?.body["items"].as_array()?.len())
    };
    until("all run", async || (in_phase("Running").await? == RUNS).then_some(())).await;
    let cancelled = run(&dev, &["cancel", "-n", "risk", "-l", "desk=rates", "--yes"]).await;
    assert_eq!(cancelled.code, 0, "{cancelled:?}");
    let said = until("the brake is engaged", async || {
        let status = run(&dev, &["operator", "status"]).await;
        status
            .out
            .lines()
            .find(|line| line.starts_with("stops for east: no (50 submissions"))
            .map(str::to_owned)
    })
    .await;
    assert!(said.contains("tallyman operator confirm-stops --cluster east"), "{said}");
    until("those before it have stopped", async || (in_phase("Cancelled").await? == 50).then_some(())).await;
    assert_eq!(in_phase("Stopping").await.unwrap(), RUNS - 50);
    let cluster = dev.get(&url, &path("clusters/east")).await.unwrap();
    assert!(cluster.body["status"]["brake"].as_str().unwrap().contains("50 submissions"), "{cluster:?}");
    let confirm = ["operator", "confirm-stops", "--cluster", "east", "--reason", "all of it is to go"];
    let agreed = run(&dev, &confirm).await;
    assert_eq!(agreed.code, 0, "{agreed:?}");
    until("the others have stopped", async || (in_phase("Cancelled").await? == RUNS).then_some(())).await;
    assert_eq!(run(&dev, &confirm).await.code, 4, "nothing waits any more");
}
