//! What runs have beside their objects: values of pools, and locks.

use crate::pools::{add as pool, allocate};
use crate::world::World;
use crate::{locks, write_off};
use serde_json::{Value, json};
use tallyman_model::command::{FanOut, *};
use tallyman_model::record::*;
use tallyman_model::rule::Verdict;
use tallyman_model::*;

fn spec(value: &mut Value, allocations: Value, locks: Value) {
    value["spec"]["allocations"] = allocations;
    value["spec"]["locks"] = locks;
    value["spec"]["ttlAfterFinished"] = json!("1h");
    value["spec"]["manifests"][0]["data"] = json!({"vlan": "vlan-$[allocations.vlan]"});
    value["spec"]["manifests"][1]["spec"]["vlan"] = json!("$[allocations.vlan.number]");
}

fn vlan() -> Value {
    json!([{"name": "vlan", "pool": "vlans"}])
}

fn with_vlan(world: &mut World, name: &str) -> Result<Runnable, Refusal> {
    let submit = world.submission(name, |value| spec(value, vlan(), json!([])));
    world.run(Command::Submit(Box::new(submit)))?;
    Ok(world.get(name))
}

fn with_lock(world: &mut World, name: &str, lock: Value) -> Result<Runnable, Refusal> {
    let submit = world.submission(name, |value| value["spec"]["locks"] = json!([lock]));
    world.run(Command::Submit(Box::new(submit)))?;
    Ok(world.get(name))
}

