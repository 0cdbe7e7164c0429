//! Three servers, and simulated clusters in the process of the test.

use crate::dev::{answer, client, path, until, until_within};
use crate::load::Load;
use crate::machine::{cpu_s, resident_mib};
use crate::report::Table;
use crate::servers::Servers;
use crate::times::{Following, Moments, Uids, Versions, follow_cluster, follow_runs};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions, Verb};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long many clusters may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// Clusters that are made known at the same time.
const AT_ONCE: usize = 16;

/// A number that a variable of the environment gives.
#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
pub(crate) fn variable(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

pub(crate) struct Setting {
    pub(crate) servers: Servers,
    pub(crate) clusters: Arc<Vec<SimulatedCluster>>,
    pub(crate) http: reqwest::Client,
    _folder: TempDir,
}

impl Setting {
    /// A group that takes so many clusters for granted: all are reached.
    pub(crate) async fn of(clusters: usize) -> Self {
        let mut started = Vec::new();
        for number in 0..clusters {
            let mut options = SimulatedClusterOptions::named(&name(number));
            // As a real one does.
            options.bookmark_interval = Duration::from_secs(60);
            options.argo = false;
            started.push(SimulatedCluster::start(options).await.unwrap());
        }
        let setting = Self {
            servers: Servers::founded(None).await,
            clusters: Arc::new(started),
            http: client(),
            _folder: tempfile::tempdir().unwrap(),
        };
        let leader = setting.servers.leader().await;
        let all: Vec<usize> = (0..clusters).collect();
        stream::iter(all)
            .for_each_concurrent(AT_ONCE, async |number| setting.register(leader, number).await)
            .await;
        setting.reached().await;
        setting
    }

    async fn register(&self, leader: usize, number: usize) {
        let file = self._folder.path().join(name(number));
        fs::write(&file, self.clusters[number].kubeconfig()).unwrap();
        let body = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": name(number)},
            "spec": {"kubeconfig": {"path": file}},
        });
        let url = format!("{}{}", self.servers.urls[leader], path("clusters"));
        until("the cluster is registered", async || {
            let made = answer(self.http.post(&url).json(&body)).await?;
            // One leader after the other may be asked, if the machine is busy.
            assert!(matches!(made.status, 201 | 409 | 503), "{made:?}");
            (made.status != 503).then_some(())
        })
        .await;
    }

    /// Waits until all clusters are reached and their Jobs are watched.
    pub(crate) async fn reached(&self) {
        until_within(PATIENCE, "all clusters are reached", async || {
            let url = format!("{}{}", self.servers.urls[0], path("clusters?limit=1000"));
            let listed = answer(self.http.get(url)).await?;
            let items = listed.body["items"].as_array()?.clone();
            let reached = |cluster: &Value| cluster["status"]["reachable"] == json!(true);
            (items.len() == self.clusters.len() && items.iter().all(reached)).then_some(())
        })
        .await;
        self.watched(1).await;
    }

    /// Waits until every cluster was asked for at least so many watches.
    pub(crate) async fn watched(&self, times: u64) {
        until_within(PATIENCE, "all clusters are watched", async || {
            let watched = |cluster: &SimulatedCluster| cluster.requests().of(Verb::Watch, "jobs") >= times;
            self.clusters.iter().all(watched).then_some(())
        })
        .await;
    }

    /// Requests to all clusters.
    pub(crate) fn requests(&self, verb: Verb) -> u64 {
        self.clusters.iter().map(|cluster| cluster.requests().of_verb(verb)).sum()
    }

    /// Of the leader, and of the others.
    pub(crate) async fn roles(&self) -> (usize, Vec<usize>) {
        let leader = self.servers.leader().await;
        (leader, (0..self.servers.urls.len()).filter(|i| *i != leader).collect())
    }

    /// How far the log has come, and the revision.
    pub(crate) async fn applied(&self) -> (u64, u64) {
        let status = self.servers.status(0).await.unwrap();
        (status["applied"].as_u64().unwrap(), status["revision"].as_str().unwrap().parse().unwrap())
    }

    /// Seconds that each server has used.
    pub(crate) fn cpu(&self) -> Vec<f64> {
        (0..self.servers.urls.len()).map(|i| cpu_s(&[self.servers.pid(i)])).collect()
    }

    /// What is used from now on.
    pub(crate) fn meter(&self) -> Meter {
        Meter { from: Instant::now(), servers: self.cpu(), own: own_cpu_s() }
    }

    /// The least of [`relists_now`](Self::relists_now) in a while: no sweep is between its two listings all the time.
    pub(crate) async fn relists(&self) -> u64 {
        let mut least = u64::MAX;
        for _ in 0..50 {
            least = least.min(self.relists_now());
            sleep(Duration::from_millis(20)).await;
        }
        least
    }

    /// Listings of Jobs beside those of sweeps, which list ConfigMaps behind them, as nobody else does. One that is
    /// between the two counts, for ever if its leader is killed then.
    pub(crate) fn relists_now(&self) -> u64 {
        let of = |cluster: &SimulatedCluster| {
            let counts = cluster.requests();
            counts.listings("jobs").saturating_sub(counts.listings("configmaps"))
        };
        self.clusters.iter().map(of).sum()
    }

    /// Follows the Jobs of clusters, and on all followers the runs that `selector` selects.
    pub(crate) async fn follow(&self, clusters: &[usize], selector: &str) -> Follow {
        let (made, uids, changed) = (Moments::default(), Uids::default(), Versions::default());
        let of = |number: &usize| follow_cluster(&self.clusters[*number].server(), &made, &uids, &changed);
        let mut tasks: Vec<Following> = clusters.iter().map(of).collect();
        let mut shown = Vec::new();
        for follower in self.roles().await.1 {
            let seen = Versions::default();
            tasks.push(follow_runs(&self.servers.urls[follower], selector, &seen));
            shown.push(seen);
        }
        Follow { made, uids, changed, shown, _tasks: tasks }
    }
}

