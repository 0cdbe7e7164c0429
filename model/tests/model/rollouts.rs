//! Approvals of deployables, and how a generation gets from cluster to cluster.

use crate::deployables::{conclude, deploy, due, get, intend, looked, on, redeploy, see, work};
use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::rollout::Progress;
use tallyman_model::*;

fn lead(user: &str) -> Principal {
    Principal { user: user.to_owned(), groups: vec!["leads".to_owned()], through: None }
}

fn decide(world: &mut World, by: &Principal, decision: Decision, digest: Digest) -> Result<Done, Refusal> {
    let target = Target::named("risk", "settings");
    let why = String::new();
    world.run_as(by, Command::ApproveGeneration(ApproveGeneration(Approve { target, decision, digest, why })))
}

fn pause(world: &mut World, paused: bool) {
    world.ok(Command::PauseRollout(PauseRollout { target: Target::named("risk", "settings"), paused }));
}

fn guarded(value: &mut serde_json::Value) {
    value["spec"]["approvals"] = json!({"required": 2, "groups": ["leads"], "expireAfter": "1h"});
}

fn staged(value: &mut serde_json::Value) {
    value["spec"]["placement"] = json!({});
    value["spec"]["rollout"] = json!({"maxUnavailable": 1, "order": ["west"], "minReady": "1m"});
}

fn generation(world: &World, cluster: &str) -> u32 {
    on(world, cluster).map_or(0, |installation| installation.generation)
}

#[test]
fn a_generation_goes_nowhere_before_enough_others_agree_to_exactly_it() {
    let mut world = World::upgraded();
    let digest = deploy(&mut world, guarded).digest;
    assert_eq!((on(&world, "east"), get(&world).unwrap().is_approved()), (None, false));
    let refused = |world: &mut World, by: &str, digest| {
        let refusal = decide(world, &lead(by), Decision::Approve, digest).unwrap_err();
        refusal.kind
    };
    assert_eq!(refused(&mut world, "ann", digest), RefusalKind::Forbidden, "ann asked for it");
    let stranger = Principal { user: "sam".to_owned(), ..Principal::default() };
    let none = decide(&mut world, &stranger, Decision::Approve, digest).unwrap_err();
    assert_eq!(none.kind, RefusalKind::Forbidden);
    assert_eq!(refused(&mut world, "bob", Digest([9; 32])), RefusalKind::Conflict);
    decide(&mut world, &lead("bob"), Decision::Approve, digest).unwrap();
    assert!(decide(&mut world, &lead("bob"), Decision::Approve, digest).unwrap().unchanged);
    assert_eq!(on(&world, "east"), None, "one of two");
    decide(&mut world, &lead("eve"), Decision::Approve, digest).unwrap();
    assert_eq!(generation(&world, "east"), 1);
    assert_eq!(refused(&mut world, "kim", digest), RefusalKind::Conflict, "it is approved already");
}

#[test]
fn a_new_generation_needs_new_approvals_also_one_that_asks_for_none_and_the_one_before_stays() {
    let mut world = World::upgraded();
    let digest = deploy(&mut world, guarded).digest;
    for user in ["bob", "eve"] {
        decide(&mut world, &lead(user), Decision::Approve, digest).unwrap();
    }
    work(&mut world, "east");
    redeploy(&mut world, "debug", |_| {});
    let now = get(&world).unwrap();
    assert_eq!((now.generation, now.is_approved(), generation(&world, "east")), (2, false, 1));
    assert_eq!(due(&world, "east"), []);
    decide(&mut world, &lead("bob"), Decision::Reject, now.digest).unwrap();
    assert_eq!(generation(&world, "east"), 1);
    let late = decide(&mut world, &lead("eve"), Decision::Approve, now.digest).unwrap_err();
    assert!(late.message.contains("was rejected by bob"), "{}", late.message);
    world.ok(Command::Rollback(Rollback { target: Target::named("risk", "settings"), to: Some(2) }));
    let again = get(&world).unwrap();
    assert_eq!((again.generation, again.is_approved(), again.digest == now.digest), (3, false, true));
    for user in ["bob", "eve"] {
        decide(&mut world, &lead(user), Decision::Approve, again.digest).unwrap();
    }
    assert_eq!(
        (generation(&world, "east"), get(&world).unwrap().approved.unwrap().spec.approvals),
        (3, None)
    );
}

