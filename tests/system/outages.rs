//! What happens when something is away: a datacenter, a cluster, Tallyman itself.

use crate::dev::{Dev, binary, path, runnable, signal, until};
use crate::history::{Load, check_all_succeeded};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions};
use tempfile::TempDir;
use tokio::process::Command;

/// `dev` with a cluster of this process, which can be cut off and outlives `dev`.
pub(crate) async fn with_a_cluster() -> (TempDir, SimulatedCluster, String, Dev) {
    let folder = tempfile::tempdir().unwrap();
    let cluster = SimulatedCluster::start(SimulatedClusterOptions::named("plant")).await.unwrap();
    let file = folder.path().join("plant.kubeconfig").display().to_string();
    fs::write(&file, cluster.kubeconfig()).unwrap();
    let dev = Dev::start_in(&folder.path().join("dev"), &["--kubeconfig", &format!("{file}=plant")]).await;
    (folder, cluster, file, dev)
}

async fn jobs(dev: &Dev, cluster: &SimulatedCluster) -> Vec<Value> {
    let answer = dev.get(&cluster.server(), "/apis/batch/v1/jobs").await.unwrap();
    answer.body["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_of_three_datacenters_gone_writes_and_reads_go_on() {
    let dev = Arc::new(Dev::start(&[]).await);
    let load = Load::start(&dev, 2, 7);
    load.progress(5).await;
    // Frozen: neither closed connections nor a restart tell the others.
    let gone = dev.leader().await;
    signal(gone.pid, Signal::STOP);
    load.progress(10).await;
    signal(gone.pid, Signal::CONT);
    let acknowledged = load.finish().await;
    check_all_succeeded(&dev, &acknowledged).await;
    let last = acknowledged.iter().map(|mine| mine.revision).max().unwrap();
    let token = format!("runnables?resourceVersion={last}&resourceVersionMatch=NotOlderThan&limit=1");
    until("the returned one has caught up", async || {
        dev.get(&gone.url, &path(&token)).await.filter(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_away_gets_its_work_once_when_it_is_back_and_its_news_show_their_age() {
    let (_folder, cluster, _, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    cluster.pause_listener().await;
    let taken = dev.submit(&url, "risk", &runnable("patient", "10ms")).await.unwrap();
    assert_eq!(taken.status, 201, "{taken:?}");
    until("the cluster is shown as out of reach", async || {
        let answer = dev.get(&url, &path("clusters/plant")).await?;
        (answer.body["status"]["reachable"] == json!(false)).then_some(())
    })
    .await;
    let answer = dev.get(&url, &path("clusters")).await.unwrap();
    assert!(answer.header("tallyman-oldest-cluster-ms").parse::<u64>().unwrap() > 0, "{answer:?}");
    cluster.resume_listener().await.unwrap();
    dev.until_phase("risk", "patient", "Succeeded").await;
    assert_eq!(jobs(&dev, &cluster).await.len(), 1);
}

/// What the printed CronJob runs, with the kubeconfig of its ConfigMap made to lead to `cluster`.
fn cron_job(folder: &std::path::Path, cluster: &SimulatedCluster) -> (Command, Value) {
    let printed =
        std::process::Command::new(binary()).args(["cluster", "release", "--manifest"]).output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    let text = String::from_utf8(printed.stdout).unwrap();
    let documents: Vec<Value> = text.split("---\n").map(|one| serde_saphyr::from_str(one).unwrap()).collect();
    let of = |kind: &str| documents.iter().find(|one| one["kind"] == kind).unwrap();
    let mut kubeconfig: Value =
        serde_json::from_str(of("ConfigMap")["data"]["kubeconfig"].as_str().unwrap()).unwrap();
    let token = &kubeconfig["users"][0]["user"]["tokenFile"];
    assert_eq!(token, "/var/run/secrets/kubernetes.io/serviceaccount/token");
    kubeconfig["clusters"][0]["cluster"] = json!({"server": cluster.server()});
    let secret = folder.join("token");
    fs::write(&secret, "any").unwrap();
    kubeconfig["users"][0]["user"]["tokenFile"] = json!(secret);
    let file = folder.join("inside.kubeconfig");
    fs::write(&file, kubeconfig.to_string()).unwrap();
    let container = &of("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
    let mut command = Command::new(binary());
    command.args(arguments.map(|one| one.replace("/etc/tallyman/kubeconfig", file.to_str().unwrap())));
    (command, of("ClusterRole")["rules"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_cron_job_releases_what_is_overdue_and_needs_only_its_role() {
    let (folder, cluster, _, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    for name in ["overdue", "early"] {
        assert_eq!(dev.submit(&url, "risk", &runnable(name, "10m")).await.unwrap().status, 201);
        dev.until_phase("risk", name, "Running").await;
    }
    dev.stop().await;
    let http = crate::dev::client();
    let job = |name: &str| format!("{}/apis/batch/v1/namespaces/risk/jobs/{name}", cluster.server());
    let past = json!({"metadata": {"annotations": {"tallyman.dev/hold-until": "2020-01-01T00:00:00Z"}}});
    let patch = http.patch(job("overdue")).header("content-type", "application/merge-patch+json");
    assert!(patch.body(past.to_string()).send().await.unwrap().status().is_success());

    let before = cluster.requests();
    let (mut command, rules) = cron_job(folder.path(), &cluster);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let after = cluster.requests();
    for (asked, count) in after.iter() {
        let is_new = before.iter().all(|(known, times)| known != asked || times < count);
        let verb = format!("{:?}", asked.verb).to_lowercase();
        let covers = |rule: &Value| {
            let has = |field: &str, word: &str| rule[field].as_array().unwrap().contains(&json!(word));
            has("resources", &asked.resource) && has("verbs", &verb)
        };
        assert!(!is_new || rules.as_array().unwrap().iter().any(covers), "{asked:?} is not in {rules}");
    }
    let held = async |name: &str| {
        let bytes = http.get(job(name)).send().await.unwrap().bytes().await.unwrap();
        let object: Value = serde_json::from_slice(&bytes).unwrap();
        object["metadata"]["finalizers"] == json!(["tallyman.dev/hold"])
    };
    assert_eq!((held("overdue").await, held("early").await), (false, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_tallyman_is_gone_for_good_its_holds_can_be_released() {
    let (_folder, cluster, file, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    assert_eq!(dev.submit(&url, "risk", &runnable("orphan", "10m")).await.unwrap().status, 201);
    dev.until_phase("risk", "orphan", "Running").await;
    let held = jobs(&dev, &cluster).await;
    assert_eq!(held[0]["metadata"]["finalizers"], json!(["tallyman.dev/hold"]), "{held:?}");
    dev.stop().await;

    let release = async |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["cluster", "release", "--kubeconfig", &file]).args(arguments);
        command.output().await.unwrap()
    };
    let early = release(&[]).await;
    assert_eq!(early.status.code(), Some(4), "a hold that is not over needs a word more: {early:?}");
    let released = release(&["--force"]).await;
    assert!(released.status.success(), "{released:?}");
    let http = crate::dev::client();
    let answer = http.get(format!("{}/apis/batch/v1/jobs", cluster.server())).send().await.unwrap();
    let free: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let finalizers = &free["items"][0]["metadata"]["finalizers"];
    assert!(finalizers.as_array().is_none_or(Vec::is_empty), "{free}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_cluster_is_written_off_and_gets_nothing_when_it_is_back_before_it_is_confirmed() {
    let (_folder, cluster, _, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    assert_eq!(dev.submit(&url, "risk", &runnable("lost", "1h")).await.unwrap().status, 201);
    dev.until_phase("risk", "lost", "Running").await;
    let write_off = ["cluster", "write-off", "plant", "--reason", "the datacenter burnt down"];
    let early = crate::client::run(&dev, &write_off).await;
    assert_eq!(early.code, 4, "it answers: {early:?}");
    cluster.pause_listener().await;
    let shown = async || Some(dev.get(&url, &path("clusters/plant")).await?.body["status"].clone());
    until("the cluster is out of reach", async || {
        (shown().await?["reachable"] == json!(false)).then_some(())
    })
    .await;
    let done = crate::client::run(&dev, &write_off).await;
    assert_eq!(done.code, 0, "{done:?}");
    dev.until_phase("risk", "lost", "Failed").await;
    let run = dev.get(&url, &path("namespaces/risk/runnables/lost")).await.unwrap().body;
    assert_eq!(run["status"]["reason"], "ClusterWrittenOff", "{run:#}");
    let message = run["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("the datacenter burnt down") && message.contains("Job risk/lost on plant"),
        "{message}"
    );

    cluster.resume_listener().await.unwrap();
    until("what it has of ours is reported", async || {
        let status = shown().await?;
        let names = status["strays"].as_array()?.iter().any(|stray| stray["name"] == "lost");
        (names && status["quarantined"] == json!(true)).then_some(())
    })
    .await;
    assert_eq!(dev.submit(&url, "risk", &runnable("next", "10ms")).await.unwrap().status, 201);
    until("the run says why it waits", async || {
        let answer = dev.get(&url, &path("namespaces/risk/runnables/next")).await?;
        answer.body["status"]["message"].as_str()?.contains("plant is written off").then_some(())
    })
    .await;
    let confirmed = crate::client::run(&dev, &["cluster", "confirm", "plant"]).await;
    assert_eq!(confirmed.code, 0, "{confirmed:?}");
    dev.until_phase("risk", "next", "Succeeded").await;
    let left = jobs(&dev, &cluster).await;
    assert!(left.iter().any(|job| job["metadata"]["name"] == "lost"), "a stray is never touched: {left:?}");
}
