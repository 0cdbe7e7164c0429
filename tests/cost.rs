//! What a write costs, and what becomes of twice the load that saturates. It reports and judges no time: a machine's
//! speed is nobody's mistake. What it does judge holds at any speed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "system/dev.rs"]
mod dev;
#[path = "bench/machine.rs"]
mod machine;

use dev::{Dev, binary};
use machine::cpu_s;
use serde_json::Value;
use tokio::process::Command;

/// Clients whose writes keep a small machine busy.
const CLIENTS: u32 = 512;
/// Clients of the load that is too much: more than all replicas let in at a time.
const CLIENTS_TOO_MANY: u32 = 6_000;

/// What a load met.
struct Load {
    written: f64,
    refused: f64,
    per_second: f64,
    p99_ms: f64,
    /// Of all replicas.
    cpu_s: f64,
}

async fn load(dev: &Dev, args: &[&str]) -> Load {
    let (servers, pids): (Vec<String>, Vec<i32>) =
        dev.replicas().into_iter().map(|replica| (replica.url, replica.pid)).unzip();
    let before = cpu_s(&pids);
    let mut command = Command::new(binary());
    command.args(["bench", "writes", "-o", "json", "--server", &servers.join(",")]).args(args);
    let output = command.kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cpu_s = cpu_s(&pids) - before;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let writes = &report["operations"]["write"];
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let (written, refused) = (number(&writes["codes"]["201"]), number(&writes["codes"]["429"]));
    let answered: f64 = writes["codes"].as_object().unwrap().values().map(number).sum();
    assert_eq!((answered, &writes["lost"]), (written + refused, &serde_json::json!({})), "{report:#}");
    let per_second = written / number(&report["seconds"]);
    Load { written, refused, per_second, p99_ms: number(&writes["latencyMs"]["p99"]), cpu_s }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the whole machine: see CONTRIBUTING.md"]
async fn at_twice_the_load_that_saturates_all_is_written_or_refused_and_nothing_is_refused_after_it() {
    let dev = Dev::start(&["--clusters", "1"]).await;
    let clients = CLIENTS.to_string();
    let usual = ["--clients", &clients, "--duration", "5s"];
    let full = load(&dev, &usual).await;
    let cost_us = |load: &Load| load.cpu_s * 1e6 / 3.0 / load.written;
    eprintln!(
        "{CLIENTS} clients: {:.0} writes/s, p99 {:.0} ms, {:.0} us CPU a write and replica",
        full.per_second,
        full.p99_ms,
        cost_us(&full)
    );
    let (clients, rate) = (CLIENTS_TOO_MANY.to_string(), format!("{:.0}", full.per_second * 2.0));
    let much = load(&dev, &["--clients", &clients, "--rate", &rate, "--duration", "8s"]).await;
    eprintln!(
        "{rate} a second: {:.0} writes/s ({:.0} %), p99 {:.0} ms, {:.0} refused with 429, {:.0} us CPU a write and \
         replica with what refusing cost",
        much.per_second,
        much.per_second * 100.0 / full.per_second,
        much.p99_ms,
        much.refused,
        cost_us(&much)
    );
    let after = load(&dev, &usual).await;
    eprintln!("{CLIENTS} clients right after that: {:.0} writes/s", after.per_second);
    assert_eq!((full.refused, after.refused), (0.0, 0.0), "refused before or after");
    assert!(much.refused > 0.0, "it was not too much");
    dev.stop().await;
}
