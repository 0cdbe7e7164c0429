//! Stopping much at once.

use crate::world::World;
use tallyman_model::command::*;
use tallyman_model::limits::BRAKE_FLOOR_RUNS;
use tallyman_model::record::*;
use tallyman_model::*;

const RUNS: u64 = BRAKE_FLOOR_RUNS + 30;
const MAIN: u16 = 1;

fn name(i: u64) -> String {
    format!("report-{i}")
}

/// Runs that are under way on east.
fn busy() -> World {
    let mut world = World::upgraded();
    for i in 0..RUNS {
        world.submit(&name(i), |_| {});
        world.place(&name(i), "east");
        world.create(&name(i), 0);
        world.create(&name(i), MAIN);
        world.observe_verdict(&name(i), MAIN, rule::Verdict::Running, 110);
    }
    world
}

fn cancel(world: &mut World, i: u64) {
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", &name(i)), why: String::new() }));
}

/// True if a delete was intended.
fn stopped(world: &mut World, i: u64) -> bool {
    let _ = world.intend(&name(i), MAIN, Action::Delete);
    world.get(&name(i)).objects[usize::from(MAIN)].pending.is_some()
}

fn held_up(world: &World, i: u64) -> Option<(Reason, String)> {
    let (meta, run, cluster) =
        (query::meta(&world.view).unwrap(), world.get(&name(i)), world.cluster("east"));
    run.held_up(&meta, Some(&cluster))
}

#[test]
fn more_than_the_floor_and_a_share_wait_for_a_person_who_agrees() {
    let mut world = busy();
    (0..RUNS).for_each(|i| cancel(&mut world, i));
    let stopped_at_once = (0..RUNS).filter(|i| stopped(&mut world, *i)).count() as u64;
    assert_eq!(stopped_at_once, BRAKE_FLOOR_RUNS);
    let (reason, words) = held_up(&world, RUNS - 1).unwrap();
    assert_eq!(reason, Reason::NeedsOperator);
    assert!(words.contains("50 submissions were stopped") && words.contains("--cluster east"), "{words}");
    assert_eq!(held_up(&world, 0), None, "what was let through is not held up");
    // Time alone changes nothing.
    world.now_ms += 24 * 3_600_000;
    assert!(!stopped(&mut world, RUNS - 1));

    let confirm =
        |of: StopsOf| Command::ConfirmStops(ConfirmStops { of, why: "all of it is to go".to_owned() });
    let tenant = confirm(StopsOf::Tenant("risk".to_owned()));
    assert_eq!(
        world.run(tenant).unwrap_err().kind,
        RefusalKind::Conflict,
        "it is the cluster's that is engaged"
    );
    world.ok(confirm(StopsOf::Cluster("east".to_owned())));
    // The tenant's runs are as many, and nobody has to agree twice.
    let more = (0..RUNS).filter(|i| stopped(&mut world, *i)).count() as u64;
    assert_eq!(more, RUNS);
    assert_eq!(
        world.run(confirm(StopsOf::Cluster("east".to_owned()))).unwrap_err().kind,
        RefusalKind::Conflict
    );
}

#[test]
fn cleaning_up_behind_ended_runs_is_never_held_up() {
    let mut world = busy();
    for i in 0..RUNS {
        world.observe_verdict(&name(i), MAIN, rule::Verdict::Succeeded, 120);
    }
    world.now_ms += limits::TTL_AFTER_FINISHED_MS;
    while query::next_due(&world.view, Lane::Expire, Ordinal(0)).unwrap().unwrap() <= world.now_ms {
        world.ok(Command::Expire(Expire {}));
    }
    for i in 0..RUNS {
        let intent = world.intend(&name(i), MAIN, Action::Release).unwrap();
        let item = world.item(&name(i), MAIN, serde_json::json!({}), |item| {
            item.held = false;
            item.resource_version = "130".to_owned();
        });
        world.conclude(&name(i), MAIN, intent, Outcome::Done(Box::new(item))).unwrap();
        assert!(stopped(&mut world, i), "{i}");
    }
    assert!(query::meta(&world.view).unwrap().brakes.is_empty());
}

#[test]
fn a_stop_counts_once_however_often_it_is_asked_for() {
    let mut world = busy();
    cancel(&mut world, 0);
    for _ in 0..2 * BRAKE_FLOOR_RUNS {
        let intent = world.intend(&name(0), MAIN, Action::Delete).unwrap();
        let unsent = Outcome::NotSent { message: "no connection".to_owned() };
        world.conclude(&name(0), MAIN, intent, unsent).unwrap();
        world.now_ms += 1_000_000;
    }
    assert_eq!(query::meta(&world.view).unwrap().engaged().count(), 0);
}

#[test]
fn what_was_stopped_long_ago_does_not_count() {
    let mut world = busy();
    for i in 0..RUNS {
        cancel(&mut world, i);
        assert!(stopped(&mut world, i), "{i}");
        world.now_ms += limits::BRAKE_WINDOW_MS / BRAKE_FLOOR_RUNS + 1;
    }
}
