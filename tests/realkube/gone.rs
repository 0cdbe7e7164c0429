//! A cluster that is out of reach for the whole time that a run should have taken.

use crate::dev::path;
use crate::stage::{Run, on_west, run, within};

const HERE: &str = "gone";

/// Older than the status of a cluster in reach ever is, though nothing happens there: its cursor moves each 15 s. So
/// when a status is this old, its cluster has been known for seconds to be away.
const OLD_MS: u64 = 30_000;

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_status_is_shown_with_its_age_while_the_cluster_is_away_and_debts_are_paid_on_its_return() {
    on_west(async |stage| {
        stage.west.namespace(HERE).await;
        for (name, duration) in [("short", "15s"), ("debt", "1h")] {
            stage.submit(HERE, &run(name, "west", duration)).await;
        }
        for name in ["short", "debt"] {
            stage.until_phase(HERE, name, "Running").await;
        }
        stage.west.kill("kube-apiserver", "KILL").await;
        // What was under way says that its connection broke; what comes after it, that there is none.
        let away = |run: &Run| {
            let words = run.condition("ClusterReachable");
            words.starts_with("False Unreachable: west has been out of reach since")
                && words.contains("no connection")
        };
        stage.until_run(HERE, "short", "has a cluster that is away", away).await;
        // It should have ended long ago; nobody knows, so nobody says so.
        let answer = within("the status is older than the run should be", async || {
            let answer = stage.read(HERE, "short").await?;
            let age_ms: u64 = answer.header("tallyman-oldest-cluster-ms").parse().ok()?;
            (age_ms > OLD_MS).then_some(answer)
        })
        .await;
        assert_eq!(Run(answer.body).phase(), "Running");

        // A removal is owed, and new work is taken.
        stage.delete(HERE, "debt").await;
        stage.submit(HERE, &run("next", "west", "1s")).await;
        let owed = |run: &Run| run.condition("ObjectsRemoved").contains("waits for cluster \"west\"");
        stage.until_run(HERE, "debt", "is owed", owed).await;
        let waits = |run: &Run| run.message().contains("west is out of reach");
        let next = stage.until_run(HERE, "next", "waits for its cluster", waits).await;
        next.is("Accepted", "NoCluster", &["no cluster takes it now"]);
        let west = stage.cluster("west").await;
        assert_eq!(west["status"]["reachable"], false);

        stage.west.restart("kube-apiserver").await;
        stage.until_phase(HERE, "short", "Succeeded").await;
        stage.until_phase(HERE, "next", "Succeeded").await;
        stage.until_gone(HERE, "debt").await;
        assert!(stage.west.find(HERE, "job", "debt").await.is_none(), "the debt is paid");
        let fresh = within("the status is fresh", async || {
            let answer = stage.dev.get(&stage.dev.replicas()[0].url, &path("clusters/west")).await?;
            let age_ms: u64 = answer.header("tallyman-oldest-cluster-ms").parse().ok()?;
            (age_ms < 10_000).then_some(answer)
        })
        .await;
        assert_eq!(fresh.body["status"]["reachable"], true);
    });
}
