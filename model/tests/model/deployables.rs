//! What becomes of a deployable, step by step.

use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

const MINE: Digest = Digest([1; 32]);
const THEIRS: Digest = Digest([2; 32]);

pub(crate) fn read(level: &str, change: impl FnOnce(&mut Value)) -> manifest::Read {
    let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"level": level}});
    let mut value = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "settings"},
        "spec": {"placement": {"clusters": ["east"]}, "manifests": [map("first"), map("second")]},
    });
    change(&mut value);
    manifest::read(value, "risk").expect("it is well-formed")
}

pub(crate) fn deploy(world: &mut World, change: impl FnOnce(&mut Value)) -> Deployable {
    let (uid, read) = (world.uid(), read("info", change));
    world.ok(Command::Deploy(Box::new(Deploy {
        uid,
        namespace: "risk".to_owned(),
        name: read.name,
        labels: read.labels,
        annotations: read.annotations,
        asked: read.asked,
    })));
    get(world).expect("it is there")
}

pub(crate) fn redeploy(world: &mut World, level: &str, change: impl FnOnce(&mut Value)) {
    let read = read(level, change);
    world.ok(Command::Redeploy(Box::new(Redeploy {
        target: Target::named("risk", "settings"),
        labels: read.labels,
        annotations: read.annotations,
        asked: read.asked,
    })));
}

pub(crate) fn get(world: &World) -> Option<Deployable> {
    query::deployable(&world.view, "risk", "settings").unwrap()
}

pub(crate) fn on(world: &World, cluster: &str) -> Option<Installation> {
    let cluster = world.cluster(cluster).head.ordinal;
    query::installations(&world.view, cluster).unwrap().pop()
}

/// What is due on a cluster, by name.
pub(crate) fn due(world: &World, cluster: &str) -> Vec<(String, SyncAction)> {
    let Some(installation) = on(world, cluster) else { return Vec::new() };
    let is_due =
        |object: &Synced| (object.due_ms <= world.now_ms).then(|| installation.next_action(object)).flatten();
    let objects = installation.objects.iter();
    objects.filter_map(|object| Some((object.name.clone(), is_due(object)?))).collect()
}

pub(crate) fn intend(
    world: &mut World,
    cluster: &str,
    name: &str,
    action: SyncAction,
) -> Result<u64, Refusal> {
    let (installation, permit) = (on(world, cluster).unwrap(), world.permit());
    let object = installation.objects.iter().position(|object| object.name == name).unwrap() as u16;
    world.run(Command::IntendSync(IntendSync {
        installation: installation.ordinal,
        object,
        action,
        permit,
    }))?;
    Ok(world.log.len() as u64)
}

pub(crate) fn conclude(world: &mut World, cluster: &str, name: &str, intent: u64, outcome: SyncOutcome) {
    let installation = on(world, cluster).unwrap().ordinal;
    let name = name.to_owned();
    world.ok(Command::ConcludeSync(ConcludeSync { installation, name, intent, outcome }));
}

pub(crate) fn looked(name: &str, owned: Option<Digest>) -> Looked {
    Looked {
        uid: format!("uid-{name}"),
        resource_version: "7".to_owned(),
        deleting: false,
        owned,
        changed_by: Some("kubectl-edit".to_owned()),
        health: Health::Healthy,
        health_message: String::new(),
        differences: None,
    }
}

/// Does what is due until nothing is.
pub(crate) fn work(world: &mut World, cluster: &str) {
    while let Some((name, action)) = due(world, cluster).first().cloned() {
        let intent = intend(world, cluster, &name, action).unwrap();
        let outcome = match action {
            SyncAction::Create => SyncOutcome::Done(Box::new(looked(&name, None))),
            SyncAction::Apply => SyncOutcome::Done(Box::new(looked(&name, Some(MINE)))),
            SyncAction::Delete | SyncAction::Release => SyncOutcome::Gone,
        };
        conclude(world, cluster, &name, intent, outcome);
    }
}

pub(crate) fn see(world: &mut World, cluster: &str, name: &str, looked: Option<Looked>) {
    let installation = on(world, cluster).unwrap().ordinal;
    let sights = vec![Sight { uid: format!("uid-{name}"), looked }];
    world.ok(Command::ObserveSync(ObserveSync { installation, sights }));
}

