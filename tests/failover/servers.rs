//! Three servers by hand, near each other or far apart.

use crate::dev::{PATIENCE, answer, binary, client, port, signal, until};
use crate::ways::Way;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Where the peers reach a server: the proxies' side of loopback, or its own.
const FAR: &str = "127.0.0.2";
const NEAR: &str = "127.0.0.1";

pub(crate) struct Servers {
    dir: TempDir,
    http: reqwest::Client,
    pub(crate) urls: Vec<String>,
    children: Vec<Child>,
    _ways: Vec<Way>,
}

impl Servers {
    /// A founded group of three; with `round_trip` between any two of them, if that is given.
    pub(crate) async fn founded(round_trip: Option<Duration>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = if round_trip.is_some() { FAR } else { NEAR };
        let ports: Vec<(u16, u16)> = (0..3).map(|_| (port(), port())).collect();
        let peers: Vec<String> = ports.iter().map(|(_, peer)| format!("{host}:{peer}")).collect();
        let mut ways = Vec::new();
        for (i, (api, peer)) in ports.iter().enumerate() {
            let listen = format!("{NEAR}:{peer}");
            let config = format!(
                "group = \"far\"\ndatacenter = \"dc{i}\"\ndata_dir = {:?}\napi_listen = \"{NEAR}:{api}\"\n\
                 peer_listen = {listen:?}\nadvertise = {host:?}\npeers = {peers:?}\n",
                dir.path().join(format!("data{i}")),
            );
            fs::write(dir.path().join(format!("{i}.toml")), config).unwrap();
            if let Some(round_trip) = round_trip {
                let address = |text: &str| text.parse::<SocketAddr>().unwrap();
                ways.push(Way::open(address(&peers[i]), address(&listen), round_trip).await);
            }
        }
        let urls: Vec<String> = ports.iter().map(|(api, _)| format!("http://{NEAR}:{api}")).collect();
        let children = (0..3).map(|i| spawn(dir.path(), i)).collect();
        let servers = Self { dir, http: client(), urls, children, _ways: ways };
        let mut init = Command::new(binary());
        init.args(["operator", "init", "--expect", "3", "--wait", "60s"]);
        let made = init.env("TALLYMAN_SERVER", servers.urls.join(",")).output();
        let made = timeout(PATIENCE, made).await.expect("the client answers").unwrap();
        assert!(made.status.success(), "{made:?}");
        servers.ready().await;
        servers
    }

    /// Sends `how` to a server, and waits until it has ended.
    pub(crate) async fn end(&mut self, i: usize, how: Signal) {
        signal(self.children[i].id().unwrap() as i32, how);
        // Waiting closes the child's input, at which it would stop too.
        let input = self.children[i].stdin.take();
        timeout(PATIENCE, self.children[i].wait()).await.expect("it ends").unwrap();
        drop(input);
    }

    /// Starts a server that has ended.
    pub(crate) fn start(&mut self, i: usize) {
        self.children[i] = spawn(self.dir.path(), i);
    }

    /// The process of a server.
    pub(crate) fn pid(&self, i: usize) -> i32 {
        self.children[i].id().unwrap() as i32
    }

    /// What a server has of the group, on disk.
    pub(crate) fn data(&self, i: usize) -> PathBuf {
        self.dir.path().join(format!("data{i}"))
    }

    /// The status of the answer to a GET.
    pub(crate) async fn get(&self, i: usize, path: &str) -> Option<u16> {
        Some(answer(self.http.get(format!("{}{path}", self.urls[i]))).await?.status)
    }

    pub(crate) async fn status(&self, i: usize) -> Option<Value> {
        Some(answer(self.http.get(format!("{}/operator/status", self.urls[i]))).await?.body)
    }

    /// The place of the leader.
    pub(crate) async fn leader(&self) -> usize {
        until("somebody leads", async || {
            for i in 0..self.urls.len() {
                if self.status(i).await.is_some_and(|status| status["role"] == json!("leader")) {
                    return Some(i);
                }
            }
            None
        })
        .await
    }

    /// The term that all are in.
    pub(crate) async fn term(&self) -> u64 {
        until("all are in one term", async || {
            let first = self.status(0).await?["term"].as_u64()?;
            for i in 1..self.urls.len() {
                (self.status(i).await?["term"].as_u64()? == first).then_some(())?;
            }
            Some(first)
        })
        .await
    }

    /// Waits until all serve.
    pub(crate) async fn ready(&self) {
        until("all are ready", async || {
            for url in &self.urls {
                let answer = answer(self.http.get(format!("{url}/readyz"))).await?;
                (answer.status == 200).then_some(())?;
            }
            Some(())
        })
        .await;
    }

    /// Has the leader hand over, asked through another server; true if it did.
    pub(crate) async fn hand_over(&self, leader: usize) -> bool {
        let url = &self.urls[(leader + 1) % self.urls.len()];
        let request = self.http.post(format!("{url}/operator/transfer-leader"));
        answer(request).await.is_some_and(|answer| answer.status == 200)
    }
}

fn spawn(dir: &Path, i: usize) -> Child {
    let log = fs::File::options().create(true).append(true).open(dir.join(format!("{i}.log"))).unwrap();
    let mut command = Command::new(binary());
    command.args(["server", "--parent-pipe", "--config"]).arg(dir.join(format!("{i}.toml")));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    command.spawn().unwrap()
}

impl Drop for Servers {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for i in 0..self.urls.len() {
            let said = fs::read_to_string(self.dir.path().join(format!("{i}.log"))).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            eprintln!("--- {i}.log\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}
