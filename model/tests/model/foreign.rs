//! Work on clusters that was not submitted here.

use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::limits::{FOREIGN_OF_CLUSTER_MAX, FOREIGN_TTL_MS, OBSERVE_NAMESPACES_MAX};
use tallyman_model::query::{FieldTest, Filter};
use tallyman_model::record::*;
use tallyman_model::selector::Selector;
use tallyman_model::*;

fn selector(kind: Kind) -> ForeignSelector {
    ForeignSelector { kind, namespaces: Vec::new(), labels: Selector::default() }
}

fn observes(world: &mut World, cluster: &str, observe: Vec<ForeignSelector>) {
    let (name, observe) = (cluster.to_owned(), Some(observe));
    world.ok(Command::UpdateCluster(UpdateCluster { name, observe, ..UpdateCluster::default() }));
}

/// A group that looks at all Jobs of cluster `east`.
fn observing() -> World {
    let mut world = World::upgraded();
    observes(&mut world, "east", vec![selector(Kind::Job)]);
    world
}

/// A Job that a CronJob has made, as its cluster shows it.
fn job(name: &str, version: u32, status: Value) -> Sighting {
    let value = json!({
        "metadata": {
            "name": name, "namespace": "ops", "uid": format!("uid-of-{name}"), "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-11-20T10:00:00Z", "labels": {"team": "rates"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "c",
                "controller": true}],
        },
        "spec": {}, "status": status,
    });
    Sighting::of(rule::project(&Kind::Job, &value).unwrap(), false)
}

fn gone(item: Sighting) -> Sighting {
    Sighting { gone: true, ..item }
}

fn complete() -> Value {
    json!({"conditions": [{"type": "Complete", "status": "True"}], "completionTime": "2026-11-20T10:05:00Z"})
}

fn command(world: &World, items: Vec<Sighting>) -> ObserveForeign {
    let east = world.cluster("east");
    ObserveForeign {
        cluster: east.head.ordinal,
        selector: selector(Kind::Job),
        namespace: String::new(),
        plural: "jobs".to_owned(),
        timeline: east.timeline,
        cursor: Some("200".to_owned()),
        rule: None,
        items,
        unshown: None,
    }
}

fn observe(world: &mut World, items: Vec<Sighting>) {
    let command = command(world, items);
    world.ok(Command::ObserveForeign(command));
}

fn shown(world: &World) -> Vec<Foreign> {
    shown_of(world, &Kind::Job)
}

fn shown_of(world: &World, kind: &Kind) -> Vec<Foreign> {
    let ordinals = query::foreign_of_kind(&world.view, world.cluster("east").head.ordinal, kind).unwrap();
    let foreign = |ordinal: &Ordinal| match query::record(&world.view, *ordinal).unwrap() {
        Some(Record::Foreign(foreign)) => foreign,
        other => panic!("{other:?}"),
    };
    ordinals.iter().map(foreign).collect()
}

/// The names of all runnables of which these tests hold.
fn listed(world: &World, labels: &str, fields: &[(FieldTest, bool)]) -> Vec<String> {
    let (labels, fields) = (Selector::parse(labels).unwrap(), fields.to_vec());
    let filter = Filter { labels, fields, ..Filter::all(Resource::Runnable) };
    let page = query::list(&world.view, &filter, Ordinal(0), 100).unwrap();
    page.records.iter().map(|record| record.head().unwrap().name.clone()).collect()
}

#[test]
fn what_a_cluster_runs_is_in_the_list_of_runnables_as_it_says_itself() {
    let mut world = observing();
    world.submit("ours", |_| {});
    observe(&mut world, vec![job("nightly-1", 100, json!({"active": 1, "ready": 1}))]);
    let [one] = shown(&world).try_into().unwrap();
    assert!(one.head.name.starts_with("east:nightly-1:"), "{}", one.head.name);
    assert_eq!(
        (one.phase, one.head.namespace.as_str(), one.cluster_name.as_str()),
        (Phase::Running, "ops", "east")
    );
    assert_eq!(
        one.owner.map(|owner| (owner.kind, owner.name)),
        Some(("CronJob".to_owned(), "nightly".to_owned()))
    );
    let east = || FieldTest::Cluster("east".to_owned());
    for (labels, fields) in [
        ("team=rates", vec![]),
        ("team", vec![(FieldTest::Phase(Phase::Running), true), (east(), true)]),
        ("", vec![(FieldTest::Foreign, true)]),
        ("", vec![(FieldTest::Namespace("ops".to_owned()), true)]),
    ] {
        assert_eq!(
            listed(&world, labels, &fields),
            std::slice::from_ref(&one.head.name),
            "{labels} {fields:?}"
        );
    }
    assert_eq!(listed(&world, "", &[(FieldTest::Foreign, false)]), ["ours"]);
    observe(&mut world, vec![job("nightly-1", 110, complete())]);
    let [one] = shown(&world).try_into().unwrap();
    assert_eq!((one.phase, one.finished_ms), (Phase::Succeeded, time::parse("2026-11-20T10:05:00Z")));
}