fn is_done(world: &World) -> bool {
    let counts = get(world).unwrap().counts;
    counts.synced == counts.clusters && counts.clusters > 0
}

#[test]
fn what_is_deployed_is_made_and_applied_in_the_order_of_the_bundle_on_every_cluster_of_the_placement() {
    let mut world = World::upgraded();
    let deployable = deploy(&mut world, |value| value["spec"]["placement"] = json!({}));
    assert_eq!((deployable.generation, deployable.counts.clusters, deployable.counts.synced), (1, 2, 0));
    for cluster in ["east", "west"] {
        assert_eq!(due(&world, cluster), [("first".to_owned(), SyncAction::Create)]);
        work(&mut world, cluster);
    }
    let installation = on(&world, "east").unwrap();
    assert_eq!((installation.applied, installation.health()), (1, Health::Healthy));
    assert!(is_done(&world));
}

#[test]
fn a_new_spec_is_a_new_generation_and_what_left_it_goes_last() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    redeploy(&mut world, "debug", |value| {
        value["spec"]["manifests"].as_array_mut().unwrap().remove(1);
    });
    assert_eq!(get(&world).unwrap().generation, 2);
    assert_eq!(due(&world, "east"), [("first".to_owned(), SyncAction::Apply)]);
    let intent = intend(&mut world, "east", "first", SyncAction::Apply).unwrap();
    conclude(&mut world, "east", "first", intent, SyncOutcome::Done(Box::new(looked("first", Some(MINE)))));
    assert_eq!(due(&world, "east"), [("second".to_owned(), SyncAction::Delete)]);
    work(&mut world, "east");
    assert_eq!(on(&world, "east").unwrap().objects.len(), 1);
    assert!(is_done(&world));
}

#[test]
fn the_same_spec_again_changes_nothing_and_labels_alone_make_no_generation() {
    let mut world = World::upgraded();
    let before = deploy(&mut world, |_| {});
    redeploy(&mut world, "info", |_| {});
    assert_eq!(get(&world).unwrap().head.revision, before.head.revision);
    redeploy(&mut world, "info", |value| value["metadata"]["labels"] = json!({"a": "b"}));
    let after = get(&world).unwrap();
    assert_eq!((after.generation, after.head.labels.len()), (1, 1));
}

#[test]
fn an_earlier_generation_is_taken_up_again_as_the_newest() {
    let mut world = World::upgraded();
    let first = deploy(&mut world, |_| {});
    redeploy(&mut world, "debug", |_| {});
    let rollback = |to| Command::Rollback(Rollback { target: Target::named("risk", "settings"), to });
    assert_eq!(world.run(rollback(Some(9))).unwrap_err().kind, RefusalKind::Invalid);
    world.ok(rollback(None));
    let now = get(&world).unwrap();
    assert_eq!((now.generation, now.digest), (3, first.digest));
    let bundle = query::bundle(&world.view, now.bundle()).unwrap().unwrap();
    assert_eq!(bundle.again, Some(1));
    assert!(query::bundle_manifests(&world.view, &bundle).unwrap().ends_with(b"}"));
}

#[test]
fn only_so_many_generations_are_kept() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    for level in 0..20 {
        redeploy(&mut world, &level.to_string(), |_| {});
    }
    let deployable = get(&world).unwrap();
    let kept: Vec<u32> = deployable.bundles.iter().map(|(generation, _)| *generation).collect();
    assert_eq!(kept, (12..=21).collect::<Vec<_>>());
}

#[test]
fn what_somebody_changes_is_corrected_ever_more_slowly_while_it_goes_on() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    for times in 0..3 {
        see(&mut world, "east", "first", Some(looked("first", Some(THEIRS))));
        let drift = on(&world, "east").unwrap().objects[0].drift.clone().unwrap();
        assert_eq!((drift.gone, drift.by.as_str()), (false, "kubectl-edit"));
        assert_eq!(get(&world).unwrap().counts.drifted, 1);
        if times < 2 {
            assert_eq!(due(&world, "east"), [("first".to_owned(), SyncAction::Apply)], "at once");
        } else {
            assert!(due(&world, "east").is_empty(), "after a while");
            world.now_ms += 2 * limits::CORRECT_DELAY_MS_MIN;
        }
        work(&mut world, "east");
        assert_eq!(on(&world, "east").unwrap().objects[0].corrections, times + 1);
    }
    assert_eq!(get(&world).unwrap().counts.drifted, 0);
}

