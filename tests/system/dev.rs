//! A `tallyman dev` of one test, and what tests do to it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Once, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long anything that a test waits for may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(20);

/// Waits until `condition` gives something.
pub(crate) async fn until<T>(what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, condition).await
}

/// The same with other patience.
pub(crate) async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {patience:?} in vain until {what}");
        sleep(STEP).await;
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) pid: i32,
    pub(crate) dir: PathBuf,
}

pub(crate) struct Dev {
    child: Child,
    _says: LastWords,
    pub(crate) dir: PathBuf,
    pub(crate) http: reqwest::Client,
    _temporary: Option<TempDir>,
}

/// Replicas that a test has at most.
const REPLICAS_MAX: u16 = 7;

/// An answer: status, headers and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.body["metadata"]["resourceVersion"].as_str().unwrap_or_default().parse().unwrap_or(0)
    }
}

/// The program that is tested; `TALLYMAN_BIN` names another one, as one that was built for release.
pub(crate) fn binary() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    #[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
    let named =
        || std::env::var("TALLYMAN_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tallyman").to_owned());
    BINARY.get_or_init(named)
}

/// A port that nobody listens on, and that no connection is given while its server is down: below those that the system
/// gives by itself.
pub(crate) fn port() -> u16 {
    ports(1)
}

/// The first of so many such ports, one after the other. None is given twice: who is stopped and started again has its own.
fn ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(count, Ordering::SeqCst)) % 10_000;
        if (port..port + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
}

pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap()
}

impl Dev {
    /// Three replicas and two clusters in a new directory, ready for writes.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("dev");
        let mut dev = Self::start_in(&dir, arguments).await;
        dev._temporary = Some(temporary);
        dev
    }

    /// The same in a directory that may have been used before.
    pub(crate) async fn start_in(dir: &Path, arguments: &[&str]) -> Self {
        let dev = Self::spawn_in(dir, arguments);
        dev.wait_ready().await;
        dev
    }

    /// The same, not waited for.
    pub(crate) fn spawn_in(dir: &Path, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(binary()), dir, arguments)
    }

    /// The same with a command that runs the program, under another one for example.
    pub(crate) fn spawn(mut command: Command, dir: &Path, arguments: &[&str]) -> Self {
        let _ = fs::remove_file(dir.join("dev.json"));
        command.args(["dev", "--parent-pipe", "--dir"]).arg(dir).args(arguments);
        // A directory that was used before has its ports.
        if !dir.join("r1").exists() {
            command.args(["--api-port", &ports(REPLICAS_MAX).to_string()]);
        }
        fs::create_dir_all(dir).unwrap();
        let log = |name: &str| {
            let file = fs::OpenOptions::new().create(true).append(true).open(dir.join(name));
            Stdio::from(file.unwrap())
        };
        command.stdin(Stdio::piped()).stdout(log("stdout")).stderr(log("stderr")).kill_on_drop(true);
        let child = command.spawn().unwrap();
        Self { child, _says: LastWords::of(dir), dir: dir.to_owned(), http: client(), _temporary: None }
    }

    pub(crate) async fn wait_ready(&self) {
        until("all replicas are ready", async || {
            let replicas = self.replicas();
            if replicas.is_empty() {
                return None;
            }
            for replica in &replicas {
                let answer = self.get(&replica.url, "/readyz").await?;
                (answer.status == 200).then_some(())?;
            }
            Some(())
        })
        .await;
        until("the clusters take work", async || {
            let answer = self.get(&self.replicas()[0].url, &path("clusters")).await?;
            let clusters = answer.body["items"].as_array()?.clone();
            let ready = |cluster: &Value| cluster["status"]["reachable"] == json!(true);
            (!clusters.is_empty() && clusters.iter().all(ready)).then_some(())
        })
        .await;
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.dir.join("dev.json")).ok()?).ok()
    }

    pub(crate) fn replicas(&self) -> Vec<Replica> {
        let Some(json) = self.json() else { return Vec::new() };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let replica = |value: &Value| Replica {
            id: text(&value["id"]),
            url: text(&value["url"]),
            pid: value["pid"].as_i64().unwrap_or_default() as i32,
            dir: PathBuf::from(text(&value["dir"])),
        };
        json["replicas"].as_array().into_iter().flatten().map(replica).collect()
    }

    /// Names and servers of the clusters.
    pub(crate) fn clusters(&self) -> Vec<(String, String)> {
        let json = self.json().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let clusters = json["clusters"].as_array().unwrap().iter();
        clusters.map(|cluster| (text(&cluster["name"]), text(&cluster["server"]))).collect()
    }

    pub(crate) async fn get(&self, url: &str, path: &str) -> Option<Answer> {
        answer(self.http.get(format!("{url}{path}"))).await
    }

    /// The replica that leads, as the others see it.
    pub(crate) async fn leader(&self) -> Replica {
        until("somebody leads", async || {
            for replica in self.replicas() {
                let Some(answer) = self.get(&replica.url, &path("replicas?consistency=stale")).await else {
                    continue;
                };
                let leader = answer.header("tallyman-leader");
                let found = self.replicas().into_iter().find(|replica| replica.id == leader);
                if let Some(found) = found.filter(|found| !found.id.is_empty()) {
                    return Some(found);
                }
            }
            None
        })
        .await
    }

    pub(crate) async fn followers(&self) -> Vec<Replica> {
        let leader = self.leader().await;
        self.replicas().into_iter().filter(|replica| replica.id != leader.id).collect()
    }

    /// Everything that `dev` has printed.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.dir.join("stdout")).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().unwrap() as i32
    }

    pub(crate) async fn stop(mut self) -> PathBuf {
        signal(self.pid(), Signal::INT);
        timeout(PATIENCE, self.child.wait()).await.expect("dev stops on Ctrl-C").unwrap();
        self.dir.clone()
    }

    /// Waits for its end, for which its input is closed first.
    pub(crate) async fn close_input(mut self) -> (PathBuf, Option<TempDir>) {
        timeout(PATIENCE, self.child.wait()).await.expect("dev stops with its input").unwrap();
        (self.dir.clone(), self._temporary.take())
    }

    /// Stops on Ctrl-C and keeps the directory of [`start`](Self::start) alive.
    pub(crate) async fn stop_keeping(mut self) -> (PathBuf, Option<TempDir>) {
        let temporary = self._temporary.take();
        (self.stop().await, temporary)
    }
}