fn allocated(world: &World) -> u64 {
    match query::named(&world.view, Resource::Pool, "risk", "vlans").unwrap() {
        Some(Record::Pool(pool)) => query::allocated(&world.view, pool.head.ordinal).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn delete(world: &mut World, name: &str) {
    world.ok(Command::Delete(Delete { target: Target::named("risk", name) }));
}

fn gone(world: &mut World, name: &str, object: u16) {
    world.now_ms += 60_000;
    let intent = world.intend(name, object, Action::Delete).unwrap();
    world.conclude(name, object, intent, Outcome::Gone).unwrap();
}

#[test]
fn a_run_is_given_its_values_as_it_is_accepted_and_gives_them_back_when_nothing_of_it_is_there() {
    let mut world = World::upgraded();
    pool(&mut world, "vlans", json!({"ranges": [{"from": 103, "to": 103}]}));
    let run = with_vlan(&mut world, "first").unwrap();
    assert_eq!(run.value("vlan"), Some("103"));
    let refusal = with_vlan(&mut world, "second").unwrap_err();
    assert!(refusal.kind == RefusalKind::Conflict && refusal.message.contains("exhausted"), "{refusal}");
    assert_eq!(refusal.causes[0].field, "spec.allocations[0]");
    // What is sent has the value; what is read has the place.
    world.place("first", "east");
    let run = world.get("first");
    let kept = query::manifests(&world.view, &run).unwrap();
    assert!(String::from_utf8_lossy(&kept).contains("vlan-$[allocations.vlan]"));
    let marks = manifest::Marks { group: Uid([7; 16]), cluster_uid: "c".to_owned(), at_ms: 0 };
    let sent = |at: usize| manifest::as_sent(&run, &run.objects[at], &kept, &marks).unwrap();
    assert_eq!((&sent(0)["data"]["vlan"], &sent(1)["spec"]["vlan"]), (&json!("vlan-103"), &json!(103)));
    world.create("first", 0);
    world.create("first", 1);
    world.observe_verdict("first", 1, Verdict::Succeeded, 300);
    assert_eq!((world.get("first").phase, allocated(&world)), (Phase::Succeeded, 1));
    let name = format!("vlans.{}.vlan", run.head.uid);
    let target = Target::named("risk", &name);
    assert!(world.run(Command::Deallocate(Deallocate { target })).unwrap_err().message.contains("own"));
    delete(&mut world, "first");
    assert_eq!(allocated(&world), 1, "its objects are there still");
    for object in [1, 0] {
        world.now_ms += 60_000;
        if world.get("first").objects[usize::from(object)].held {
            let intent = world.intend("first", object, Action::Release).unwrap();
            let item = world.item("first", object, json!({}), |item| {
                item.held = false;
                item.seen.resource_version = "400".to_owned();
                item.resource_version = "400".to_owned();
            });
            world.conclude("first", object, intent, Outcome::Done(Box::new(item))).unwrap();
        }
        gone(&mut world, "first", object);
    }
    assert_eq!(allocated(&world), 0);
    with_vlan(&mut world, "second").unwrap();
}

#[test]
fn digests_are_of_what_is_sent() {
    let mut world = World::upgraded();
    pool(&mut world, "vlans", json!({"ranges": [{"from": 1, "to": 9}]}));
    let digests: Vec<(Digest, Digest)> = ["one", "two"]
        .map(|name| {
            let submit = world.submission(name, |value| {
                spec(value, vlan(), json!([]));
                value["spec"]["manifests"][0]["metadata"]["name"] = json!("shared");
                value["spec"]["manifests"][1]["metadata"]["name"] = json!("same");
            });
            world.ok(Command::Submit(Box::new(submit)));
            let run = world.get(name);
            (run.digest, run.planned[0].digest)
        })
        .to_vec();
    assert!(digests[0].0 != digests[1].0 && digests[0].1 != digests[1].1, "{digests:?}");
}

#[test]
fn places_that_cannot_be_filled_and_pools_and_locks_that_are_not_there_are_refused() {
    let mut world = World::upgraded();
    assert!(with_vlan(&mut world, "a").unwrap_err().message.contains("there is no pool"));
    let missing = with_lock(&mut world, "a", json!({"name": "leaf"})).unwrap_err();
    assert!(missing.message.contains("there is no lock"), "{missing}");
    pool(&mut world, "vlans", json!({"names": ["x"]}));
    assert!(with_vlan(&mut world, "a").unwrap_err().message.contains("which is no number"));
    let mut value = json!({"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"},
    "spec": {"manifests": [
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"x": "$[allocations.vlan]"}},
    ]}});
    let causes = manifest::accept(value.clone(), "risk", Uid([1; 16])).unwrap_err();
    assert!(
        causes[0].field == "spec.manifests[0]" && causes[0].message.contains("not declared"),
        "{causes:?}"
    );
    value["spec"]["manifests"][0]["spec"]["x"] = json!("$[locks.leaf]");
    let causes = manifest::accept(value, "risk", Uid([1; 16])).unwrap_err();
    assert!(causes[0].message.contains("tallyman.dev/lock.NAME"), "{causes:?}");
    assert_eq!(allocated(&world), 0, "a refused run has nothing");
}

#[test]
fn runs_that_name_a_lock_are_placed_one_after_the_other_in_the_order_of_acceptance() {
    let mut world = World::upgraded();
    locks::add(&mut world, "leaf", 1);
    for name in ["one", "two", "three"] {
        with_lock(&mut world, name, json!({"name": "leaf"})).unwrap();
    }
    assert_eq!(world.place("one", "east").phase, Phase::Placed);
    let first = world.get("one").locks[0].token;
    for name in ["three", "two"] {
        let waits = world.place(name, "east");
        assert_eq!((waits.phase, waits.reason), (Phase::Accepted, Reason::LockHeld));
        assert!(
            waits.message.contains("runnable/one") || waits.message.contains("comes first"),
            "{}",
            waits.message
        );
        assert!(waits.place_due_ms > world.now_ms);
    }
    assert!(locks::acquire(&mut world, "leaf", "person", 1, 60).unwrap_err().message.contains("comes first"));
    world.create("one", 0);
    world.create("one", 1);
    let run = world.get("one");
    let kept = query::manifests(&world.view, &run).unwrap();
    let marks = manifest::Marks { group: Uid([7; 16]), cluster_uid: "c".to_owned(), at_ms: 0 };
    let sent = manifest::as_sent(&run, run.main_object().unwrap(), &kept, &marks).unwrap();
    assert_eq!(sent["metadata"]["annotations"]["tallyman.dev/lock.leaf"], first.to_string());
    let pods = &sent["spec"]["template"]["metadata"]["labels"];
    assert_eq!(pods["tallyman.dev/lock.leaf"], first.to_string());
    assert_eq!(locks::lock(&world, "leaf").holders[0].owner, "runnable/one");
    world.observe_verdict("one", 1, Verdict::Succeeded, 300);
    // Its Job stays for its ttl and runs no more.
    assert!(world.get("one").locks.is_empty());
    assert_eq!(world.get("two").place_due_ms, world.now_ms, "who waits is looked at");
    assert_eq!(
        world.place("three", "east").reason,
        Reason::LockHeld,
        "the one that was accepted first comes first"
    );
    assert_eq!(world.place("two", "east").phase, Phase::Placed);
    assert!(world.get("two").locks[0].token > first);
    delete(&mut world, "two");
    assert!(locks::lock(&world, "leaf").holders.is_empty());
    assert_eq!(world.place("three", "east").phase, Phase::Placed);
}

