//! Clusters that vanish and come back.

use crate::world::World;
use serde_json::json;
use std::time::Duration;
use tallyman_model::command::{Drain, Move, Target};
use tallyman_model::record::{AttemptPhase, Kind, ObjectState};
use tallyman_model::{Command, Phase, Reason, limits};

/// `report` runs on east, and is lost after a minute; west is there, too.
async fn running(on_loss: &str) -> World {
    let mut world = World::new(1, &["east", "west"]);
    world.raise();
    world.lead(None);
    world.east().with(|inner| inner.run_ms = 400_000);
    world.west().with(|inner| inner.run_ms = 60_000);
    world.submit("report", |run| {
        run["spec"]["placement"] = json!({"onLoss": on_loss, "lossAfter": "1m"});
        run["spec"]["manifests"][1]["spec"]["activeDeadlineSeconds"] = json!(120);
    });
    world.until_phase("report", Phase::Running).await;
    world
}

fn reach(world: &World, reachable: bool) {
    world.east().with(|inner| inner.down = !reachable);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_lost_with_its_cluster_and_goes_on_with_it() {
    let world = running("Wait").await;
    let before = tokio::time::Instant::now();
    reach(&world, false);
    world.until_phase("report", Phase::Lost).await;
    let after = before.elapsed();
    // A contact is due every half minute or so; from the one that fails on it counts.
    assert!((60..105).contains(&after.as_secs()), "it was lost after {after:?}");
    reach(&world, true);
    world.until_phase("report", Phase::Running).await;
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_does_not_count_the_time_in_which_nobody_looked() {
    let mut world = running("Wait").await;
    reach(&world, false);
    world.until("the outage", |world| world.cluster("east").missed_ms > 0).await;
    let counted_ms = world.cluster("east").missed_ms;
    world.life = None;
    world.pass(Duration::from_secs(3_600)).await;
    world.lead(None);
    let before = tokio::time::Instant::now();
    world.until_phase("report", Phase::Lost).await;
    let looked_ms = before.elapsed().as_millis() as u64 + counted_ms;
    assert!((60_000..100_000).contains(&looked_ms), "it was looked for for {looked_ms} ms");
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_run_left_on_a_lost_cluster_is_deleted_when_that_is_back() {
    let world = running("Fail").await;
    reach(&world, false);
    world.until_phase("report", Phase::Failed).await;
    assert_eq!(world.get("report").reason, Reason::ClusterLost);
    assert!(world.east().get(Kind::Job, "risk", "report").is_some(), "it runs there still");
    reach(&world, true);
    world
        .until("the debts", |world| {
            world.get("report").objects.iter().all(|object| object.state == ObjectState::Gone)
        })
        .await;
    assert!(world.east().get(Kind::Job, "risk", "report").is_none());
    assert_eq!(world.get("report").phase, Phase::Failed);
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_few_commands() {
    let world = running("Wait").await;
    reach(&world, false);
    world.until_phase("report", Phase::Lost).await;
    let before = world.state.verbs.lock().unwrap().len();
    world.pass(Duration::from_secs(3_600)).await;
    let mut more = world.state.verbs.lock().unwrap().split_off(before);
    // The sweeps of the other cluster.
    more.retain(|verb| verb != "sweep");
    assert!(more.is_empty(), "an hour of waiting for a cluster cost {more:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_moves_when_its_deadline_is_over_and_what_came_back_alive_is_deleted() {
    let world = running("Move").await;
    let before = tokio::time::Instant::now();
    reach(&world, false);
    world.until_phase("report", Phase::Lost).await;
    world.until("the move", |world| world.get("report").attempts.len() == 2).await;
    let after_ms = before.elapsed().as_millis() as u64;
    let bound_ms = 120_000 + limits::TERMINATION_GRACE_MS + limits::DEADLINE_GRACE_MS;
    assert!((bound_ms - 2_000..bound_ms + 10_000).contains(&after_ms), "it moved after {after_ms} ms");
    world.until_phase("report", Phase::Running).await;
    assert!(world.east().get(Kind::Job, "risk", "report").is_some(), "nobody could delete it");
    reach(&world, true);
    world.until("the overlap", |world| world.get("report").attempts[0].overlap_ms.is_some()).await;
    world.until("its end", |world| world.east().get(Kind::Job, "risk", "report").is_none()).await;
    world.until_phase("report", Phase::Succeeded).await;
    let run = world.get("report");
    assert!(
        run.attempts[0].message.starts_with("overlap: Job risk/report on east"),
        "{}",
        run.attempts[0].message
    );
    assert_eq!((run.attempts[0].phase, run.attempts[1].cluster_name.as_str()), (AttemptPhase::Moved, "west"));
    let created = |name| (world.east().created(Kind::Job, name), world.west().created(Kind::Job, name));
    assert_eq!((created("report"), created("report-a2")), ((1, 0), (0, 1)));
}

fn relocate(world: &World) {
    let target = Target::named("risk", "report");
    world.ok(Command::Move(Move { target, why: "by hand".to_owned() }));
}

#[tokio::test(start_paused = true)]
async fn a_person_moves_a_lost_run_at_once_and_one_in_reach_when_it_is_gone() {
    let world = running("Wait").await;
    reach(&world, false);
    world.until_phase("report", Phase::Lost).await;
    relocate(&world);
    world.until_phase("report", Phase::Running).await;
    assert_eq!(world.get("report").attempt().unwrap().cluster_name, "west");
    reach(&world, true);
    world.until("its end", |world| world.east().get(Kind::Job, "risk", "report").is_none()).await;
    // And back, while both are there.
    relocate(&world);
    world.until("the third", |world| world.get("report").attempts.len() == 3).await;
    assert!(world.west().get(Kind::Job, "risk", "report-a2").is_none(), "it was gone before");
    assert_eq!(world.get("report").attempts[1].overlap_ms, None);
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.east().created(Kind::Job, "report-a3"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_started_leaves_a_drained_cluster_and_runs_elsewhere() {
    let mut world = World::new(1, &["east", "west"]);
    world.raise();
    world.lead(None);
    world.until("contact", |world| world.cluster("west").reachable == Some(true)).await;
    // Its namespace is not there, so that it cannot start.
    world.east().with(|inner| inner.namespaces.clear());
    world.submit("report", |run| run["spec"]["placement"] = json!({"onLoss": "Move"}));
    world.until("the reason", |world| world.get("report").reason == Reason::NamespaceMissing).await;
    let why = String::new();
    world.ok(Command::Drain(Drain { name: "east".to_owned(), revision: None, why }));
    world.until_phase("report", Phase::Succeeded).await;
    let run = world.get("report");
    assert_eq!((run.attempts[0].phase, run.attempts[1].cluster_name.as_str()), (AttemptPhase::Moved, "west"));
    assert_eq!(world.east().created(Kind::Job, "report"), 0);
}
