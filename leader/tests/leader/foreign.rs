//! Work on clusters that was not submitted here.

use crate::crash::at_every_step;
use crate::sim::Name;
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tallyman_model::command::UpdateCluster;
use tallyman_model::limits::FOREIGN_OF_CLUSTER_MAX;
use tallyman_model::query::{self, FieldTest, Filter};
use tallyman_model::record::{Foreign, ForeignSelector, Kind, Record, Resource, WatchScope};
use tallyman_model::selector::Selector;
use tallyman_model::{Command, Ordinal, Phase};

fn job(namespace: &str, name: &str) -> Name {
    (Kind::Job, namespace.to_owned(), name.to_owned())
}

fn object((_, namespace, name): &Name, team: &str, status: Value) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": namespace, "uid": format!("{namespace}-{name}"), "labels": {"team": team},
            "creationTimestamp": "2026-11-20T10:00:00Z",
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "c",
                "controller": true}],
        },
        "spec": {}, "status": status,
    })
}

fn running() -> Value {
    json!({"active": 1, "ready": 1, "startTime": "2026-11-20T10:00:01Z"})
}

fn complete() -> Value {
    json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]})
}

impl World {
    fn observe(&self, namespaces: &[&str], labels: &str) {
        let selector = ForeignSelector {
            kind: Kind::Job,
            namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
            labels: Selector::parse(labels).unwrap(),
        };
        self.observe_all(vec![selector]);
    }

    fn observe_all(&self, observe: Vec<ForeignSelector>) {
        let (name, observe) = ("east".to_owned(), Some(observe));
        self.ok(Command::UpdateCluster(UpdateCluster { name, observe, ..UpdateCluster::default() }));
    }

    fn by_scope(&self, scope: WatchScope, namespaces: &[&str]) {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        let labels = Selector::default();
        let observe = Some(vec![ForeignSelector { kind: Kind::Job, namespaces, labels }]);
        let (name, watch) = ("east".to_owned(), Some((scope, Vec::new())));
        self.ok(Command::UpdateCluster(UpdateCluster { name, observe, watch, ..UpdateCluster::default() }));
    }

    fn by_namespaces(&self, namespaces: &[&str]) {
        self.by_scope(WatchScope::Namespaces, namespaces);
    }

    /// What others do on the cluster.
    fn others(&self, name: &Name, status: Option<Value>) {
        self.east().put(name, status.map(|status| object(name, "rates", status)));
    }

    /// What is shown of it: names and phases.
    fn foreign(&self) -> BTreeMap<String, Foreign> {
        let fields = vec![(FieldTest::Foreign, true)];
        let filter = Filter { fields, ..Filter::all(Resource::Runnable) };
        let page = self.state.look(|view| query::list(view, &filter, Ordinal(0), 500).unwrap());
        let foreign = |record| match record {
            Record::Foreign(foreign) => (foreign.object.clone(), foreign),
            other => panic!("{other:?}"),
        };
        page.records.into_iter().map(foreign).collect()
    }

    async fn until_shown(&self, expected: &[(&str, Phase)]) {
        let expected: BTreeMap<String, Phase> =
            expected.iter().map(|(name, phase)| ((*name).to_owned(), *phase)).collect();
        self.until(&format!("{expected:?} are shown"), |world| {
            let shown = world.foreign().into_iter().map(|(name, one)| (name, one.phase));
            shown.collect::<BTreeMap<_, _>>() == expected
        })
        .await;
    }

    fn commands(&self, verb: &str) -> usize {
        self.state.verbs.lock().unwrap().iter().filter(|one| **one == verb).count()
    }
}

/// A leader that looks at all Jobs of its cluster.
fn observing() -> World {
    let world = World::led();
    world.raise();
    world.observe(&[], "");
    world
}

