//! Writes without a pause, from this machine through a Service, and how long none was acknowledged.

use crate::dev::{Answer, answer, path, until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Between two writes of the load.
const PAUSE: Duration = Duration::from_millis(10);
/// How long one server is given; the next try may reach another. A Pod that was killed takes its address with it, so
/// nothing ever answers on connections to it.
const ANSWER_MAX: Duration = Duration::from_millis(500);
const HOST: &str = "tallyman.tallyman.svc";

/// A way to the replicas by the address of their Service.
#[derive(Clone)]
pub(crate) struct Outside {
    http: reqwest::Client,
    token: String,
}

impl Outside {
    pub(crate) fn new(service_ip: &str, secrets: &Path) -> Self {
        // Installs what TLS is made of.
        drop(crate::dev::client());
        let ca = reqwest::Certificate::from_pem(&std::fs::read(secrets.join("ca.crt")).unwrap()).unwrap();
        let address = SocketAddr::new(service_ip.parse().unwrap(), 7001);
        let http = reqwest::Client::builder().tls_certs_only([ca]).resolve(HOST, address);
        let token = std::fs::read_to_string(secrets.join("token")).unwrap().trim().to_owned();
        Self { http: http.timeout(ANSWER_MAX).no_proxy().build().unwrap(), token }
    }

    fn request(&self, method: reqwest::Method, rest: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("https://{HOST}:7001{}", path(rest))).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, rest: &str) -> Option<Answer> {
        answer(self.request(reqwest::Method::GET, rest)).await
    }

    /// Replica ids, and which of them leads.
    pub(crate) async fn replicas(&self) -> Vec<Value> {
        until("the replicas are known", async || {
            let answer = self.get("replicas").await.filter(|answer| answer.status == 200)?;
            answer.body["items"].as_array().cloned()
        })
        .await
    }

    /// The name of the Pod that leads.
    pub(crate) async fn leader(&self) -> String {
        until("somebody leads", async || {
            let replicas = self.replicas().await;
            let leader = replicas.iter().find(|one| one["status"]["role"] == "leader")?;
            leader["spec"]["peerAddress"].as_str()?.split('.').next().map(str::to_owned)
        })
        .await
    }

    /// Notes a number on a run.
    async fn note(&self, run: &str, number: u64) -> bool {
        let patch = json!({"metadata": {"annotations": {"number": number.to_string()}}});
        let request = self.request(reqwest::Method::PATCH, run).body(patch.to_string());
        let request = request.header("content-type", "application/merge-patch+json");
        matches!(request.send().await, Ok(answer) if answer.status().is_success())
    }
}

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) writes: u64,
    pub(crate) failed: u64,
    /// The longest time between two acknowledged writes.
    pub(crate) gap: Duration,
}

pub(crate) struct Load {
    outside: Outside,
    run: String,
    stop: Arc<AtomicBool>,
    task: JoinHandle<Told>,
}

impl Load {
    /// Each write notes the next number on the run; one that failed is repeated.
    pub(crate) fn start(outside: &Outside, run: &str) -> Self {
        let (stop, run) = (Arc::new(AtomicBool::new(false)), run.to_owned());
        let task = tokio::spawn(write(outside.clone(), run.clone(), Arc::clone(&stop)));
        Self { outside: outside.clone(), run, stop, task }
    }

    /// Ends the load, and sees that the last number that was acknowledged is there.
    pub(crate) async fn end(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        let told = self.task.await.unwrap();
        let run = until("the run is read", async || self.outside.get(&self.run).await).await;
        assert_eq!(run.body["metadata"]["annotations"]["number"], json!(told.writes.to_string()));
        told
    }
}

async fn write(outside: Outside, run: String, stop: Arc<AtomicBool>) -> Told {
    let mut told = Told { writes: 0, failed: 0, gap: Duration::ZERO };
    let mut last = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if outside.note(&run, told.writes + 1).await {
            told.writes += 1;
            told.gap = told.gap.max(last.elapsed());
            last = Instant::now();
        } else {
            told.failed += 1;
        }
        sleep(PAUSE).await;
    }
    // The last try may have been lost on its way back.
    while !outside.note(&run, told.writes).await {}
    told
}