#[test]
fn a_run_that_does_not_wait_is_refused_while_others_hold_the_lock() {
    let mut world = World::upgraded();
    locks::add(&mut world, "leaf", 1);
    let lock = json!({"name": "leaf", "whenHeld": "Refuse"});
    with_lock(&mut world, "one", lock.clone()).unwrap();
    let refusal = with_lock(&mut world, "two", lock.clone()).unwrap_err();
    assert!(
        refusal.kind == RefusalKind::Conflict && refusal.message.contains("held by runnable/one"),
        "{refusal}"
    );
    let at_acceptance = world.get("one").locks[0].token;
    world.place("one", "east");
    assert!(world.get("one").locks[0].token > at_acceptance, "each attempt has a token of its own");
    delete(&mut world, "one");
    with_lock(&mut world, "two", lock).unwrap();
}

#[test]
fn a_retry_has_the_same_values_again_or_is_refused() {
    let mut world = World::upgraded();
    pool(&mut world, "vlans", json!({"ranges": [{"from": 7, "to": 7}]}));
    with_vlan(&mut world, "run").unwrap();
    let target = Target::named("risk", "run");
    world.ok(Command::Cancel(Cancel { target: target.clone(), why: String::new() }));
    assert_eq!((world.get("run").phase, allocated(&world)), (Phase::Cancelled, 0));
    allocate(&mut world, "vlans", "other", None, None).unwrap();
    let retry = || Command::Retry(Retry { target: target.clone(), why: String::new() });
    let refusal = world.run(retry()).unwrap_err();
    assert!(refusal.message.contains("allocated for \"other\""), "{refusal}");
    world.ok(Command::Deallocate(Deallocate { target: Target::named("risk", "vlans.other") }));
    world.ok(retry());
    assert_eq!((world.get("run").value("vlan"), allocated(&world)), (Some("7"), 1));
}

fn with_key(world: &mut World, name: &str, when_held: &str) -> Result<Runnable, Refusal> {
    with_lock(world, name, json!({"key": "leaf-7", "whenHeld": when_held}))
}

