//! What is submitted, and how a run is moved on without a leader.

use crate::client::{Reply, Server};
use crate::memory::Memory;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::record::{Action, Credentials, Kind, Permit, Runnable, Seen};
use tallyman_model::rule::Verdict;
use tallyman_model::{Command, Env, Ordinal, Reason, ReplicaId, query};

pub(crate) const RUNNABLES: &str = "/apis/tallyman.dev/v1/namespaces/risk/runnables";
pub(crate) const CLUSTERS: &str = "/apis/tallyman.dev/v1/clusters";

/// A runnable with one Job.
pub(crate) fn runnable(name: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable",
        "metadata": {"name": name, "labels": {"desk": "rates"}},
        "spec": {"manifests": [
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {}}},
        ]},
    })
}

pub(crate) fn path(name: &str) -> String {
    format!("{RUNNABLES}/{name}")
}

impl Server {
    pub(crate) async fn submit(&self, name: &str) -> Reply {
        let reply = self.post(RUNNABLES, &runnable(name)).await;
        assert_eq!(reply.status.as_u16(), 201, "{}", reply.text());
        reply
    }
}

impl Memory {
    /// Registers a cluster and gets in touch with it.
    pub(crate) fn cluster(&self, name: &str) -> Ordinal {
        let credentials = Credentials::kubeconfig(format!("/etc/{name}"), None);
        let add = AddCluster {
            uid: self.env.uid(),
            name: name.to_owned(),
            labels: Default::default(),
            annotations: Default::default(),
            credentials,
            cordoned: false,
            paused: false,
            via: String::new(),
            ..AddCluster::default()
        };
        self.run(Command::AddCluster(add));
        let ordinal = self.look(|view| query::cluster(view, name)).unwrap().unwrap().head.ordinal;
        self.run(Command::Contact(Contact {
            cluster: ordinal,
            reachable: true,
            kube_system_uid: Some(format!("uid-of-{name}")),
            version: "v1.36.0".to_owned(),
            rewound: false,
            relayed_by: None,
            unwatched: Vec::new(),
            message: String::new(),
        }));
        ordinal
    }

    pub(crate) fn run_of(&self, name: &str) -> Runnable {
        self.look(|view| query::runnable(view, "risk", name)).unwrap().unwrap()
    }

    /// Places a run on a cluster.
    pub(crate) fn place(&self, name: &str, cluster: Ordinal) {
        let run = self.run_of(name);
        let attempt = u32::try_from(run.attempts.len()).unwrap() + 1;
        let why = "the only one".to_owned();
        self.run(Command::Place(Place { run: run.head.ordinal, attempt, choice: Choice::On(cluster), why }));
    }

    /// Commits the intent to create the run's one object.
    pub(crate) fn intend(&self, name: &str) {
        let permit = Permit { term: 1, leader: ReplicaId(1), incarnation: 7 };
        let run = self.run_of(name).head.ordinal;
        self.run(Command::Intend(Intend { run, object: 0, action: Action::Create, permit }));
    }

    /// A watch says what became of the run's one object.
    pub(crate) fn observe(&self, name: &str, verdict: Verdict, gone: bool) {
        let run = self.run_of(name);
        let object = &run.objects[0];
        let item = Observation {
            kind: Kind::Job,
            namespace: "risk".to_owned(),
            name: object.name.clone(),
            uid: format!("job-{name}"),
            resource_version: "8817".to_owned(),
            gone,
            group: Some(tallyman_model::Uid([9; 16])),
            submission: Some(run.head.uid),
            attempt: Some(object.attempt),
            digest: Some(run.planned[0].digest.to_string()),
            held: false,
            seen: Seen { resource_version: "8817".to_owned(), ..Seen::default() },
            verdict: Some(verdict),
            described: None,
        };
        self.run(Command::Observe(Observe {
            cluster: object.cluster,
            kind: Kind::Job,
            namespace: String::new(),
            plural: String::new(),
            timeline: 1,
            is_watch: true,
            cursor: Some("8817".to_owned()),
            rule: None,
            items: vec![item],
        }));
    }

    /// Brings a submitted run to the point where a cluster has refused its object.
    pub(crate) fn refused(&self, name: &str, cluster: Ordinal, reason: Reason, permanent: bool) {
        self.place(name, cluster);
        self.intend(name);
        let run = self.run_of(name);
        let intent = run.objects[0].pending.unwrap().index;
        let message = "the cluster's words".to_owned();
        let outcome = Outcome::Refused { reason, message, permanent, retry_after_ms: None };
        self.run(Command::Conclude(Conclude { run: run.head.ordinal, object: 0, intent, outcome }));
    }

    /// Brings a submitted run to the point where its object runs.
    pub(crate) fn started(&self, name: &str, cluster: Ordinal) {
        self.place(name, cluster);
        self.intend(name);
        self.observe(name, Verdict::Running, false);
    }
}
