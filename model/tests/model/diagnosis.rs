//! Why an attempt does not run, or why it failed.

use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

/// The Job's place among the objects.
const MAIN: u16 = 1;

/// A run whose Job exists and has no Pod that runs.
fn pending() -> World {
    let mut world = World::upgraded();
    world.submit("report", |value| value["spec"]["attempts"] = json!({"max": 2, "backoff": "1s"}));
    world.place("report", "east");
    world.create("report", 0);
    world.create("report", MAIN);
    say(&mut world, MAIN, 110, json!({"startTime": "2026-11-20T08:00:00Z", "active": 1, "ready": 0}));
    assert_eq!(world.get("report").phase, Phase::Pending);
    world
}

fn say(world: &mut World, object: u16, version: u32, status: Value) {
    let item = world.item("report", object, status, |item| {
        item.resource_version = version.to_string();
        item.seen.resource_version = version.to_string();
    });
    world.observe("east", vec![item]);
}

fn due(world: &World) -> bool {
    let east = world.cluster("east").head.ordinal;
    !world.due(Lane::Diagnose, east).is_empty()
}

fn diagnose(world: &mut World, attempt: u32, reason: &str) -> Result<Done, Refusal> {
    let run = world.get("report");
    let object =
        run.objects.iter().find(|object| object.planned == MAIN && object.attempt == attempt).unwrap();
    let finding =
        Finding { reason: reason.to_owned(), message: format!("{reason}: words"), pods: Vec::new() };
    let uid = object.uid.clone().unwrap();
    world.run(Command::Diagnose(Diagnose { run: run.head.ordinal, attempt, uid, finding }))
}

#[test]
fn the_pods_that_will_be_made_carry_the_marks_and_the_digest_is_of_what_was_written() {
    let mut world = World::new();
    let run = world.submit("report", |_| {});
    let digest = run.digest;
    world.place("report", "east");
    let run = world.get("report");
    let kept = query::manifests(&world.view, &run).unwrap();
    let marks = manifest::Marks { group: Uid([7; 16]), cluster_uid: "c".to_owned(), at_ms: world.now_ms };
    let sent = manifest::as_sent(&run, &run.objects[usize::from(MAIN)], &kept, &marks).unwrap();
    let uid = run.head.uid.to_string();
    assert_eq!(
        sent.pointer("/spec/template/metadata/labels"),
        Some(&json!({
            "tallyman.dev/group": Uid([7; 16]).to_string(), "tallyman.dev/submission-uid": uid,
            "tallyman.dev/attempt": "1",
        }))
    );
    assert!(!String::from_utf8(kept).unwrap().contains("tallyman.dev/"), "what is kept is what was written");
    assert_eq!(run.digest, digest);
    let same = world.submission("report", |_| {});
    assert_eq!(same.digest, digest, "the same work has the same digest");
}

#[test]
fn what_does_not_run_for_a_while_is_looked_into_and_what_runs_is_not() {
    let mut world = pending();
    assert!(!due(&world));
    world.now_ms += limits::DIAGNOSIS_AFTER_MS;
    assert!(due(&world));
    say(&mut world, MAIN, 120, json!({"active": 1, "ready": 1}));
    assert!(!due(&world));
    say(&mut world, MAIN, 130, json!({"active": 2, "ready": 1}));
    world.now_ms += limits::DIAGNOSIS_AFTER_MS;
    assert!(due(&world), "one of its Pods waits");
}

#[test]
fn a_diagnosis_is_shown_until_it_runs_and_is_made_anew_ever_more_slowly() {
    let mut world = pending();
    world.now_ms += limits::DIAGNOSIS_AFTER_MS;
    let mut delays_ms = Vec::new();
    for _ in 0..10 {
        diagnose(&mut world, 1, "Unschedulable").unwrap();
        let from_ms = world.now_ms;
        while !due(&world) {
            world.now_ms += 1_000;
        }
        delays_ms.push(world.now_ms - from_ms);
    }
    assert_eq!(delays_ms[..3], [10_000, 20_000, 40_000]);
    assert_eq!(delays_ms.last(), Some(&limits::DIAGNOSIS_DELAY_MS_MAX));
    assert_eq!(world.get("report").diagnosis().unwrap().finding.reason, "Unschedulable");
    diagnose(&mut world, 1, "ImagePullBackOff").unwrap();
    world.now_ms += limits::DIAGNOSIS_DELAY_MS_MIN;
    assert!(due(&world), "what changed is looked at again soon");
    say(&mut world, MAIN, 120, json!({"active": 1, "ready": 1}));
    assert_eq!(world.get("report").diagnosis(), None);
}

#[test]
fn what_its_cluster_says_since_is_looked_into_soon() {
    let mut world = pending();
    for _ in 0..8 {
        diagnose(&mut world, 1, "Unschedulable").unwrap();
        world.now_ms += 1_000;
    }
    world.now_ms += limits::DIAGNOSIS_CHANGED_DELAY_MS_MAX;
    assert!(!due(&world));
    say(&mut world, MAIN, 120, json!({"startTime": "2026-11-20T08:00:00Z", "active": 2, "ready": 0}));
    assert!(due(&world));
}

#[test]
fn a_job_of_many_pods_that_always_says_something_is_looked_into_while_one_of_them_waits() {
    let mut world = pending();
    for number in 0..limits::DIAGNOSIS_AFTER_MS / 1_000 {
        assert!(!due(&world), "after {number} s");
        let counts = json!({"active": 5, "ready": 4, "succeeded": number + 1});
        say(&mut world, MAIN, 120 + u32::try_from(number).unwrap(), counts);
        world.now_ms += 1_000;
    }
    assert!(due(&world));
}

#[test]
fn a_failed_attempt_is_looked_into_once_and_keeps_what_was_found() {
    let mut world = pending();
    diagnose(&mut world, 1, "ContainerCreating").unwrap();
    world.now_ms += 1;
    let failed = json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"});
    say(&mut world, MAIN, 120, json!({"failed": 1, "conditions": [failed]}));
    assert!(due(&world));
    diagnose(&mut world, 1, "OOMKilled").unwrap();
    assert!(!due(&world));
    world.now_ms += 10_000;
    world.place("report", "east");
    let run = world.get("report");
    assert_eq!(run.diagnosis(), None, "the next attempt has none");
    assert_eq!(run.attempts[0].diagnosis.as_ref().unwrap().finding.reason, "OOMKilled");
}

#[test]
fn a_late_diagnosis_changes_nothing() {
    let mut world = pending();
    say(&mut world, MAIN, 120, json!({"active": 1, "ready": 1}));
    assert_eq!(diagnose(&mut world, 1, "Unschedulable").unwrap_err().kind, RefusalKind::Outdated);
    assert_eq!(world.get("report").diagnosis(), None);
}

#[test]
fn a_group_with_older_builds_does_not_take_it() {
    let diagnose = Diagnose { run: Ordinal(1), attempt: 1, uid: String::new(), finding: Finding::default() };
    assert_eq!(Command::Diagnose(diagnose).since(), 3);
}