#[test]
fn what_was_not_approved_in_time_is_asked_for_anew() {
    let mut world = World::upgraded();
    let digest = deploy(&mut world, guarded).digest;
    world.now_ms += 3_600_000;
    let late = decide(&mut world, &lead("bob"), Decision::Approve, digest).unwrap_err();
    assert!(late.message.contains("rollback settings --to 1"), "{}", late.message);
    world.ok(Command::Rollback(Rollback { target: Target::named("risk", "settings"), to: Some(1) }));
    decide(&mut world, &lead("bob"), Decision::Approve, digest).unwrap();
}

#[test]
fn a_generation_is_begun_on_the_next_cluster_when_the_one_before_is_healthy_for_long_enough() {
    let mut world = World::upgraded();
    deploy(&mut world, staged);
    assert_eq!((generation(&world, "west"), generation(&world, "east")), (1, 0));
    work(&mut world, "west");
    let waits = get(&world).unwrap();
    assert_eq!((waits.progress, waits.look_ms), (Progress::Waiting, Some(world.now_ms + 60_000)));
    world.now_ms += 60_000;
    world.ok(Command::Expire(Expire {}));
    assert_eq!((generation(&world, "east"), get(&world).unwrap().progress), (1, Progress::Begun));
    work(&mut world, "east");

    // The next one fails on the first cluster: it goes no further, and the other keeps what it has.
    redeploy(&mut world, "debug", staged);
    let intent = intend(&mut world, "west", "first", SyncAction::Apply).unwrap();
    let said = "it is late".to_owned();
    let sick =
        Looked { health: Health::Degraded, health_message: said, ..looked("first", Some(Digest([1; 32]))) };
    conclude(&mut world, "west", "first", intent, SyncOutcome::Done(Box::new(sick)));
    work(&mut world, "west");
    let stopped = get(&world).unwrap();
    assert_eq!((stopped.progress, generation(&world, "east")), (Progress::Degraded, 1));
    let why = "it is degraded on west (ConfigMap risk/first: it is late): 1 of 2 clusters wait";
    assert_eq!(stopped.progress_message, why);
    assert_eq!(stopped.look_ms, None);

    // Mended, it goes on by itself.
    see(&mut world, "west", "first", Some(looked("first", Some(Digest([1; 32])))));
    assert_eq!(get(&world).unwrap().progress, Progress::Waiting);
    world.now_ms += 60_000;
    world.ok(Command::Expire(Expire {}));
    assert_eq!(generation(&world, "east"), 2);
}

fn lose(world: &mut World, cluster: &str) {
    let contact = Contact {
        cluster: world.cluster(cluster).head.ordinal,
        reachable: false,
        kube_system_uid: None,
        version: String::new(),
        rewound: false,
        relayed_by: None,
        unwatched: Vec::new(),
        message: "nobody answers".to_owned(),
    };
    world.ok(Command::Contact(contact));
}

fn cordon(world: &mut World, cluster: &str) {
    world.ok(Command::Drain(Drain { name: cluster.to_owned(), revision: None, why: String::new() }));
    spread(world);
}

/// What the leader proposes when the clusters have changed.
fn spread(world: &mut World) {
    let deployable = get(world).unwrap().head.ordinal;
    world.ok(Command::Spread(Spread { deployable }));
}

#[test]
fn a_rollout_waits_for_a_cluster_out_of_reach_until_it_is_back_or_cordoned() {
    let mut world = World::upgraded();
    lose(&mut world, "west");
    deploy(&mut world, staged);
    let held = get(&world).unwrap();
    assert_eq!((generation(&world, "west"), generation(&world, "east")), (0, 0));
    let words = "2 of 2 clusters wait; against maxUnavailable count west (out of reach): cordon what is to be gone on without";
    assert_eq!((held.progress, held.progress_message.as_str()), (Progress::Waiting, words));
    cordon(&mut world, "west");
    assert_eq!((generation(&world, "west"), generation(&world, "east")), (0, 1));
    work(&mut world, "east");
    assert_eq!(get(&world).unwrap().progress, Progress::Begun);

    // The same where the deployable is already; it is begun there when it is back.
    let mut world = World::upgraded();
    deploy(&mut world, |value| value["spec"]["placement"] = json!({}));
    work(&mut world, "east");
    work(&mut world, "west");
    lose(&mut world, "west");
    redeploy(&mut world, "debug", staged);
    assert_eq!((generation(&world, "west"), generation(&world, "east")), (1, 1));
    cordon(&mut world, "west");
    assert_eq!((generation(&world, "west"), generation(&world, "east")), (1, 2));
    work(&mut world, "east");
    let done = get(&world).unwrap();
    let words = "it is begun on all clusters but west (cordoned and out of reach)";
    assert_eq!((done.progress, done.progress_message.as_str()), (Progress::Begun, words));
    world.now_ms += 60_000;
    let west = world.cluster("west").head.ordinal;
    world.contact(west, "west-identity");
    spread(&mut world);
    assert_eq!((generation(&world, "west"), get(&world).unwrap().progress_message.as_str()), (2, ""));
}

