//! What was created is known by the answer and by the watch, and read only where neither says it.

use crate::faults::Fault;
use crate::story::cancel;
use crate::world::World;
use serde_json::json;
use std::time::Duration;
use tallyman_model::record::{Kind, Making, ObjectState};
use tallyman_model::{Phase, limits};

fn making(world: &World) -> Making {
    world.get("report").main_object().map_or(Making::Planned, |object| object.making())
}

fn gets(world: &World) -> Vec<String> {
    world.east().with(|inner| inner.gets.clone())
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_tells_of_is_observed_and_nothing_is_read_from_the_create_to_the_release() {
    let world = World::led();
    // It says nothing of itself for long: the watch has nothing to tell but that it is there.
    world.east().with(|inner| inner.stuck.insert("report".to_owned()));
    world.submit("report", |_| {});
    world.until("it to be observed", |world| making(world) == Making::Observed).await;
    world.pass(Duration::from_millis(2 * limits::OBSERVED_WITHIN_MS)).await;
    world.east().with(|inner| inner.stuck.clear());
    world.east().changed.send_replace(0);
    world.until_phase("report", Phase::Succeeded).await;
    world.until("the release", |world| world.get("report").objects.iter().all(|object| !object.held)).await;
    assert_eq!(gets(&world), Vec::<String>::new());
    assert!(world.get("report").objects.iter().all(|object| object.read.is_none()));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_watched_is_created_read_once_and_observed_when_it_may_be() {
    let world = World::led();
    world.east().with(|inner| inner.unwatched = true);
    world.until("that to be known", |world| world.cluster("east").unwatched == ["jobs"]).await;
    world.east().with(|inner| inner.stuck.insert("report".to_owned()));
    world.submit("report", |_| {});
    world
        .until("the create", |world| world.find("report").is_some_and(|run| run.phase == Phase::Pending))
        .await;
    assert_eq!(making(&world), Making::Created);
    world.until("the read", |world| world.get("report").main_object().unwrap().read.is_some()).await;
    let read = world.get("report").main_object().unwrap().read.clone().unwrap();
    assert_eq!(read.message, "", "it was there");
    world.pass(Duration::from_millis(10 * limits::OBSERVED_WITHIN_MS)).await;
    assert_eq!((gets(&world), making(&world)), (vec!["Job report".to_owned()], Making::Created));
    world.east().with(|inner| inner.unwatched = false);
    world.until("the watch", |world| making(world) == Making::Observed).await;
    world.until("that to be known", |world| world.cluster("east").unwatched.is_empty()).await;
    cancel(&world, "report");
    world.until_phase("report", Phase::Cancelled).await;
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_that_somebody_adds_right_before_the_release_stays() {
    let world = World::led();
    world.east().fault("patch Job report", &[Fault::Meddled]);
    world.submit("report", |_| {});
    world
        .until("the release", |world| {
            let run = world.find("report");
            run.is_some_and(|run| {
                run.phase == Phase::Succeeded && run.objects.iter().all(|object| !object.held)
            })
        })
        .await;
    let object = world.east().get(Kind::Job, "risk", "report").unwrap();
    assert_eq!(object["metadata"]["finalizers"], json!(["a.example/meddler"]));
    assert_eq!(gets(&world), ["Job report"], "read when the first try was refused");
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_under_our_name_is_not_released() {
    let world = World::led();
    world.east().fault("patch Job report", &[Fault::Replaced]);
    world.submit("report", |_| {});
    world
        .until("ours to be gone", |world| {
            let run = world.find("report");
            run.and_then(|run| run.main_object().cloned())
                .is_some_and(|object| object.state == ObjectState::Gone)
        })
        .await;
    assert_eq!(world.get("report").phase, Phase::Succeeded);
    let theirs = world.east().get(Kind::Job, "risk", "report").unwrap();
    assert_eq!(theirs["metadata"]["finalizers"], json!(["a.example/theirs"]));
}
