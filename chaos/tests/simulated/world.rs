//! What the tests share: clusters, clients, objects, and waiting.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, PostParams};
use kube::{Client, Config};
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions};

/// How long anything may take that is waited for.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) async fn cluster() -> SimulatedCluster {
    start(SimulatedClusterOptions::named("east")).await
}

pub(crate) async fn start(options: SimulatedClusterOptions) -> SimulatedCluster {
    SimulatedCluster::start(options).await.unwrap()
}

/// A client that repeats nothing by itself.
pub(crate) fn client(cluster: &SimulatedCluster) -> Client {
    client_of(&cluster.server())
}

pub(crate) fn client_of(server: &str) -> Client {
    let mut config = Config::new(server.parse().unwrap());
    config.default_retry = false;
    config.headers.push((hyper::header::USER_AGENT, "tests/1".parse().unwrap()));
    Client::try_from(config).unwrap()
}

pub(crate) fn jobs(cluster: &SimulatedCluster) -> Api<Job> {
    Api::namespaced(client(cluster), "risk")
}

pub(crate) fn pods(cluster: &SimulatedCluster) -> Api<Pod> {
    Api::namespaced(client(cluster), "risk")
}

pub(crate) fn config_maps(cluster: &SimulatedCluster) -> Api<ConfigMap> {
    Api::namespaced(client(cluster), "risk")
}

/// A Job that runs for `run_for`, with more of its spec in `spec`.
pub(crate) fn job_with(name: &str, run_for: &str, spec: &Value) -> Job {
    let mut job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {"app": "report"},
            "annotations": {"simulate.tallyman.dev/run-for": run_for},
        },
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "busybox:1"}],
        }}},
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        job["spec"][field] = value.clone();
    }
    serde_json::from_value(job).unwrap()
}

pub(crate) fn job(name: &str) -> Job {
    job_with(name, "30ms", &json!({}))
}

pub(crate) fn config_map(name: &str, tier: &str) -> ConfigMap {
    let value = json!({"metadata": {"name": name, "labels": {"tier": tier}}, "data": {"k": name}});
    serde_json::from_value(value).unwrap()
}

pub(crate) async fn create_config_maps(api: &Api<ConfigMap>, names: std::ops::Range<usize>) {
    for number in names {
        api.create(&PostParams::default(), &config_map(&format!("c{number:03}"), "a")).await.unwrap();
    }
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, asking).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits until the condition `kind` of a Job is True, and answers the Job.
pub(crate) async fn condition(api: &Api<Job>, name: &str, kind: &str) -> Job {
    until(kind, async || {
        let job = api.get(name).await.unwrap();
        let conditions = job.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().any(|held| held.type_ == kind && held.status == "True").then(|| job.clone())
    })
    .await
}

/// The status code and the reason of a refused request.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, kube::Error>) -> (u16, String) {
    match answer {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone()),
        other => panic!("expected a refusal, got {other:?}"),
    }
}
