//! What becomes of a run, step by step.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::rule::Verdict;
use tallyman_model::*;

/// Manifest 0 is the ConfigMap, 1 the Job; objects have the same positions.
const MEMBER: u16 = 0;
const MAIN: u16 = 1;

fn started(world: &mut World, name: &str) {
    world.submit(name, |_| {});
    world.place(name, "east");
    world.create(name, MEMBER);
    world.create(name, MAIN);
}

#[test]
fn a_run_goes_from_accepted_to_succeeded_and_its_hold_is_released_after_its_end_is_in_the_log() {
    let mut world = World::new();
    let run = world.submit("report", |_| {});
    assert_eq!((run.phase, world.due(Lane::Place, Ordinal(0))), (Phase::Accepted, vec![run.head.ordinal]));

    let run = world.place("report", "east");
    let east = world.cluster("east").head.ordinal;
    assert_eq!((run.phase, world.due(Lane::Send, east)), (Phase::Placed, vec![run.head.ordinal]));
    assert!(world.intend("report", MAIN, Action::Create).is_err(), "members are made first");

    world.create("report", MEMBER);
    assert_eq!(world.get("report").phase, Phase::Sent);
    world.create("report", MAIN);
    assert_eq!(world.get("report").phase, Phase::Pending);
    world.observe_verdict("report", MAIN, Verdict::Running, 110);
    assert_eq!(world.get("report").phase, Phase::Running);
    assert!(world.due(Lane::Release, east).is_empty());
    world.observe_verdict("report", MAIN, Verdict::Succeeded, 120);
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Succeeded, Reason::Completed));
    assert_eq!(world.due(Lane::Release, east), vec![run.head.ordinal]);

    let intent = world.intend("report", MAIN, Action::Release).unwrap();
    let item = world.item("report", MAIN, json!({}), |item| {
        item.held = false;
        item.resource_version = "130".to_owned();
    });
    world.conclude("report", MAIN, intent, Outcome::Done(Box::new(item))).unwrap();
    assert!(
        Lane::ALL.iter().filter(|lane| **lane != Lane::Expire).all(|lane| world.due(*lane, east).is_empty())
    );

    world.now_ms += limits::TTL_AFTER_FINISHED_MS;
    world.ok(Command::Expire(Expire {}));
    assert_eq!(world.due(Lane::Delete, east), vec![run.head.ordinal]);
    for object in [MEMBER, MAIN] {
        let intent = world.intend("report", object, Action::Delete).unwrap();
        world.conclude("report", object, intent, Outcome::Gone).unwrap();
    }
    world.now_ms += limits::RETENTION_MS;
    world.ok(Command::Expire(Expire {}));
    assert!(query::runnable(&world.view, "risk", "report").unwrap().is_none());
}

#[test]
fn an_unknown_create_is_sent_again_under_the_same_name_and_never_given_up_early() {
    let mut world = World::new();
    world.submit("report", |_| {});
    world.place("report", "east");
    world.create("report", MEMBER);
    let intent = world.intend("report", MAIN, Action::Create).unwrap();
    let unknown = Outcome::Unknown { message: "the connection was lost".to_owned() };
    world.conclude("report", MAIN, intent, unknown).unwrap();
    assert!(world.intend("report", MAIN, Action::Delete).is_err());

    // The run is cancelled while it is not known whether its object exists.
    world.ok(Command::Cancel(cancel("report")));
    assert_eq!(world.get("report").phase, Phase::Stopping);
    assert!(world.intend("report", MAIN, Action::Create).is_err(), "what is not wanted is not sent again");
    world.conclude("report", MAIN, intent, Outcome::Absent).unwrap();
    assert_eq!(
        world.get("report").phase,
        Phase::Stopping,
        "absent proves nothing while the request may land"
    );

    world.now_ms += limits::CALL_DEADLINE_MS + limits::CALL_DRAIN_MS;
    world.conclude("report", MAIN, 0, Outcome::Absent).unwrap();
    assert_eq!(world.get("report").phase, Phase::Cancelled);
}

