//! Programs written with Kubernetes' own client library for Go, against a group of real processes.

use crate::dev::Dev;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// The library is compiled first, unless `realkube build` has done so.
const GO_MAX: Duration = Duration::from_secs(900);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn programs_written_with_client_go_work_through_killed_replicas() {
    let dev = Dev::start(&[]).await;
    let mut go = Command::new("go");
    go.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/realkube")).kill_on_drop(true);
    go.args(["test", "-trimpath", "-mod=readonly", "-count=1", "-v", "./clients"]);
    // As `realkube build` compiles, so that its results are used.
    go.envs([("CGO_ENABLED", "0"), ("GOWORK", "off")]);
    // An informer's streaming list is compared with a list of the same revision; a difference is a panic.
    go.env("KUBE_WATCHLIST_INCONSISTENCY_DETECTOR", "true").env("DEV_JSON", dev.dir.join("dev.json"));
    let output = timeout(GO_MAX, go.output()).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("--- SKIP") && said.contains("--- PASS"), "{said}");
}
