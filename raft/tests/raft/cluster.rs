//! Replicas to test with.

use crate::tls::Authority;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tallyman_model::command::AddCluster;
use tallyman_model::record::{Credentials, Resource};
use tallyman_model::{Command, Env, GROUP_VERSION, Key, Principal, Revision, Row, Tag, Uid};
use tallyman_raft::{Backend, FlushGate, Group, GroupOptions, Proposal, StartError, Status, Timing};
use tempfile::TempDir;

/// How long a condition may take to hold.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Wall time that can be wrong, and entropy from a seed.
pub(crate) struct TestEnv {
    seed: AtomicU64,
    pub(crate) ahead_ms: AtomicI64,
}

impl TestEnv {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed: AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            ahead_ms: AtomicI64::new(0),
        })
    }
}

impl Env for TestEnv {
    fn now_ms(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "the tests' clock")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::try_from(now.as_millis()).unwrap().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }

    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let next = |x: u64| {
                Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
            };
            *byte = (self.seed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap() >> 56) as u8;
        }
    }
}

/// No two replicas of the tests have the same entropy.
static SEED: AtomicU64 = AtomicU64::new(1);

/// One replica's place: its directory and addresses. Its process comes and goes.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) address: String,
    pub(crate) datacenter: String,
    pub(crate) gate: Arc<FlushGate>,
    pub(crate) env: Arc<TestEnv>,
    /// Up to which version of the group its build understands it.
    pub(crate) understands: u32,
    pub(crate) group: Option<Group>,
}

impl Place {
    fn new(root: &Path, i: usize, address: String) -> Self {
        Self {
            dir: root.join(format!("place-{i}")),
            address,
            datacenter: format!("dc{i}"),
            gate: Arc::default(),
            env: TestEnv::new(SEED.fetch_add(1, Ordering::Relaxed)),
            understands: GROUP_VERSION,
            group: None,
        }
    }
}

/// A group.
pub(crate) struct Cluster {
    root: TempDir,
    pub(crate) name: String,
    pub(crate) timing: Timing,
    pub(crate) backend: Backend,
    /// Signs the certificates of the replicas; `None`: they talk without TLS.
    pub(crate) authority: Option<Authority>,
    pub(crate) places: Vec<Place>,
}

/// Addresses that nobody listens on at the moment.
pub(crate) fn free_addresses(count: usize) -> Vec<String> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let mut addresses: Vec<String> = held.iter().map(|held| held.local_addr().unwrap().to_string()).collect();
    addresses.sort_unstable();
    addresses
}

impl Cluster {
    /// `count` places, nothing started.
    pub(crate) fn places(count: usize) -> Self {
        // Shown with RUST_LOG, for whoever looks for an error.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let root = tempfile::tempdir().unwrap();
        let places = free_addresses(count)
            .into_iter()
            .enumerate()
            .map(|(i, address)| Place::new(root.path(), i, address))
            .collect();
        Self {
            root,
            name: "test".to_owned(),
            timing: Timing::default(),
            backend: Backend::Sled,
            authority: None,
            places,
        }
    }

    /// `count` replicas, started and founded.
    pub(crate) async fn founded(count: usize) -> Self {
        Self::founded_with(count, Timing::default()).await
    }

    /// As [`founded`](Self::founded).
    pub(crate) async fn founded_with(count: usize, timing: Timing) -> Self {
        let mut cluster = Self::places(count);
        cluster.timing = timing;
        cluster.found().await;
        cluster
    }

    /// A further place, whose replica is blank; not started. Those that run do not know of it.
    pub(crate) fn add_place(&mut self) -> usize {
        let i = self.places.len();
        let is_new = |address: &String| self.places.iter().all(|place| place.address != *address);
        let address = std::iter::repeat_with(|| free_addresses(1).remove(0)).find(is_new).unwrap();
        self.places.push(Place::new(self.root.path(), i, address));
        i
    }

    /// Starts all places and founds the group.
    pub(crate) async fn found(&mut self) {
        let count = self.places.len();
        for i in 0..count {
            self.start(i).await;
        }
        self.group(0).init(count).await.unwrap();
        self.wait_until_all_serve().await;
    }

    pub(crate) fn options(&self, i: usize) -> GroupOptions {
        let place = &self.places[i];
        GroupOptions {
            dir: (&place.dir).into(),
            group: self.name.clone(),
            datacenter: place.datacenter.clone(),
            peer_listen: place.address.parse::<SocketAddr>().unwrap(),
            advertise_peer: place.address.clone(),
            advertise_api: format!("http://127.0.0.1:{}", 10_000 + i),
            peers: self.places.iter().map(|place| place.address.clone()).collect(),
            tls: self.authority.as_ref().map(|authority| authority.issue(&place.dir.with_extension("tls"))),
            env: place.env.clone(),
            backend: self.backend,
            timing: self.timing,
            on_fatal: None,
            understands: place.understands,
            flush_gate: Some(Arc::clone(&place.gate)),
        }
    }