#[tokio::test(start_paused = true)]
async fn what_others_run_is_shown_and_followed_and_never_written() {
    let world = observing();
    let (ends, goes) = (job("risk", "ends"), job("desk", "goes"));
    world.others(&ends, Some(json!({})));
    world.others(&goes, Some(running()));
    world.until_shown(&[("ends", Phase::Pending), ("goes", Phase::Running)]).await;
    world.others(&ends, Some(running()));
    world.until_shown(&[("ends", Phase::Running), ("goes", Phase::Running)]).await;
    world.others(&ends, Some(complete()));
    world.others(&goes, None);
    world.until_shown(&[("ends", Phase::Succeeded)]).await;
    world.others(&ends, None);
    world.until("its going is known", |world| world.foreign()["ends"].gone_ms.is_some()).await;
    // Through some sweeps.
    world.pass(Duration::from_secs(120)).await;
    world.until_shown(&[("ends", Phase::Succeeded)]).await;
    assert_eq!(world.east().writes(), Vec::<String>::new());
    world.pass(Duration::from_secs(25 * 3_600)).await;
    world.until_shown(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_submitted_here_is_shown_once() {
    let world = observing();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    let name = job("risk", "report");
    let mut stripped = world.east().get(Kind::Job, "risk", "report").unwrap();
    stripped["metadata"]["labels"] = json!({});
    world.east().put(&name, Some(stripped));
    world.others(&job("risk", "other"), Some(running()));
    world.until_shown(&[("other", Phase::Running)]).await;
    world.until_phase("report", Phase::Succeeded).await;
    world.until_shown(&[("other", Phase::Running)]).await;
}

#[tokio::test(start_paused = true)]
async fn only_what_is_selected_is_shown_and_another_selection_counts_at_once() {
    let world = observing();
    world.observe(&["desk"], "team=rates");
    for (namespace, name, team) in [("desk", "a", "rates"), ("desk", "b", "fx"), ("risk", "c", "rates")] {
        let name = job(namespace, name);
        world.east().put(&name, Some(object(&name, team, running())));
    }
    world.until_shown(&[("a", Phase::Running)]).await;
    world.observe(&[], "team in (fx)");
    world.until_shown(&[("b", Phase::Running)]).await;
    // Its label is taken off it.
    let name = job("desk", "b");
    world.east().put(&name, Some(object(&name, "rates", running())));
    world.until_shown(&[]).await;
    world.observe(&[], "");
    world.until_shown(&[("a", Phase::Running), ("b", Phase::Running), ("c", Phase::Running)]).await;
    world.observe_all(Vec::new());
    world.until_shown(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_listing_finds_what_went_unseen_and_a_new_leader_lists_nothing() {
    let mut world = observing();
    for name in ["stays", "went", "done"] {
        world.others(&job("risk", name), Some(if name == "done" { complete() } else { running() }));
    }
    let all = [("stays", Phase::Running), ("went", Phase::Running), ("done", Phase::Succeeded)];
    world.until_shown(&all).await;
    world.life = None;
    world.others(&job("risk", "went"), None);
    world.others(&job("risk", "done"), None);
    // The cluster has forgotten that they went.
    world.east().with(|inner| inner.floor = inner.version);
    world.others(&job("risk", "new"), Some(running()));
    world.lead(None);
    world
        .until_shown(&[("stays", Phase::Running), ("done", Phase::Succeeded), ("new", Phase::Running)])
        .await;
    let before = world.commands("observe-foreign");
    world.lead(None);
    world.others(&job("risk", "new"), Some(complete()));
    world.until("it is told", |world| world.foreign()["new"].phase == Phase::Succeeded).await;
    let told = world.commands("observe-foreign") - before;
    assert!(told <= 3, "{told} commands for one change");
}

#[tokio::test(start_paused = true)]
async fn what_only_counts_is_not_written() {
    let world = observing();
    let name = job("risk", "counts");
    world.others(&name, Some(running()));
    world.until_shown(&[("counts", Phase::Running)]).await;
    let before = world.foreign()["counts"].clone();
    let commands = world.commands("observe-foreign");
    for count in 0..500 {
        let counts =
            json!({"active": 5, "ready": 5, "succeeded": count, "startTime": "2026-11-20T10:00:01Z"});
        world.others(&name, Some(counts));
        world.pass(Duration::from_millis(20)).await;
    }
    let told = world.commands("observe-foreign") - commands;
    assert!(told <= 5, "{told} commands in 10 s: what moves the cursor");
    assert_eq!(world.foreign()["counts"], before);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_counted_and_shown_when_there_is_room() {
    let world = World::led();
    world.raise();
    let name = |number: usize| job("risk", &format!("j-{number}"));
    for number in 0..FOREIGN_OF_CLUSTER_MAX + 3 {
        world.others(&name(number), Some(running()));
    }
    world.observe(&[], "");
    let shown = |world: &World| {
        let east = world.cluster("east").head.ordinal;
        world.state.look(|view| query::foreign_count(view, east).unwrap())
    };
    let unshown = |world: &World| world.cluster("east").unshown(&Kind::Job);
    world.until("it is counted", |world| unshown(world) == 3).await;
    assert_eq!(shown(&world), FOREIGN_OF_CLUSTER_MAX);
    let commands = world.commands("observe-foreign");
    assert!(commands <= FOREIGN_OF_CLUSTER_MAX / 256 + 5, "{commands}");
    for number in 0..10 {
        world.others(&name(number), None);
    }
    world
        .until("the others are shown", |world| {
            unshown(world) == 0 && shown(world) + 7 == FOREIGN_OF_CLUSTER_MAX
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_others_run_is_shown_as_it_is_wherever_the_leader_dies() {
    at_every_step("foreign", async |world| {
        if world.cluster("east").observe.is_empty() {
            world.raise();
            world.observe(&[], "");
            world.submit("report", |_| {});
            world.others(&job("risk", "ends"), Some(json!({})));
            world.others(&job("risk", "goes"), Some(running()));
        }
        world.until("one is known", |world| world.foreign().contains_key("ends")).await;
        world.others(&job("risk", "ends"), Some(complete()));
        world.others(&job("risk", "goes"), None);
        world.until_shown(&[("ends", Phase::Succeeded)]).await;
        world.until_phase("report", Phase::Succeeded).await;
        assert!(
            world.east().writes().iter().all(|write| write.contains("report")),
            "{:?}",
            world.east().writes()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn where_namespaces_are_watched_one_by_one_what_others_run_is_shown_of_those_that_are_named() {
    let mut world = World::new(1, &["east"]);
    world.raise();
    world.by_namespaces(&["desk", "risk"]);
    let readable = ["desk", "risk"].map(str::to_owned).into();
    world.east().with(|inner| inner.readable = Some(readable));
    world.lead(None);
    for (namespace, name) in [("desk", "a"), ("risk", "b"), ("ops", "c")] {
        world.others(&job(namespace, name), Some(running()));
    }
    world.until_shown(&[("a", Phase::Running), ("b", Phase::Running)]).await;
    world.others(&job("desk", "a"), None);
    world.until_shown(&[("b", Phase::Running)]).await;
    // A listing of one namespace says nothing of the other.
    world.by_namespaces(&["risk"]);
    world.others(&job("desk", "d"), Some(running()));
    world.pass(Duration::from_secs(60)).await;
    world.until_shown(&[("b", Phase::Running)]).await;
    world.by_namespaces(&["desk", "risk"]);
    world.until_shown(&[("b", Phase::Running), ("d", Phase::Running)]).await;
    let watched = world.east().with(|inner| inner.extents.clone());
    world.lead(None);
    world.others(&job("desk", "d"), Some(complete()));
    world.until_shown(&[("b", Phase::Running), ("d", Phase::Succeeded)]).await;
    assert!(
        watched.iter().all(|extent| ["desk", "risk"].contains(&extent.namespace.as_str())),
        "{watched:?}"
    );
    assert!(world.east().with(|inner| inner.denied.is_empty()));
    assert_eq!(world.cluster("east").message, "");
    world.east().with(|inner| inner.readable = None);
    world.by_scope(WatchScope::Cluster, &[]);
    world.until_shown(&[("b", Phase::Running), ("c", Phase::Running), ("d", Phase::Succeeded)]).await;
}
