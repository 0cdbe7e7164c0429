//! A log and the state that it makes, with words for what stories need.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::rule::{Rules, Verdict};
use tallyman_model::*;

pub(crate) struct World {
    pub(crate) view: MemoryView,
    pub(crate) log: Vec<(Ctx, Entry)>,
    pub(crate) now_ms: u64,
    pub(crate) term: u64,
    next_uid: u16,
}

impl World {
    /// No group yet.
    pub(crate) fn blank() -> Self {
        Self { view: MemoryView::default(), log: Vec::new(), now_ms: 1_800_000_000_000, term: 1, next_uid: 0 }
    }

    /// A founded group with clusters `east` and `west` that have been reached.
    pub(crate) fn new() -> Self {
        let mut world = Self::blank();
        let member = AddMember {
            directory: Uid([9; 16]),
            datacenter: "here".to_owned(),
            peer_address: "127.0.0.1:1".to_owned(),
            api_url: "http://127.0.0.1:2".to_owned(),
        };
        world.ok(Command::Found(Found { group: Uid([7; 16]), members: vec![member] }));
        for name in ["east", "west"] {
            let uid = world.uid();
            world.ok(Command::AddCluster(AddCluster {
                uid,
                name: name.to_owned(),
                labels: BTreeMap::from([("zone".to_owned(), name.to_owned())]),
                annotations: BTreeMap::new(),
                credentials: Credentials::default(),
                cordoned: false,
                paused: false,
                via: String::new(),
                ..AddCluster::default()
            }));
            let cluster = world.cluster(name).head.ordinal;
            world.contact(cluster, &format!("{name}-identity"));
        }
        world
    }

    /// A group whose replicas all understand what this build does.
    pub(crate) fn upgraded() -> Self {
        let mut world = Self::new();
        world.raise();
        world
    }

    pub(crate) fn raise(&mut self) {
        let understood_by = query::members(&self.view).unwrap().iter().map(|member| member.id).collect();
        self.ok(Command::RaiseVersion(RaiseVersion { to: GROUP_VERSION, understood_by }));
    }

    pub(crate) fn uid(&mut self) -> Uid {
        self.next_uid += 1;
        let bytes = self.next_uid.to_le_bytes();
        Uid::from_random(std::array::from_fn(|at| bytes[at % 2]))
    }

    pub(crate) fn contact(&mut self, cluster: Ordinal, identity: &str) {
        self.ok(Command::Contact(Contact {
            cluster,
            reachable: true,
            kube_system_uid: Some(identity.to_owned()),
            version: "v1.36.3".to_owned(),
            rewound: false,
            relayed_by: None,
            unwatched: Vec::new(),
            message: String::new(),
        }));
    }

    pub(crate) fn apply(&mut self, entry: Entry) -> Result<Done, Refusal> {
        let ctx = Ctx { index: self.log.len() as u64 + 1, term: self.term, leader: ReplicaId(self.term) };
        self.log.push((ctx, entry.clone()));
        let applied = apply(&self.view, &ctx, entry).unwrap();
        if applied.reply.is_err() {
            assert!(
                applied.writes.is_empty() && applied.ledger.is_none(),
                "a refused command changed something"
            );
        }
        self.view.commit(applied.writes);
        applied.reply
    }

    pub(crate) fn run(&mut self, command: Command) -> Result<Done, Refusal> {
        self.run_as(&Principal { user: "ann".to_owned(), ..Principal::default() }, command)
    }

    pub(crate) fn run_as(&mut self, by: &Principal, command: Command) -> Result<Done, Refusal> {
        let by = by.clone();
        self.apply(Entry { clock_ms: self.now_ms, by, key: None, command })
    }

    pub(crate) fn ok(&mut self, command: Command) -> Done {
        self.run(command).expect("the command is not refused")
    }

    pub(crate) fn keyed(&mut self, key: &str, body: &[u8], command: Command) -> Result<Done, Refusal> {
        self.keyed_as(&Principal { user: "ann".to_owned(), ..Principal::default() }, key, body, command)
    }

    pub(crate) fn keyed_as(
        &mut self,
        by: &Principal,
        key: &str,
        body: &[u8],
        command: Command,
    ) -> Result<Done, Refusal> {
        let key = IdempotencyKey {
            namespace: "risk".to_owned(),
            route: "POST runnables".to_owned(),
            key: key.to_owned(),
            body: Digest::of(body),
        };
        self.apply(Entry { clock_ms: self.now_ms, by: by.clone(), key: Some(key), command })
    }

    pub(crate) fn cluster(&self, name: &str) -> Cluster {
        query::cluster(&self.view, name).unwrap().expect("the cluster is there")
    }

