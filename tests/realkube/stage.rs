//! What most scenarios share: two control planes, `east` and `west`, and one Tallyman that may do there only what it
//! needs. They come up once, with the first scenario, and go with this process.
//!
//! Scenarios run side by side, each in namespaces of its own. Faults of a whole control plane are made on `west` only,
//! and those of Tallyman itself while nobody else breaks anything: such scenarios come one at a time. The others keep
//! to `east` and must not mind that Tallyman's leader is killed meanwhile.

use crate::control::{Cluster, Control, down};
use crate::dev::{Answer, Dev, LastWords, answer, path, until_within};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell};

/// How long anything that a scenario waits for may take: what a cluster refuses is tried again after a minute at
/// most, and what may still land is waited for as long.
const PATIENCE: Duration = Duration::from_secs(150);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});
static STAGE: OnceCell<Stage> = OnceCell::const_new();
static WEST: Mutex<()> = Mutex::const_new(());

pub(crate) struct Stage {
    pub(crate) dev: Dev,
    pub(crate) east: Cluster,
    pub(crate) west: Cluster,
    _control: Control,
}

/// A scenario that breaks nothing that others use: it keeps to `east`.
pub(crate) fn on_east(scenario: impl AsyncFnOnce(&'static Stage)) {
    RUNTIME.block_on(play(scenario));
}

/// A scenario that breaks `west` as a whole, or Tallyman itself: one at a time.
pub(crate) fn on_west(scenario: impl AsyncFnOnce(&'static Stage)) {
    RUNTIME.block_on(async {
        let _mine = WEST.lock().await;
        play(async |stage: &'static Stage| {
            // A scenario that failed half-way must not take the next ones with it.
            stage.west.revive().await;
            scenario(stage).await;
        })
        .await;
    });
}

async fn play(scenario: impl AsyncFnOnce(&'static Stage)) {
    let stage = STAGE.get_or_init(Stage::set).await;
    let _says = LastWords::of(&stage.dev.dir);
    scenario(stage).await;
}

impl Stage {
    async fn set() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("realkube");
        if folder.exists() {
            down(&folder.join("kube"));
            std::fs::remove_dir_all(&folder).unwrap();
        }
        let control = Control::up_as(&folder.join("kube"), &["east", "west"]).await;
        let (east, west) = (control.cluster("east"), control.cluster("west"));
        let mut options = Vec::new();
        for cluster in [&east, &west] {
            let kubeconfig = cluster.account().await;
            options.push(format!("{}={}", kubeconfig.display(), cluster.name));
        }
        let arguments = ["--kubeconfig", &options[0], "--kubeconfig", &options[1]];
        let dev = Dev::start_in(&folder.join("dev"), &arguments).await;
        Self { dev, east, west, _control: control }
    }

    /// Submits until it is acknowledged.
    pub(crate) async fn submit(&self, namespace: &str, body: &Value) -> Value {
        let key = format!("{namespace}-{}", body["metadata"]["name"].as_str().unwrap());
        let mut turn = 0;
        within("a submission is acknowledged", async || {
            let replicas = self.dev.replicas();
            turn += 1;
            let url = format!("{}{}", replicas[turn % replicas.len()].url, path(&runnables(namespace, "")));
            let request = self.dev.http.post(url).header("idempotency-key", &key).json(body);
            let answer = answer(request.timeout(Duration::from_secs(5))).await?;
            assert!(!matches!(answer.status, 400..429), "{answer:?}");
            (answer.status == 201).then_some(answer.body)
        })
        .await
    }

    /// A run, from any replica that answers.
    pub(crate) async fn read(&self, namespace: &str, name: &str) -> Option<Answer> {
        for replica in self.dev.replicas() {
            let found = self.dev.get(&replica.url, &path(&runnables(namespace, name))).await;
            if let Some(answer) = found.filter(|answer| matches!(answer.status, 200 | 404)) {
                return Some(answer);
            }
        }
        None
    }

    /// Waits until a run is as `holds` says.
    pub(crate) async fn until_run(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        holds: impl Fn(&Run) -> bool,
    ) -> Run {
        let last = std::cell::RefCell::new(Value::Null);
        let _told = Told(&last);
        within(&format!("{namespace}/{name} {what}"), async || {
            let run = Run(self.read(namespace, name).await.filter(|answer| answer.status == 200)?.body);
            let found = holds(&run);
            *last.borrow_mut() = run.0["status"].clone();
            found.then_some(run)
        })
        .await
    }

    pub(crate) async fn until_phase(&self, namespace: &str, name: &str, phase: &str) -> Run {
        self.until_run(namespace, name, &format!("is {phase}"), |run| run.phase() == phase).await
    }

    /// Waits until the record of a run is gone.
    pub(crate) async fn until_gone(&self, namespace: &str, name: &str) {
        within(&format!("{namespace}/{name} is gone"), async || {
            (self.read(namespace, name).await?.status == 404).then_some(())
        })
        .await;
    }

    /// Asks for the removal of a run.
    pub(crate) async fn delete(&self, namespace: &str, name: &str) -> Value {
        within("a removal is acknowledged", async || {
            let url = format!("{}{}", self.dev.replicas()[0].url, path(&runnables(namespace, name)));
            answer(self.dev.http.delete(url)).await.filter(|answer| answer.status == 200).map(|it| it.body)
        })
        .await
    }

    /// Asks for the end of a run.
    pub(crate) async fn cancel(&self, namespace: &str, name: &str) {
        within("a cancel is acknowledged", async || {
            let path = path(&format!("{}/cancel", runnables(namespace, name)));
            let url = format!("{}{path}", self.dev.replicas()[0].url);
            answer(self.dev.http.post(url)).await.filter(|answer| answer.status == 200).map(drop)
        })
        .await;
    }

    /// A cluster as Tallyman shows it.
    pub(crate) async fn cluster(&self, name: &str) -> Value {
        within("a cluster is shown", async || {
            let url = &self.dev.replicas()[0].url;
            let answer = self.dev.get(url, &path(&format!("clusters/{name}"))).await?;
            (answer.status == 200).then_some(answer.body)
        })
        .await
    }

    /// What the ledger has of a run, a line each: verb, detail.
    pub(crate) async fn ledger(&self, namespace: &str, name: &str) -> Vec<String> {
        let query = format!("auditrecords?fieldSelector=spec.submission%3D{namespace}%2F{name}");
        let records = within("the ledger is shown", async || {
            let answer = self.dev.get(&self.dev.replicas()[0].url, &path(&query)).await?;
            (answer.status == 200).then_some(answer.body)
        })
        .await;
        let line = |record: &Value| {
            let text = |field: &str| record["spec"][field].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("verb"), text("detail"))
        };
        records["items"].as_array().unwrap().iter().map(line).collect()
    }
}

