//! The measurement: the group grows, and at each size everything is measured.

use crate::group::{Group, scrub_passes};
use crate::{machine, report, restarts, snapshots};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How long lists and reads are measured beside writes.
const SECONDS: u64 = 10;
/// How long idle replicas are watched: longer than a pass over all rows.
const IDLE_S: u64 = 30;

#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/bench/scale"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes and the whole machine: tests/bench/scale"]
async fn the_cost_of_an_inventory_as_it_grows() {
    let dir = PathBuf::from(variable("SCALE_DIR"));
    let steps: Vec<u64> = variable("SCALE_ROWS").split(',').map(|rows| rows.parse().unwrap()).collect();
    let churn: u64 = variable("SCALE_CHURN").parse().unwrap();
    let about = machine::describe(&dir);
    let mut group = Group::start(&dir.join("group")).await;
    let mut all = Vec::new();
    for rows in steps {
        let measured = step(&mut group, &dir, rows).await;
        eprintln!("{measured:#}");
        all.push(measured);
        report::write(&dir, &about, &all, None);
    }
    let after = churned(&mut group, churn).await;
    report::write(&dir, &about, &all, Some(&after));
    group.dev.stop().await;
}

fn say(what: &str, value: &Value) {
    eprintln!("{what}: {value}");
}

/// Grows the group to `rows`, and measures.
async fn step(group: &mut Group, dir: &std::path::Path, rows: u64) -> Value {
    // Of those that are cancelled there are two requests.
    let mut grown = Vec::new();
    while group.rows < rows {
        let requests = ((rows - group.rows) * 6 / 5).max(1).to_string();
        let grow = ["--clients", "128", "--duration", "3600s", "--requests", &requests];
        grown.push(group.fill(&grow).await["operations"].clone());
    }
    let mut found = json!({"rows": group.rows, "grown": grown});
    found["writes"] = group.fill(&["--clients", "128", "--duration", "5s"]).await["operations"].clone();
    say("writes", &found["writes"]);
    let (_, lists) = group.beside_writes("lists", &["--rate", "100", "--clients", "16"], SECONDS).await;
    found["lists"] = lists["operations"].clone();
    say("lists", &found["lists"]);
    let (_, gets) = group.beside_writes("gets", &["--rate", "1000", "--clients", "64"], SECONDS).await;
    found["gets"] = gets["operations"].clone();
    say("gets", &found["gets"]);
    found["snapshot"] = snapshots::measure(group, dir).await;
    say("snapshot", &found["snapshot"]);
    found["idleCores"] = json!(group.idle_cores(IDLE_S).await);
    found["sizes"] = group.sizes();
    say("sizes", &found["sizes"]);
    found["scrub"] = json!(scrub_passes(&group.dev.replicas()[0]).last());
    found["killedToReadySeconds"] = json!(restarts::killed(group).await);
    found["stoppedToReadySeconds"] = json!(restarts::stopped(group).await);
    found["withoutRowsToReadySeconds"] = json!(restarts::without_rows(group).await);
    found["sizesAfterRestart"] = group.sizes();
    found
}

/// Changes rows at random, and looks at the disk again.
async fn churned(group: &mut Group, changes: u64) -> Value {
    let load = ["--clients", "128", "--duration", "3600s", "--requests", &changes.to_string()];
    let report = group.bench("churn", &load).await;
    let found = json!({
        "changes": report["operations"], "seconds": report["seconds"],
        "rows": group.rows, "sizes": group.sizes(),
    });
    eprintln!("{found:#}");
    found
}