#[test]
fn a_field_that_others_set_beside_ours_is_no_drift() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    see(
        &mut world,
        "east",
        "first",
        Some(Looked { resource_version: "9".to_owned(), ..looked("first", Some(MINE)) }),
    );
    assert_eq!((get(&world).unwrap().counts.drifted, due(&world, "east").len()), (0, 0));
}

#[test]
fn reported_drift_is_shown_and_frozen_drift_stops_all_writes_there() {
    for (policy, writes) in [("Report", true), ("Freeze", false)] {
        let mut world = World::upgraded();
        deploy(&mut world, |value| value["spec"]["drift"] = json!(policy));
        work(&mut world, "east");
        see(&mut world, "east", "first", Some(looked("first", Some(THEIRS))));
        assert_eq!((due(&world, "east").len(), get(&world).unwrap().counts.drifted), (0, 1), "{policy}");
        redeploy(&mut world, "debug", |value| value["spec"]["drift"] = json!(policy));
        assert_eq!(!due(&world, "east").is_empty(), writes, "{policy}");
        see(&mut world, "east", "first", Some(looked("first", Some(MINE))));
        assert!(!due(&world, "east").is_empty(), "{policy}: it is as it was again");
    }
}

#[test]
fn what_somebody_deletes_is_made_again() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    see(&mut world, "east", "second", None);
    assert_eq!(due(&world, "east"), [("second".to_owned(), SyncAction::Create)]);
    work(&mut world, "east");
    assert!(is_done(&world));
}

#[test]
fn a_removed_deployable_goes_when_its_objects_are_gone_and_an_orphaned_one_releases_them() {
    for (orphan, action) in [(false, SyncAction::Delete), (true, SyncAction::Release)] {
        let mut world = World::upgraded();
        deploy(&mut world, |_| {});
        work(&mut world, "east");
        world.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan }));
        let (first, second) = (("first".to_owned(), action), ("second".to_owned(), action));
        assert_eq!(due(&world, "east"), if orphan { vec![first, second] } else { vec![second] });
        work(&mut world, "east");
        assert_eq!((get(&world), on(&world, "east")), (None, None));
    }
}

#[test]
fn an_unknown_create_is_read_back_and_waited_for_before_it_is_given_up() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    let intent = intend(&mut world, "east", "first", SyncAction::Create).unwrap();
    let unknown = SyncOutcome::Unknown { message: "lost".to_owned() };
    conclude(&mut world, "east", "first", intent, unknown);
    world.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan: false }));
    conclude(&mut world, "east", "first", intent, SyncOutcome::Absent);
    assert!(get(&world).is_some(), "the request may still land");
    world.now_ms += limits::CALL_DEADLINE_MS + limits::CALL_DRAIN_MS;
    conclude(&mut world, "east", "first", 0, SyncOutcome::Absent);
    assert_eq!(get(&world), None);
}

#[test]
fn a_name_is_held_by_one_submission_at_a_time() {
    let mut world = World::upgraded();
    world.submit("first", |value| value["spec"]["manifests"][0]["metadata"]["name"] = json!("first"));
    world.place("first", "east");
    deploy(&mut world, |_| {});
    intend(&mut world, "east", "first", SyncAction::Create).unwrap();
    let object = on(&world, "east").unwrap().objects.remove(0);
    assert_eq!((object.pending, object.message.as_str()), (None, "the name is held by runnable risk/first"));
}

