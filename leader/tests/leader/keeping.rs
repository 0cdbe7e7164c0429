//! Values of pools and locks that runs and deployables have for their life: not given back before nothing uses them.

use crate::crash::at_every_step;
use crate::story::delete;
use crate::world::World;
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_model::command::{AddPool, Deploy, Target, Withdraw, WriteOffCluster};
use tallyman_model::record::{Allocation, Kind, Lock, Record, Resource};
use tallyman_model::{Command, Env, Ordinal, Phase, manifest, query};

/// A pool of two VLANs.
fn vlans(world: &World) {
    let value = json!({"apiVersion": "tallyman.dev/v1", "kind": "Pool", "metadata": {"name": "vlans"},
        "spec": {"ranges": [{"from": 100, "to": 101}]}});
    let read = manifest::read_pool(value, "risk").unwrap();
    world.ok(Command::AddPool(AddPool {
        uid: world.state.env.uid(),
        namespace: "risk".to_owned(),
        name: read.titled.name,
        labels: read.titled.labels,
        annotations: read.titled.annotations,
        values: read.values,
        disjoint: read.disjoint,
    }));
}

fn has_pool(world: &World) -> bool {
    world.state.look(|view| query::named(view, Resource::Pool, "risk", "vlans").unwrap()).is_some()
}

/// Its objects name the VLAN, and it is active alone with its key.
fn with_vlan(run: &mut Value) {
    run["spec"]["allocations"] = json!([{"name": "vlan", "pool": "vlans"}]);
    run["spec"]["locks"] = json!([{"key": "leaf-7"}]);
    run["spec"]["attempts"] = json!({"max": 2, "backoff": "1s"});
    run["spec"]["manifests"][0]["data"] = json!({"vlan": "$[allocations.vlan]"});
    run["spec"]["manifests"][1]["spec"]["vlan"] = json!("$[allocations.vlan.number]");
}

fn allocations(world: &World) -> Vec<Allocation> {
    let filter = query::Filter::all(Resource::Allocation);
    let records = world.state.look(|view| query::list(view, &filter, Ordinal(0), 100).unwrap().records);
    let one = |record| match record {
        Record::Allocation(one) => Some(one),
        _ => None,
    };
    records.into_iter().filter_map(one).collect()
}

fn key(world: &World) -> Option<Lock> {
    match world.state.look(|view| query::named(view, Resource::Lock, "risk", "leaf-7").unwrap()) {
        Some(Record::Lock(lock)) => Some(lock),
        _ => None,
    }
}

/// Whatever is on a cluster has the value that its run has at this moment, and of all Jobs at most one has not ended.
fn check(world: &World) {
    let allocations = allocations(world);
    let mut active = Vec::new();
    for sim in world.sims.values() {
        for ((kind, _, name), object) in sim.with(|inner| inner.objects.clone()) {
            let vlan = [
                object["data"]["vlan"].as_str().map(str::to_owned),
                object["spec"]["vlan"].as_u64().map(|it| it.to_string()),
            ];
            let Some(vlan) = vlan.into_iter().flatten().next() else { continue };
            let uid =
                object["metadata"]["labels"]["tallyman.dev/submission-uid"].as_str().unwrap_or_default();
            let is_its = |one: &&Allocation| one.key.starts_with(uid) && one.value == vlan;
            assert!(
                allocations.iter().any(|one| is_its(&one)),
                "{name} uses {vlan}, which it has not: {allocations:?}"
            );
            if kind == Kind::Job && object["status"]["conditions"].as_array().is_none_or(Vec::is_empty) {
                active.push(name);
            }
        }
    }
    assert!(active.len() <= 1, "{active:?} are active with one key");
}

async fn until(world: &World, what: &str, holds: impl Fn(&World) -> bool) {
    let holds = |world: &World| {
        check(world);
        holds(world)
    };
    world.until(what, holds).await;
}

fn is_in(world: &World, name: &str, phase: Phase) -> bool {
    world.find(name).is_some_and(|run| run.phase == phase)
}

#[tokio::test(start_paused = true)]
async fn runs_of_one_key_go_one_after_the_other_and_keep_their_values_over_a_retry_wherever_the_leader_dies()
{
    at_every_step("keeping", async |world| {
        if !has_pool(world) {
            world.raise();
            vlans(world);
            world.east().with(|inner| inner.failing.insert("one".to_owned()));
            world.submit("one", with_vlan);
            world.submit("two", with_vlan);
        }
        if world.find("one").is_some_and(|run| run.deletion.is_none()) {
            until(world, "both succeed", |world| {
                is_in(world, "one", Phase::Succeeded) && is_in(world, "two", Phase::Succeeded)
            })
            .await;
            let values = ["one", "two"].map(|name| world.get(name).value("vlan").unwrap().to_owned());
            assert_eq!(values, ["100", "101"]);
            assert_eq!(world.get("one").attempts.len(), 2);
            assert!(key(world).is_none(), "nothing of them runs any more");
            assert_eq!(allocations(world).len(), 2, "their objects are there");
            delete(world, "one");
            delete(world, "two");
        }
        until(world, "both are gone", |world| world.find("one").is_none() && world.find("two").is_none())
            .await;
        assert!(allocations(world).is_empty() && key(world).is_none());
        assert_eq!(world.east().created(Kind::ConfigMap, "one-input"), 1);
    })
    .await;
}

