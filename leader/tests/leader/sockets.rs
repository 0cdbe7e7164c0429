//! The leader against simulated clusters over real sockets, with the real client and real time.

use crate::fuse::{Blows, Fuse};
use crate::memory_log::{MemoryLog, State};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tallyman_chaos::{Fault, Loss, Matching, RUN_FOR, SimulatedCluster, SimulatedClusterOptions, Verb};
use tallyman_leader::{Leader, Options, Sockets};
use tallyman_model::command::{AddCluster, AddMember, Found};
use tallyman_model::record::{Credentials, Extent, Kind, Permit, Runnable};
use tallyman_model::{Command, Env, Phase, Principal, ReplicaId, Uid, manifest, query};
use tokio::time::Instant;

pub(crate) struct Wired {
    pub(crate) state: Arc<State>,
    pub(crate) clusters: Vec<SimulatedCluster>,
    sweep_every: Duration,
    dir: tempfile::TempDir,
    term: u64,
    leader: Option<(Arc<MemoryLog>, Leader)>,
}

impl Wired {
    pub(crate) async fn start(names: &[&str]) -> Self {
        let state = State::new(1);
        let mut wired = Self {
            state,
            clusters: Vec::new(),
            sweep_every: Duration::from_secs(2),
            dir: tempfile::tempdir().unwrap(),
            term: 1,
            leader: None,
        };
        let member = AddMember {
            directory: Uid([9; 16]),
            datacenter: String::new(),
            peer_address: String::new(),
            api_url: String::new(),
        };
        wired.ok(Command::Found(Found { group: Uid([7; 16]), members: vec![member] }));
        for name in names {
            let cluster = SimulatedCluster::start(SimulatedClusterOptions::named(name)).await.unwrap();
            let path = wired.dir.path().join(format!("{name}.kubeconfig"));
            std::fs::write(&path, cluster.kubeconfig()).unwrap();
            wired.ok(Command::AddCluster(AddCluster {
                uid: wired.state.env.uid(),
                name: (*name).to_owned(),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                credentials: Credentials::kubeconfig(path.display().to_string(), None),
                cordoned: false,
                paused: false,
                via: String::new(),
                ..AddCluster::default()
            }));
            wired.clusters.push(cluster);
        }
        wired
    }

    pub(crate) fn lead(&mut self) {
        self.leader = None;
        self.term += 1;
        let permit = Permit { term: self.term, leader: ReplicaId(self.term), incarnation: self.term };
        let log = MemoryLog::new(&self.state, permit, Arc::new(Fuse::new(Blows::Never)));
        let mut options = Options::new(Arc::clone(&self.state.env) as Arc<dyn Env>);
        options.sweep_every = self.sweep_every;
        let leader = Leader::start(Arc::clone(&log) as _, Arc::new(Sockets::default()), options);
        self.leader = Some((log, leader));
    }

    pub(crate) fn ok(&self, command: Command) {
        let by = Principal { user: "ann".to_owned(), ..Principal::default() };
        self.state.commit(by, command).expect("the command is not refused");
    }

    fn submit(&self, name: &str) {
        self.submit_for(name, "300ms");
    }

    fn submit_for(&self, name: &str, run_for: &str) {
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
        let job = json!({"template": {"spec": pod}});
        let annotations = json!({RUN_FOR: run_for});
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"manifests": [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{name}-input")}, "data": {"a": "1"}},
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "annotations": annotations}, "spec": job},
            ]},
        });
        let submit = manifest::accept(value, "risk", self.state.env.uid()).expect("it is well-formed");
        self.ok(Command::Submit(Box::new(submit)));
    }

    pub(crate) fn get(&self, name: &str) -> Runnable {
        self.state.look(|view| query::runnable(view, "risk", name).unwrap()).expect("it is there")
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "{what} did not happen: {:?}",
                self.state.verbs.lock().unwrap()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn requests(&self, verb: Verb, resource: &str) -> u64 {
        self.clusters.iter().map(|cluster| cluster.requests().of(verb, resource)).sum()
    }
}

