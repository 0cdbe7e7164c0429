//! The leader over a real group of three replicas, with logs on disk, and a simulated cluster over a socket.

use crate::memory_log::Clock;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tallyman_chaos::{RUN_FOR, SimulatedCluster, SimulatedClusterOptions, Verb};
use tallyman_leader::{Leader, Options, Sockets};
use tallyman_model::command::AddCluster;
use tallyman_model::record::{Credentials, Runnable};
use tallyman_model::{Command, Env, Phase, Principal, manifest, query};
use tallyman_raft::{Backend, Group, GroupOptions, Proposal, Timing};
use tokio::time::Instant;

async fn replica(dir: &std::path::Path, address: &str, peers: &[String], env: &Arc<Clock>) -> Group {
    let options = GroupOptions {
        dir: dir.into(),
        group: "test".to_owned(),
        datacenter: "here".to_owned(),
        peer_listen: address.parse().unwrap(),
        advertise_peer: address.to_owned(),
        advertise_api: "http://127.0.0.1:1".to_owned(),
        peers: peers.to_vec(),
        tls: None,
        env: Arc::clone(env) as Arc<dyn Env>,
        backend: Backend::Sled,
        timing: Timing::default(),
        on_fatal: None,
        understands: tallyman_model::GROUP_VERSION,
        flush_gate: None,
    };
    Group::start(options).await.unwrap()
}

fn lead(group: &Group, env: &Arc<Clock>) -> Leader {
    let options = Options::new(Arc::clone(env) as Arc<dyn Env>);
    Leader::start(Arc::new(group.clone()), Arc::new(Sockets::default()), options)
}

async fn ask(group: &Group, command: Command) {
    let by = Principal { user: "ann".to_owned(), ..Principal::default() };
    group.propose(Proposal { by, key: None, command }).await.unwrap().reply.unwrap();
}

async fn submit(group: &Group, env: &Clock, name: &str) {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
    let metadata = json!({"name": name, "annotations": {RUN_FOR: "1s"}});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {"spec": pod}}});
    let value = json!({"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {"manifests": [job]}});
    ask(group, Command::Submit(Box::new(manifest::accept(value, "risk", env.uid()).unwrap()))).await;
}

async fn until_released(group: &Group, name: &str) -> Runnable {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = group.reader().now(|view, _| query::runnable(view, "risk", name).unwrap());
        if let Some(run) = &found
            && run.phase == Phase::Succeeded
            && run.objects.iter().all(|object| !object.held)
        {
            return run.clone();
        }
        assert!(Instant::now() < deadline, "{found:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Addresses that are free now.
fn free_addresses() -> Vec<String> {
    let listeners: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_end_over_a_real_group_and_go_on_when_the_leading_replica_stops() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = SimulatedCluster::start(SimulatedClusterOptions::named("east")).await.unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    std::fs::write(&kubeconfig, cluster.kubeconfig()).unwrap();
    let env = Arc::new(Clock::new(5));
    let peers = free_addresses();
    let mut replicas = Vec::new();
    for (i, address) in peers.iter().enumerate() {
        let group = replica(&dir.path().join(i.to_string()), address, &peers, &env).await;
        replicas.push((lead(&group, &env), group));
    }
    replicas[0].1.init(3).await.unwrap();
    let add = AddCluster {
        uid: env.uid(),
        name: "east".to_owned(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        credentials: Credentials::kubeconfig(kubeconfig.display().to_string(), None),
        cordoned: false,
        paused: false,
        via: String::new(),
        ..AddCluster::default()
    };
    ask(&replicas[0].1, Command::AddCluster(add)).await;
    submit(&replicas[1].1, &env, "first").await;
    until_released(&replicas[2].1, "first").await;

    for i in 0..10 {
        submit(&replicas[i % 3].1, &env, &format!("run-{i}")).await;
    }
    let leads = replicas.iter().position(|(_, group)| group.leadership().borrow().is_some()).unwrap();
    let (leader, group) = replicas.swap_remove(leads);
    leader.shutdown().await;
    group.shutdown().await;
    for i in 0..10 {
        let run = until_released(&replicas[0].1, &format!("run-{i}")).await;
        assert_eq!(run.attempts.len(), 1);
    }
    // A request that the old leader had under way may have been repeated; the name makes it one object.
    assert!(cluster.requests().of(Verb::Create, "jobs") >= 11);
    for (leader, group) in replicas {
        leader.shutdown().await;
        group.shutdown().await;
    }
}
