//! Three Tallyman replicas, and `tallyman bench`.

use crate::compare::Figures;
use crate::dev::{Dev, binary};
use crate::machine::cpu_s;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tokio::process::Command;

pub(crate) struct Tallyman {
    dev: Dev,
}

impl Tallyman {
    pub(crate) async fn start(dir: &Path) -> Self {
        Self { dev: Self::fresh(dir).await }
    }

    /// A group in an empty directory.
    pub(crate) async fn fresh(dir: &Path) -> Dev {
        let _ = fs::remove_dir_all(dir);
        Dev::start_in(dir, &["--clusters", "1"]).await
    }

    pub(crate) async fn stop(self) {
        self.dev.stop().await;
    }

    pub(crate) fn pids(&self) -> Vec<i32> {
        self.dev.replicas().into_iter().map(|replica| replica.pid).collect()
    }

    pub(crate) async fn run(&self, workload: &str, clients: u64, seconds: f64) -> Figures {
        let servers: Vec<String> = self.dev.replicas().into_iter().map(|replica| replica.url).collect();
        let before = cpu_s(&self.pids());
        let output = Command::new(binary())
            .args(["bench", workload, "-o", "json", "--clients", &clients.to_string()])
            .args(["--duration", &format!("{}ms", (seconds * 1000.0) as u64), "--server", &servers.join(",")])
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{workload}: {}", String::from_utf8_lossy(&output.stderr));
        let cpu_s = cpu_s(&self.pids()) - before;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let operation = &report["operations"][if workload == "writes" { "write" } else { "read" }];
        let number = |value: &Value| value.as_f64().unwrap();
        let ok = number(&operation["ok"]);
        let answered: u64 = operation["codes"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert!(ok as u64 == answered && operation["lost"].as_object().unwrap().is_empty(), "{report:#}");
        Figures {
            per_second: number(&operation["perSecond"]),
            p50_ms: number(&operation["latencyMs"]["p50"]),
            p99_ms: number(&operation["latencyMs"]["p99"]),
            cpu_us: cpu_s * 1e6 / 3.0 / ok,
        }
    }
}
