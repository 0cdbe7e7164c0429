//! A group with one leader after another, and its clusters.

use crate::fuse::{Blows, Fuse};
use crate::memory_log::{MemoryLog, State};
use crate::sim::Sim;
use crate::sim_api::Factory;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tallyman_leader::{Leader, Options};
use tallyman_model::command::{AddCluster, AddMember, Found, RaiseVersion};
use tallyman_model::record::{Cluster, Credentials, Permit, Runnable};
use tallyman_model::{Command, Env, GROUP_VERSION, Phase, Principal, ReplicaId, Uid, manifest, query};
use tokio::time::Instant;

pub(crate) const GROUP: Uid = Uid([7; 16]);

/// How long anything may take, in the simulation's time.
const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) struct World {
    pub(crate) state: Arc<State>,
    pub(crate) sims: BTreeMap<String, Arc<Sim>>,
    pub(crate) life: Option<Life>,
    term: u64,
}

/// One leadership.
pub(crate) struct Life {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) fuse: Arc<Fuse>,
    #[expect(dead_code, reason = "dropping it ends the life")]
    leader: Leader,
}

impl World {
    /// A founded group with these clusters, and nobody leading.
    pub(crate) fn new(seed: u64, clusters: &[&str]) -> Self {
        let state = State::new(seed);
        let member = AddMember {
            directory: Uid([9; 16]),
            datacenter: "here".to_owned(),
            peer_address: "127.0.0.1:1".to_owned(),
            api_url: "http://127.0.0.1:2".to_owned(),
        };
        let mut world = Self { state, sims: BTreeMap::new(), life: None, term: 1 };
        world.ok(Command::Found(Found { group: GROUP, members: vec![member] }));
        for name in clusters {
            let uid = world.state.env.uid();
            world.ok(Command::AddCluster(AddCluster {
                uid,
                name: (*name).to_owned(),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                credentials: Credentials::default(),
                cordoned: false,
                paused: false,
                via: String::new(),
                ..AddCluster::default()
            }));
            world.sims.insert((*name).to_owned(), Sim::new(name));
        }
        world
    }

    /// One cluster, `east`, and a leader.
    pub(crate) fn led() -> Self {
        let mut world = Self::new(1, &["east"]);
        world.lead(None);
        world
    }

    pub(crate) fn east(&self) -> &Arc<Sim> {
        &self.sims["east"]
    }

    pub(crate) fn west(&self) -> &Arc<Sim> {
        &self.sims["west"]
    }

    /// Ends the life there is and begins the next one, which ends at boundary `blows_at`.
    pub(crate) fn lead(&mut self, blows_at: Option<u64>) {
        self.lead_until(blows_at.map_or(Blows::Never, Blows::At));
    }

    /// Ends the life there is and begins the next one, which ends where `blows` says.
    pub(crate) fn lead_until(&mut self, blows: Blows) {
        self.life = None;
        self.term += 1;
        let permit = Permit { term: self.term, leader: ReplicaId(self.term), incarnation: self.term };
        let fuse = Arc::new(Fuse::new(blows));
        let log = MemoryLog::new(&self.state, permit, Arc::clone(&fuse));
        let factory = Arc::new(Factory { sims: self.sims.clone(), log: Arc::clone(&log) });
        let options = Options::new(Arc::clone(&self.state.env) as Arc<dyn Env>);
        let leader = Leader::start(Arc::clone(&log) as _, factory, options);
        self.life = Some(Life { log, fuse, leader });
    }

    pub(crate) fn life(&self) -> &Life {
        self.life.as_ref().expect("somebody leads")
    }

    pub(crate) fn ok(&self, command: Command) {
        let by = Principal { user: "ann".to_owned(), ..Principal::default() };
        self.state.commit(by, command).expect("the command is not refused");
    }

    /// All replicas understand what this build does.
    pub(crate) fn raise(&self) {
        let understood_by = vec![ReplicaId(1)];
        self.ok(Command::RaiseVersion(RaiseVersion { to: GROUP_VERSION, understood_by }));
    }

    /// Submits a Job with a ConfigMap, changed by `change`.
    pub(crate) fn submit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"manifests": [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{name}-input")}, "data": {"a": "1"}},
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {}}},
            ]},
        });
        change(&mut value);
        let submit = manifest::accept(value, "risk", self.state.env.uid()).expect("it is well-formed");
        self.ok(Command::Submit(Box::new(submit)));
    }

    pub(crate) fn find(&self, name: &str) -> Option<Runnable> {
        self.state.look(|view| query::runnable(view, "risk", name).unwrap())
    }

    pub(crate) fn get(&self, name: &str) -> Runnable {
        self.find(name).expect("the runnable is there")
    }

    pub(crate) fn cluster(&self, name: &str) -> Cluster {
        self.state.look(|view| query::cluster(view, name).unwrap()).expect("the cluster is there")
    }

    /// Waits for a condition, in the simulation's time.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            if Instant::now() > deadline {
                self.explain(what);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn explain(&self, what: &str) -> ! {
        let runs = self.state.look(|view| {
            let filter = query::Filter::all(tallyman_model::record::Resource::Runnable);
            query::list(view, &filter, tallyman_model::Ordinal(0), 10).unwrap().records
        });
        let verbs = self.state.verbs.lock().unwrap();
        let writes: Vec<_> = self.sims.values().map(|sim| sim.writes()).collect();
        let last = verbs.len().saturating_sub(40);
        panic!(
            "{what} did not happen; last commands {:?}; writes {writes:?}; runs {runs:#?}",
            &verbs[last..]
        );
    }

    pub(crate) async fn until_phase(&self, name: &str, phase: Phase) {
        self.until(&format!("{name} {phase}"), |world| {
            world.find(name).is_some_and(|run| run.phase == phase)
        })
        .await;
    }

    /// Nothing is under way for this long.
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
