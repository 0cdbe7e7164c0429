//! Generations of a deployable on several simulated clusters: one after the other as their Deployments do, past what is
//! out of reach, and not on from where they fail; while leaders are killed.

use crate::dev::{Dev, PATIENCE, answer, path, signal, until, until_within};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions, Verb};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";

/// A group with clusters of this process.
struct Fleet {
    dev: Dev,
    clusters: Vec<(&'static str, SimulatedCluster)>,
    writes: AtomicU64,
    _folder: TempDir,
}

impl Fleet {
    async fn start(names: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut clusters, mut arguments) = (Vec::new(), Vec::new());
        for &name in names {
            let cluster = SimulatedCluster::start(SimulatedClusterOptions::named(name)).await.unwrap();
            let file = folder.path().join(format!("{name}.kubeconfig")).display().to_string();
            fs::write(&file, cluster.kubeconfig()).unwrap();
            arguments.extend(["--kubeconfig".to_owned(), format!("{file}={name}")]);
            clusters.push((name, cluster));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let dev = Dev::start_in(&folder.path().join("dev"), &arguments).await;
        Self { dev, clusters, writes: AtomicU64::new(0), _folder: folder }
    }

    fn cluster(&self, name: &str) -> &SimulatedCluster {
        &self.clusters.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Sends to whichever replica answers, until it is taken.
    async fn send(&self, method: &str, rest: &str, body: &Value) -> Value {
        let key = format!("write {}", self.writes.fetch_add(1, Ordering::SeqCst));
        until(&format!("{method} {rest} is taken"), async || {
            for replica in self.dev.replicas() {
                let url = format!("{}{}", replica.url, path(rest));
                let request =
                    self.dev.http.request(method.parse().unwrap(), url).timeout(Duration::from_secs(5));
                let kind =
                    if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
                let request = request.header("idempotency-key", &key);
                let request = request.header("content-type", kind).body(body.to_string());
                if let Some(answer) = answer(request).await.filter(|answer| answer.status < 300) {
                    return Some(answer.body);
                }
            }
            None
        })
        .await
    }

    async fn deployable(&self, namespace: &str, name: &str) -> Option<Value> {
        for replica in self.dev.replicas() {
            let rest = path(&format!("namespaces/{namespace}/deployables/{name}"));
            if let Some(answer) =
                self.dev.get(&replica.url, &rest).await.filter(|answer| answer.status == 200)
            {
                return Some(answer.body);
            }
        }
        None
    }

    /// Waits until `shop/web` is as `holds` says.
    async fn until_it(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = until_within(PATIENCE * 2, what, async || {
            let document = self.deployable("shop", "web").await?;
            if !holds(&document) {
                if document["status"] != last {
                    last = document["status"].clone();
                    eprintln!("{what}: {}", last["message"]);
                }
                return None;
            }
            Some(document)
        });
        found.await
    }

    async fn kill_leader(&self) {
        signal(self.dev.leader().await.pid, Signal::KILL);
    }

    async fn until_image(&self, cluster: &str, image: &str) {
        until(&format!("{cluster} has {image}"), async || {
            (image_of(&web(&self.dev, self.cluster(cluster)).await) == image).then_some(())
        })
        .await;
    }

    /// How often the Deployment of a cluster was changed from outside.
    fn patches(&self, cluster: &str) -> u64 {
        self.cluster(cluster).requests().of(Verb::Patch, "deployments")
    }
}

async fn web(dev: &Dev, cluster: &SimulatedCluster) -> Value {
    dev.get(&cluster.server(), WEB).await.map_or(Value::Null, |answer| answer.body)
}

fn image_of(web: &Value) -> &str {
    web["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default()
}

/// True if all Pods are of the newest template, and available.
fn is_available(web: &Value) -> bool {
    let status = &web["status"];
    status["observedGeneration"] == web["metadata"]["generation"]
        && ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|field| status[*field] == 2)
}

fn deployable(image: &str, rollout: &Value, annotations: &Value) -> Value {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 2, "progressDeadlineSeconds": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}, "annotations": annotations},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    });
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "web"},
        "spec": {"rollout": rollout, "manifests": [deployment]},
    })
}

fn starts_after(time: &str) -> Value {
    json!({"simulate.tallyman.dev/start-after": time})
}

fn is_everywhere(document: &Value, revision: u64, clusters: u64) -> bool {
    let counts = &document["status"]["counts"];
    document["status"]["revision"] == revision
        && counts["clusters"] == clusters
        && counts["healthy"] == clusters
}