fn cancel(name: &str) -> Cancel {
    Cancel { target: Target::named("risk", name), why: String::new() }
}

#[test]
fn a_cancelled_run_is_cancelled_only_when_its_object_was_seen_to_be_gone() {
    let mut world = World::new();
    started(&mut world, "report");
    world.ok(Command::Cancel(cancel("report")));
    let intent = world.intend("report", MAIN, Action::Delete).unwrap();
    let deleting = world.item("report", MAIN, json!({}), |item| item.seen.deleting_ms = Some(1));
    world.conclude("report", MAIN, intent, Outcome::Done(Box::new(deleting))).unwrap();
    assert_eq!(world.get("report").phase, Phase::Stopping);
    assert!(
        world.intend("report", MAIN, Action::Release).is_ok(),
        "the hold is released once it is being deleted"
    );
    let gone = world.item("report", MAIN, json!({}), |item| item.gone = true);
    world.observe("east", vec![gone]);
    assert_eq!(world.get("report").phase, Phase::Cancelled);
    assert!(matches!(
        world.run(Command::Cancel(cancel("report"))),
        Err(Refusal { kind: RefusalKind::Conflict, .. })
    ));
}

#[test]
fn an_object_that_vanishes_without_an_end_fails_the_run_and_is_not_run_again() {
    let mut world = World::new();
    world.submit("report", |value| value["spec"]["attempts"] = json!({"max": 3}));
    world.place("report", "east");
    world.create("report", MEMBER);
    world.create("report", MAIN);
    let gone = world.item("report", MAIN, json!({}), |item| item.gone = true);
    world.observe("east", vec![gone]);
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::ObjectGone));
    assert!(run.message.starts_with("Job risk/report on east (UID "), "{}", run.message);
    assert_eq!(run.attempts[0].phase, AttemptPhase::Gone);
    assert!(world.due(Lane::Place, Ordinal(0)).is_empty());
}

#[test]
fn a_failed_attempt_is_followed_by_another_under_a_numbered_name_until_none_is_left() {
    let mut world = World::new();
    world.submit("report", |value| value["spec"]["attempts"] = json!({"max": 2, "backoff": "1s"}));
    world.place("report", "east");
    world.create("report", MEMBER);
    world.create("report", MAIN);
    world.observe_verdict("report", MAIN, Verdict::Failed, 110);
    assert_eq!(world.get("report").phase, Phase::Accepted);
    assert!(world.due(Lane::Place, Ordinal(0)).is_empty(), "the back-off has not passed");
    world.now_ms += 1000;
    let run = world.place("report", "east");
    let second = run.main_object().unwrap();
    assert_eq!((second.name.as_str(), run.objects.len()), ("report-a2", 3));
    world.create("report", 2);
    world.observe_verdict("report", 2, Verdict::Failed, 130);
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::ObjectFailed));

    let retry = Retry { target: Target::named("risk", "report"), why: String::new() };
    world.ok(Command::Retry(retry));
    assert_eq!(world.place("report", "west").main_object().unwrap().name, "report-a3");
}