#[test]
fn a_paused_deployable_is_begun_on_no_more_clusters_until_it_is_resumed() {
    let mut world = World::upgraded();
    deploy(&mut world, |value| value["spec"]["placement"] = json!({}));
    work(&mut world, "east");
    work(&mut world, "west");
    pause(&mut world, true);
    redeploy(&mut world, "debug", |value| value["spec"]["placement"] = json!({}));
    assert_eq!((generation(&world, "west"), get(&world).unwrap().progress), (1, Progress::Paused));
    pause(&mut world, false);
    assert_eq!((generation(&world, "west"), generation(&world, "east")), (2, 2));
}

#[test]
fn generations_that_are_on_a_cluster_are_kept_however_many_come_behind_them() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    pause(&mut world, true);
    for level in 0..15 {
        redeploy(&mut world, &level.to_string(), |_| {});
    }
    let kept = get(&world).unwrap().bundles;
    assert_eq!((kept.len(), kept[0].0), (limits::BUNDLES_MAX, 1));
    assert!(query::bundle(&world.view, on(&world, "east").unwrap().bundle).unwrap().is_some());
}

fn many(world: &mut World) -> Vec<Ordinal> {
    let count = limits::BRAKE_FLOOR_RUNS + 20;
    for i in 0..count {
        let (uid, name) = (world.uid(), format!("settings-{i}"));
        let read = crate::deployables::read("info", |value| {
            value["metadata"]["name"] = json!(name);
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
            value["spec"]["manifests"] = json!([map]);
        });
        world.ok(Command::Deploy(Box::new(Deploy {
            uid,
            namespace: "risk".to_owned(),
            name,
            labels: read.labels,
            annotations: read.annotations,
            asked: read.asked,
        })));
    }
    let east = world.cluster("east").head.ordinal;
    let all = query::installations(&world.view, east).unwrap();
    for installation in &all {
        let [object] = installation.objects.as_slice() else { panic!("{installation:?}") };
        for action in [SyncAction::Create, SyncAction::Apply] {
            let permit = world.permit();
            let installation = installation.ordinal;
            world.ok(Command::IntendSync(IntendSync { installation, object: 0, action, permit }));
            let owned = (action == SyncAction::Apply).then_some(Digest([1; 32]));
            let outcome = SyncOutcome::Done(Box::new(looked(&object.name, owned)));
            let (name, intent) = (object.name.clone(), world.log.len() as u64);
            world.ok(Command::ConcludeSync(ConcludeSync { installation, name, intent, outcome }));
        }
    }
    all.iter().map(|one| one.ordinal).collect()
}

#[test]
fn many_deployables_that_are_removed_at_once_wait_for_a_person_who_agrees() {
    let mut world = World::upgraded();
    let all = many(&mut world);
    for i in 0..all.len() {
        let target = Target::named("risk", &format!("settings-{i}"));
        world.ok(Command::Withdraw(Withdraw { target, orphan: false }));
    }
    let stopped = |world: &mut World| {
        let mut stopped = 0;
        for installation in &all {
            let (permit, action) = (world.permit(), SyncAction::Delete);
            let _ = world.run(Command::IntendSync(IntendSync {
                installation: *installation,
                object: 0,
                action,
                permit,
            }));
            let found = query::record(&world.view, *installation).unwrap();
            let Some(Record::Installation(found)) = found else { continue };
            stopped += u64::from(found.objects[0].pending.is_some());
        }
        stopped
    };
    assert_eq!(stopped(&mut world), limits::BRAKE_FLOOR_RUNS);
    let east = world.cluster("east").head.ordinal;
    let held = query::installations(&world.view, east).unwrap().pop().unwrap();
    assert!(brake::may_hold_sync(&held));
    let meta = query::meta(&world.view).unwrap();
    let words = meta.braked_words(east, "east", &held.namespace).unwrap();
    assert!(words.contains("50 submissions were stopped"), "{words}");
    let (of, why) = (StopsOf::Cluster("east".to_owned()), "all of it is to go".to_owned());
    world.ok(Command::ConfirmStops(ConfirmStops { of, why }));
    assert_eq!(stopped(&mut world), all.len() as u64);
}
