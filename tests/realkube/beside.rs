//! Beside what users run today: the same Jobs on the same apiserver, by `kubectl create` and polling `kubectl get`, by
//! Tallyman, and by Tallyman with a thousand readers. A measurement, for a quiet machine: BENCHMARKS.md.

use crate::control::{Cluster, Control};
use crate::dev::{Dev, path};
use crate::front::Front;
use crate::stage::{run, within};
use futures::StreamExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Jobs of each way.
const JOBS: usize = 40;
/// The time between two.
const EVERY: Duration = Duration::from_millis(250);
/// How often `kubectl get` asks, as scripts do.
const POLL: Duration = Duration::from_secs(1);
/// Who watch a run each.
const READERS: usize = 1_000;
/// How long the apiserver is looked at with nothing to do.
const IDLE: Duration = Duration::from_secs(15);

type Moments = Arc<Mutex<BTreeMap<String, Instant>>>;

/// What one way cost, and how soon ends were known.
struct Cost {
    requests: f64,
    cpu_ms: f64,
    fresh_ms: Vec<f64>,
}

struct Yard {
    cluster: Cluster,
    front: Front,
    dev: Dev,
    /// Of a core, with nothing to do.
    idle: f64,
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn beside_kubectl_and_a_thousand_readers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("beside");
        if folder.exists() {
            crate::control::down(&folder.join("kube"));
            std::fs::remove_dir_all(&folder).unwrap();
        }
        let control = Control::up(&folder.join("kube")).await;
        let cluster = control.first();
        let option = format!("{}=real", cluster.account().await.display());
        let dev = Dev::start_in(&folder.join("dev"), &["--kubeconfig", &option]).await;
        let front = Front::before(&cluster).await;
        let mut yard = Yard { cluster, front, dev, idle: 0.0 };
        let (cpu, from) = (yard.cpu_s(), Instant::now());
        sleep(IDLE).await;
        yard.idle = (yard.cpu_s() - cpu) / from.elapsed().as_secs_f64();
        let kubectl = yard.way("kubectl", "kubectl", 0, by_kubectl).await;
        let tallyman = yard.way("tallyman", "tallyman", 0, by_tallyman).await;
        let read = yard.way("readers", "tallyman", READERS, by_tallyman).await;
        eprintln!("| {JOBS} Jobs with a ConfigMap, one every {EVERY:?} | requests a Job | ms of the apiserver's CPU a Job | end known after: p50 | p99 |");
        eprintln!("|---|---|---|---|---|");
        kubectl.print(&format!("`kubectl create` and `kubectl get` every {POLL:?}"));
        tallyman.print("Tallyman");
        read.print(&format!("Tallyman, {READERS} readers"));
        yard.dev.stop().await;
    });
}

impl Cost {
    fn print(mut self, what: &str) {
        self.fresh_ms.sort_by(f64::total_cmp);
        let at = |share: f64| {
            self.fresh_ms[((self.fresh_ms.len() as f64 * share) as usize).min(self.fresh_ms.len() - 1)]
        };
        let (requests, cpu, p50, p99) = (self.requests, self.cpu_ms, at(0.5), at(0.99));
        eprintln!("| {what} | {requests:.1} | {cpu:.0} | {p50:.0} ms | {p99:.0} ms |");
    }
}

impl Yard {
    fn cpu_s(&self) -> f64 {
        crate::machine::cpu_s(&[self.cluster.pid("kube-apiserver")])
    }