    pub(crate) async fn try_start(&mut self, i: usize) -> Result<(), StartError> {
        let group = Group::start(self.options(i)).await?;
        self.places[i].group = Some(group);
        Ok(())
    }

    pub(crate) async fn start(&mut self, i: usize) {
        self.try_start(i).await.unwrap();
    }

    pub(crate) fn group(&self, i: usize) -> &Group {
        self.places[i].group.as_ref().expect("it runs")
    }

    /// Stops a replica as a crash does.
    pub(crate) async fn kill(&mut self, i: usize) {
        self.places[i].group.take().expect("it runs").abort().await;
    }

    /// The places whose replica runs.
    pub(crate) fn running(&self) -> Vec<usize> {
        (0..self.places.len()).filter(|i| self.places[*i].group.is_some()).collect()
    }

    pub(crate) fn status(&self, i: usize) -> Status {
        self.group(i).status().borrow().clone()
    }

    /// Waits until the status of `i` is as `is` wants it.
    pub(crate) async fn wait(&self, i: usize, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let mut status = self.group(i).status();
        let found = tokio::time::timeout(PATIENCE, status.wait_for(|status| is(status))).await;
        // Let go of at once: who holds one borrow and asks for another while somebody waits to write waits for ever.
        let found = found.map(|status| status.unwrap().clone());
        found.unwrap_or_else(|_| panic!("not in time: {what}; replica {i} is {:?}", self.status(i)))
    }

    pub(crate) async fn wait_until_all_serve(&self) {
        for i in self.running() {
            self.wait(i, "it serves", |status| status.waiting_for.is_none() && status.leader.is_some()).await;
        }
    }

    /// The place of the leader that all running replicas know.
    pub(crate) async fn leader(&self) -> usize {
        let find = async {
            loop {
                let running = self.running();
                let leads = |i: &&usize| self.group(**i).leadership().borrow().is_some();
                if let Some(leader) = running.iter().find(leads) {
                    let id = self.status(*leader).id;
                    if running.iter().all(|i| self.status(*i).leader == id) {
                        return *leader;
                    }
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, find).await.expect("a leader in time")
    }

    /// A running replica that does not lead.
    pub(crate) async fn follower(&self) -> usize {
        let leader = self.leader().await;
        self.running().into_iter().find(|i| *i != leader).expect("a follower")
    }

    /// Waits until all running replicas have the same state.
    pub(crate) async fn wait_until_equal(&self) {
        let running = self.running();
        let equal = async {
            loop {
                let hashes: Vec<_> = running.iter().map(|i| self.group(*i).reader().state_hash()).collect();
                if hashes.windows(2).all(|pair| pair[0] == pair[1]) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, equal).await.is_err() {
            let seen: Vec<_> =
                running.iter().map(|i| (self.group(*i).reader().state_hash(), self.status(*i))).collect();
            panic!("not equal in time: {seen:#?}");
        }
    }
}

/// Waits until there is a snapshot in the data directory `dir`.
pub(crate) async fn has_snapshot(dir: &Path) {
    let is_one = |path: PathBuf| path.extension().is_some_and(|ending| ending == "snapshot");
    let taken = async {
        while !std::fs::read_dir(dir.join("snapshots")).unwrap().any(|file| is_one(file.unwrap().path())) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.unwrap();
}

/// A write that makes one record, which can be told by `number`.
pub(crate) fn write(number: u64) -> Proposal {
    let mut uid = [0; 16];
    uid[..8].copy_from_slice(&number.to_be_bytes());
    let command = Command::AddCluster(AddCluster {
        uid: Uid(uid),
        name: format!("write-{number}"),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        credentials: Credentials::default(),
        cordoned: true,
        paused: true,
        via: String::new(),
        ..AddCluster::default()
    });
    Proposal { by: Principal { user: "test".to_owned(), ..Principal::default() }, key: None, command }
}

impl Cluster {
    /// Writes `number` through replica `i`; it must be acknowledged. Answers the token.
    pub(crate) async fn write(&self, i: usize, number: u64) -> Revision {
        let committed = self.group(i).propose(write(number)).await.unwrap();
        committed.reply.unwrap().revision
    }

    /// The numbers that the replica `i` shows.
    pub(crate) fn shown(&self, i: usize) -> Vec<u64> {
        let key = |b| Key { tag: Tag::Resource, a: Resource::Cluster as u64, b, c: 0 };
        let names = self.group(i).reader().now(|view, _| {
            let found = view.page(key(0), key(u64::MAX), usize::MAX).unwrap();
            let row = |key: Key| view.get(Key::record(key.ordinal())).unwrap();
            found.into_iter().map(|(key, _)| row(key)).collect::<Vec<_>>()
        });
        let number = |row| match row {
            Some(Row::Record(record)) => record.head()?.name.strip_prefix("write-")?.parse().ok(),
            _ => None,
        };
        let mut numbers: Vec<u64> = names.into_iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    }
}
