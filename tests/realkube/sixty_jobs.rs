//! The night batch, small: sixty Jobs over all replicas, the leader killed half-way.

use crate::dev::{Dev, answer, path, runnable, signal, until};
use rustix::process::Signal;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use tokio::process::Command;

const JOBS: usize = 60;
const READS: usize = 1000;

/// A control plane that stops with the test.
pub(crate) struct Control {
    dir: PathBuf,
}

impl Control {
    pub(crate) async fn up(dir: &Path) -> Self {
        let owner = std::process::id().to_string();
        let dir_text = dir.to_str().unwrap();
        let output = kit(&["up", dir_text, "1", "--names", "real", "--owner", &owner]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { dir: dir.to_owned() }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("real/kubeconfig")
    }

    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        let kubectl = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/realkube/bin/kubectl");
        let kubeconfig = self.kubeconfig();
        let output =
            Command::new(kubectl).env("KUBECONFIG", kubeconfig).args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Requests that Tallyman has made so far.
    async fn requests(&self) -> u64 {
        let output = kit(&["requests", self.dir.to_str().unwrap(), "real", "tallyman"]).await;
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/realkube/realkube");
        let _ = std::process::Command::new(script).arg("down").arg(&self.dir).status();
    }
}

async fn kit(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/realkube/realkube");
    Command::new(script).args(arguments).output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn sixty_jobs_run_exactly_once_though_the_leader_is_killed_and_reads_cost_the_apiserver_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let control = Control::up(&folder.path().join("kube")).await;
    control.kubectl(&["create", "namespace", "batch"]).await;
    let kubeconfig = format!("{}=real", control.kubeconfig().display());
    let dev = Dev::start_in(&folder.path().join("dev"), &["--kubeconfig", &kubeconfig]).await;

    for number in 0..JOBS {
        if number == JOBS / 2 {
            signal(dev.leader().await.pid, Signal::KILL);
        }
        let name = format!("night-{number}");
        let replicas = dev.replicas();
        until("a submission is acknowledged", async || {
            let replica = &replicas[number % replicas.len()];
            let url = format!("{}{}", replica.url, path("namespaces/batch/runnables"));
            let request = dev.http.post(url).header("idempotency-key", &name).json(&runnable(&name, "1s"));
            answer(request.timeout(Duration::from_secs(5))).await.filter(|answer| answer.status == 201)
        })
        .await;
    }
    for number in 0..JOBS {
        dev.until_phase("batch", &format!("night-{number}"), "Succeeded").await;
    }

    let jobs: serde_json::Value =
        serde_json::from_str(&control.kubectl(&["get", "jobs", "-n", "batch", "-o", "json"]).await).unwrap();
    let jobs = jobs["items"].as_array().unwrap();
    assert_eq!(jobs.len(), JOBS);
    assert!(jobs.iter().all(|job| job["status"]["succeeded"] == json!(1)), "every Job is complete, once");
    until("holds are released", async || {
        let finalizers = ["get", "jobs", "-n", "batch", "-o", "jsonpath={.items[*].metadata.finalizers}"];
        control.kubectl(&finalizers).await.trim().is_empty().then_some(())
    })
    .await;

    reads_cost_nothing(&dev, &control).await;
    dev.stop().await;
}

/// Tallyman itself asks the cluster now and then (contact, sweep): with a thousand reads it must not ask more than
/// it does without any in the same time.
async fn reads_cost_nothing(dev: &Dev, control: &Control) {
    let started = tokio::time::Instant::now();
    let before = control.requests().await;
    assert!(before > JOBS as u64, "the requests of the Jobs themselves are counted: {before}");
    let replicas = dev.replicas();
    for number in 0..READS {
        let name = format!("night-{}", number % JOBS);
        let replica = &replicas[number % replicas.len()];
        let read = dev.read(&replica.url, "batch", &name).await.unwrap();
        assert_eq!((read.status, &read.body["status"]["phase"]), (200, &json!("Succeeded")));
    }
    let took = started.elapsed();
    let with_reads = control.requests().await - before;
    tokio::time::sleep(took).await;
    let idle = control.requests().await - before - with_reads;
    eprintln!(
        "{READS} status reads in {took:?}: {with_reads} apiserver requests, {idle} in the same time without"
    );
    assert!(
        with_reads <= idle + 10,
        "{READS} reads cost the apiserver {with_reads} requests, {idle} without them"
    );
}
