//! A group or a tenant for which nothing is sent.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

fn pause(tenant: Option<&str>) -> Command {
    let why = "the network is being worked on".to_owned();
    Command::Pause(Pause { tenant: tenant.map(str::to_owned), why })
}

fn resume(tenant: Option<&str>) -> Command {
    Command::Resume(Resume { tenant: tenant.map(str::to_owned), why: String::new() })
}

fn held_up(world: &World, name: &str) -> Option<(Reason, String)> {
    let meta = query::meta(&world.view).unwrap();
    let run = world.get(name);
    let cluster = run.attempt().map(|attempt| world.cluster(&attempt.cluster_name));
    run.held_up(&meta, cluster.as_ref())
}

#[test]
fn nothing_is_intended_while_the_group_or_the_tenant_is_paused_and_all_goes_on_after() {
    for tenant in [None, Some("risk")] {
        let mut world = World::upgraded();
        world.submit("report", |_| {});
        world.place("report", "east");
        world.create("report", 0);
        world.ok(pause(tenant));
        let refusal = world.intend("report", 1, Action::Create).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Outdated);
        assert!(refusal.message.contains("paused by ann"), "{refusal}");
        let (reason, words) = held_up(&world, "report").unwrap();
        assert_eq!(reason, Reason::Paused);
        assert!(words.contains("the network is being worked on"), "{words}");
        world.ok(resume(tenant));
        assert_eq!(held_up(&world, "report"), None);
        world.create("report", 1);
        assert_eq!(world.get("report").phase, Phase::Pending);
    }
}

#[test]
fn what_is_under_way_on_a_cluster_is_followed_and_a_stop_waits() {
    let mut world = World::upgraded();
    world.submit("report", |_| {});
    world.place("report", "east");
    world.create("report", 0);
    world.create("report", 1);
    world.ok(pause(None));
    world.observe_verdict("report", 1, rule::Verdict::Running, 110);
    assert_eq!(world.get("report").phase, Phase::Running);
    assert_eq!(held_up(&world, "report"), None, "nothing is to be sent for it");
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "report"), why: String::new() }));
    assert!(world.intend("report", 1, Action::Delete).is_err());
    assert!(held_up(&world, "report").is_some());
    world.observe_verdict("report", 1, rule::Verdict::Succeeded, 120);
    assert!(world.get("report").phase.is_terminal(), "an end is recorded");
}

#[test]
fn a_run_of_a_paused_tenant_is_given_no_cluster_and_says_why() {
    let mut world = World::upgraded();
    world.submit("report", |_| {});
    world.ok(pause(Some("risk")));
    world.place("report", "east");
    let run = world.get("report");
    assert_eq!((run.phase, run.reason, run.attempts.len()), (Phase::Accepted, Reason::Paused, 0));
    assert!(run.message.contains("tenant risk is paused by ann"), "{}", run.message);
    world.ok(resume(Some("risk")));
    world.place("report", "east");
    assert_eq!(world.get("report").phase, Phase::Placed);
}

#[test]
fn start_by_goes_on_while_it_is_paused_and_its_end_says_that() {
    let mut world = World::upgraded();
    world.submit("report", |value| value["spec"]["startBy"] = json!("10m"));
    world.ok(pause(None));
    world.now_ms += 600_000;
    world.ok(Command::Expire(Expire {}));
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::StartByPassed));
    assert!(run.message.contains("the group is paused by ann"), "{}", run.message);
    assert!(run.is_dead_letter());
}

#[test]
fn what_waits_for_a_quarantined_cluster_needs_an_operator() {
    let mut world = World::upgraded();
    world.submit("report", |value| value["spec"]["startBy"] = json!("10m"));
    world.place("report", "east");
    let east = world.cluster("east").head.ordinal;
    world.contact(east, "another");
    let (reason, words) = held_up(&world, "report").unwrap();
    assert_eq!(reason, Reason::NeedsOperator);
    assert!(words.contains("quarantined") && words.contains("confirm it"), "{words}");
    world.now_ms += 600_000;
    world.ok(Command::Expire(Expire {}));
    assert_eq!(
        (world.get("report").phase, world.get("report").reason),
        (Phase::Failed, Reason::NeedsOperator)
    );
}

#[test]
fn pausing_and_resuming_are_told_in_the_ledger_once_and_are_bounded() {
    let mut world = World::upgraded();
    let before = query::meta(&world.view).unwrap().ledger_len;
    world.ok(pause(None));
    world.ok(pause(None));
    world.ok(resume(None));
    world.ok(resume(None));
    assert_eq!(query::meta(&world.view).unwrap().ledger_len, before + 2);
    for i in 0..limits::TENANTS_PAUSED_MAX {
        world.ok(pause(Some(&format!("tenant-{i}"))));
    }
    assert_eq!(world.run(pause(Some("one-more"))).unwrap_err().kind, RefusalKind::TooMany);
}
