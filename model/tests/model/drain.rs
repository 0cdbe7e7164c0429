//! Clusters that are drained.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::rule::Verdict;
use tallyman_model::*;

fn drain(world: &mut World) {
    let why = "new nodes".to_owned();
    world.ok(Command::Drain(Drain { name: "east".to_owned(), revision: None, why }));
}

fn cordon(world: &mut World, name: &str, cordoned: bool) {
    let (name, cordoned) = (name.to_owned(), Some(cordoned));
    world.ok(Command::UpdateCluster(UpdateCluster { name, cordoned, ..UpdateCluster::default() }));
}

fn placed(world: &mut World, name: &str, on_loss: &str) {
    world.submit(name, |run| run["spec"]["placement"] = json!({"onLoss": on_loss}));
    world.place(name, "east");
}

#[test]
fn what_is_to_move_and_has_not_started_leaves_a_drained_cluster_and_all_else_stays() {
    let mut world = World::running("Move");
    placed(&mut world, "waiting", "Move");
    world.create("waiting", 0);
    placed(&mut world, "staying", "Wait");
    drain(&mut world);
    assert!(world.cluster("east").cordoned);
    world.assess("east").unwrap();
    // Nothing of its main object was made, so that it is gone already.
    let run = world.get("waiting");
    assert_eq!((run.phase, run.reason), (Phase::Accepted, Reason::Moving));
    assert_eq!(run.message, "ann takes it off east: new nodes; it goes on elsewhere");
    assert_eq!((world.get("report").phase, world.get("staying").phase), (Phase::Running, Phase::Placed));
    let east = world.cluster("east").head.ordinal;
    assert_eq!(world.due(Lane::Delete, east).len(), 1, "its ConfigMap is");
}

#[test]
fn a_run_leaves_only_when_its_object_is_seen_to_be_gone() {
    let mut world = World::upgraded();
    placed(&mut world, "report", "Move");
    world.create("report", 0);
    world.create("report", 1);
    drain(&mut world);
    world.assess("east").unwrap();
    assert_eq!((world.get("report").phase, world.get("report").reason), (Phase::Stopping, Reason::Moving));
    let gone = world.item("report", 1, json!({}), |item| item.gone = true);
    world.observe("east", vec![gone]);
    assert_eq!(world.get("report").phase, Phase::Accepted);
}

#[test]
fn a_run_that_nobody_else_takes_says_so_and_is_looked_at_again() {
    let mut world = World::upgraded();
    placed(&mut world, "report", "Move");
    cordon(&mut world, "west", true);
    drain(&mut world);
    world.assess("east").unwrap();
    let run = world.get("report");
    assert_eq!(run.phase, Phase::Placed);
    assert_eq!(run.message, "east is drained, and it is not moved: no other cluster takes it now");
    cordon(&mut world, "west", false);
    world.now_ms += limits::GIVE_UP_AGAIN_MS - 1;
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Placed);
    world.now_ms += 1;
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Accepted);
}

#[test]
fn a_drain_ends_with_the_cordon_and_what_starts_first_stays() {
    let mut world = World::upgraded();
    placed(&mut world, "report", "Move");
    drain(&mut world);
    cordon(&mut world, "east", false);
    assert_eq!(world.cluster("east").draining, None);
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Placed);
    world.create("report", 0);
    world.create("report", 1);
    world.observe_verdict("report", 1, Verdict::Running, 110);
    drain(&mut world);
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Running);
    assert!(world.lane(Lane::Drain, "east").is_empty());
}