#[test]
fn nothing_is_ever_due_of_it_and_it_counts_nowhere() {
    let mut world = observing();
    let east = world.cluster("east").head.ordinal;
    let before: Vec<_> =
        Lane::ALL.iter().map(|lane| query::next_due(&world.view, *lane, east).unwrap()).collect();
    observe(&mut world, vec![job("nightly-1", 100, json!({"active": 1, "ready": 1}))]);
    let after: Vec<_> =
        Lane::ALL.iter().map(|lane| query::next_due(&world.view, *lane, east).unwrap()).collect();
    assert_eq!(before, after);
    assert_eq!(query::active(&world.view, east, 10).unwrap(), 0);
    assert_eq!(query::tracked(&world.view, east).unwrap(), [Kind::Job, Kind::ConfigMap]);
    assert!(query::claimants(&world.view, east, &Kind::Job, "ops", "nightly-1").unwrap().is_empty());
    assert!(query::watches(&world.view, east).unwrap().is_empty(), "the cursor is not that of what is ours");
    let watch = query::foreign_watch(&world.view, east, &Extent::everywhere(Kind::Job)).unwrap().unwrap();
    assert_eq!((watch.cursor.as_str(), watch.foreign), ("200", Some(selector(Kind::Job))));
}

#[test]
fn nobody_can_change_it_here_and_is_told_where() {
    let mut world = observing();
    observe(&mut world, vec![job("nightly-1", 100, json!({}))]);
    let name = shown(&world)[0].head.name.clone();
    let (target, why) = (Target::named("ops", &name), String::new());
    let (decision, digest) = (Decision::Approve, Digest::default());
    let (labels, annotations) = Default::default();
    for command in [
        Command::Cancel(Cancel { target: target.clone(), why: why.clone() }),
        Command::Retry(Retry { target: target.clone(), why: why.clone() }),
        Command::Move(Move { target: target.clone(), why: why.clone() }),
        Command::Delete(Delete { target: target.clone() }),
        Command::Approve(Approve { target: target.clone(), decision, digest, why }),
        Command::Patch(Patch { target, labels, annotations }),
    ] {
        let refusal = world.run(command.clone()).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Conflict, "{}", command.verb());
        assert!(
            refusal.message.contains("Job ops/nightly-1 changes it on cluster east"),
            "{}",
            refusal.message
        );
    }
}

#[test]
fn what_runs_vanishes_with_its_object_and_what_has_ended_stays_for_a_day() {
    let mut world = observing();
    let running = || job("runs", 100, json!({"active": 1, "ready": 1}));
    observe(&mut world, vec![running(), job("done", 101, complete()), job("ends", 102, json!({}))]);
    // That it ended came with its going.
    observe(
        &mut world,
        vec![gone(running()), gone(job("done", 110, complete())), gone(job("ends", 111, complete()))],
    );
    let left: Vec<_> =
        shown(&world).into_iter().map(|one| (one.object.clone(), one.phase, one.words())).collect();
    let words = "it is gone from cluster east".to_owned();
    let of = |name: &str| (name.to_owned(), Phase::Succeeded, words.clone());
    assert_eq!(left, [of("done"), of("ends")]);
    world.now_ms += FOREIGN_TTL_MS;
    world.ok(Command::Expire(Expire {}));
    assert!(shown(&world).is_empty());
}

#[test]
fn what_a_listing_did_not_name_goes_in_the_same_way() {
    let mut world = observing();
    observe(&mut world, vec![job("runs", 100, json!({})), job("done", 101, complete())]);
    let missing = shown(&world).iter().map(Sighting::missing).collect();
    observe(&mut world, missing);
    let left: Vec<_> =
        shown(&world).into_iter().map(|one| (one.object, one.phase, one.gone_ms.is_some())).collect();
    assert_eq!(left, [("done".to_owned(), Phase::Succeeded, true)]);
    // A restored cluster may have it again.
    observe(&mut world, vec![job("done", 102, complete())]);
    assert_eq!(shown(&world)[0].gone_ms, None);
}

#[test]
fn what_was_submitted_here_is_not_shown_twice_though_its_marks_were_taken_off() {
    let mut world = observing();
    world.submit("ours", |_| {});
    world.place("ours", "east");
    world.create("ours", 0);
    world.create("ours", 1);
    let mut item = world.item("ours", 1, json!({}), |item| item.resource_version = "300".to_owned());
    (item.group, item.submission) = (None, None);
    let kind = item.kind.clone();
    assert_eq!(kind, Kind::Job);
    observe(&mut world, vec![Sighting::of(item, false)]);
    assert!(shown(&world).is_empty());
    // Somebody else's under a name that is claimed is another matter.
    let mut other = job("ours", 310, json!({}));
    other.namespace = "risk".to_owned();
    observe(&mut world, vec![other]);
    assert_eq!(shown(&world).len(), 1);
}