#[test]
fn equal_members_are_shared_and_other_bytes_or_main_objects_hold_the_name() {
    let mut world = World::new();
    let named =
        |value: &mut serde_json::Value| value["spec"]["manifests"][0]["metadata"]["name"] = json!("shared");
    world.submit("one", named);
    world.submit("two", named);
    world.submit("three", |value| {
        named(value);
        value["spec"]["manifests"][0]["data"] = json!({"a": "2"});
    });
    world.submit("four", |value| value["spec"]["manifests"][1]["metadata"]["name"] = json!("one"));
    for (name, phase, reason) in [
        ("one", Phase::Placed, Reason::None),
        ("two", Phase::Placed, Reason::None),
        ("three", Phase::Accepted, Reason::NameHeld),
        ("four", Phase::Accepted, Reason::NameHeld),
    ] {
        let run = world.place(name, "east");
        assert_eq!((name, run.phase, run.reason), (name, phase, reason));
    }
    assert!(world.get("four").message.contains("risk/one"), "{}", world.get("four").message);

    // The shared member outlives the first of its two users.
    world.create("one", MEMBER);
    let intent = world.intend("two", MEMBER, Action::Create).unwrap();
    let item = world.item("one", MEMBER, json!({}), |_| {});
    world.conclude("two", MEMBER, intent, Outcome::Done(Box::new(item))).unwrap();
    let delete = |name: &str| Command::Delete(Delete { target: Target::named("risk", name) });
    world.ok(delete("one"));
    let east = world.cluster("east").head.ordinal;
    assert!(world.due(Lane::Delete, east).is_empty());
    world.ok(delete("two"));
    assert_eq!(world.due(Lane::Delete, east).len(), 1);
}

#[test]
fn a_late_second_object_is_taken_as_ours_and_deleted() {
    let mut world = World::new();
    started(&mut world, "report");
    world.ok(Command::Cancel(cancel("report")));
    let gone = world.item("report", MAIN, json!({}), |item| item.gone = true);
    world.observe("east", vec![gone]);
    assert_eq!(world.get("report").phase, Phase::Cancelled);

    let late = world.item("report", MAIN, json!({}), |item| item.uid = "another".to_owned());
    world.observe("east", vec![late]);
    let run = world.get("report");
    assert_eq!(
        (run.phase, run.objects[1].state, run.objects[1].wanted),
        (Phase::Cancelled, ObjectState::Live, false)
    );
    let old = world.item("report", MAIN, json!({}), |item| item.digest = None);
    world.observe("east", vec![old]);
    assert_eq!(world.get("report"), run, "what is not exactly ours changes nothing");
}

#[test]
fn an_intent_of_another_leadership_is_refused_and_its_open_intents_can_be_taken_over() {
    let mut world = World::new();
    world.submit("report", |_| {});
    world.place("report", "east");
    let old = world.permit();
    let intent = world.intend("report", MEMBER, Action::Create).unwrap();
    world.term = 2;
    let run = world.get("report").head.ordinal;
    let late = Intend { run, object: MEMBER, action: Action::Create, permit: old };
    assert!(matches!(world.run(Command::Intend(late)), Err(Refusal { kind: RefusalKind::Outdated, .. })));
    assert!(world.intend("report", MEMBER, Action::Create).is_ok());
    let late = Outcome::NotSent { message: "the old leader's word".to_owned() };
    assert!(world.conclude("report", MEMBER, intent, late).is_err(), "the old intent is not open any more");
}

#[test]
fn start_by_ends_a_run_that_never_started_and_says_what_it_waited_for() {
    let mut world = World::new();
    world.submit("report", |value| value["spec"]["startBy"] = json!("10m"));
    world.place("report", "east");
    let intent = world.intend("report", MEMBER, Action::Create).unwrap();
    let refused = Outcome::Refused {
        reason: Reason::NamespaceMissing,
        message: "namespaces \"risk\" not found".to_owned(),
        permanent: false,
        retry_after_ms: None,
    };
    world.conclude("report", MEMBER, intent, refused).unwrap();
    assert_eq!(world.get("report").reason, Reason::NamespaceMissing);
    world.now_ms += 600_000;
    world.ok(Command::Expire(Expire {}));
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::StartByPassed));
    assert!(run.message.contains("namespaces"), "{}", run.message);
}

#[test]
fn finish_by_says_what_the_job_waited_for() {
    let mut world = World::new();
    world.submit("report", |value| {
        value["spec"]["finishBy"] = json!("1h");
        value["spec"]["onLate"] = json!("Stop");
    });
    world.place("report", "east");
    world.create("report", MEMBER);
    world.create("report", MAIN);
    world.now_ms += 3_600_000;
    world.ok(Command::Expire(Expire {}));
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Stopping, Reason::FinishByPassed));
    assert!(run.message.ends_with("was stopped: the cluster has not begun it"), "{}", run.message);
}

