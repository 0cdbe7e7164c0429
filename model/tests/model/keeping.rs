//! What runs have beside their objects: values of pools, and locks.

use crate::locks;
use crate::pools::{add as pool, allocate};
use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
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
