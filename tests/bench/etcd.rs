//! Three etcd nodes, and etcd's own benchmark tool.

use crate::compare::Figures;
use crate::dev::until;
use crate::machine::cpu_s;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// The key that is read, and what its gateway takes for it: keys and values in base64.
const KEY: &str = "read";
const KEY_BASE64: &str = "cmVhZA==";

pub(crate) struct Etcd {
    nodes: Vec<Child>,
    endpoints: String,
    tool: PathBuf,
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Etcd {
    /// Three nodes with their default settings, ready for writes.
    pub(crate) async fn start(bin: &Path, dir: &Path) -> Self {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir).unwrap();
        let ports: Vec<(u16, u16)> = (0..3).map(|_| (port(), port())).collect();
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let members = (1..).zip(&ports).map(|(number, (_, peer))| format!("e{number}={}", url(*peer)));
        let members = members.collect::<Vec<_>>().join(",");
        let node = |(number, (client, peer)): (usize, &(u16, u16))| {
            let log = fs::File::create(dir.join(format!("e{number}.log"))).unwrap();
            Command::new(bin.join("etcd"))
                .args(["--name", &format!("e{number}"), "--log-level", "warn"])
                .arg("--data-dir")
                .arg(dir.join(format!("e{number}")))
                .args(["--listen-client-urls", &url(*client), "--advertise-client-urls", &url(*client)])
                .args(["--listen-peer-urls", &url(*peer), "--initial-advertise-peer-urls", &url(*peer)])
                .args(["--initial-cluster", &members, "--initial-cluster-state", "new"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
                .unwrap()
        };
        let nodes: Vec<Child> = (1..).zip(&ports).map(node).collect();
        let endpoints: Vec<String> = ports.iter().map(|(client, _)| format!("127.0.0.1:{client}")).collect();
        let etcd = Self { nodes, endpoints: endpoints.join(","), tool: bin.join("benchmark") };
        let http = crate::dev::client();
        until("etcd is healthy", async || {
            for endpoint in &endpoints {
                let answer = http.get(format!("http://{endpoint}/health")).send().await.ok()?;
                answer.status().is_success().then_some(())?;
            }
            Some(())
        })
        .await;
        let put = json!({"key": KEY_BASE64, "value": "eHh4".repeat(171)}).to_string();
        let gateway = format!("http://{}/v3/kv/put", endpoints[0]);
        let answer = http.post(gateway).body(put).send().await.expect("etcd takes a put");
        assert!(answer.status().is_success(), "{answer:?}");
        etcd
    }

    pub(crate) fn pids(&self) -> Vec<i32> {
        self.nodes.iter().filter_map(Child::id).map(|pid| pid as i32).collect()
    }

    /// Puts of new keys with values of 512 bytes.
    pub(crate) async fn put(&self, clients: u64, total: u64) -> Figures {
        let arguments =
            ["put", "--key-size=32", "--val-size=512", "--sequential-keys", "--key-space-size=100000000"];
        self.run(&arguments, clients, total).await
    }

    /// Reads of one key with a value of 513 bytes.
    pub(crate) async fn range(&self, consistency: &str, clients: u64, total: u64) -> Figures {
        self.run(&["range", KEY, &format!("--consistency={consistency}")], clients, total).await
    }

    async fn run(&self, arguments: &[&str], clients: u64, total: u64) -> Figures {
        let before = cpu_s(&self.pids());
        let output = Command::new(&self.tool)
            .args(arguments)
            .args(["--precise", &format!("--endpoints={}", self.endpoints), &format!("--total={total}")])
            .args([format!("--clients={clients}"), format!("--conns={clients}")])
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let number = |before: &str, after: &str| -> f64 {
            let line = said.lines().find(|line| line.contains(before) && line.contains(after));
            let line = line.unwrap_or_else(|| panic!("no {before:?} in {said}"));
            let rest = line.split(before).nth(1).unwrap();
            rest.trim().split(after).next().unwrap().trim().parse().unwrap()
        };
        let cpu_us = (cpu_s(&self.pids()) - before) * 1e6 / 3.0 / total as f64;
        Figures {
            per_second: number("Requests/sec:", "\t"),
            p50_ms: number("50% in", "secs") * 1000.0,
            p99_ms: number("99% in", "secs") * 1000.0,
            cpu_us,
        }
    }
}