/// What a failed test leaves to look at: what dev and its replicas said last.
pub(crate) struct LastWords {
    dir: PathBuf,
}

impl LastWords {
    /// Prints them if the test ends badly while this is there.
    pub(crate) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for name in ["stdout", "stderr", "r1/server.log", "r2/server.log", "r3/server.log"] {
            let said = fs::read_to_string(self.dir.join(name)).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            eprintln!("--- {name}\n{}", lines[lines.len().saturating_sub(15)..].join("\n"));
        }
    }
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

pub(crate) fn is_alive(pid: i32) -> bool {
    rustix::process::test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

/// Sends a request; `None` when no answer came.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Option<Answer> {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            // Faults make this happen on purpose; where they do not, it says why.
            eprintln!("no answer: {error:?}");
            return None;
        }
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.ok()?;
    let body = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    Some(Answer { status, headers, body })
}

pub(crate) fn path(rest: &str) -> String {
    format!("/apis/tallyman.dev/v1/{rest}")
}

/// A runnable with one Job that runs for `run_for` on a simulated cluster.
pub(crate) fn runnable(name: &str, run_for: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {"manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{name}-input")}, "data": {"a": "1"}},
            {
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": name, "annotations": {"simulate.tallyman.dev/run-for": run_for}},
                "spec": {"template": {"spec": {
                    "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
                }}},
            },
        ]},
    })
}

impl Dev {
    pub(crate) async fn submit(&self, url: &str, namespace: &str, body: &Value) -> Option<Answer> {
        answer(
            self.http.post(format!("{url}{}", path(&format!("namespaces/{namespace}/runnables")))).json(body),
        )
        .await
    }

    pub(crate) async fn read(&self, url: &str, namespace: &str, name: &str) -> Option<Answer> {
        self.get(url, &path(&format!("namespaces/{namespace}/runnables/{name}"))).await
    }

    /// Waits until a run is in `phase`, asking any replica.
    pub(crate) async fn until_phase(&self, namespace: &str, name: &str, phase: &str) -> Value {
        until(&format!("{namespace}/{name} is {phase}"), async || {
            for replica in self.replicas() {
                if let Some(answer) = self.read(&replica.url, namespace, name).await {
                    return (answer.body["status"]["phase"] == json!(phase)).then_some(answer.body);
                }
            }
            None
        })
        .await
    }
}
