//! Stopping much at once.

use crate::story::cancel;
use crate::world::World;
use std::time::Duration;
use tallyman_model::command::{ConfirmStops, StopsOf};
use tallyman_model::limits::BRAKE_FLOOR_RUNS;
use tallyman_model::{Command, Phase, query};

#[tokio::test(start_paused = true)]
async fn a_mass_cancel_stops_at_the_brake_holds_up_nothing_else_and_goes_on_when_somebody_agrees() {
    let runs = usize::try_from(BRAKE_FLOOR_RUNS).unwrap() + 20;
    let world = World::led();
    world.raise();
    world.east().with(|inner| inner.run_ms = 100_000_000);
    let name = |i: usize| format!("run-{i}");
    for i in 0..runs {
        world.submit(&name(i), |_| {});
    }
    for i in 0..runs {
        world.until_phase(&name(i), Phase::Running).await;
    }
    (0..runs).for_each(|i| cancel(&world, &name(i)));
    let ended =
        |world: &World, phase: Phase| (0..runs).filter(|i| world.get(&name(*i)).phase == phase).count();
    world.until("the brake", |world| ended(world, Phase::Cancelled) == runs - 20).await;
    world.pass(Duration::from_secs(3_600)).await;
    assert_eq!((ended(&world, Phase::Cancelled), ended(&world, Phase::Stopping)), (runs - 20, 20));
    let engaged = world.state.look(|view| query::meta(view).unwrap().engaged().count());
    assert_eq!(engaged, 1);
    // New work is sent as ever.
    world.east().with(|inner| inner.run_ms = 1_000);
    world.submit("other", |_| {});
    world.until_phase("other", Phase::Succeeded).await;
    let why = "all of it is to go".to_owned();
    world.ok(Command::ConfirmStops(ConfirmStops { of: StopsOf::Cluster("east".to_owned()), why }));
    world.until("the others", |world| ended(world, Phase::Cancelled) == runs).await;
}