#[test]
fn what_says_nothing_new_or_is_older_changes_nothing() {
    let mut world = observing();
    observe(&mut world, vec![job("a", 100, json!({"active": 1, "ready": 1}))]);
    let before = shown(&world);
    observe(&mut world, vec![job("a", 105, json!({"active": 5, "ready": 3, "failed": 2}))]);
    assert_eq!(shown(&world), before, "counts are not told");
    observe(&mut world, vec![job("a", 99, complete())]);
    assert_eq!(shown(&world), before);
    let mut early = command(&world, vec![job("a", 120, complete())]);
    early.timeline -= 1;
    assert_eq!(world.run(Command::ObserveForeign(early)).unwrap_err().kind, RefusalKind::Outdated);
}

#[test]
fn a_cluster_shows_so_many_at_most_and_the_oldest_that_are_gone_make_room() {
    let mut world = observing();
    let jobs = |from: usize, to: usize| (from..to).map(|n| job(&format!("j-{n}"), 100, complete())).collect();
    observe(&mut world, jobs(0, FOREIGN_OF_CLUSTER_MAX));
    let mut more = command(&world, jobs(FOREIGN_OF_CLUSTER_MAX, FOREIGN_OF_CLUSTER_MAX + 3));
    more.unshown = Some(3);
    world.ok(Command::ObserveForeign(more.clone()));
    let east = world.cluster("east");
    assert_eq!(query::foreign_count(&world.view, east.head.ordinal).unwrap(), FOREIGN_OF_CLUSTER_MAX);
    assert_eq!(
        (east.unshown(&Kind::Job), query::foreign_room(&world.view, east.head.ordinal).unwrap()),
        (3, 0)
    );
    observe(&mut world, vec![gone(job("j-7", 200, complete())), gone(job("j-3", 201, complete()))]);
    assert_eq!(query::foreign_room(&world.view, east.head.ordinal).unwrap(), 2);
    more.unshown = Some(1);
    world.ok(Command::ObserveForeign(more));
    let names: Vec<_> = shown(&world).into_iter().map(|one| one.object).collect();
    assert!(!names.contains(&"j-7".to_owned()) && !names.contains(&"j-3".to_owned()));
    assert_eq!((names.len(), world.cluster("east").unshown(&Kind::Job)), (FOREIGN_OF_CLUSTER_MAX, 1));
}

#[test]
fn what_is_not_selected_any_more_is_forgotten_with_its_cursor() {
    let workflow = || selector(Kind::Workflow);
    let mut world = observing();
    observes(&mut world, "east", vec![selector(Kind::Job), workflow()]);
    observe(&mut world, vec![job("a", 100, json!({}))]);
    let stale = command(&world, vec![job("b", 100, json!({}))]);
    observes(&mut world, "east", vec![workflow()]);
    let east = world.cluster("east").head.ordinal;
    assert!(shown(&world).is_empty());
    assert_eq!(query::foreign_watch(&world.view, east, &Extent::everywhere(Kind::Job)).unwrap(), None);
    assert_eq!(world.run(Command::ObserveForeign(stale)).unwrap_err().kind, RefusalKind::Outdated);
    for removes in [true, false] {
        observes(&mut world, "east", vec![selector(Kind::Job)]);
        observe(&mut world, vec![job("a", 100, json!({}))]);
        assert_eq!(listed(&world, "", &[(FieldTest::Foreign, true)]).len(), 1);
        let name = "east".to_owned();
        if removes {
            observes(&mut world, "east", Vec::new());
        } else {
            world.ok(Command::RemoveCluster(RemoveCluster { name, revision: None, orphan: false }));
        }
        assert!(listed(&world, "", &[(FieldTest::Foreign, true)]).is_empty());
    }
}

#[test]
fn of_a_kind_without_a_rule_it_is_said_that_it_is_there() {
    let spark = Kind::parse("sparkoperator.k8s.io/v1beta2", "SparkApplication").unwrap();
    let mut world = World::upgraded();
    observes(&mut world, "east", vec![selector(spark.clone())]);
    let object = json!({"metadata": {"name": "pi", "namespace": "ops", "uid": "u", "resourceVersion": "5"}});
    let item = Sighting::of(world.rules().project(&spark, &object).unwrap(), false);
    let observe = ObserveForeign { selector: selector(spark.clone()), ..command(&world, vec![item]) };
    world.ok(Command::ObserveForeign(observe));
    let [one] = shown_of(&world, &spark).try_into().unwrap();
    assert_eq!((one.phase, one.reason_word()), (Phase::Running, "NoStatusRule"));
    assert_eq!(one.words(), "no status rule says how a SparkApplication does: it is there");
}

