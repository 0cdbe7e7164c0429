//! The group that is filled, and loads on it.

use crate::dev::{Dev, Replica, binary};
use crate::machine::{cpu_s, resident_mib};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tokio::process::Command;
use tokio::time::{Duration, Instant, sleep};

/// What the write load beside other measurements sends, a second.
pub(crate) const WRITES_PER_S: u64 = 1000;

pub(crate) struct Group {
    pub(crate) dev: Dev,
    /// Rows that `fill` has made.
    pub(crate) rows: u64,
}

impl Group {
    pub(crate) async fn start(dir: &Path) -> Self {
        let _ = fs::remove_dir_all(dir);
        let mut command = Command::new(binary());
        command.env("TALLYMAN_LOG", "info,tallyman_raft::group::scrub=debug");
        let dev = Dev::spawn(command, dir, &["--clusters", "1"]);
        dev.wait_ready().await;
        Self { dev, rows: 0 }
    }

    pub(crate) fn pids(&self) -> Vec<i32> {
        self.dev.replicas().into_iter().map(|replica| replica.pid).collect()
    }

    pub(crate) fn servers(&self) -> String {
        let urls: Vec<String> = self.dev.replicas().into_iter().map(|replica| replica.url).collect();
        urls.join(",")
    }

    /// Runs a load and gives its report.
    pub(crate) async fn bench(&self, workload: &str, arguments: &[&str]) -> Value {
        let output = Command::new(binary())
            .args(["bench", workload, "-o", "json", "--rows", &self.rows.to_string()])
            .args(["--server", &self.servers()])
            .args(arguments)
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{workload}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Makes rows; gives the report.
    pub(crate) async fn fill(&mut self, arguments: &[&str]) -> Value {
        let report = self.bench("fill", arguments).await;
        self.rows += report["operations"]["write"]["ok"].as_u64().unwrap();
        report
    }

    /// Runs another load beside the usual write load, for `seconds`; gives what came of the writes and of it.
    pub(crate) async fn beside_writes(
        &mut self,
        workload: &str,
        arguments: &[&str],
        seconds: u64,
    ) -> (Value, Value) {
        let duration = format!("{seconds}s");
        let rate = WRITES_PER_S.to_string();
        let writes = ["--rate", &rate, "--clients", "64", "--duration", &duration];
        let other = [arguments, &["--duration", &duration]].concat();
        let (writes, other) = tokio::join!(self.bench("fill", &writes), self.bench(workload, &other));
        self.rows += writes["operations"]["write"]["ok"].as_u64().unwrap();
        (writes, other)
    }

    /// What each replica holds, in memory and on disk.
    pub(crate) fn sizes(&self) -> Value {
        let all = self.dev.replicas();
        let data =
            |part: &str| -> Vec<f64> { all.iter().map(|replica| du_mib(&replica.dir.join(part))).collect() };
        json!({
            "residentMib": resident_mib(&self.pids()),
            "inventoryMib": data("inventory"),
            "logMib": data("log"),
            "changesMib": data("changes"),
            "ledgerMib": data("ledger"),
            "snapshotsMib": data("snapshots"),
        })
    }

    /// Shares of a core that each replica takes while nothing is asked.
    pub(crate) async fn idle_cores(&self, seconds: u64) -> Vec<f64> {
        let pids = self.pids();
        let of = || pids.iter().map(|pid| cpu_s(&[*pid])).collect::<Vec<_>>();
        let (before, start) = (of(), Instant::now());
        sleep(Duration::from_secs(seconds)).await;
        let took_s = start.elapsed().as_secs_f64();
        of().iter().zip(before).map(|(after, before)| (after - before) / took_s).collect()
    }
}

/// MiB that the files of a directory take, as `du` counts.
fn du_mib(dir: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = fs::read_dir(dir) else { return 0.0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => du_mib(&entry.path()),
        Ok(metadata) => metadata.blocks() as f64 * 512.0 / 1024.0 / 1024.0,
        Err(_) => 0.0,
    };
    entries.flatten().map(of).sum()
}

/// How long passes over all rows took, as the replicas' logs say, newest last.
pub(crate) fn scrub_passes(replica: &Replica) -> Vec<String> {
    let log = fs::read_to_string(replica.dir.with_file_name("server.log")).unwrap_or_default();
    log.lines().filter(|line| line.contains("the rows are whole")).map(str::to_owned).collect()
}