    async fn way(
        &self,
        namespace: &str,
        agent: &str,
        readers: usize,
        submit: impl AsyncFn(&Self, &str, usize, &Moments),
    ) -> Cost {
        self.cluster.namespace(namespace).await;
        let (ended, known) = (Moments::default(), Moments::default());
        let jobs = format!("{}/apis/batch/v1/namespaces/{namespace}/jobs?watch=true", self.front.server());
        let complete = |event: &Value| {
            let conditions = event["object"]["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|one| one["type"] == json!("Complete")))
        };
        let watch = tokio::spawn(follow(jobs, Arc::clone(&ended), complete));
        let others = self.readers(namespace, readers).await;
        let (requests, cpu, from) = (self.requests(agent), self.cpu_s(), Instant::now());
        let mut submitted: Vec<_> = Vec::new();
        for number in 0..JOBS {
            let at = Duration::from_millis(
                u64::try_from(number).unwrap() * u64::try_from(EVERY.as_millis()).unwrap(),
            );
            let (known, submit) = (&known, &submit);
            submitted.push(async move {
                sleep(at).await;
                submit(self, namespace, number, known).await;
            });
        }
        futures::future::join_all(submitted).await;
        let took_s = from.elapsed().as_secs_f64();
        let cpu_s = self.cpu_s() - cpu - took_s * self.idle;
        let after = self.requests(agent);
        let more = |what: &String| after[what] - requests.get(what).copied().unwrap_or(0);
        let requests: BTreeMap<&String, u64> = after.keys().map(|what| (what, more(what))).collect();
        eprintln!("{namespace}: {requests:?}");
        let requests: u64 = requests.values().sum();
        watch.abort();
        drop(others);
        let (ended, known) = (ended.lock().unwrap(), known.lock().unwrap());
        assert_eq!((ended.len(), known.len()), (JOBS, JOBS));
        let fresh = |(name, at): (&String, &Instant)| {
            known[name].saturating_duration_since(*at).as_secs_f64() * 1000.0
        };
        let of_each = |sum: f64| sum / JOBS as f64;
        Cost {
            requests: of_each(requests as f64),
            cpu_ms: of_each(cpu_s * 1000.0),
            fresh_ms: ended.iter().map(fresh).collect(),
        }
    }

    /// Requests of a client so far, from the audit log: its last lines are there when they are answered.
    fn requests(&self, agent: &str) -> BTreeMap<String, u64> {
        self.cluster.requests_by(agent)
    }

    /// Who watch one run each, spread over the replicas and the runs.
    async fn readers(&self, namespace: &str, count: usize) -> JoinSet<()> {
        let (replicas, mut tasks) = (self.dev.replicas(), JoinSet::new());
        let http = reqwest::Client::builder().build().unwrap();
        for number in 0..count {
            let name = format!("metadata.name%3D{namespace}-{}", number % JOBS);
            let rest = format!("namespaces/{namespace}/runnables?watch=true&fieldSelector={name}");
            let url = format!("{}{}", replicas[number % replicas.len()].url, path(&rest));
            let http = http.clone();
            tasks.spawn(async move {
                let mut body = http.get(url).send().await.unwrap().bytes_stream();
                while body.next().await.is_some() {}
            });
        }
        tasks
    }
}

/// As a script does that makes a Job and waits for it.
async fn by_kubectl(yard: &Yard, namespace: &str, number: usize, known: &Moments) {
    let name = format!("{namespace}-{number}");
    let manifests = run(&name, "real", "1s")["spec"]["manifests"].clone();
    let file = tempfile::NamedTempFile::new().unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests});
    std::fs::write(file.path(), list.to_string()).unwrap();
    yard.cluster.kubectl(&["create", "-n", namespace, "-f", file.path().to_str().unwrap()]).await;
    loop {
        let done = "-o=jsonpath={.status.conditions[?(@.type==\"Complete\")].status}";
        if yard.cluster.kubectl(&["get", "job", &name, "-n", namespace, done]).await == "True" {
            known.lock().unwrap().insert(name, Instant::now());
            return;
        }
        sleep(POLL).await;
    }
}

/// Submitted, and watched on a follower.
async fn by_tallyman(yard: &Yard, namespace: &str, number: usize, known: &Moments) {
    let name = format!("{namespace}-{number}");
    let replicas = yard.dev.replicas();
    let url = replicas[number % replicas.len()].url.clone();
    let made = yard.dev.submit(&url, namespace, &run(&name, "real", "1s")).await.unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let other = &replicas[(number + 1) % replicas.len()].url;
    let rest = format!("namespaces/{namespace}/runnables?watch=true&fieldSelector=metadata.name%3D{name}");
    let succeeded = |event: &Value| event["object"]["status"]["phase"] == json!("Succeeded");
    let watch = tokio::spawn(follow(format!("{other}{}", path(&rest)), Arc::clone(known), succeeded));
    within("the end is known", async || known.lock().unwrap().contains_key(&name).then_some(())).await;
    watch.abort();
}

/// Notes when an object was first told of of which `holds` is true.
async fn follow(url: String, seen: Moments, holds: impl Fn(&Value) -> bool) {
    let mut body = reqwest::Client::builder().build().unwrap().get(url).send().await.unwrap().bytes_stream();
    let mut rest = Vec::new();
    while let Some(Ok(chunk)) = body.next().await {
        let now = Instant::now();
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Ok(event) = serde_json::from_slice::<Value>(&line) else { continue };
            if holds(&event) {
                let name = event["object"]["metadata"]["name"].as_str().unwrap().to_owned();
                seen.lock().unwrap().entry(name).or_insert(now);
            }
        }
    }
}