fn runnables(namespace: &str, name: &str) -> String {
    format!("namespaces/{namespace}/runnables/{name}").trim_end_matches('/').to_owned()
}

/// Prints what was seen last when a wait was in vain.
pub(crate) struct Told<'a>(pub(crate) &'a std::cell::RefCell<Value>);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seen last: {:#}", self.0.borrow());
        }
    }
}

pub(crate) async fn within<T>(what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, condition).await
}

/// A run as the API shows it.
#[derive(Debug)]
pub(crate) struct Run(pub(crate) Value);

impl Run {
    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    pub(crate) fn phase(&self) -> &str {
        self.text("/status/phase")
    }

    pub(crate) fn reason(&self) -> &str {
        self.text("/status/reason")
    }

    pub(crate) fn message(&self) -> &str {
        self.text("/status/message")
    }

    /// A condition: status, reason and message in one line.
    pub(crate) fn condition(&self, kind: &str) -> String {
        let conditions = self.0["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        let text = |field: &str| found.and_then(|it| it[field].as_str()).unwrap_or_default().to_owned();
        format!("{} {}: {}", text("status"), text("reason"), text("message"))
    }

    /// The last attempt's main object.
    pub(crate) fn job(&self) -> Value {
        let attempts = self.0["status"]["attempts"].as_array().cloned().unwrap_or_default();
        let objects =
            attempts.last().and_then(|last| last["objects"].as_array()).cloned().unwrap_or_default();
        objects.into_iter().find(|object| object["kind"] == "Job").unwrap_or_default()
    }

    /// Asserts phase and reason, and that the message has all of `words`.
    pub(crate) fn is(&self, phase: &str, reason: &str, words: &[&str]) {
        let status = &self.0["status"];
        assert_eq!((self.phase(), self.reason()), (phase, reason), "{status:#}");
        for word in words {
            assert!(self.message().contains(word), "{word:?} is not in {:?}: {status:#}", self.message());
        }
    }
}

/// A runnable for one cluster: a Job whose Pod runs for `duration`, with a ConfigMap.
pub(crate) fn run(name: &str, cluster: &str, duration: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {
            "placement": {"clusters": [cluster]},
            "manifests": [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{name}-input")},
                    "data": {"a": "1"}},
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
                    "spec": {"template": {
                        "metadata": {"annotations": {"simulate.tallyman.dev/duration": duration}},
                        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]},
                    }}},
            ],
        },
    })
}

/// The Job of [`run`].
pub(crate) fn job(run: &mut Value) -> &mut Value {
    &mut run["spec"]["manifests"][1]
}
