//! In which order the objects of a deployable are made and go.

use crate::deployables::{conclude, deploy, due, get, intend, looked, on, see, work};
use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

/// Written in the wrong order.
fn bundle() -> Value {
    json!([
        object("example.com/v1", "Widget", "widget"),
        object("apps/v1", "Deployment", "server"),
        object("v1", "ConfigMap", "settings"),
        object("v1", "ServiceAccount", "account"),
        object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com"),
    ])
}

fn names(world: &World) -> Vec<String> {
    due(world, "east").into_iter().map(|(name, _)| name).collect()
}

/// Makes and applies what is due, which must be that one.
fn make(world: &mut World, name: &str, health: Health) {
    for action in [SyncAction::Create, SyncAction::Apply] {
        assert_eq!(due(world, "east"), [(name.to_owned(), action)]);
        let intent = intend(world, "east", name, action).unwrap();
        let owned = (action == SyncAction::Apply).then_some(Digest([1; 32]));
        let answer = Looked { health, ..looked(name, owned) };
        conclude(world, "east", name, intent, SyncOutcome::Done(Box::new(answer)));
    }
}

fn withdraw(world: &mut World) {
    world.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan: false }));
}

#[test]
fn what_others_need_is_made_first_and_what_a_definition_defines_when_it_is_served() {
    let mut world = World::upgraded();
    deploy(&mut world, |value| value["spec"]["manifests"] = bundle());
    make(&mut world, "widgets.example.com", Health::Progressing);
    assert!(names(&world).is_empty(), "the kind is not served yet");
    see(
        &mut world,
        "east",
        "widgets.example.com",
        Some(looked("widgets.example.com", Some(Digest([1; 32])))),
    );
    for name in ["settings", "account", "widget", "server"] {
        make(&mut world, name, Health::Healthy);
    }
    assert!(names(&world).is_empty() && on(&world, "east").unwrap().is_all_synced());
    let placed = on(&world, "east").unwrap();
    let definition = placed.objects.iter().find(|object| object.kind.is_definition()).unwrap();
    assert_eq!((definition.namespace.as_str(), placed.objects[0].namespace.as_str()), ("", "risk"));
}

#[test]
fn what_goes_goes_in_reverse_each_when_what_is_behind_it_is_gone_and_a_definition_stays() {
    let mut world = World::upgraded();
    deploy(&mut world, |value| value["spec"]["manifests"] = bundle());
    work(&mut world, "east");
    withdraw(&mut world);
    let mut went = Vec::new();
    loop {
        // The definition is let go at any time.
        let all = due(&world, "east");
        let Some((name, action)) = all.iter().find(|(_, action)| *action == SyncAction::Delete) else {
            break;
        };
        assert!(all.iter().all(|(other, one)| other == name || *one == SyncAction::Release), "{all:?}");
        let intent = intend(&mut world, "east", name, *action).unwrap();
        // It was asked to go, and is there still: nothing else goes before that.
        let leaves = Looked { deleting: true, ..looked(name, Some(Digest([1; 32]))) };
        conclude(&mut world, "east", name, intent, SyncOutcome::Done(Box::new(leaves)));
        assert!(due(&world, "east").iter().all(|(_, action)| *action == SyncAction::Release));
        see(&mut world, "east", name, None);
        went.push(name.clone());
    }
    assert_eq!(went, ["server", "widget", "account", "settings"]);
    assert_eq!(due(&world, "east"), [("widgets.example.com".to_owned(), SyncAction::Release)]);
    work(&mut world, "east");
    assert_eq!(get(&world), None);
}

#[test]
fn a_run_brings_no_definition_and_a_definition_is_in_no_namespace() {
    let mut definition = object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com");
    let job =
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {}}});
    let run = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "report"},
        "spec": {"manifests": [job, definition.clone()]},
    });
    let refused = manifest::accept(run, "risk", Uid([1; 16])).unwrap_err();
    assert!(refused[0].message.contains("kinds are defined by deployables"), "{refused:?}");
    definition["metadata"]["namespace"] = json!("risk");
    let deployable = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "settings"},
        "spec": {"manifests": [definition]},
    });
    let refused = manifest::read(deployable, "risk").unwrap_err();
    assert_eq!(refused[0].field, "spec.manifests[0].metadata.namespace");
}