fn rolled_out(document: &Value) -> (String, String) {
    let conditions = document["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|one| one["type"] == "RolledOut").unwrap_or_default();
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

/// Looks all the time whether a cluster has an image before those that come first were available with it.
struct Order {
    stopped: Arc<AtomicBool>,
    task: JoinHandle<Vec<Duration>>,
}

impl Order {
    fn watch(fleet: &Fleet, order: &[&str], image: &'static str) -> Self {
        let servers: Vec<String> = order.iter().map(|name| fleet.cluster(name).server()).collect();
        let stopped = Arc::new(AtomicBool::new(false));
        let (http, done) = (crate::dev::client(), Arc::clone(&stopped));
        let task = tokio::spawn(async move {
            let start = Instant::now();
            let mut unready_at = vec![Duration::ZERO; servers.len()];
            let mut begun_at: Vec<Option<Duration>> = vec![None; servers.len()];
            while !done.load(Ordering::SeqCst) {
                // The last one first: what came before it is at least as far when it is read.
                let mut later_has_it = None;
                for (at, server) in servers.iter().enumerate().rev() {
                    let asked_at = start.elapsed();
                    let Some(answer) = answer(http.get(format!("{server}{WEB}"))).await else { continue };
                    let has_it = image_of(&answer.body) == image;
                    let is_ready = has_it && is_available(&answer.body);
                    if let Some(later) = later_has_it {
                        assert!(is_ready, "{later} has {image} before {at} is available: {}", answer.body);
                    }
                    if has_it {
                        later_has_it = Some(at);
                        begun_at[at].get_or_insert(start.elapsed());
                    }
                    if !is_ready {
                        unready_at[at] = asked_at;
                    }
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let begun = begun_at.into_iter().skip(1).zip(unready_at);
            begun.map(|(begun, unready)| begun.expect("all have it").saturating_sub(unready)).collect()
        });
        Self { stopped, task }
    }

    /// How long each of them but the last was available at the most when the next one got it.
    async fn stop(self) -> Vec<Duration> {
        self.stopped.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_rollout_goes_on_in_its_order_when_leaders_are_killed_and_writes_nothing_twice() {
    let fleet = Fleet::start(&["alpha", "beta", "gamma"]).await;
    let rollout = json!({"maxUnavailable": 1, "order": ["gamma"], "minReady": "1s"});
    let first = deployable("web:1", &rollout, &starts_after("20ms"));
    fleet.send("POST", "namespaces/shop/deployables", &first).await;
    fleet.until_it("the first revision is everywhere", |it| is_everywhere(it, 1, 3)).await;
    let before = ["alpha", "beta", "gamma"].map(|name| fleet.patches(name));

    let order = Order::watch(&fleet, &["gamma", "alpha", "beta"], "web:2");
    let second = deployable("web:2", &rollout, &starts_after("500ms"));
    fleet.send("PUT", "namespaces/shop/deployables/web", &second).await;
    fleet.until_image("gamma", "web:2").await;
    fleet.kill_leader().await;
    fleet.until_image("alpha", "web:2").await;
    fleet.send("POST", "namespaces/shop/deployables/web/rollout", &json!({"paused": true})).await;
    fleet.kill_leader().await;
    let paused = fleet
        .until_it("the paused rollout has ended where it was begun", |it| {
            it["status"]["counts"]["healthy"] == 2
        })
        .await;
    assert_eq!(rolled_out(&paused), ("Paused".to_owned(), "it is paused: 1 of 3 clusters wait".to_owned()));
    assert_eq!(image_of(&web(&fleet.dev, fleet.cluster("beta")).await), "web:1");
    fleet.send("POST", "namespaces/shop/deployables/web/rollout", &json!({"paused": false})).await;
    fleet.until_it("the second revision is everywhere", |it| is_everywhere(it, 2, 3)).await;

    for (available, cluster) in order.stop().await.into_iter().zip(["gamma", "alpha"]) {
        assert!(available >= Duration::from_secs(1), "{cluster} was available for {available:?}");
    }
    // What a killed leader had under way may have to be sent again; nothing else is.
    let more = ["alpha", "beta", "gamma"].map(|name| fleet.patches(name));
    let sent: Vec<u64> = more.iter().zip(before).map(|(more, before)| more - before).collect();
    assert!(sent[0] <= 2 && sent[1] == 1 && sent[2] <= 2, "{sent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_fails_on_a_cluster_goes_no_further_says_why_and_goes_on_when_it_is_mended() {
    let fleet = Fleet::start(&["alpha", "beta"]).await;
    let rollout = json!({"maxUnavailable": 1, "order": ["beta"]});
    let first = deployable("web:1", &rollout, &starts_after("20ms"));
    fleet.send("POST", "namespaces/shop/deployables", &first).await;
    fleet.until_it("the first revision is everywhere", |it| is_everywhere(it, 1, 2)).await;

    let mut annotations = starts_after("20ms");
    annotations["simulate.tallyman.dev/pod-reason"] = json!("ImagePullBackOff");
    let broken = deployable("web:2", &rollout, &annotations);
    fleet.send("PUT", "namespaces/shop/deployables/web", &broken).await;
    let is_stopped = |it: &Value| rolled_out(it).0 == "Degraded";
    let stopped = fleet.until_it("it is stopped", is_stopped).await;
    let why = rolled_out(&stopped).1;
    assert!(
        why.starts_with("it is degraded on beta (Deployment shop/web: ProgressDeadlineExceeded: "),
        "{why}"
    );
    assert!(why.ends_with("has timed out progressing.): 1 of 2 clusters wait"), "{why}");
    assert_eq!(stopped["status"]["message"], why);
    fleet.kill_leader().await;
    fleet.until_it("the next leader leaves it stopped", is_stopped).await;
    assert_eq!(image_of(&web(&fleet.dev, fleet.cluster("alpha")).await), "web:1");
    let old = web(&fleet.dev, fleet.cluster("beta")).await;
    assert_eq!(old["status"]["availableReplicas"], 2, "the cluster keeps its old Pods: {old}");

    let third = deployable("web:3", &rollout, &starts_after("20ms"));
    fleet.send("PUT", "namespaces/shop/deployables/web", &third).await;
    fleet.until_it("the third revision is everywhere", |it| is_everywhere(it, 3, 2)).await;
    fleet.until_image("alpha", "web:3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_goes_past_a_cluster_out_of_reach_where_it_may_comes_back_for_it_and_else_names_it() {
    let fleet = Fleet::start(&["alpha", "beta", "gamma"]).await;
    let rollout = |most: u32| json!({"maxUnavailable": most, "order": ["alpha", "beta", "gamma"]});
    let at =
        |number: u32, most: u32| deployable(&format!("web:{number}"), &rollout(most), &starts_after("20ms"));
    fleet.send("POST", "namespaces/shop/deployables", &at(1, 3)).await;
    fleet.until_it("the first revision is everywhere", |it| is_everywhere(it, 1, 3)).await;
    let away = async || {
        fleet.cluster("beta").pause_listener().await;
        until("beta is shown as out of reach", async || {
            let answer = fleet.dev.get(&fleet.dev.replicas()[0].url, &path("clusters/beta")).await?;
            (answer.body["status"]["reachable"] == false).then_some(())
        })
        .await;
    };

    away().await;
    let before = fleet.patches("beta");
    fleet.send("PUT", "namespaces/shop/deployables/web", &at(2, 2)).await;
    fleet.until_image("alpha", "web:2").await;
    fleet.kill_leader().await;
    let past = "1 of 3 clusters wait: beta (out of reach); it is begun there when they are back";
    let waits = fleet.until_it("only beta is waited for", |it| rolled_out(it).1 == past).await;
    assert_eq!((rolled_out(&waits).0.as_str(), &waits["status"]["message"]), ("Waiting", &json!(past)));
    fleet.until_image("gamma", "web:2").await;
    fleet.cluster("beta").resume_listener().await.unwrap();
    fleet.until_it("beta has it, too", |it| is_everywhere(it, 2, 3)).await;
    assert_eq!(fleet.patches("beta") - before, 1);

    // One at a time: nothing is begun until an operator goes on without it.
    away().await;
    fleet.send("PUT", "namespaces/shop/deployables/web", &at(3, 1)).await;
    let held = "3 of 3 clusters wait; against maxUnavailable count beta (out of reach): cordon what is to be gone on without";
    fleet.until_it("it is held, and names beta", |it| rolled_out(it).1 == held).await;
    assert_eq!(image_of(&web(&fleet.dev, fleet.cluster("alpha")).await), "web:2");
    let cordon = |cordoned: bool| json!({"spec": {"cordoned": cordoned}});
    fleet.send("PATCH", "clusters/beta", &cordon(true)).await;
    let but = "it is begun on all clusters but beta (cordoned and out of reach)";
    fleet.until_it("it goes on without beta", |it| rolled_out(it).1 == but).await;
    fleet.until_image("gamma", "web:3").await;
    fleet.kill_leader().await;
    fleet.cluster("beta").resume_listener().await.unwrap();
    fleet.send("PATCH", "clusters/beta", &cordon(false)).await;
    fleet.until_it("beta has the third revision", |it| is_everywhere(it, 3, 3)).await;
    fleet.until_image("beta", "web:3").await;
}