/// A run with a value and a key that goes on for long on east.
async fn running() -> World {
    let world = World::led();
    world.raise();
    vlans(&world);
    world.east().with(|inner| inner.run_ms = 100_000_000);
    world.submit("one", with_vlan);
    world.until_phase("one", Phase::Running).await;
    world
}

#[tokio::test(start_paused = true)]
async fn what_a_removed_run_has_on_a_cluster_out_of_reach_is_not_given_to_others_before_it_is_gone_there() {
    let world = running().await;
    world.east().with(|inner| inner.down = true);
    world.until("it is out of reach", |world| world.cluster("east").reachable == Some(false)).await;
    delete(&world, "one");
    world.submit("two", with_vlan);
    world.pass(Duration::from_secs(3_600)).await;
    check(&world);
    assert_eq!(world.get("two").value("vlan"), Some("101"));
    assert_eq!(key(&world).unwrap().holders[0].owner, "runnable/one");
    world.east().with(|inner| (inner.down, inner.run_ms) = (false, 100));
    until(&world, "the first is gone", |world| world.find("one").is_none()).await;
    until(&world, "the other has the key", |world| is_in(world, "two", Phase::Succeeded)).await;
    assert_eq!(allocations(&world).iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["101"]);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_written_off_keeps_no_values_and_no_keys() {
    let world = running().await;
    world.east().with(|inner| inner.down = true);
    world.until("it is out of reach", |world| world.cluster("east").reachable == Some(false)).await;
    let why = "the datacenter burnt down".to_owned();
    world.ok(Command::WriteOffCluster(WriteOffCluster { name: "east".to_owned(), revision: None, why }));
    world.until_phase("one", Phase::Failed).await;
    assert!(allocations(&world).is_empty() && key(&world).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_moved_run_has_its_value_and_its_key_where_it_goes_on() {
    let mut world = World::new(1, &["east", "west"]);
    world.raise();
    world.lead(None);
    vlans(&world);
    world.east().with(|inner| inner.run_ms = 100_000_000);
    world.submit("one", |run| {
        with_vlan(run);
        run["spec"]["placement"] = json!({"onLoss": "Move", "lossAfter": "1m"});
        run["spec"]["manifests"][1]["spec"]["activeDeadlineSeconds"] = json!(120);
    });
    world.until_phase("one", Phase::Running).await;
    let first = key(&world).unwrap().holders[0].token;
    world.east().with(|inner| inner.down = true);
    world
        .until("it goes on elsewhere", |world| world.west().get(Kind::Job, "risk", "one-a2").is_some())
        .await;
    let job = world.west().get(Kind::Job, "risk", "one-a2").unwrap();
    assert_eq!(job["spec"]["vlan"], 100);
    let token = key(&world).unwrap().holders[0].token;
    assert!(token > first);
    assert_eq!(job["metadata"]["annotations"]["tallyman.dev/lock.leaf-7"], token.to_string());
    world.until_phase("one", Phase::Succeeded).await;
    delete(&world, "one");
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(allocations(&world).len(), 1, "its first object may be in use out of reach");
    world.east().with(|inner| inner.down = false);
    world.until("all of it is gone", |world| world.find("one").is_none()).await;
    assert!(allocations(&world).is_empty() && key(&world).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_deployable_keeps_its_value_until_its_last_object_is_gone_wherever_the_leader_dies() {
    at_every_step("endowed", async |world| {
        let there = |world: &World| world.state.look(|view| query::deployable(view, "risk", "net").unwrap());
        if !has_pool(world) {
            world.raise();
            vlans(world);
            let value = json!({"apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "net"},
                "spec": {"allocations": [{"name": "vlan", "pool": "vlans"}], "locks": [{"key": "leaf-7"}], "manifests": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "net"}, "data": {"vlan": "$[allocations.vlan]"}}]}});
            let manifest::Read { name, labels, annotations, asked } = manifest::read(value, "risk").unwrap();
            let (uid, namespace) = (world.state.env.uid(), "risk".to_owned());
            world.ok(Command::Deploy(Box::new(Deploy { uid, namespace, name, labels, annotations, asked })));
        }
        if there(world).is_some_and(|it| it.withdrawal.is_none()) {
            until(world, "it is there", |world| there(world).is_some_and(|it| it.counts.synced == 1)).await;
            let map = world.east().get(Kind::ConfigMap, "risk", "net").unwrap();
            assert_eq!(map["data"]["vlan"], "100");
            world.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "net"), orphan: false }));
        }
        until(world, "it is gone", |world| there(world).is_none()).await;
        assert!(world.east().get(Kind::ConfigMap, "risk", "net").is_none());
        assert!(allocations(world).is_empty() && key(world).is_none());
    })
    .await;
}
