//! A state for unit tests: one run with a Job and a ConfigMap, placed on one cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallyman_model::command::{
    AddCluster, AddMember, Choice, Conclude, Contact, Found, Intend, Observation, Outcome, Place,
};
use tallyman_model::manifest::{Marks, accept, materialise};
use tallyman_model::record::{Action, Credentials, Permit, Runnable};
use tallyman_model::{
    Command, Ctx, Done, Entry, MemoryView, Ordinal, Principal, ReplicaId, Uid, apply, query, rule,
};

pub(crate) const GROUP: Uid = Uid([7; 16]);
pub(crate) const PERMIT: Permit = Permit { term: 1, leader: ReplicaId(1), incarnation: 1 };

pub(crate) struct Fixture {
    pub(crate) view: MemoryView,
    pub(crate) now_ms: u64,
    index: u64,
}

impl Fixture {
    /// The run `risk/report`, placed on `east`: object 0 is the ConfigMap, object 1 the Job.
    pub(crate) fn placed() -> Self {
        let mut fixture = Self { view: MemoryView::default(), now_ms: 1_800_000_000_000, index: 0 };
        let member = AddMember {
            directory: Uid([9; 16]),
            datacenter: String::new(),
            peer_address: String::new(),
            api_url: String::new(),
        };
        fixture.take(Command::Found(Found { group: GROUP, members: vec![member] }));
        fixture.take(Command::AddCluster(AddCluster {
            uid: Uid([1; 16]),
            name: "east".to_owned(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            credentials: Credentials::default(),
            cordoned: false,
            paused: false,
            via: String::new(),
            ..AddCluster::default()
        }));
        let cluster = fixture.cluster();
        fixture.take(Command::Contact(Contact {
            cluster,
            reachable: true,
            kube_system_uid: Some("east".to_owned()),
            version: String::new(),
            rewound: false,
            relayed_by: None,
            unwatched: Vec::new(),
            message: String::new(),
        }));
        let spec = json!({"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "report"},
        "spec": {"manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "input"}, "data": {"a": "1"}},
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report"}, "spec": {"template": {}}},
        ]}});
        fixture.take(Command::Submit(Box::new(accept(spec, "risk", Uid([2; 16])).unwrap())));
        let (run, choice) = (fixture.run().head.ordinal, Choice::On(cluster));
        fixture.take(Command::Place(Place { run, attempt: 1, choice, why: String::new() }));
        fixture
    }

    pub(crate) fn take(&mut self, command: Command) -> Done {
        self.index += 1;
        let ctx = Ctx { index: self.index, term: PERMIT.term, leader: PERMIT.leader };
        let entry = Entry { clock_ms: self.now_ms, by: Principal::leader(), key: None, command };
        let applied = apply(&self.view, &ctx, entry).unwrap();
        self.view.commit(applied.writes);
        applied.reply.expect("not refused")
    }

    pub(crate) fn run(&self) -> Runnable {
        query::runnable(&self.view, "risk", "report").unwrap().unwrap()
    }

    pub(crate) fn cluster(&self) -> Ordinal {
        query::cluster(&self.view, "east").unwrap().unwrap().head.ordinal
    }

    pub(crate) fn intend(&mut self, object: u16, action: Action) -> u64 {
        let run = self.run().head.ordinal;
        self.take(Command::Intend(Intend { run, object, action, permit: PERMIT }));
        self.index
    }

    pub(crate) fn conclude(&mut self, object: u16, intent: u64, outcome: Outcome) {
        let run = self.run().head.ordinal;
        self.take(Command::Conclude(Conclude { run, object, intent, outcome }));
    }

    pub(crate) fn create(&mut self, object: u16) -> Observation {
        let intent = self.intend(object, Action::Create);
        let item = self.item(object, &format!("uid-{object}"), |_| {});
        self.conclude(object, intent, Outcome::Done(Box::new(item.clone())));
        item
    }

    /// The object as the cluster would show it.
    pub(crate) fn item(&self, object: u16, uid: &str, change: impl FnOnce(&mut Value)) -> Observation {
        let run = self.run();
        let sent = &run.objects[usize::from(object)];
        let manifests = query::manifests(&self.view, &run).unwrap();
        let marks = Marks { group: GROUP, cluster_uid: "east".to_owned(), at_ms: self.now_ms };
        let mut value: Value =
            serde_json::from_slice(&materialise(&run, sent, &manifests, &marks).unwrap()).unwrap();
        value["metadata"]["uid"] = json!(uid);
        value["metadata"]["resourceVersion"] = json!("100");
        change(&mut value);
        rule::project(&run.plan(sent).unwrap().kind, &value).unwrap()
    }
}