fn released(run: &Runnable) -> bool {
    run.phase == Phase::Succeeded && run.objects.iter().all(|object| !object.held)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_on_two_clusters_end_and_every_object_is_asked_for_once() {
    let mut wired = Wired::start(&["east", "west"]).await;
    wired.lead();
    for i in 0..30 {
        wired.submit(&format!("run-{i}"));
    }
    for i in 0..30 {
        wired.until("all released", |wired| released(&wired.get(&format!("run-{i}")))).await;
    }
    assert_eq!((wired.requests(Verb::Create, "jobs"), wired.requests(Verb::Create, "configmaps")), (30, 30));
    assert_eq!(wired.requests(Verb::Patch, "jobs"), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_refusals_closed_watches_and_a_new_leader_change_nothing_for_the_runs() {
    let mut wired = Wired::start(&["east"]).await;
    wired.lead();
    let faults = wired.clusters[0].faults();
    faults.next(4, Matching::verb(Verb::Create).resource("jobs"), Fault::LoseAnswer(Loss::Drop));
    faults.next(2, Matching::verb(Verb::Create).resource("jobs"), Fault::LoseAnswer(Loss::GatewayTimeout));
    faults.refuse_next(3, Matching::verb(Verb::Create), 429);
    faults.next(2, Matching::verb(Verb::Patch), Fault::LoseAnswer(Loss::Drop));
    for i in 0..20 {
        wired.submit(&format!("run-{i}"));
    }
    wired.until("some to run", |wired| wired.requests(Verb::Create, "jobs") > 10).await;
    wired.clusters[0].faults().close_watches();
    wired.clusters[0].compact();
    wired.lead();
    for i in 0..20 {
        wired.until("all released", |wired| released(&wired.get(&format!("run-{i}")))).await;
    }
    for i in 0..20 {
        let run = wired.get(&format!("run-{i}"));
        assert_eq!((run.attempts.len(), run.objects.len()), (1, 2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_refuses_connections_is_taken_up_again_when_it_returns() {
    let mut wired = Wired::start(&["east"]).await;
    wired.lead();
    wired.submit("first");
    wired.until("the first", |wired| released(&wired.get("first"))).await;
    wired.clusters[0].pause_listener().await;
    wired.submit("second");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    wired.clusters[0].resume_listener().await.unwrap();
    wired.until("the second", |wired| released(&wired.get("second"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_created_is_read_only_where_its_answer_was_lost() {
    let mut wired = Wired::start(&["east"]).await;
    wired.lead();
    let read = |wired: &Wired| (wired.requests(Verb::Get, "jobs"), wired.requests(Verb::Get, "configmaps"));
    // A sweep may read what was made while it listed: the next one is two seconds away.
    let is_swept =
        |wired: &Wired| wired.state.look(|view| query::cluster(view, "east").unwrap().unwrap().swept_ms > 0);
    wired.until("a sweep", is_swept).await;
    for (name, reads) in [("plain", 0), ("lost", 1)] {
        if reads > 0 {
            let create = Matching::verb(Verb::Create).resource("jobs");
            wired.clusters[0].faults().next(1, create, Fault::LoseAnswer(Loss::Drop));
        }
        let before = read(&wired);
        wired.submit(name);
        wired.until("its end", |wired| released(&wired.get(name))).await;
        let after = read(&wired);
        // The hold is released from what the watch told last, and only as long as that holds.
        assert_eq!((after.0 - before.0, after.1 - before.1), (reads, 0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_resumes_every_watch_where_the_last_one_was_and_lists_nothing() {
    let names: Vec<String> = (0..12).map(|number| format!("cluster-{number}")).collect();
    let mut wired = Wired::start(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // What is counted is what watches list.
    wired.sweep_every = Duration::from_secs(3_600);
    wired.lead();
    let runs: Vec<String> = (0..36).map(|run| format!("run-{run}")).collect();
    runs.iter().for_each(|run| wired.submit_for(run, "4s"));
    for run in &runs {
        wired.until("all to run", |wired| wired.get(run).phase == Phase::Running).await;
    }
    let is_resumable = |wired: &Wired, name: &String| {
        let watch = wired.state.look(|view| {
            let cluster = query::cluster(view, name).unwrap().unwrap().head.ordinal;
            query::watch(view, cluster, &Extent::everywhere(Kind::Job)).unwrap()
        });
        watch.is_some_and(|watch| !watch.cursor.is_empty())
    };
    wired.until("cursors", |wired| names.iter().all(|name| is_resumable(wired, name))).await;
    let lists = |wired: &Wired| -> u64 {
        let of = |cluster: &SimulatedCluster| {
            let requests = cluster.requests();
            requests.listings("jobs") + requests.listings("configmaps")
        };
        wired.clusters.iter().map(of).sum()
    };
    let (listed, watched) = (lists(&wired), wired.requests(Verb::Watch, "jobs"));
    wired.lead();
    for run in &runs {
        wired.until("all to end", |wired| released(&wired.get(run))).await;
    }
    assert_eq!(lists(&wired), listed, "what happened meanwhile was told by the watches");
    assert_eq!(wired.requests(Verb::Watch, "jobs"), watched + 12, "one for each cluster");
}
