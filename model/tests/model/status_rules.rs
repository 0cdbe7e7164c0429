//! Rules that users make for kinds that Tallyman knows nothing of.

use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::manifest::accept;
use tallyman_model::record::*;
use tallyman_model::*;

const SPARK: &str = "sparkoperator.k8s.io/v1beta2";

fn spark(name: &str) -> Value {
    json!({"apiVersion": SPARK, "kind": "SparkApplication", "metadata": {"name": name}, "spec": {}})
}

fn job(name: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {}})
}

fn rule(name: &str, succeeded: &str) -> PutStatusRule {
    PutStatusRule {
        uid: Some(Uid::from_random([5; 16])),
        name: name.to_owned(),
        group: "sparkoperator.k8s.io".to_owned(),
        kind: "SparkApplication".to_owned(),
        expressions: Expressions {
            succeeded: succeeded.to_owned(),
            failed: "object.status.state == 'FAILED'".to_owned(),
            running: "object.status.state == 'RUNNING'".to_owned(),
            message: "object.status.message".to_owned(),
            ..Expressions::default()
        },
        ..PutStatusRule::default()
    }
}

fn put(world: &mut World, rule: PutStatusRule) -> Result<Done, Refusal> {
    world.run(Command::PutStatusRule(Box::new(rule)))
}

/// A submission of these manifests, the main one named or not.
fn submit(world: &mut World, name: &str, manifests: Value, main: Option<Value>) -> Result<Done, Refusal> {
    let mut value = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {"manifests": manifests},
    });
    if let Some(main) = main {
        value["spec"]["main"] = main;
    }
    let uid = world.uid();
    let submit = accept(value, "risk", uid).unwrap();
    world.run(Command::Submit(Box::new(submit)))
}

fn observe(world: &mut World, items: Vec<Observation>) {
    let (kind, east) = (Kind::parse(SPARK, "SparkApplication").unwrap(), world.cluster("east"));
    let (cluster, timeline) = (east.head.ordinal, east.timeline);
    let (plural, cursor) = ("sparkapplications".to_owned(), Some("200".to_owned()));
    let rule = world.rules().revision(&kind);
    world.ok(Command::Observe(Observe {
        cluster,
        kind,
        namespace: String::new(),
        plural,
        timeline,
        is_watch: true,
        cursor,
        rule,
        items,
    }));
}

fn seen(world: &World, status: Value, version: u32) -> Observation {
    world.item("pi", 0, status, |item| {
        item.resource_version = version.to_string();
        item.seen.resource_version = version.to_string();
    })
}

/// A group with a rule and a run of one such object, that was made.
fn started() -> World {
    let mut world = World::upgraded();
    put(&mut world, rule("spark", "object.status.state == 'COMPLETED'")).unwrap();
    submit(&mut world, "pi", json!([spark("pi")]), None).unwrap();
    world.place("pi", "east");
    world.create("pi", 0);
    world
}

#[test]
fn a_run_of_a_kind_with_a_rule_ends_as_the_rule_says() {
    let mut world = started();
    assert_eq!(world.get("pi").phase, Phase::Pending);
    let item = seen(&world, json!({"state": "RUNNING"}), 110);
    observe(&mut world, vec![item]);
    assert_eq!(world.get("pi").phase, Phase::Running);
    let item = seen(&world, json!({"state": "COMPLETED", "message": "3.14"}), 120);
    observe(&mut world, vec![item]);
    let run = world.get("pi");
    assert_eq!((run.phase, run.message.as_str()), (Phase::Succeeded, "3.14"));
    let watches = query::watches(&world.view, world.cluster("east").head.ordinal).unwrap();
    assert_eq!(
        watches[0].rule,
        world.rules().revision(&watches[0].extent.kind),
        "the cursor says by which rule"
    );
}

#[test]
fn what_was_read_by_a_rule_that_is_no_more_decides_nothing() {
    let mut world = started();
    let ended = seen(&world, json!({"state": "COMPLETED"}), 120);
    let mut changed = rule("spark", "object.status.state == 'COMPLETED' && object.status.uploaded");
    changed.uid = None;
    put(&mut world, changed).unwrap();
    observe(&mut world, vec![ended]);
    let run = world.get("pi");
    assert_eq!(run.phase, Phase::Pending);
    // Listed anew it is the same version, read by the rule of now.
    let item = seen(&world, json!({"state": "COMPLETED", "uploaded": true}), 120);
    observe(&mut world, vec![item]);
    assert_eq!(world.get("pi").phase, Phase::Succeeded);
}

