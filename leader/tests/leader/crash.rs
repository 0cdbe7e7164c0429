//! A crash at every step: whatever the leader was doing, the next one finds it and goes on.

use crate::faults::Fault;
use crate::story::{cancel, delete};
use crate::world::World;
use serde_json::json;
use tallyman_model::Phase;
use tallyman_model::record::{Kind, ObjectState};

/// Runs `story` with a leader that ends at each boundary in turn, and another one after it, until one life survives.
pub(crate) async fn at_every_step(name: &str, story: impl AsyncFn(&mut World)) {
    for at in 0.. {
        let mut world = World::new(at + 1, &["east"]);
        world.lead(Some(at));
        let fuse = std::sync::Arc::clone(&world.life().fuse);
        let done = {
            let story = story(&mut world);
            tokio::pin!(story);
            tokio::select! {
                () = &mut story => true,
                place = fuse.blown() => {
                    eprintln!("{name}: life 1 ends at step {at}, {place}");
                    false
                }
            }
        };
        if done {
            assert!(at > 10, "{name}: only {at} steps");
            return;
        }
        world.lead(None);
        story(&mut world).await;
    }
}

fn submit_once(world: &World, change: impl FnOnce(&mut serde_json::Value)) {
    if world.find("report").is_none() {
        world.submit("report", change);
    }
}

fn once_each(world: &World) {
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
    assert_eq!(world.east().created(Kind::ConfigMap, "report-input"), 1);
    assert_eq!(world.get("report").attempts.len(), 1);
}

async fn released(world: &World) {
    world.until("the release", |world| world.get("report").objects.iter().all(|object| !object.held)).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_succeeds_with_one_create_of_each_object_wherever_the_leader_dies() {
    at_every_step("run", async |world| {
        submit_once(world, |_| {});
        world.until_phase("report", Phase::Succeeded).await;
        released(world).await;
        once_each(world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_create_is_resolved_wherever_the_leader_dies() {
    at_every_step("unknown", async |world| {
        if world.find("report").is_none() {
            world.east().fault("create Job report", &[Fault::LostAfter]);
            world.east().fault("create ConfigMap report-input", &[Fault::LostAfter]);
        }
        submit_once(world, |_| {});
        world.until_phase("report", Phase::Succeeded).await;
        released(world).await;
        once_each(world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_with_nothing_alive_wherever_the_leader_dies() {
    at_every_step("cancel", async |world| {
        if world.find("report").is_none() {
            world.east().with(|inner| inner.run_ms = 3_600_000);
        }
        submit_once(world, |_| {});
        world
            .until("it to run or to stop", |world| {
                !matches!(
                    world.get("report").phase,
                    Phase::Accepted | Phase::Placed | Phase::Sent | Phase::Pending
                )
            })
            .await;
        if !world.get("report").phase.is_terminal() {
            cancel(world, "report");
        }
        world.until_phase("report", Phase::Cancelled).await;
        assert!(world.east().get(Kind::Job, "risk", "report").is_none());
        once_each(world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_leaves_nothing_wherever_the_leader_dies() {
    let submitted = std::sync::atomic::AtomicU64::new(0);
    at_every_step("remove", async |world| {
        let seed = std::sync::Arc::as_ptr(&world.state) as u64;
        if submitted.swap(seed, std::sync::atomic::Ordering::SeqCst) != seed {
            world.submit("report", |_| {});
        }
        world
            .until("it to run or go", |world| {
                world.find("report").is_none_or(|run| {
                    matches!(
                        run.phase,
                        Phase::Running | Phase::Stopping | Phase::Succeeded | Phase::Cancelled
                    )
                })
            })
            .await;
        if world.find("report").is_some() {
            delete(world, "report");
        }
        world.until("the record to go", |world| world.find("report").is_none()).await;
        assert!(world.east().with(|inner| inner.objects.is_empty()));
        assert_eq!(world.east().created(Kind::Job, "report"), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn objects_go_after_the_ttl_wherever_the_leader_dies() {
    at_every_step("ttl", async |world| {
        submit_once(world, |value| value["spec"]["ttlAfterFinished"] = json!("5s"));
        world.until_phase("report", Phase::Succeeded).await;
        world
            .until("the objects to go", |world| {
                world.get("report").objects.iter().all(|object| object.state == ObjectState::Gone)
            })
            .await;
        assert!(world.east().with(|inner| inner.objects.is_empty()));
        once_each(world);
    })
    .await;
}
