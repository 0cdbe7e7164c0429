//! The state that the log makes, with runs of which the main object may have been sent.

use super::server::Live;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallyman_model::command::*;
use tallyman_model::record::{Action, Credentials, Extent, Kind, ObjectState, Permit, Runnable, Watch};
use tallyman_model::*;

const GROUP: Uid = Uid([7; 16]);

#[derive(Clone)]
pub(super) struct Books {
    view: MemoryView,
    index: u64,
    cluster: Ordinal,
    names: Vec<String>,
}

impl Books {
    /// A group with one cluster and `runs` runs on it.
    pub(super) fn with(runs: usize) -> Self {
        let names = (0..runs).map(|run| format!("run-{run}")).collect();
        let mut books = Self { view: MemoryView::default(), index: 0, cluster: Ordinal(0), names };
        let member = AddMember {
            directory: Uid([9; 16]),
            datacenter: String::new(),
            peer_address: String::new(),
            api_url: String::new(),
        };
        books.ok(Command::Found(Found { group: GROUP, members: vec![member] }));
        books.ok(Command::AddCluster(AddCluster {
            uid: Uid([8; 16]),
            name: "east".to_owned(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            credentials: Credentials::default(),
            cordoned: false,
            paused: false,
            via: String::new(),
            ..AddCluster::default()
        }));
        books.cluster = query::cluster(&books.view, "east").unwrap().unwrap().head.ordinal;
        books.contact(false);
        for run in 0..runs {
            books.send(run);
        }
        books
    }

    fn send(&mut self, run: usize) {
        let name = self.names[run].clone();
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {}}});
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"manifests": [job]},
        });
        let uid = Uid::from_random([u8::try_from(run).unwrap() + 1; 16]);
        let submit = manifest::accept(value, "risk", uid).expect("it is well-formed");
        self.ok(Command::Submit(Box::new(submit)));
        let ordinal = self.run(run).head.ordinal;
        let choice = Choice::On(self.cluster);
        self.ok(Command::Place(Place { run: ordinal, attempt: 1, choice, why: String::new() }));
        let permit = Permit { term: 1, leader: ReplicaId(1), incarnation: 1 };
        self.ok(Command::Intend(Intend { run: ordinal, object: 0, action: Action::Create, permit }));
    }

    /// What was sent for a run.
    pub(super) fn body(&self, run: usize) -> Value {
        let run = self.run(run);
        let manifests = query::manifests(&self.view, &run).unwrap();
        let marks = manifest::Marks { group: GROUP, cluster_uid: "c".to_owned(), at_ms: 0 };
        let bytes = manifest::materialise(&run, &run.objects[0], &manifests, &marks).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn run(&self, run: usize) -> Runnable {
        query::runnable(&self.view, "risk", &self.names[run]).unwrap().expect("it is there")
    }

    pub(super) fn apply(&mut self, command: Command) -> Result<Done, Refusal> {
        self.index += 1;
        let ctx = Ctx { index: self.index, term: 1, leader: ReplicaId(1) };
        let by = Principal { user: "ann".to_owned(), ..Principal::default() };
        let clock_ms = 1_800_000_000_000 + self.index;
        let applied = apply(&self.view, &ctx, Entry { clock_ms, by, key: None, command }).unwrap();
        self.view.commit(applied.writes);
        applied.reply
    }

    fn ok(&mut self, command: Command) {
        self.apply(command).expect("the command is not refused");
    }

    pub(super) fn contact(&mut self, rewound: bool) {
        self.ok(Command::Contact(Contact {
            cluster: self.cluster,
            reachable: true,
            kube_system_uid: Some("c".to_owned()),
            version: "v1.36.3".to_owned(),
            rewound,
            relayed_by: None,
            unwatched: Vec::new(),
            message: String::new(),
        }));
    }

    pub(super) fn observe(&self, timeline: u32, cursor: Option<String>, items: Vec<Observation>) -> Command {
        let (cluster, kind, namespace, plural) = (self.cluster, Kind::Job, String::new(), "jobs".to_owned());
        Command::Observe(Observe {
            cluster,
            kind,
            namespace,
            plural,
            timeline,
            is_watch: true,
            cursor,
            rule: None,
            items,
        })
    }

    pub(super) fn timeline(&self) -> u32 {
        query::cluster(&self.view, "east").unwrap().unwrap().timeline
    }

    pub(super) fn watch(&self) -> Option<Watch> {
        query::watch(&self.view, self.cluster, &Extent::everywhere(Kind::Job)).unwrap()
    }

    /// The cursor of the present timeline, if there is one to start from.
    pub(super) fn cursor(&self) -> Option<u64> {
        self.watch().filter(|watch| watch.timeline == self.timeline())?.cursor.parse().ok()
    }

    /// What the log takes for alive.
    pub(super) fn live(&self) -> Live {
        let thing = |run: usize| {
            let object = self.run(run).objects.first()?.clone();
            let seen = object.seen.filter(|_| object.state == ObjectState::Live)?;
            Some((run, (object.uid?, seen.active)))
        };
        (0..self.names.len()).filter_map(thing).collect()
    }
}
