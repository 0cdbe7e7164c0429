//! Runs whose main object is an Argo Workflow.

use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

/// A submission of a Workflow that needs a WorkflowTemplate.
fn workflow(value: &mut Value) {
    let api = "argoproj.io/v1alpha1";
    value["spec"]["manifests"] = json!([
        {"apiVersion": api, "kind": "WorkflowTemplate", "metadata": {"name": "shared"}, "spec": {}},
        {"apiVersion": api, "kind": "Workflow", "metadata": {"name": "report"}, "spec": {}},
    ]);
}

fn running() -> World {
    let mut world = World::upgraded();
    world.submit("report", workflow);
    world.place("report", "east");
    world.create("report", 0);
    world.create("report", 1);
    say(&mut world, "110", json!({"phase": "Running", "startedAt": "2026-11-20T00:00:00Z"}));
    assert_eq!(world.get("report").phase, Phase::Running);
    world
}

fn say(world: &mut World, version: &str, status: Value) {
    let item = world.item("report", 1, status, |item| {
        item.resource_version = version.to_owned();
        item.seen.resource_version = version.to_owned();
    });
    let cluster = world.cluster("east");
    let (cluster, timeline) = (cluster.head.ordinal, cluster.timeline);
    let (kind, cursor) = (Kind::Workflow, Some(version.to_owned()));
    world.ok(Command::Observe(Observe {
        cluster,
        kind,
        namespace: String::new(),
        plural: String::new(),
        timeline,
        is_watch: true,
        cursor,
        rule: None,
        items: vec![item],
    }));
}

fn cancel(world: &mut World) {
    let target = Target::named("risk", "report");
    world.ok(Command::Cancel(Cancel { target, why: String::new() }));
}

#[test]
fn a_workflow_runs_to_the_end_that_its_phase_says() {
    let mut world = running();
    say(&mut world, "120", json!({"phase": "Failed", "message": "step 2 failed"}));
    let run = world.get("report");
    assert_eq!((run.phase, run.message.as_str()), (Phase::Failed, "step 2 failed"));
}

#[test]
fn a_cancelled_workflow_is_stopped_by_its_own_field_and_stays_with_its_end() {
    let mut world = running();
    cancel(&mut world);
    assert_eq!(world.get("report").phase, Phase::Stopping);
    let intent = world.intend("report", 1, Action::Stop).unwrap();
    let item = world.item("report", 1, json!({"phase": "Running"}), |item| {
        item.resource_version = "115".to_owned();
        item.seen.resource_version = "115".to_owned();
    });
    world.conclude("report", 1, intent, Outcome::Done(Box::new(item))).unwrap();
    assert!(world.intend("report", 1, Action::Stop).is_err(), "it is given time to stop");
    assert_eq!(world.get("report").phase, Phase::Stopping);
    say(&mut world, "120", json!({"phase": "Failed", "message": "Stopped with strategy 'Stop'"}));
    let run = world.get("report");
    assert_eq!((run.phase, run.attempts[0].phase), (Phase::Cancelled, AttemptPhase::Cancelled));
    assert_eq!((run.objects[1].state, run.objects[1].wanted), (ObjectState::Live, true));
    assert_eq!(run.next_action(&run.objects[1]), Some(Action::Release));
}

#[test]
fn a_workflow_that_ends_well_before_it_is_stopped_has_succeeded() {
    let mut world = running();
    cancel(&mut world);
    say(&mut world, "120", json!({"phase": "Succeeded"}));
    assert_eq!(world.get("report").phase, Phase::Succeeded);
}

#[test]
fn a_workflow_whose_record_is_removed_is_deleted_and_not_only_stopped() {
    let mut world = running();
    cancel(&mut world);
    world.ok(Command::Delete(Delete { target: Target::named("risk", "report") }));
    let run = world.get("report");
    assert_eq!(run.next_action(&run.objects[1]), Some(Action::Delete));
}

#[test]
fn what_the_group_does_not_understand_yet_is_not_taken() {
    let mut world = World::new();
    let submit = world.submission("report", workflow);
    let refusal = world.run(Command::Submit(Box::new(submit))).unwrap_err();
    assert!(refusal.message.contains("version 3"), "{}", refusal.message);
}

#[test]
fn a_kind_that_not_all_clusters_serve_is_looked_at_while_something_of_it_is_or_may_be_there() {
    let mut world = World::upgraded();
    let (east, west) = (world.cluster("east").head.ordinal, world.cluster("west").head.ordinal);
    let tracked = |world: &World, cluster| query::tracked(&world.view, cluster).unwrap();
    world.submit("report", workflow);
    assert_eq!(tracked(&world, east), [Kind::Job, Kind::ConfigMap]);
    world.place("report", "east");
    assert_eq!(tracked(&world, east), Kind::KNOWN);
    assert_eq!(tracked(&world, west), [Kind::Job, Kind::ConfigMap]);
    cancel(&mut world);
    assert_eq!(tracked(&world, east), [Kind::Job, Kind::ConfigMap]);
}