    pub(crate) fn get(&self, name: &str) -> Runnable {
        query::runnable(&self.view, "risk", name).unwrap().expect("the runnable is there")
    }

    pub(crate) fn submit(&mut self, name: &str, change: impl FnOnce(&mut Value)) -> Runnable {
        let submit = self.submission(name, change);
        self.ok(Command::Submit(Box::new(submit)));
        self.get(name)
    }

    pub(crate) fn submission(&mut self, name: &str, change: impl FnOnce(&mut Value)) -> Submit {
        let mut value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"manifests": [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{name}-input")}, "data": {"a": "1"}},
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {}}},
            ]},
        });
        change(&mut value);
        let uid = self.uid();
        manifest::accept(value, "risk", uid).expect("the submission is well-formed")
    }

    pub(crate) fn place(&mut self, name: &str, cluster: &str) -> Runnable {
        let run = self.get(name);
        let on = self.cluster(cluster).head.ordinal;
        self.ok(Command::Place(Place {
            run: run.head.ordinal,
            attempt: run.attempts.len() as u32 + 1,
            choice: Choice::On(on),
            why: "the test says so".to_owned(),
        }));
        self.get(name)
    }

    pub(crate) fn permit(&self) -> Permit {
        Permit { term: self.term, leader: ReplicaId(self.term), incarnation: self.term }
    }

    pub(crate) fn intend(&mut self, name: &str, object: u16, action: Action) -> Result<u64, Refusal> {
        let (run, permit) = (self.get(name).head.ordinal, self.permit());
        self.run(Command::Intend(Intend { run, object, action, permit }))?;
        Ok(self.log.len() as u64)
    }

    pub(crate) fn conclude(
        &mut self,
        name: &str,
        object: u16,
        intent: u64,
        outcome: Outcome,
    ) -> Result<Done, Refusal> {
        let run = self.get(name).head.ordinal;
        self.run(Command::Conclude(Conclude { run, object, intent, outcome }))
    }

    /// The object as a cluster would show it.
    pub(crate) fn item(
        &self,
        name: &str,
        object: u16,
        status: Value,
        change: impl FnOnce(&mut Observation),
    ) -> Observation {
        let run = self.get(name);
        let sent = &run.objects[usize::from(object)];
        let manifests = query::manifests(&self.view, &run).unwrap();
        let marks = manifest::Marks { group: Uid([7; 16]), cluster_uid: "c".to_owned(), at_ms: self.now_ms };
        let bytes = manifest::materialise(&run, sent, &manifests, &marks).unwrap();
        let mut value: Value = serde_json::from_slice(&bytes).unwrap();
        value["metadata"]["uid"] = json!(format!("{name}-{object}"));
        value["metadata"]["resourceVersion"] = json!("100");
        value["status"] = status;
        let mut item = self.rules().project(&run.plan(sent).unwrap().kind, &value).unwrap();
        change(&mut item);
        item
    }

    /// The rules that users have made.
    pub(crate) fn rules(&self) -> Rules {
        Rules::of(&query::status_rules(&self.view).unwrap())
    }

    pub(crate) fn create(&mut self, name: &str, object: u16) {
        let intent = self.intend(name, object, Action::Create).unwrap();
        let item = self.item(name, object, json!({}), |_| {});
        self.conclude(name, object, intent, Outcome::Done(Box::new(item))).unwrap();
    }

    pub(crate) fn observe(&mut self, cluster: &str, items: Vec<Observation>) {
        let cluster = self.cluster(cluster);
        let cursor = Some("200".to_owned());
        let (cluster, timeline) = (cluster.head.ordinal, cluster.timeline);
        let plural = String::new();
        self.ok(Command::Observe(Observe {
            cluster,
            kind: Kind::Job,
            namespace: String::new(),
            plural,
            timeline,
            is_watch: true,
            cursor,
            rule: None,
            items,
        }));
    }

    pub(crate) fn observe_verdict(&mut self, name: &str, object: u16, verdict: Verdict, version: u32) {
        let run = self.get(name);
        let cluster = run.attempt().unwrap().cluster_name.clone();
        let item = self.item(name, object, json!({}), |item| {
            item.verdict = Some(verdict);
            item.seen.resource_version = version.to_string();
            item.resource_version = version.to_string();
        });
        self.observe(&cluster, vec![item]);
    }

    pub(crate) fn due(&self, lane: Lane, cluster: Ordinal) -> Vec<Ordinal> {
        query::due(&self.view, lane, cluster, self.now_ms, 100).unwrap()
    }
}
