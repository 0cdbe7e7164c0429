//! A cluster that is given up as lost for good.

use crate::world::World;
use std::time::Duration;
use tallyman_model::command::{UpdateCluster, WriteOffCluster};
use tallyman_model::record::Kind;
use tallyman_model::{Command, Phase, Reason};

#[tokio::test(start_paused = true)]
async fn what_comes_back_with_a_cluster_that_was_written_off_is_a_stray_and_nothing_is_sent_before_somebody_confirms_it()
 {
    let world = World::led();
    world.raise();
    world.east().with(|inner| inner.run_ms = 100_000_000);
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    world.east().with(|inner| inner.down = true);
    world.until("it is out of reach", |world| world.cluster("east").reachable == Some(false)).await;
    let why = "the datacenter burnt down".to_owned();
    world.ok(Command::WriteOffCluster(WriteOffCluster { name: "east".to_owned(), revision: None, why }));
    world.until_phase("report", Phase::Failed).await;
    assert_eq!(world.get("report").reason, Reason::ClusterWrittenOff);
    world
        .until("all is given up", |world| world.cluster("east").written_off.is_some_and(|off| off.done))
        .await;

    world.east().with(|inner| inner.down = false);
    let before = world.east().writes().len();
    world.until("the strays", |world| world.cluster("east").strays_count == 2).await;
    assert!(world.cluster("east").message.contains("answers again"));
    world.submit("other", |_| {});
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(world.east().writes().len(), before, "{:?}", world.east().writes());
    assert!(world.east().get(Kind::Job, "risk", "report").is_some(), "it is not touched");

    let identity = world.cluster("east").kube_system_uid;
    world.ok(Command::UpdateCluster(UpdateCluster {
        name: "east".to_owned(),
        confirm_identity: identity,
        ..UpdateCluster::default()
    }));
    world.until("the work that waited", |world| world.east().created(Kind::Job, "other") == 1).await;
    world.pass(Duration::from_secs(120)).await;
    assert!(world.east().get(Kind::Job, "risk", "report").is_some(), "it stays a stray");
    assert_eq!(world.cluster("east").strays_count, 2);
}