#[test]
fn a_rule_stays_and_goes_on_saying_when_they_end_while_runs_go_by_it() {
    let mut world = started();
    submit(&mut world, "waits", json!([spark("waits")]), None).unwrap();
    submit(
        &mut world,
        "beside",
        json!([spark("other"), job("report")]),
        Some(json!({"kind": "Job", "name": "report"})),
    )
    .unwrap();
    let remove = || Command::RemoveStatusRule(RemoveStatusRule { name: "spark".to_owned(), revision: None });
    let refusal = world.run(remove()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert!(refusal.message.contains("2 runs go by it"), "of the third a Job decides: {}", refusal.message);
    let mut silent = rule("spark", "");
    silent.uid = None;
    assert!(put(&mut world, silent.clone()).unwrap_err().message.contains("2 runs go by it"));
    let mut other = rule("spark", "object.status.done");
    (other.uid, other.kind) = (None, "ScheduledSparkApplication".to_owned());
    assert!(put(&mut world, other).unwrap_err().message.contains("2 runs go by it"));

    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "waits"), why: String::new() }));
    assert!(world.run(remove()).unwrap_err().message.contains("1 run goes by it"));
    let item = seen(&world, json!({"state": "COMPLETED"}), 120);
    observe(&mut world, vec![item]);
    assert_eq!(world.get("pi").phase, Phase::Succeeded);
    put(&mut world, silent).unwrap();
    world.ok(remove());
}

#[test]
fn which_object_decides_is_asked_where_more_than_one_runs_to_completion() {
    let mut world = World::upgraded();
    let both = || json!([spark("pi"), job("report")]);
    submit(&mut world, "before", both(), None).unwrap();
    assert_eq!(world.get("before").main, 1, "nothing else is known to end");
    let refusal = submit(&mut world, "alone", json!([spark("pi")]), None).unwrap_err();
    assert!(refusal.message.contains("a status rule for its kind says it"), "{}", refusal.message);
    let main = json!({"kind": "SparkApplication", "name": "pi"});
    let refusal = submit(&mut world, "named", both(), Some(main.clone())).unwrap_err();
    assert_eq!(refusal.causes[0].field, "spec.main", "{}", refusal.message);
    put(&mut world, rule("spark", "object.status.done")).unwrap();
    let refusal = submit(&mut world, "both", both(), None).unwrap_err();
    assert!(refusal.message.contains("SparkApplication pi, Job report"), "{}", refusal.message);
    submit(&mut world, "named", both(), Some(main)).unwrap();
    assert_eq!(world.get("named").main, 0);
    submit(&mut world, "alone", json!([spark("pi")]), None).unwrap();
    submit(&mut world, "two", json!([job("a"), job("b")]), Some(json!({"kind": "Job", "name": "b"})))
        .unwrap();
    assert_eq!(world.get("two").main, 1);
}

#[test]
fn a_pod_by_itself_runs_to_an_end() {
    let mut world = World::upgraded();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pi"}, "spec": {}});
    submit(&mut world, "pi", json!([pod]), None).unwrap();
    world.place("pi", "east");
    world.create("pi", 0);
    for (status, phase) in [
        (json!({"phase": "Pending"}), Phase::Pending),
        (json!({"phase": "Running"}), Phase::Running),
        (json!({"phase": "Succeeded"}), Phase::Succeeded),
    ] {
        let item = seen(&world, status, 110);
        world.observe("east", vec![item]);
        assert_eq!(world.get("pi").phase, phase);
    }
}

#[test]
fn a_rule_is_made_changed_and_taken_away_and_there_is_one_for_each_kind() {
    let mut world = World::upgraded();
    let mut change = rule("spark", "object.status.done");
    change.uid = None;
    assert_eq!(put(&mut world, change.clone()).unwrap_err().kind, RefusalKind::NotFound);
    let made = put(&mut world, rule("spark", "object.status.state == 'COMPLETED'")).unwrap();
    assert_eq!(put(&mut world, rule("spark", "true")).unwrap_err().kind, RefusalKind::AlreadyExists);
    let refusal = put(&mut world, rule("other", "true")).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert!(refusal.message.contains("\"spark\" is for SparkApplication already"), "{}", refusal.message);
    change.revision = Some(Revision(1));
    assert_eq!(put(&mut world, change.clone()).unwrap_err().kind, RefusalKind::Conflict);
    change.revision = Some(made.revision);
    let changed = put(&mut world, change.clone()).unwrap();
    change.revision = None;
    assert_eq!(put(&mut world, change).unwrap().revision, changed.revision, "the same again changes nothing");
    let [found] = query::status_rules(&world.view).unwrap().try_into().unwrap();
    assert_eq!(found.expressions.succeeded, "object.status.done");
    let remove =
        |revision| Command::RemoveStatusRule(RemoveStatusRule { name: "spark".to_owned(), revision });
    assert_eq!(world.run(remove(Some(made.revision))).unwrap_err().kind, RefusalKind::Conflict);
    world.ok(remove(None));
    assert_eq!(world.run(remove(None)).unwrap_err().kind, RefusalKind::NotFound);
    put(&mut world, rule("other", "true")).unwrap();
}

#[test]
fn a_group_whose_replicas_may_not_know_rules_takes_none() {
    let refusal = put(&mut World::new(), rule("spark", "true")).unwrap_err();
    assert!(refusal.message.contains("needs version 3 of the group"), "{}", refusal.message);
}