fn key_of(world: &World) -> Option<Lock> {
    match query::named(&world.view, Resource::Lock, "risk", "leaf-7").unwrap() {
        Some(Record::Lock(lock)) => Some(lock),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_runs_with_one_key_one_is_active_at_a_time_and_its_lock_is_there_as_long_as_it_is_needed() {
    let mut world = World::upgraded();
    for name in ["one", "two"] {
        with_key(&mut world, name, "Wait").unwrap();
    }
    assert!(key_of(&world).is_none(), "nobody has it yet");
    world.place("one", "east");
    let first = key_of(&world).unwrap();
    assert_eq!(first.holders[0].owner, "runnable/one");
    let waits = world.place("two", "east");
    assert!(waits.reason == Reason::LockHeld && waits.message.contains("runnable/one"), "{}", waits.message);
    let refusal = with_key(&mut world, "three", "Refuse").unwrap_err();
    assert!(refusal.kind == RefusalKind::Conflict && refusal.message.contains("runnable/one"), "{refusal}");
    delete(&mut world, "one");
    assert!(key_of(&world).unwrap().holders.is_empty(), "one waits for it");
    assert_eq!(world.place("two", "east").phase, Phase::Placed);
    assert!(world.get("two").locks[0].token > first.holders[0].token);
    delete(&mut world, "two");
    assert!(key_of(&world).is_none());
    // Whoever waits and goes leaves nothing either; tokens grow all the same.
    let last = with_key(&mut world, "three", "Refuse").unwrap().locks[0].token;
    with_key(&mut world, "four", "Wait").unwrap();
    world.place("four", "east");
    delete(&mut world, "three");
    delete(&mut world, "four");
    assert!(key_of(&world).is_none());
    assert!(with_key(&mut world, "five", "Refuse").unwrap().locks[0].token > last);
}

#[test]
fn a_key_is_the_name_of_a_lock_of_one_permit() {
    let mut world = World::upgraded();
    locks::add(&mut world, "leaf-7", 1);
    with_key(&mut world, "one", "Refuse").unwrap();
    delete(&mut world, "one");
    assert!(key_of(&world).is_some(), "who made it wants it to stay");
    locks::acquire(&mut world, "leaf-7", "person", 1, 60).unwrap();
    let refusal = with_key(&mut world, "two", "Refuse").unwrap_err();
    assert!(refusal.message.contains("held by person"), "{refusal}");
    let mut world = World::upgraded();
    locks::add(&mut world, "leaf-7", 2);
    let refusal = with_key(&mut world, "three", "Wait").unwrap_err();
    assert!(refusal.kind == RefusalKind::Invalid && refusal.message.contains("2 permits"), "{refusal}");
}

fn ended(world: &mut World, name: &str) {
    for object in [1, 0] {
        world.now_ms += 60_000;
        if world.get(name).objects[usize::from(object)].held {
            let intent = world.intend(name, object, Action::Release).unwrap();
            let item = world.item(name, object, json!({}), |item| {
                item.held = false;
                item.seen.resource_version = "400".to_owned();
                item.resource_version = "400".to_owned();
            });
            world.conclude(name, object, intent, Outcome::Done(Box::new(item))).unwrap();
        }
        gone(world, name, object);
    }
}

fn work(world: &mut World) {
    while let Some(run) = world.due(Lane::FanOut, Ordinal(0)).first().copied() {
        world.ok(Command::FanOut(FanOut { run }));
    }
}

#[test]
fn the_runs_of_a_fan_out_share_its_values_and_take_its_locks_one_after_the_other() {
    let mut world = World::upgraded();
    pool(&mut world, "vlans", json!({"ranges": [{"from": 7, "to": 9}]}));
    locks::add(&mut world, "leaf", 1);
    let submit = world.submission("all", |value| {
        spec(value, vlan(), json!([{"name": "leaf"}]));
        value["spec"]["placement"] = json!({"fanOut": true});
    });
    world.ok(Command::Submit(Box::new(submit)));
    work(&mut world);
    let values = |world: &World| {
        ["all", "all-east", "all-west"].map(|name| world.get(name).value("vlan").map(str::to_owned))
    };
    assert_eq!(values(&world), [Some("7"), Some("7"), Some("7")].map(|it| it.map(str::to_owned)));
    assert_eq!(allocated(&world), 1);
    assert_eq!(world.place("all-east", "east").phase, Phase::Placed);
    assert_eq!(world.place("all-west", "west").reason, Reason::LockHeld);
    let kept = query::manifests(&world.view, &world.get("all")).unwrap();
    let marks = manifest::Marks { group: Uid([7; 16]), cluster_uid: "c".to_owned(), at_ms: 0 };
    let run = world.get("all-east");
    let sent = manifest::as_sent(&run, &run.objects[1], &kept, &marks).unwrap();
    assert_eq!(sent["spec"]["vlan"], json!(7));
    for (name, cluster) in [("all-east", "east"), ("all-west", "west")] {
        if name == "all-west" {
            assert_eq!(world.place(name, cluster).phase, Phase::Placed);
        }
        world.create(name, 0);
        world.create(name, 1);
        world.observe_verdict(name, 1, Verdict::Succeeded, 300);
    }
    assert_eq!(world.get("all").phase, Phase::Succeeded);
    assert!(locks::lock(&world, "leaf").holders.is_empty());
    assert_eq!(allocated(&world), 1, "objects of both are there");
    delete(&mut world, "all-east");
    ended(&mut world, "all-east");
    assert_eq!(allocated(&world), 1, "objects of the other are there");
    delete(&mut world, "all-west");
    ended(&mut world, "all-west");
    assert_eq!((allocated(&world), world.get("all").has_values()), (0, false));
}

#[test]
fn a_fan_out_does_not_refuse_locks_that_are_held() {
    let value = json!({"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"},
    "spec": {"placement": {"fanOut": true}, "locks": [{"key": "leaf", "whenHeld": "Refuse"}], "manifests": [
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {}},
    ]}});
    let causes = manifest::accept(value, "risk", Uid([1; 16])).unwrap_err();
    assert_eq!(causes[0].field, "spec.locks[0].whenHeld");
}