#[test]
fn the_same_key_and_body_get_the_first_answer_and_another_body_is_refused() {
    let mut world = World::new();
    let first = world.submission("report", |_| {});
    let second = world.submission("report", |_| {});
    let other = world.submission("other", |_| {});
    let done = world.keyed("k", b"body", Command::Submit(Box::new(first))).unwrap();
    let again = world.keyed("k", b"body", Command::Submit(Box::new(second))).unwrap();
    assert_eq!((again.replayed, again.revision), (true, done.revision));
    assert_eq!(again.record.unwrap().head().unwrap().uid, done.record.unwrap().head().unwrap().uid);
    let refused = world.keyed("k", b"else", Command::Submit(Box::new(other.clone()))).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Invalid);
    world.now_ms += limits::RECEIPT_MS;
    world.ok(Command::Expire(Expire {}));
    assert!(
        world.keyed("k", b"else", Command::Submit(Box::new(other))).is_ok(),
        "keys are forgotten after a day"
    );
}

#[test]
fn a_key_whose_run_is_deleted_since_says_which_run_that_was_and_does_nothing() {
    let mut world = World::new();
    let submit = world.submission("report", |_| {});
    let uid = submit.uid;
    let submit = Command::Submit(Box::new(submit));
    world.keyed("k", b"body", submit.clone()).unwrap();
    let delete = Command::Delete(Delete { target: Target::named("risk", "report") });
    world.keyed("d", b"", delete.clone()).unwrap();
    assert!(query::runnable(&world.view, "risk", "report").unwrap().is_none());
    let gone = world.keyed("k", b"body", submit).unwrap_err();
    assert_eq!(gone.kind, RefusalKind::Gone);
    assert!(gone.message.contains("risk/report") && gone.message.contains("deleted since"), "{gone}");
    assert_eq!(gone.gone.map(|gone| *gone), Some(Gone { name: "report".to_owned(), uid }));
    assert!(world.keyed("d", b"", delete).unwrap().replayed, "what a removal is for is done");
}

#[test]
fn a_cluster_that_shows_another_identity_gets_nothing_until_it_is_confirmed() {
    let mut world = World::new();
    world.submit("report", |_| {});
    world.place("report", "east");
    let east = world.cluster("east").head.ordinal;
    world.contact(east, "somebody-else");
    assert!(world.cluster("east").quarantined);
    assert!(world.intend("report", MEMBER, Action::Create).is_err());
    let confirm_identity = Some("somebody-else".to_owned());
    let name = "east".to_owned();
    world.ok(Command::UpdateCluster(UpdateCluster { name, confirm_identity, ..UpdateCluster::default() }));
    let east = world.cluster("east");
    assert_eq!((east.quarantined, east.timeline), (false, 2));
    assert!(world.intend("report", MEMBER, Action::Create).is_ok());
}

#[test]
fn a_deleted_run_leaves_the_inventory_only_when_nothing_of_it_is_left_on_the_cluster() {
    let mut world = World::new();
    started(&mut world, "report");
    world.ok(Command::Delete(Delete { target: Target::named("risk", "report") }));
    for object in [MEMBER, MAIN] {
        assert!(world.get("report").deletion.is_some());
        let intent = world.intend("report", object, Action::Delete).unwrap();
        world.conclude("report", object, intent, Outcome::Gone).unwrap();
    }
    assert!(query::runnable(&world.view, "risk", "report").unwrap().is_none());
    assert_eq!(
        query::list(&world.view, &query::Filter::all(Resource::Runnable), Ordinal(0), 10).unwrap().records,
        []
    );
}