/// Looks at Jobs in these namespaces, each watched by itself.
fn by_namespaces(world: &mut World, namespaces: &[&str]) -> Result<Done, Refusal> {
    let namespaces = namespaces.iter().map(|&name| name.to_owned()).collect();
    world.run(Command::UpdateCluster(UpdateCluster {
        name: "east".to_owned(),
        observe: Some(vec![ForeignSelector { namespaces, ..selector(Kind::Job) }]),
        watch: Some((WatchScope::Namespaces, Vec::new())),
        ..UpdateCluster::default()
    }))
}

/// What the watch of one namespace said, that so many are not shown, and how far it has come.
fn in_one(world: &World, namespace: &str, unshown: u64) -> Command {
    let item = Sighting { namespace: namespace.to_owned(), ..job(namespace, 100, json!({})) };
    let selector = world.cluster("east").observe[0].clone();
    let (namespace, unshown) = (namespace.to_owned(), Some(unshown));
    Command::ObserveForeign(ObserveForeign { selector, namespace, unshown, ..command(world, vec![item]) })
}

#[test]
fn where_namespaces_are_watched_one_by_one_each_has_a_cursor_and_a_count_of_its_own() {
    let mut world = World::upgraded();
    by_namespaces(&mut world, &["desk", "ops"]).unwrap();
    for (namespace, unshown) in [("desk", 2), ("ops", 3)] {
        let said = in_one(&world, namespace, unshown);
        world.ok(said);
    }
    let cursor = |world: &World, namespace: &str| {
        let extent = Extent { kind: Kind::Job, namespace: namespace.to_owned() };
        let watch = query::foreign_watch(&world.view, world.cluster("east").head.ordinal, &extent).unwrap();
        watch.map(|watch| watch.cursor)
    };
    assert_eq!((world.cluster("east").unshown(&Kind::Job), shown(&world).len()), (5, 2));
    assert_eq!(cursor(&world, "ops").as_deref(), Some("200"));
    assert_eq!(world.run(in_one(&world, "", 0)).unwrap_err().kind, RefusalKind::Outdated);
    let stale = in_one(&world, "ops", 3);
    by_namespaces(&mut world, &["desk"]).unwrap();
    assert_eq!((world.cluster("east").unshown(&Kind::Job), shown(&world).len()), (2, 1));
    assert_eq!(
        (cursor(&world, "ops"), cursor(&world, "desk").as_deref()),
        (None, Some("")),
        "all is listed anew"
    );
    assert_eq!(world.run(stale).unwrap_err().kind, RefusalKind::Outdated);
    let said = in_one(&world, "desk", 0);
    world.ok(said);
    let (name, watch) = ("east".to_owned(), Some((WatchScope::Cluster, Vec::new())));
    world.ok(Command::UpdateCluster(UpdateCluster { name, watch, ..UpdateCluster::default() }));
    assert_eq!((cursor(&world, "desk"), shown(&world).len()), (None, 1), "it is selected still");
}

#[test]
fn where_namespaces_are_watched_one_by_one_an_observe_names_them() {
    let mut world = World::upgraded();
    let refusal = by_namespaces(&mut world, &[]).unwrap_err();
    assert_eq!((refusal.kind, refusal.causes.len()), (RefusalKind::Invalid, 1));
    assert_eq!(refusal.causes[0].field, "spec.observe[0].namespaces");
    observes(&mut world, "east", vec![selector(Kind::Job)]);
    let (name, watch) = ("east".to_owned(), Some((WatchScope::Namespaces, Vec::new())));
    let rescoped = UpdateCluster { name, watch, ..UpdateCluster::default() };
    assert_eq!(world.run(Command::UpdateCluster(rescoped)).unwrap_err().kind, RefusalKind::Invalid);
    let many: Vec<ForeignSelector> = ["a", "b", "c"]
        .iter()
        .map(|kind| ForeignSelector {
            kind: Kind::parse(&format!("{kind}.io/v1"), "Work").unwrap(),
            namespaces: (0..OBSERVE_NAMESPACES_MAX).map(|number| format!("n-{number}")).collect(),
            labels: Selector::default(),
        })
        .collect();
    observes(&mut world, "west", many);
    let (name, watch) = ("west".to_owned(), Some((WatchScope::Namespaces, Vec::new())));
    let refusal =
        world.run(Command::UpdateCluster(UpdateCluster { name, watch, ..UpdateCluster::default() }));
    assert_eq!(refusal.unwrap_err().causes[0].field, "spec.observe");
}
