//! Three replicas on three machines.

use crate::dev::{LastWords, binary, client, until};
use crate::machine::Machine;
use crate::wires::{self, Wires};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use tokio::process::Command;

/// Ports below those that the system gives to outgoing connections, so that none is taken while its replica is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

pub(crate) struct Group {
    pub(crate) machines: Vec<Machine>,
    pub(crate) wires: Wires,
    pub(crate) urls: Vec<String>,
    pub(crate) http: reqwest::Client,
    /// Given to every replica that is started.
    pub(crate) environment: Vec<(String, String)>,
    /// How the file systems are mounted.
    pub(crate) options: String,
    _says: LastWords,
}

impl Group {
    /// A new group in a folder, ready for writes.
    pub(crate) async fn start(dir: &Path, options: &str, environment: Vec<(String, String)>) -> Self {
        let ports = free_ports(6);
        let peers: Vec<String> = ports[..3].iter().map(|port| format!("{}:{port}", wires::HOST)).collect();
        let wires = Wires::lay(&ports[..3]).await;
        let mut machines = Vec::new();
        for i in 0..peers.len() {
            let home = dir.join(format!("r{}", i + 1));
            let machine = Machine::make(&home).unwrap();
            let config = format!(
                "group = \"powercut\"\ndatacenter = \"dc{}\"\ndata_dir = {:?}\napi_listen = \"127.0.0.1:{}\"\n\
                 peer_listen = \"127.0.0.1:{}\"\nadvertise = {:?}\npeers = {peers:?}\n",
                i + 1,
                machine.mount().join("data"),
                ports[i + 3],
                ports[i],
                wires::HOST,
            );
            fs::write(home.join("config.toml"), config).unwrap();
            machines.push(machine);
        }
        let urls = ports[3..].iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
        let (environment, options) = (environment, options.to_owned());
        let mut group =
            Self { machines, wires, urls, http: client(), environment, options, _says: LastWords::of(dir) };
        for i in 0..group.machines.len() {
            group.start_one(i).await;
        }
        group.found().await;
        group.until_ready().await;
        group
    }

    pub(crate) async fn start_one(&mut self, i: usize) {
        let config = self.machines[i].home.join("config.toml").display().to_string();
        let program = [binary(), "server", "--parent-pipe", "--config", &config].map(str::to_owned);
        self.machines[i].start(&self.options, &program, &self.environment).await;
        self.wires.belongs(i, self.machines[i].pid());
    }

    async fn found(&self) {
        let mut init = Command::new(binary());
        init.args(["operator", "init", "--expect", "3", "--wait", "1m", "--server", &self.urls.join(",")]);
        let output = init.kill_on_drop(true).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a replica says of itself.
    pub(crate) async fn status(&self, url: &str) -> Option<Value> {
        let answer = self.http.get(format!("{url}/operator/status")).send().await.ok()?;
        if answer.status() == 200 { answer.json().await.ok() } else { None }
    }

    pub(crate) async fn is_ready(&self, url: &str) -> bool {
        let answer = self.http.get(format!("{url}/readyz")).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    pub(crate) async fn until_ready(&mut self) {
        until("all replicas are ready", async || {
            assert!(!self.machines.iter_mut().any(Machine::has_ended), "a replica ended by itself");
            for url in &self.urls {
                self.is_ready(url).await.then_some(())?;
            }
            Some(())
        })
        .await;
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let start = PORTS.start + (std::process::id() % 8_000) as u16;
    let is_free = |port: &u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).is_ok();
    let found: Vec<u16> = (start..PORTS.end).filter(is_free).take(count).collect();
    assert_eq!(found.len(), count, "no free ports");
    found
}