#[test]
fn a_cluster_that_leaves_the_placement_is_cleaned_and_a_new_one_gets_everything() {
    let mut world = World::upgraded();
    let zone = |zone: &str| json!({"clusterSelector": {"matchLabels": {"zone": zone}}});
    let deployable = deploy(&mut world, |value| value["spec"]["placement"] = zone("east"));
    work(&mut world, "east");
    for (cluster, zone) in [("east", "far"), ("west", "east")] {
        let labels = Some(std::collections::BTreeMap::from([("zone".to_owned(), zone.to_owned())]));
        let name = cluster.to_owned();
        world.ok(Command::UpdateCluster(UpdateCluster { name, labels, ..UpdateCluster::default() }));
    }
    world.ok(Command::Spread(Spread { deployable: deployable.head.ordinal }));
    work(&mut world, "east");
    work(&mut world, "west");
    assert_eq!(on(&world, "east"), None);
    assert!(is_done(&world) && on(&world, "west").is_some());
}

#[test]
fn a_deployable_that_asks_for_what_cannot_be_is_refused_in_words() {
    let value = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "a"},
        "spec": {"rollout": {"order": ["east"]}, "drift": "Maybe", "ignore": ["spec.replicas"], "manifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}]},
    });
    let causes = manifest::read(value, "risk").unwrap_err();
    let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
    let expected = [
        "spec.drift",
        "spec.rollout.maxUnavailable",
        "spec.ignore[0]",
        "spec.manifests[0].metadata.generateName",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_diff_shows_wanted_applied_and_observed_and_what_the_cluster_itself_made_of_an_apply() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    let differs = |level: &str| {
        let applied = json!({"data": {"level": "info", "size": "1000m"}});
        Some(rule::departures(&applied, &json!({"data": {"level": level, "size": "1"}})))
    };
    let intent = intend(&mut world, "east", "first", SyncAction::Create).unwrap();
    conclude(&mut world, "east", "first", intent, SyncOutcome::Done(Box::new(looked("first", None))));
    let intent = intend(&mut world, "east", "first", SyncAction::Apply).unwrap();
    let answer = Looked { differences: differs("info"), ..looked("first", Some(MINE)) };
    conclude(&mut world, "east", "first", intent, SyncOutcome::Done(Box::new(answer)));
    work(&mut world, "east");
    let seen = Looked { differences: differs("trace"), ..looked("first", Some(THEIRS)) };
    see(&mut world, "east", "first", Some(seen));
    redeploy(&mut world, "debug", |value| {
        value["spec"]["manifests"].as_array_mut().unwrap().remove(1);
    });

    let diff = query::diff(&world.view, &get(&world).unwrap(), None).unwrap();
    let [on] = diff.clusters.as_slice() else { panic!("{diff:?}") };
    let told = |at: usize| (on.objects[at].name.as_str(), on.objects[at].action);
    assert_eq!((on.cluster.as_str(), on.applied, diff.more), ("east", 1, 0));
    assert_eq!(told(0), ("first", Some(SyncAction::Apply)));
    assert_eq!(told(1), ("second", Some(SyncAction::Delete)));
    let field = |at: usize| {
        let field = &on.objects[0].fields[at];
        let values = [&field.wanted, &field.applied, &field.observed].map(|value| value.as_deref());
        (field.pointer.as_str(), values, field.admitted)
    };
    let level = [Some("\"debug\""), Some("\"info\""), Some("\"trace\"")];
    assert_eq!(field(0), ("/data/level", level, false));
    let size = [Some("\"1000m\""), Some("\"1000m\""), Some("\"1\"")];
    assert_eq!(field(1), ("/data/size", size, true));
    assert_eq!(on.objects[0].drift.as_ref().map(|drift| drift.by.as_str()), Some("kubectl-edit"));
}

#[test]
fn a_diff_of_what_is_all_in_sync_has_no_objects_and_of_a_new_cluster_has_all() {
    let mut world = World::upgraded();
    deploy(&mut world, |value| value["spec"]["placement"] = json!({}));
    work(&mut world, "east");
    let diff = query::diff(&world.view, &get(&world).unwrap(), None).unwrap();
    assert_eq!(diff.clusters.iter().map(|on| on.objects.len()).collect::<Vec<_>>(), [0, 2]);
    let east = query::diff(&world.view, &get(&world).unwrap(), Some("east")).unwrap();
    assert_eq!(east.clusters.len(), 1);
}
