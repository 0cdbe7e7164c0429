//! A simulated cluster, the books of a log, and a driver between them.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions};
use tallyman_cluster::driver::{Batch, Sink, SinkError, WatchOptions, run};
use tallyman_cluster::machine::Stored;
use tallyman_cluster::{ClusterApi, ConnectOptions, KubeApi, ObjectKey, Timing};
use tallyman_model::record::{Extent, Kind};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

const WAIT_MAX: Duration = Duration::from_secs(20);
pub(crate) const KIND: Kind = Kind::Job;

/// What a log would have.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) objects: BTreeMap<ObjectKey, String>,
    pub(crate) stored: Option<Stored>,
    pub(crate) timeline: u32,
    pub(crate) batches: Vec<Batch>,
    pub(crate) refuse: u32,
}

pub(crate) struct Log {
    pub(crate) books: Mutex<Books>,
    /// Each commit takes one.
    pub(crate) permits: Semaphore,
}

impl Sink for Log {
    fn commit(&self, batch: Batch) -> futures::future::BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            self.permits.acquire().await.unwrap().forget();
            self.books.lock().unwrap().take(batch)
        })
    }
}

impl Books {
    fn take(&mut self, batch: Batch) -> Result<(), SinkError> {
        if self.refuse > 0 {
            self.refuse -= 1;
            return Err(SinkError::Refused { wait_ms: 1, message: "asked to".to_owned() });
        }
        self.timeline = self.timeline.max(batch.timeline);
        for item in &batch.items {
            self.objects.insert(ObjectKey::of(item), item.resource_version.clone());
        }
        for item in &batch.deleted {
            self.objects.remove(&ObjectKey::of(item));
        }
        if let Some(listed) = &batch.listed {
            self.objects.retain(|key, _| listed.contains(key));
        }
        if let Some(cursor) = &batch.cursor {
            let (cursor, timeline) = (cursor.clone(), batch.timeline);
            self.stored = Some(Stored { reached: cursor.clone(), cursor, timeline });
        }
        self.batches.push(batch);
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) cluster: SimulatedCluster,
    pub(crate) api: Arc<KubeApi>,
    pub(crate) log: Arc<Log>,
    pub(crate) options: WatchOptions,
    driver: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl World {
    /// A cluster with suspended Jobs `o0`, `o1`, ..., not yet watched.
    pub(crate) async fn with(objects: usize) -> Self {
        let mut options = SimulatedClusterOptions::named("east");
        options.bookmark_interval = Duration::from_millis(50);
        let cluster = SimulatedCluster::start(options).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubeconfig");
        std::fs::write(&path, cluster.kubeconfig()).unwrap();
        let short = Duration::from_millis(200);
        let timing = Timing { watch_s: (1, 1), watch_grace: short, ..Timing::default() };
        let api = KubeApi::connect(ConnectOptions { timing, ..ConnectOptions::new(path) }).await.unwrap();
        let mut options = WatchOptions::new(Extent::everywhere(KIND), "group=g", 1);
        options.page_items = 3;
        options.beat = Duration::from_millis(20);
        let log = Log { books: Mutex::default(), permits: Semaphore::new(Semaphore::MAX_PERMITS) };
        let world =
            Self { cluster, api: Arc::new(api), log: Arc::new(log), options, driver: None, _dir: dir };
        for number in 0..objects {
            world.create(&format!("o{number}")).await;
        }
        world
    }

    pub(crate) fn start(&mut self) {
        let stored = self.log.books.lock().unwrap().stored.clone();
        let (_, timeline) = watch::channel(self.log.books.lock().unwrap().timeline);
        let api: Arc<dyn ClusterApi> = Arc::clone(&self.api) as _;
        let sink: Arc<dyn Sink> = Arc::clone(&self.log) as _;
        self.driver = Some(tokio::spawn(run(api, sink, self.options.clone(), stored, timeline)));
    }

    /// As a process that is killed.
    pub(crate) async fn crash(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.abort();
            let _ = driver.await;
        }
    }

    pub(crate) async fn create(&self, name: &str) {
        let body = job(name, "g");
        self.api.create(&KIND, "n", body.to_string().as_bytes()).await.unwrap();
    }

    pub(crate) async fn touch(&self, name: &str) {
        let found = self.api.get(&KIND, "n", name).await.unwrap().unwrap();
        let patch = json!({"metadata": {"annotations": {"version": found.resource_version}}});
        self.api.patch(&KIND, "n", name, &found.uid, None, &patch).await.unwrap();
    }

    pub(crate) async fn delete(&self, name: &str) {
        let found = self.api.get(&KIND, "n", name).await.unwrap().unwrap();
        self.api.delete(&KIND, "n", name, &found.uid).await.unwrap();
    }

    /// What the cluster has, asked for in one page.
    async fn truth(&self) -> BTreeMap<ObjectKey, String> {
        let page = self.api.list(&Extent::everywhere(KIND), "group=g", None, 500).await.unwrap();
        assert_eq!(page.continue_token, None);
        page.items.iter().map(|item| (ObjectKey::of(item), item.resource_version.clone())).collect()
    }

    /// Waits until the books are what the cluster is, up to a cursor that a new driver can start from.
    pub(crate) async fn until_equal(&self) {
        let truth = self.truth().await;
        until("the books to equal the cluster", || {
            let books = self.log.books.lock().unwrap();
            books.objects == truth && books.stored.as_ref().is_some_and(|stored| !stored.cursor.is_empty())
        })
        .await;
    }

    pub(crate) fn listings(&self) -> usize {
        let books = self.log.books.lock().unwrap();
        books.batches.iter().filter(|batch| batch.listed.is_some()).count()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.log.books.lock().unwrap().objects.keys().map(|key| key.name.clone()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

/// A Job that never runs.
pub(crate) fn job(name: &str, group: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": {"group": group}},
        "spec": {"suspend": true, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
        }}},
    })
}

pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}