#[test]
fn a_list_that_no_lookup_narrows_looks_at_few_records_at_a_time_and_misses_none() {
    let mut world = World::new();
    for number in 0..600 {
        let label = if number % 250 == 249 { "other" } else { "desk" };
        world.submit(&format!("run-{number}"), |body| body["metadata"]["labels"] = json!({label: "rates"}));
    }
    let mut filter = query::Filter::all(Resource::Runnable);
    filter.labels = selector::Selector::parse("!desk").unwrap();
    let first = query::list(&world.view, &filter, Ordinal(0), 10).unwrap();
    assert_eq!(first.records.len(), 2, "of the first 512");
    let rest = query::list(&world.view, &filter, first.next.unwrap(), 10).unwrap();
    assert_eq!((rest.records, rest.next), (Vec::new(), None));
    let one = query::list(&world.view, &filter, Ordinal(0), 1).unwrap();
    assert_eq!(one.records[0].head().unwrap().name, "run-249");
    let two = query::list(&world.view, &filter, one.next.unwrap(), 1).unwrap();
    assert_eq!(two.records[0].head().unwrap().name, "run-499");
}

#[test]
fn a_record_outlives_its_retention_while_its_cluster_keeps_objects_of_it_and_goes_when_that_is_taken_out() {
    let mut world = World::new();
    started(&mut world, "report");
    world.observe_verdict("report", MAIN, Verdict::Succeeded, 120);
    let intent = world.intend("report", MAIN, Action::Release).unwrap();
    let item = world.item("report", MAIN, json!({}), |item| {
        item.held = false;
        item.resource_version = "130".to_owned();
    });
    world.conclude("report", MAIN, intent, Outcome::Done(Box::new(item))).unwrap();
    for _ in 0..3 {
        world.now_ms += limits::RETENTION_MS;
        world.ok(Command::Expire(Expire {}));
        assert_eq!(world.get("report").phase, Phase::Succeeded, "its objects are still on the cluster");
    }
    world.ok(Command::RemoveCluster(RemoveCluster { name: "east".to_owned(), revision: None, orphan: true }));
    for _ in 0..3 {
        world.now_ms += limits::RETENTION_MS;
        world.ok(Command::Expire(Expire {}));
    }
    assert!(query::runnable(&world.view, "risk", "report").unwrap().is_none());
}

