//! Sent differs from created, and created from observed.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

/// A run whose members are there and whose Job was sent.
fn sent(world: &mut World) -> u64 {
    world.submit("a", |_| {});
    world.place("a", "east");
    world.create("a", 0);
    world.now_ms += 10;
    world.intend("a", 1, Action::Create).unwrap()
}

fn created(world: &mut World) -> Object {
    let intent = sent(world);
    world.now_ms += 10;
    let item = world.item("a", 1, json!({}), |_| {});
    world.conclude("a", 1, intent, Outcome::Done(Box::new(item))).unwrap();
    job(world)
}

fn job(world: &World) -> Object {
    world.get("a").main_object().unwrap().clone()
}

fn east(world: &World) -> Ordinal {
    world.cluster("east").head.ordinal
}

/// The words of the ledger's last record.
fn said(world: &World) -> String {
    let (ctx, entry) = world.log.last().unwrap().clone();
    let mut before = MemoryView::default();
    for (ctx, entry) in &world.log[..world.log.len() - 1] {
        before.commit(apply(&before, ctx, entry.clone()).unwrap().writes);
    }
    let bytes = apply(&before, &ctx, entry).unwrap().ledger.unwrap().bytes;
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_answer_to_the_create_is_created_and_the_first_word_of_a_watch_is_observed() {
    let mut world = World::new();
    sent(&mut world);
    let object = job(&world);
    assert_eq!((object.making(), object.sent_ms), (Making::Sent, Some(world.now_ms)));

    let mut world = World::new();
    let object = created(&mut world);
    assert_eq!((object.making(), object.observed_ms), (Making::Created, None));
    assert_eq!(object.created_ms, object.sent_ms.map(|at_ms| at_ms + 10));
    // At the very version that the answer had: the answer was not the watch.
    world.now_ms += 10;
    let item = world.item("a", 1, json!({}), |_| {});
    world.observe("east", vec![item]);
    let object = job(&world);
    assert_eq!((object.making(), object.observed_ms), (Making::Observed, Some(world.now_ms)));
    assert!(said(&world).contains(r#""observed":"Job uid a-1 at resourceVersion 100""#), "{}", said(&world));
    // Only the first time is told.
    world.now_ms += 10;
    let item = world.item("a", 1, json!({"active": 1}), |item| item.resource_version = "101".to_owned());
    world.observe("east", vec![item]);
    assert!(!said(&world).contains(r#""observed":"#), "{}", said(&world));
}

#[test]
fn a_watch_that_is_faster_than_the_answer_is_both() {
    let mut world = World::new();
    let intent = sent(&mut world);
    let item = world.item("a", 1, json!({}), |_| {});
    world.observe("east", vec![item.clone()]);
    let object = job(&world);
    assert_eq!((object.created_ms, object.observed_ms), (Some(world.now_ms), Some(world.now_ms)));
    let late = world.conclude("a", 1, intent, Outcome::Done(Box::new(item)));
    assert!(late.is_err(), "the watch was faster");
}

#[test]
fn a_create_that_did_not_leave_was_not_sent_and_one_that_may_have_was() {
    let mut world = World::new();
    let intent = sent(&mut world);
    world.conclude("a", 1, intent, Outcome::NotSent { message: "no client".to_owned() }).unwrap();
    assert_eq!(job(&world).making(), Making::Planned);

    let mut world = World::new();
    let intent = sent(&mut world);
    world.conclude("a", 1, intent, Outcome::Unknown { message: "lost".to_owned() }).unwrap();
    assert_eq!(job(&world).making(), Making::Sent);
    let again = world.intend("a", 1, Action::Create).unwrap();
    world.conclude("a", 1, again, Outcome::NotSent { message: "no client".to_owned() }).unwrap();
    assert_eq!(job(&world).making(), Making::Sent, "the first one may have left");
}

#[test]
fn what_no_watch_tells_of_in_time_is_read_once_and_what_was_found_is_kept() {
    let mut world = World::new();
    let object = created(&mut world);
    let due_ms = object.created_ms.unwrap() + limits::OBSERVED_WITHIN_MS;
    assert_eq!(world.get("a").read_due_ms(&object), Some(due_ms));
    assert_eq!(world.due(Lane::Resolve, east(&world)), []);
    world.now_ms = due_ms;
    assert_eq!(world.due(Lane::Resolve, east(&world)).len(), 1);
    let item = world.item("a", 1, json!({}), |_| {});
    world.conclude("a", 1, 0, Outcome::Done(Box::new(item.clone()))).unwrap();
    assert!(said(&world).contains("no watch has told of it, so read Job"), "{}", said(&world));
    let object = job(&world);
    let read = object.read.clone().map(|read| *read);
    assert_eq!(read, Some(ReadBack { at_ms: due_ms, message: String::new() }));
    assert_eq!(object.making(), Making::Created, "a read is no watch");
    assert_eq!(world.due(Lane::Resolve, east(&world)), [], "once");
    assert!(world.conclude("a", 1, 0, Outcome::Done(Box::new(item.clone()))).is_err());
    // The watch may come late.
    world.observe("east", vec![item]);
    assert_eq!(job(&world).making(), Making::Observed);
}

#[test]
fn a_read_that_is_refused_is_said_and_not_repeated_and_one_that_finds_nothing_ends_the_run() {
    let mut world = World::new();
    let object = created(&mut world);
    world.now_ms = object.created_ms.unwrap() + limits::OBSERVED_WITHIN_MS;
    world.conclude("a", 1, 0, Outcome::Unknown { message: "403 Forbidden".to_owned() }).unwrap();
    assert_eq!(job(&world).read.unwrap().message, "403 Forbidden");
    assert_eq!(world.due(Lane::Resolve, east(&world)), []);

    let mut world = World::new();
    let object = created(&mut world);
    world.now_ms = object.created_ms.unwrap() + limits::OBSERVED_WITHIN_MS;
    world.conclude("a", 1, 0, Outcome::Gone).unwrap();
    let run = world.get("a");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::ObjectGone));
}

#[test]
fn members_that_nobody_watches_are_not_read() {
    let mut world = World::new();
    created(&mut world);
    let run = world.get("a");
    assert_eq!((run.objects[0].making(), run.read_due_ms(&run.objects[0])), (Making::Created, None));
}

#[test]
fn which_kinds_a_cluster_does_not_let_be_watched_is_kept_while_it_is_reached() {
    let mut world = World::new();
    let cluster = east(&world);
    let contact = |reachable, unwatched: Vec<String>| {
        Command::Contact(Contact {
            cluster,
            reachable,
            kube_system_uid: None,
            version: String::new(),
            rewound: false,
            relayed_by: None,
            unwatched,
            message: String::new(),
        })
    };
    world.ok(contact(true, vec!["jobs".to_owned()]));
    assert!(
        !world.cluster("east").lets_watch(&Kind::Job, "risk")
            && world.cluster("east").lets_watch(&Kind::Workflow, "risk")
    );
    world.ok(contact(false, Vec::new()));
    assert!(!world.cluster("east").lets_watch(&Kind::Job, "risk"), "who is not reached says nothing");
    world.ok(contact(true, Vec::new()));
    assert!(world.cluster("east").lets_watch(&Kind::Job, "risk"));
}
