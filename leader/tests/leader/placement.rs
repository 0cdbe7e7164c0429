//! Where runs go, and what is said of it.

use crate::world::World;
use serde_json::json;
use std::collections::BTreeMap;
use tallyman_model::command::UpdateCluster;
use tallyman_model::{Command, Phase, Reason};

/// A leader and three clusters: east and north are in zone a, west is in b.
fn zoned() -> World {
    let mut world = World::new(1, &["east", "north", "west"]);
    world.raise();
    for (name, zone) in [("east", "a"), ("north", "a"), ("west", "b")] {
        let labels = Some(BTreeMap::from([("zone".to_owned(), zone.to_owned())]));
        let change = UpdateCluster { name: name.to_owned(), labels, ..UpdateCluster::default() };
        world.ok(Command::UpdateCluster(change));
    }
    world.sims.values().for_each(|sim| sim.with(|inner| inner.run_ms = 3_600_000));
    world.lead(None);
    world
}

#[tokio::test(start_paused = true)]
async fn runs_are_spread_over_zones_first_and_then_over_their_clusters() {
    let world = zoned();
    for number in 0..12 {
        let name = format!("report-{number:02}");
        world.submit(&name, |run| run["spec"]["placement"] = json!({"spreadByLabel": "zone"}));
        world.until("it is placed", |world| !world.get(&name).attempts.is_empty()).await;
    }
    let mut counts = BTreeMap::new();
    for number in 0..12 {
        let run = world.get(&format!("report-{number:02}"));
        *counts.entry(run.attempts[0].cluster_name.clone()).or_insert(0) += 1;
    }
    assert_eq!(
        counts,
        BTreeMap::from([("east".to_owned(), 3), ("north".to_owned(), 3), ("west".to_owned(), 6)])
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_says_of_each_cluster_why() {
    let world = zoned();
    let cordoned = Some(true);
    for name in ["east", "north"] {
        let name = name.to_owned();
        world.ok(Command::UpdateCluster(UpdateCluster { name, cordoned, ..UpdateCluster::default() }));
    }
    world.submit("report", |run| run["spec"]["placement"] = json!({"clusterSelector": "zone in (a)"}));
    world.until("it is looked at", |world| world.get("report").reason == Reason::NoCluster).await;
    let expected = "no cluster takes it now: east, north are cordoned, west does not match clusterSelector";
    assert_eq!(world.get("report").message, expected);
    assert_eq!(world.get("report").phase, Phase::Accepted);
}