#[test]
fn a_retried_fan_out_has_the_same_value_again() {
    let mut world = World::upgraded();
    pool(&mut world, "vlans", json!({"ranges": [{"from": 7, "to": 9}]}));
    let submit = world.submission("all", |value| {
        spec(value, vlan(), json!([]));
        value["spec"]["placement"] = json!({"fanOut": true});
    });
    world.ok(Command::Submit(Box::new(submit)));
    work(&mut world);
    let target = Target::named("risk", "all");
    world.ok(Command::Cancel(Cancel { target: target.clone(), why: String::new() }));
    work(&mut world);
    assert_eq!((world.get("all").phase, allocated(&world)), (Phase::Cancelled, 0));
    world.ok(Command::Retry(Retry { target, why: String::new() }));
    work(&mut world);
    let child = world.get("all-west");
    assert!(child.has_values() && child.value("vlan") == Some("7"));
    assert_eq!(allocated(&world), 1);
}

#[test]
fn one_run_of_a_fan_out_that_is_retried_alone_has_the_value_of_the_fan_out_again() {
    let mut world = World::upgraded();
    pool(&mut world, "vlans", json!({"ranges": [{"from": 7, "to": 9}]}));
    let submit = world.submission("all", |value| {
        spec(value, vlan(), json!([]));
        value["spec"]["placement"] = json!({"fanOut": true});
    });
    world.ok(Command::Submit(Box::new(submit)));
    work(&mut world);
    for name in ["all-east", "all-west"] {
        world.ok(Command::Cancel(Cancel { target: Target::named("risk", name), why: String::new() }));
    }
    assert_eq!(allocated(&world), 0, "all of it has ended");
    world.ok(Command::Retry(Retry { target: Target::named("risk", "all-west"), why: String::new() }));
    assert_eq!(allocated(&world), 1);
    assert!(world.get("all").has_values() && world.get("all-west").has_values());
    assert_eq!(world.get("all-west").value("vlan"), Some("7"));
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "all-west"), why: String::new() }));
    assert_eq!(allocated(&world), 0);
}

#[test]
fn a_cluster_that_is_written_off_keeps_no_values_and_no_locks() {
    let mut world = World::upgraded();
    pool(&mut world, "vlans", json!({"ranges": [{"from": 7, "to": 9}]}));
    let submit = world.submission("run", |value| spec(value, vlan(), json!([{"key": "leaf-7"}])));
    world.ok(Command::Submit(Box::new(submit)));
    world.place("run", "east");
    world.create("run", 0);
    world.create("run", 1);
    delete(&mut world, "run");
    assert_eq!((allocated(&world), key_of(&world).is_some()), (1, true), "nobody knows what runs there");
    write_off::lost(&mut world);
    world.ok(write_off::write_off());
    write_off::give_up(&mut world);
    assert_eq!((allocated(&world), key_of(&world).is_some()), (0, false));
}
