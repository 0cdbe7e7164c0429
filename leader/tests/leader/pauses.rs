//! A group or a tenant for which nothing is sent.

use crate::story::cancel;
use crate::world::World;
use std::time::Duration;
use tallyman_model::command::{Pause, Resume};
use tallyman_model::record::Kind;
use tallyman_model::{Command, Phase, Principal, Reason, manifest};

fn pause(world: &World, tenant: Option<&str>) {
    let why = "the network is being worked on".to_owned();
    world.ok(Command::Pause(Pause { tenant: tenant.map(str::to_owned), why }));
}

fn resume(world: &World, tenant: Option<&str>) {
    world.ok(Command::Resume(Resume { tenant: tenant.map(str::to_owned), why: String::new() }));
}

#[tokio::test(start_paused = true)]
async fn a_paused_group_writes_nothing_goes_on_watching_and_loses_nothing() {
    let world = World::led();
    world.raise();
    world.east().with(|inner| inner.run_ms = 60_000);
    world.submit("runs", |_| {});
    world.submit("stops", |_| {});
    world.until_phase("stops", Phase::Running).await;
    world.until_phase("runs", Phase::Running).await;
    pause(&world, None);
    let before = world.east().writes().len();
    world.submit("waits", |_| {});
    cancel(&world, "stops");
    // It is followed to its end, and its hold stays.
    world.until_phase("runs", Phase::Succeeded).await;
    world.pass(Duration::from_secs(300)).await;
    assert_eq!(world.east().writes().len(), before, "{:?}", world.east().writes());
    assert_eq!(world.get("waits").phase, Phase::Accepted);
    resume(&world, None);
    world.until_phase("waits", Phase::Succeeded).await;
    world.until("the stop", |world| world.get("stops").phase.is_terminal()).await;
    world.until("the release", |world| world.get("runs").objects.iter().all(|object| !object.held)).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_tenant_with_much_to_send_does_not_hold_up_the_others() {
    const RUNS: usize = 600;
    let world = World::led();
    world.raise();
    // All of it is placed already when the pause comes, and is due before what comes later.
    world.until("contact", |world| world.cluster("east").reachable == Some(true)).await;
    world.east().with(|inner| inner.down = true);
    for i in 0..RUNS {
        world.submit(&format!("run-{i}"), |_| {});
    }
    let is_placed = |world: &World, i: usize| world.get(&format!("run-{i}")).attempt().is_some();
    world.until("all are placed", |world| (0..RUNS).all(|i| is_placed(world, i))).await;
    pause(&world, Some("risk"));
    world.east().with(|inner| {
        inner.down = false;
        inner.namespaces.insert("desk".to_owned());
    });
    submit_for(&world, "desk", "other");
    world.until("the other tenant's run", |world| world.east().created(Kind::Job, "other") == 1).await;
    assert!((0..RUNS).all(|i| world.east().created(Kind::Job, &format!("run-{i}")) == 0));
    resume(&world, Some("risk"));
    world
        .until("all of them", |world| {
            (0..RUNS).all(|i| world.get(&format!("run-{i}")).phase == Phase::Succeeded)
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_paused_tenant_says_so_and_goes_on_at_once_when_it_is_resumed() {
    let world = World::led();
    world.raise();
    pause(&world, Some("risk"));
    world.submit("report", |_| {});
    world.until("the reason", |world| world.get("report").reason == Reason::Paused).await;
    world.pass(Duration::from_secs(30)).await;
    resume(&world, Some("risk"));
    let asked = tokio::time::Instant::now();
    world.until("it is placed", |world| world.get("report").attempt().is_some()).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    world.until_phase("report", Phase::Succeeded).await;
}

fn submit_for(world: &World, namespace: &str, name: &str) {
    let job = serde_json::json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {}}});
    let value = serde_json::json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name}, "spec": {"manifests": [job]},
    });
    let uid = tallyman_model::Env::uid(world.state.env.as_ref());
    let submit = manifest::accept(value, namespace, uid).expect("it is well-formed");
    let by = Principal { user: "bob".to_owned(), ..Principal::default() };
    world.state.commit(by, Command::Submit(Box::new(submit))).expect("it is taken");
}