#[test]
fn a_conflict_of_revisions_names_the_field_and_one_of_states_does_not() {
    let mut world = World::new();
    let revision = Some(world.submit("report", |_| {}).head.revision);
    let at = |revision| Cancel {
        target: Target { revision, ..Target::named("risk", "report") },
        why: String::new(),
    };
    let changed = at(Some(Revision(1)));
    let refusal = world.run(Command::Cancel(changed)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert_eq!(refusal.causes[0].field, "metadata.resourceVersion");
    let ended = world.ok(Command::Cancel(at(revision)));
    let again = at(Some(ended.revision));
    let refusal = world.run(Command::Cancel(again)).unwrap_err();
    assert_eq!((refusal.kind, refusal.causes), (RefusalKind::Conflict, Vec::new()));
}

#[test]
fn marks_that_were_taken_off_are_put_back_and_the_hold_only_until_the_end_is_known() {
    let mut world = World::new();
    started(&mut world, "report");
    let east = world.cluster("east").head.ordinal;
    for (version, change) in [
        ("110", (|item| item.submission = None) as fn(&mut Observation)),
        ("120", |item| item.submission = Some(Uid([5; 16]))),
        ("130", |item| item.digest = None),
        ("140", |item| item.held = false),
    ] {
        let item = world.item("report", MAIN, json!({}), |item| {
            item.resource_version = version.to_owned();
            change(item);
        });
        world.observe("east", vec![item]);
        assert_eq!(world.due(Lane::Release, east).len(), 1, "{version}");
        let intent = world.intend("report", MAIN, Action::Relabel).unwrap();
        let item =
            world.item("report", MAIN, json!({}), |item| item.resource_version = format!("{version}5"));
        world.conclude("report", MAIN, intent, Outcome::Done(Box::new(item))).unwrap();
        assert!(world.due(Lane::Release, east).is_empty(), "{version}");
    }
    let ended = world.item("report", MAIN, json!({}), |item| {
        item.resource_version = "9000".to_owned();
        item.held = false;
        item.verdict = Some(Verdict::Succeeded);
    });
    world.observe("east", vec![ended]);
    assert_eq!(world.get("report").phase, Phase::Succeeded);
    assert!(world.due(Lane::Release, east).is_empty(), "there is nothing to hold any more");
}

#[test]
fn a_cluster_with_objects_of_ended_runs_is_taken_out_only_when_they_are_orphaned() {
    let mut world = World::new();
    started(&mut world, "report");
    let remove =
        |orphan| Command::RemoveCluster(RemoveCluster { name: "east".to_owned(), revision: None, orphan });
    assert_eq!(world.run(remove(true)).unwrap_err().kind, RefusalKind::Conflict, "the run is active");
    world.observe_verdict("report", MAIN, Verdict::Succeeded, 120);
    let refused = world.run(remove(false)).unwrap_err();
    assert!(refused.message.contains("1 runs have objects"), "{refused}");
    world.ok(remove(true));
}

#[test]
fn marks_that_are_taken_off_again_at_once_are_put_back_ever_more_slowly() {
    let mut world = World::new();
    started(&mut world, "report");
    let east = world.cluster("east").head.ordinal;
    let mut version = 200;
    let mut bare = |world: &World| {
        version += 1;
        world.item("report", MAIN, json!({}), |item| {
            item.digest = None;
            item.resource_version = version.to_string();
        })
    };
    let item = bare(&world);
    world.observe("east", vec![item]);
    let mut delays = Vec::new();
    for _ in 0..12 {
        let intent = world.intend("report", MAIN, Action::Relabel).unwrap();
        let item = bare(&world);
        world.conclude("report", MAIN, intent, Outcome::Done(Box::new(item))).unwrap();
        let due_ms = query::next_due(&world.view, Lane::Release, east).unwrap().unwrap();
        delays.push(due_ms - world.now_ms);
        world.now_ms = due_ms;
    }
    let bound = |i: usize| (1000_u64 << i).min(limits::RETRY_DELAY_MS_MAX);
    assert!(delays.iter().enumerate().all(|(i, delay)| *delay <= bound(i)), "{delays:?}");
    assert!(delays[..4].iter().sum::<u64>() < delays[8..].iter().sum(), "{delays:?}");
}

#[test]
fn short_manifests_are_kept_in_their_record_and_longer_ones_beside_it() {
    let mut world = World::new();
    // The lengths of all names are the same, so that only the filler counts.
    let mut rows_of = |name: &str, filler: usize| {
        let run = world
            .submit(name, |value| value["spec"]["manifests"][0]["data"]["a"] = "x".repeat(filler).into());
        let ordinal = run.head.ordinal;
        let rows = world.view.page(Key::record(ordinal), Key::record(ordinal.next()), 100).unwrap();
        let bytes = query::manifests(&world.view, &run).unwrap();
        assert!(bytes.windows(filler).any(|window| window == "x".repeat(filler).as_bytes()), "{name}");
        (rows.len(), bytes.len())
    };
    let (rows, bytes) = rows_of("run-1", 1);
    assert_eq!(rows, 1);
    let longest = limits::MANIFESTS_INLINE_BYTES_MAX - bytes + 1;
    assert_eq!(rows_of("run-2", longest), (1, limits::MANIFESTS_INLINE_BYTES_MAX));
    assert_eq!(rows_of("run-3", longest + 1).0, 2);
    assert_eq!(rows_of("run-4", 2 * limits::PART_BYTES_MAX).0, 4);
}
