//! What deployables have beside their objects: values of pools, and locks.

use crate::deployables::{get, read};
use crate::pools::{add as pool, allocate};
use crate::world::World;
use crate::{deployables, locks};
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

fn vlans(world: &mut World) {
    pool(world, "vlans", json!({"ranges": [{"from": 100, "to": 103}]}));
}

fn named(level: &str, value: &mut Value) {
    value["spec"]["allocations"] = json!([{"name": "vlan", "pool": "vlans"}]);
    value["spec"]["manifests"][0]["data"] = json!({"vlan": "$[allocations.vlan]", "level": level});
}

fn try_deploy(world: &mut World, name: &str, change: impl FnOnce(&mut Value)) -> Result<Done, Refusal> {
    let (uid, read) = (world.uid(), read("info", change));
    let (namespace, name) = ("risk".to_owned(), name.to_owned());
    let (labels, annotations, asked) = (read.labels, read.annotations, read.asked);
    world.run(Command::Deploy(Box::new(Deploy { uid, namespace, name, labels, annotations, asked })))
}

fn try_redeploy(world: &mut World, change: impl FnOnce(&mut Value)) -> Result<Done, Refusal> {
    let manifest::Read { labels, annotations, asked, .. } = read("info", change);
    let target = Target::named("risk", "settings");
    world.run(Command::Redeploy(Box::new(Redeploy { target, labels, annotations, asked })))
}

fn allocations(world: &World) -> Vec<String> {
    let filter = query::Filter::all(Resource::Allocation);
    let page = query::list(&world.view, &filter, Ordinal(0), 100).unwrap();
    let value = |record: Record| match record {
        Record::Allocation(one) => one.value,
        other => panic!("{other:?}"),
    };
    page.records.into_iter().map(value).collect()
}

/// What would be sent of its first object.
fn sent(world: &World) -> Value {
    let bundle = query::bundle(&world.view, get(world).unwrap().bundle()).unwrap().unwrap();
    let manifests = query::bundle_manifests(&world.view, &bundle).unwrap();
    manifest::in_bundle(&bundle, &bundle.planned[0], &manifests).unwrap()
}

#[test]
fn a_deployable_has_its_values_from_the_first_revision_that_names_them_until_it_is_gone() {
    let mut world = World::upgraded();
    vlans(&mut world);
    let first = deployables::deploy(&mut world, |value| named("info", value));
    assert_eq!(first.allocations[0].value, "100");
    assert_eq!(sent(&world)["data"]["vlan"], "100");
    // The same again is no new revision.
    assert!(try_redeploy(&mut world, |value| named("info", value)).unwrap().unchanged);
    try_redeploy(&mut world, |value| named("debug", value)).unwrap();
    let second = get(&world).unwrap();
    assert_eq!((second.generation, allocations(&world)), (2, vec!["100".to_owned()]));
    assert_eq!(sent(&world)["data"], json!({"vlan": "100", "level": "debug"}));
    // A revision that does not name it, and back.
    try_redeploy(&mut world, |_| {}).unwrap();
    assert_eq!(allocations(&world), ["100"]);
    world.ok(Command::Rollback(Rollback { target: Target::named("risk", "settings"), to: Some(1) }));
    assert_eq!(
        (get(&world).unwrap().digest, sent(&world)["data"]["vlan"].clone()),
        (first.digest, json!("100"))
    );
    let other = |value: &mut Value| {
        named("info", value);
        value["spec"]["allocations"][0]["value"] = json!(102);
    };
    let refusal = try_redeploy(&mut world, other).unwrap_err();
    assert!(
        refusal.kind == RefusalKind::Conflict && refusal.message.contains("has 100 of pool"),
        "{refusal}"
    );
    let name = format!("vlans.{}.vlan", first.head.uid);
    let refusal =
        world.run(Command::Deallocate(Deallocate { target: Target::named("risk", &name) })).unwrap_err();
    assert!(refusal.message.contains("submission's own"), "{refusal}");
    world.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan: false }));
    assert!(get(&world).is_none() && allocations(&world).is_empty(), "nothing of it was on a cluster");
}

#[test]
fn values_and_locks_are_released_when_the_last_object_is_gone() {
    let mut world = World::upgraded();
    vlans(&mut world);
    let change = |value: &mut Value| {
        named("info", value);
        value["spec"]["locks"] = json!([{"key": "settings"}]);
        value["spec"]["placement"] = json!({"clusters": ["east"]});
    };
    let deployed = deployables::deploy(&mut world, change);
    assert_eq!(locks::lock(&world, "settings").holders[0].owner, "deployable/settings");
    let refusal = try_deploy(&mut world, "other", change).unwrap_err();
    assert!(refusal.message.contains("held by deployable/settings"), "{refusal}");
    assert_eq!(allocations(&world), ["100"], "a refused one has nothing");
    deployables::work(&mut world, "east");
    world.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan: false }));
    assert_eq!(allocations(&world), ["100"], "its objects are there still");
    deployables::work(&mut world, "east");
    assert!(get(&world).is_none());
    assert!(allocations(&world).is_empty());
    assert!(query::named(&world.view, Resource::Lock, "risk", "settings").unwrap().is_none());
    let token = deployed.locks[0].token;
    try_deploy(&mut world, "other", change).unwrap();
    assert!(locks::lock(&world, "settings").holders[0].token > token);
}

#[test]
fn values_of_objects_that_stay_stay_allocated() {
    let mut world = World::upgraded();
    vlans(&mut world);
    let deployed = deployables::deploy(&mut world, |value| named("info", value));
    deployables::work(&mut world, "east");
    world.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan: true }));
    deployables::work(&mut world, "east");
    assert!(get(&world).is_none());
    assert_eq!(allocate(&mut world, "vlans", "a", None, None).unwrap().value, "101");
    let name = format!("vlans.{}.vlan", deployed.head.uid);
    world.ok(Command::Deallocate(Deallocate { target: Target::named("risk", &name) }));
    assert_eq!(allocate(&mut world, "vlans", "b", None, None).unwrap().value, "100");
}

#[test]
fn a_deployable_does_not_wait_for_locks_and_names_what_it_is_given() {
    let mut value = json!({"apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "a"},
        "spec": {"locks": [{"key": "a", "whenHeld": "Wait"}], "manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "$[allocations.b]"}}]}});
    let causes = manifest::read(value.clone(), "risk").unwrap_err();
    let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
    assert_eq!(fields, ["spec.manifests[0]", "spec.locks[0].whenHeld"]);
    value["spec"]["locks"] = json!([{"key": "a", "permits": 2}]);
    assert!(manifest::read(value, "risk").is_err());
}