/// What is used from a moment on.
pub(crate) struct Meter {
    from: Instant,
    servers: Vec<f64>,
    own: f64,
}

impl Meter {
    pub(crate) fn seconds(&self) -> f64 {
        self.from.elapsed().as_secs_f64()
    }

    /// Reports of how many cores who took what until now.
    pub(crate) async fn report(&self, setting: &Setting, what: &str) {
        let (took_s, after, own) = (self.seconds(), setting.cpu(), own_cpu_s());
        let (leader, followers) = setting.roles().await;
        let cores = |i: usize| (after[i] - self.servers[i]) / took_s;
        let of: Vec<String> = followers.iter().map(|i| format!("{:.2}", cores(*i))).collect();
        let (own, resident) = ((own - self.own) / took_s, resident_mib(&[setting.servers.pid(leader)])[0]);
        let (leader, followers) = (cores(leader), of.join(", "));
        Table::Cores.add(&format!("| {what} | {leader:.2} | {followers} | {own:.2} | {resident:.0} |"));
    }
}

/// Of this process: simulated clusters, whoever submits, and whoever watches.
fn own_cpu_s() -> f64 {
    cpu_s(&[i32::try_from(std::process::id()).unwrap()])
}

/// What happens, and when it is known, from now on.
pub(crate) struct Follow {
    /// When a Job came to be.
    pub(crate) made: Moments,
    /// What each was.
    pub(crate) uids: Uids,
    /// When its status changed.
    pub(crate) changed: Versions,
    /// When each follower showed that.
    pub(crate) shown: Vec<Versions>,
    _tasks: Vec<Following>,
}

impl Follow {
    /// What was accepted and has no Job, and what has had several.
    pub(crate) fn lost_and_twice(&self, load: &Load) -> (usize, usize) {
        let (made, uids) = (self.made.lock().unwrap(), self.uids.lock().unwrap());
        let lost = load.accepted.lock().unwrap().keys().filter(|name| !made.contains_key(*name)).count();
        (lost, uids.values().filter(|uids| uids.len() > 1).count())
    }

    /// Waits until each that was accepted has its Job, and asserts that none has two.
    pub(crate) async fn all_there_once(&self, load: &Load) {
        until_within(PATIENCE, "all that was accepted has its Job", async || {
            (self.lost_and_twice(load).0 == 0).then_some(())
        })
        .await;
        assert_eq!(self.lost_and_twice(load), (0, 0), "lost, and there twice");
    }
}

pub(crate) fn name(cluster: usize) -> String {
    format!("c{cluster}")
}
