//! Requests and answers that come late.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::rule::{self, Verdict};
use tallyman_model::*;

fn versioned(world: &World, object: u16, version: &str, verdict: Verdict) -> Observation {
    world.item("report", object, json!({}), |item| {
        item.resource_version = version.to_owned();
        item.seen.resource_version = version.to_owned();
        item.verdict = Some(verdict);
        item.held = false;
    })
}

fn removal() -> Command {
    Command::Delete(Delete { target: Target::named("risk", "report") })
}

#[test]
fn an_answer_that_is_older_than_what_a_watch_said_does_not_undo_it() {
    let mut world = World::new();
    world.submit("report", |_| {});
    world.place("report", "east");
    world.create("report", 0);
    world.create("report", 1);
    world.observe_verdict("report", 1, Verdict::Succeeded, 110);
    let intent = world.intend("report", 1, Action::Release).unwrap();
    let mut deleting = versioned(&world, 1, "120", Verdict::Succeeded);
    deleting.seen.deleting_ms = Some(1);
    world.observe("east", vec![deleting]);
    let answer = versioned(&world, 1, "115", Verdict::Succeeded);
    world.conclude("report", 1, intent, Outcome::Done(Box::new(answer))).unwrap();
    let object = &world.get("report").objects[1];
    assert!(object.pending.is_none());
    assert!(object.seen.as_ref().unwrap().is_deleting(), "the later state stands");
}

#[test]
fn a_removed_run_is_kept_while_a_request_of_it_may_still_land() {
    let mut world = World::new();
    world.submit("report", |_| {});
    world.place("report", "east");
    let cluster = world.cluster("east").head.ordinal;
    // The first request is silent, the second one makes the object.
    let first = world.intend("report", 0, Action::Create).unwrap();
    world.conclude("report", 0, first, Outcome::Unknown { message: String::new() }).unwrap();
    world.create("report", 0);
    world.ok(removal());
    let intent = world.intend("report", 0, Action::Delete).unwrap();
    world.conclude("report", 0, intent, Outcome::Gone).unwrap();
    let object = world.get("report").objects[0].clone();
    assert!(object.is_in_doubt() && object.claims());
    assert!(world.due(Lane::Resolve, cluster).is_empty());

    // It lands, and is known for what it is.
    let late = world.item("report", 0, json!({}), |item| item.uid = "late".to_owned());
    world.now_ms += limits::CALL_DEADLINE_MS + limits::CALL_DRAIN_MS;
    assert!(!world.due(Lane::Resolve, cluster).is_empty());
    world.conclude("report", 0, 0, Outcome::Done(Box::new(late))).unwrap();
    assert!(!world.due(Lane::Delete, cluster).is_empty());
    let intent = world.intend("report", 0, Action::Delete).unwrap();
    world.conclude("report", 0, intent, Outcome::Gone).unwrap();
    assert_eq!(query::runnable(&world.view, "risk", "report").unwrap(), None);
}

#[test]
fn a_doubt_ends_when_nothing_was_found_and_nothing_can_land_any_more() {
    let mut world = World::new();
    world.submit("report", |_| {});
    world.place("report", "east");
    let first = world.intend("report", 0, Action::Create).unwrap();
    world.conclude("report", 0, first, Outcome::Unknown { message: String::new() }).unwrap();
    world.create("report", 0);
    world.ok(removal());
    let intent = world.intend("report", 0, Action::Delete).unwrap();
    world.conclude("report", 0, intent, Outcome::Gone).unwrap();
    let known = world.item("report", 0, json!({}), |_| {});
    let stale = world.conclude("report", 0, 0, Outcome::Done(Box::new(known)));
    assert_eq!(stale.unwrap_err().kind, RefusalKind::Outdated, "a UID that is gone does not come back");
    world.now_ms += limits::CALL_DEADLINE_MS + limits::CALL_DRAIN_MS;
    world.conclude("report", 0, 0, Outcome::Absent).unwrap();
    assert_eq!(query::runnable(&world.view, "risk", "report").unwrap(), None);
}

#[test]
fn members_that_were_made_again_give_a_retry_its_turn() {
    let mut world = World::new();
    world.submit("report", |_| {});
    world.place("report", "east");
    world.create("report", 0);
    world.create("report", 1);
    world.observe_verdict("report", 1, Verdict::Failed, 110);
    for object in 0..2 {
        let gone = world.item("report", object, json!({}), |item| item.gone = true);
        world.observe("east", vec![gone]);
    }
    world.ok(Command::Retry(Retry { target: Target::named("risk", "report"), why: String::new() }));
    let run = world.place("report", "east");
    assert_eq!(run.objects.len(), 4, "the ConfigMap is made again, and a Job for the second attempt");
    assert!(!run.is_turn(&run.objects[3]));
    let intent = world.intend("report", 2, Action::Create).unwrap();
    let item = world.item("report", 2, json!({}), |_| {});
    world.conclude("report", 2, intent, Outcome::Done(Box::new(item))).unwrap();
    let run = world.get("report");
    assert!(run.is_turn(&run.objects[3]));
}

#[test]
fn the_finalizers_of_others_are_projected_and_our_hold_is_not_one_of_them() {
    let object = json!({"metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "1",
        "finalizers": ["a.example/one", "tallyman.dev/hold", "foregroundDeletion"]}});
    let item = rule::project(&Kind::Job, &object).unwrap();
    assert!(item.held);
    assert_eq!(item.seen.finalizers, ["a.example/one", "foregroundDeletion"]);
}
