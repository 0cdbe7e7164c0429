//! One run on each of several clusters.

use crate::faults::Fault;
use crate::world::World;
use serde_json::json;
use std::time::Duration;
use tallyman_cluster::RefusedKind;
use tallyman_model::command::{Cancel, Delete, Retry, Target};
use tallyman_model::record::Kind;
use tallyman_model::{Command, Phase};

/// A leader, three clusters, and `patch` for each of them.
fn three() -> World {
    let mut world = World::new(1, &["east", "north", "west"]);
    world.raise();
    world.lead(None);
    world
}

fn fan_out(world: &World) {
    world.submit("patch", |run| run["spec"]["placement"] = json!({"fanOut": true}));
}

#[tokio::test(start_paused = true)]
async fn each_cluster_runs_it_once_and_one_that_is_away_does_so_when_it_is_back() {
    let world = three();
    world.sims["north"].with(|inner| inner.down = true);
    fan_out(&world);
    world.until_phase("patch-east", Phase::Succeeded).await;
    world.until_phase("patch-west", Phase::Succeeded).await;
    assert_eq!(world.get("patch").phase, Phase::Running);
    assert_eq!(world.get("patch").message, "of 3 runs: 2 succeeded, 1 waiting");
    world.pass(Duration::from_secs(60)).await;
    let waits = world.get("patch-north");
    assert_eq!(waits.phase, Phase::Accepted, "{}", waits.message);
    assert!(waits.message.contains("north"), "{}", waits.message);
    world.sims["north"].with(|inner| inner.down = false);
    world.until_phase("patch", Phase::Succeeded).await;
    for sim in world.sims.values() {
        assert_eq!(sim.created(Kind::Job, "patch"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_it_is_stopped_and_removed_with_it() {
    let world = three();
    world.sims.values().for_each(|sim| sim.with(|inner| inner.run_ms = 3_600_000));
    fan_out(&world);
    for name in ["patch-east", "patch-north", "patch-west"] {
        world.until_phase(name, Phase::Running).await;
    }
    let target = Target::named("risk", "patch");
    world.ok(Command::Cancel(Cancel { target: target.clone(), why: "enough".to_owned() }));
    world.until_phase("patch", Phase::Cancelled).await;
    assert_eq!(world.get("patch").message, "ann asked for it: enough; of 3 runs: 3 cancelled");
    world.ok(Command::Delete(Delete { target }));
    world.until("all of it is gone", |world| world.find("patch").is_none()).await;
    assert!(world.find("patch-east").is_none());
    for sim in world.sims.values() {
        assert!(sim.get(Kind::Job, "risk", "patch").is_none());
        assert!(sim.get(Kind::ConfigMap, "risk", "patch-input").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn runs_of_it_that_no_cluster_took_run_once_when_they_are_retried_one_alone_and_all_together() {
    let world = three();
    for name in ["east", "west"] {
        let refused = Fault::Refused(422, RefusedKind::Invalid);
        world.sims[name].fault("create ConfigMap patch-input", &[refused, refused]);
    }
    world.sims["north"].with(|inner| inner.run_ms = 60_000);
    fan_out(&world);
    let is_dead =
        |name: &'static str| move |world: &World| world.find(name).is_some_and(|run| run.is_dead_letter());
    world.until("a dead letter", is_dead("patch-east")).await;
    world.until("another", is_dead("patch-west")).await;
    let retry = |name: &str| {
        let target = Target::named("risk", name);
        world.ok(Command::Retry(Retry { target, why: "the role is there now".to_owned() }));
    };
    // The first one alone, and refused again; then both, while the third is under way.
    retry("patch-east");
    world.until("it to be under way", |world| world.get("patch-east").attempts.len() == 2).await;
    world.until("it to be refused again", is_dead("patch-east")).await;
    assert_eq!(world.get("patch-west").attempts.len(), 1);
    assert_eq!(world.get("patch").phase, Phase::Running);
    world.sims["west"].with(|inner| inner.faults.clear());
    retry("patch");
    world.until_phase("patch", Phase::Succeeded).await;
    for sim in world.sims.values() {
        let made = sim.with(|inner| inner.created.iter().filter(|(kind, ..)| *kind == Kind::Job).count());
        assert_eq!(made, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_goes_on_with_what_was_begun() {
    let mut world = World::new(1, &["east", "north", "west"]);
    world.raise();
    for boundary in 1..60 {
        world.lead(Some(boundary));
        if boundary == 1 {
            fan_out(&world);
        }
        world.pass(Duration::from_secs(5)).await;
        if world.get("patch").phase == Phase::Succeeded {
            break;
        }
    }
    world.lead(None);
    world.until_phase("patch", Phase::Succeeded).await;
    for sim in world.sims.values() {
        assert_eq!(sim.created(Kind::Job, "patch"), 1);
    }
}
