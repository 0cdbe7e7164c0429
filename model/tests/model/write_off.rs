//! A cluster that is given up as lost for good.

use crate::world::World;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

const MAIN: u16 = 1;

fn started(world: &mut World, name: &str) {
    world.submit(name, |_| {});
    world.place(name, "east");
    world.create(name, 0);
    world.create(name, MAIN);
    world.observe_verdict(name, MAIN, rule::Verdict::Running, 110);
}

pub(crate) fn lost(world: &mut World) {
    let cluster = world.cluster("east").head.ordinal;
    world.ok(Command::Contact(Contact {
        cluster,
        reachable: false,
        kube_system_uid: None,
        version: String::new(),
        rewound: false,
        relayed_by: None,
        unwatched: Vec::new(),
        message: "no connection".to_owned(),
    }));
}

pub(crate) fn write_off() -> Command {
    let why = "the datacenter burnt down".to_owned();
    Command::WriteOffCluster(WriteOffCluster { name: "east".to_owned(), revision: None, why })
}

pub(crate) fn give_up(world: &mut World) {
    let cluster = world.cluster("east").head.ordinal;
    while world.cluster("east").written_off.is_some_and(|off| !off.done) {
        world.ok(Command::GiveUp(GiveUp { cluster }));
    }
}

fn confirm() -> Command {
    let confirm_identity = Some("east-identity".to_owned());
    Command::UpdateCluster(UpdateCluster {
        name: "east".to_owned(),
        confirm_identity,
        ..UpdateCluster::default()
    })
}

#[test]
fn a_cluster_that_answers_is_not_written_off() {
    let mut world = World::upgraded();
    let refusal = world.run(write_off()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert!(refusal.message.contains("answers"), "{refusal}");
    lost(&mut world);
    world.ok(write_off());
    assert_eq!(world.run(write_off()).unwrap_err().kind, RefusalKind::Conflict);
}

#[test]
fn its_runs_fail_say_what_was_given_up_and_free_their_names() {
    let mut world = World::upgraded();
    started(&mut world, "runs");
    started(&mut world, "stops");
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "stops"), why: String::new() }));
    world.submit("doubt", |_| {});
    world.place("doubt", "east");
    world.intend("doubt", 0, Action::Create).unwrap();
    lost(&mut world);
    world.ok(write_off());
    assert!(!world.cluster("east").takes_work());
    give_up(&mut world);
    for name in ["runs", "stops", "doubt"] {
        let run = world.get(name);
        assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::ClusterWrittenOff), "{name}");
        assert!(run.message.contains("the datacenter burnt down"), "{}", run.message);
        assert!(run.objects.iter().all(|object| !object.claims()), "{name}");
        assert!(!run.is_dead_letter(), "it may have run");
        assert_eq!(run.attempts.len(), 1, "it is not moved");
    }
    assert!(
        world.get("runs").message.contains("Job risk/runs on east (UID runs-1)"),
        "{}",
        world.get("runs").message
    );
    let off = world.cluster("east").written_off.unwrap();
    assert_eq!((off.runs, off.objects, off.done), (3, 6, true));
    assert!(Lane::ALL.iter().all(|lane| world.due(*lane, world.cluster("east").head.ordinal).is_empty()));
}

#[test]
fn debts_of_ended_and_removed_runs_are_given_up_and_the_cluster_can_be_taken_out() {
    let mut world = World::upgraded();
    started(&mut world, "ended");
    world.observe_verdict("ended", MAIN, rule::Verdict::Succeeded, 120);
    started(&mut world, "removed");
    world.ok(Command::Delete(Delete { target: Target::named("risk", "removed") }));
    lost(&mut world);
    world.ok(write_off());
    give_up(&mut world);
    assert_eq!(world.get("ended").phase, Phase::Succeeded, "an end stands");
    assert!(query::runnable(&world.view, "risk", "removed").unwrap().is_none());
    world.ok(Command::RemoveCluster(RemoveCluster {
        name: "east".to_owned(),
        revision: None,
        orphan: false,
    }));
}

#[test]
fn when_it_comes_back_it_gets_nothing_and_what_was_ours_is_not_touched() {
    let mut world = World::upgraded();
    started(&mut world, "runs");
    let item =
        world.item("runs", MAIN, serde_json::json!({}), |item| item.resource_version = "500".to_owned());
    lost(&mut world);
    world.ok(write_off());
    assert_eq!(world.run(confirm()).unwrap_err().kind, RefusalKind::Conflict, "not before all is given up");
    give_up(&mut world);
    let east = world.cluster("east").head.ordinal;
    world.contact(east, "east-identity");
    let cluster = world.cluster("east");
    assert!(cluster.quarantined && cluster.message.contains("answers again"), "{}", cluster.message);
    world.observe("east", vec![item]);
    assert!(world.get("runs").objects.iter().all(|object| object.state == ObjectState::Gone));
    world.ok(confirm());
    let cluster = world.cluster("east");
    assert!(cluster.takes_work() && cluster.written_off.is_none());
    world.submit("runs-again", |_| {});
    world.place("runs-again", "east");
    assert_eq!(world.get("runs-again").phase, Phase::Placed);
}

#[test]
fn many_runs_are_given_up_a_few_at_a_time() {
    let mut world = World::upgraded();
    let runs = 2 * limits::GIVE_UP_RUNS_MAX + 1;
    for i in 0..runs {
        world.submit(&format!("run-{i}"), |_| {});
        world.place(&format!("run-{i}"), "east");
    }
    lost(&mut world);
    world.ok(write_off());
    let cluster = world.cluster("east").head.ordinal;
    world.ok(Command::GiveUp(GiveUp { cluster }));
    let off = world.cluster("east").written_off.unwrap();
    assert_eq!((off.runs as usize, off.done), (limits::GIVE_UP_RUNS_MAX, false));
    give_up(&mut world);
    assert_eq!(world.cluster("east").written_off.unwrap().runs as usize, runs);
    assert_eq!(world.run(Command::GiveUp(GiveUp { cluster })).unwrap_err().kind, RefusalKind::Outdated);
}

#[test]
fn an_object_that_finalizers_keep_for_long_is_named_with_them() {
    let mut world = World::upgraded();
    started(&mut world, "report");
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "report"), why: String::new() }));
    let now_ms = world.now_ms;
    let deleting = world.item("report", MAIN, serde_json::json!({}), |item| {
        item.resource_version = "120".to_owned();
        item.held = false;
        item.seen.deleting_ms = Some(now_ms);
        item.seen.finalizers = vec!["foregroundDeletion".to_owned(), "example.com/audit".to_owned()];
    });
    world.observe("east", vec![deleting]);
    assert_eq!(world.get("report").hanging(now_ms + limits::HANGING_MS), None);
    let words = world.get("report").hanging(now_ms + limits::HANGING_MS + 1).unwrap();
    assert!(
        words.contains("Job risk/report on east") && words.contains("foregroundDeletion, example.com/audit")
    );
}
