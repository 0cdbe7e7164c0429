//! Clusters that a hub tells of by its objects, and its placement decisions.

use crate::sim::Sim;
use crate::world::World;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::UpdateCluster;
use tallyman_model::record::{Cluster, Kind};
use tallyman_model::{Command, Phase, query};

const KEY: &str = "multicluster.x-k8s.io/decision-key";
const INDEX: &str = "multicluster.x-k8s.io/decision-index";

/// A leader, the hub `east`, and clusters that nobody has registered.
fn hubbed(spokes: &[&str]) -> World {
    let mut world = World::new(1, &["east"]);
    world.raise();
    for name in spokes {
        world.sims.insert((*name).to_owned(), Sim::new(name));
    }
    let (cordoned, hub) = (Some(true), Some(vec!["fleet".to_owned()]));
    world.ok(Command::UpdateCluster(UpdateCluster {
        name: "east".to_owned(),
        cordoned,
        hub,
        ..UpdateCluster::default()
    }));
    world.lead(None);
    world
}

/// A profile, reached by a provider.
fn profile(hub: &Arc<Sim>, name: &str, provider: &str) {
    profile_in(hub, "fleet", name, provider);
}

fn profile_in(hub: &Arc<Sim>, namespace: &str, name: &str, provider: &str) {
    let cluster = json!({"server": format!("https://{name}:6443")});
    put(
        hub,
        (Kind::cluster_profile(), namespace.to_owned(), name.to_owned()),
        json!({
            "status": {
                "properties": [{"name": "region", "value": "eu"}],
                "accessProviders": [{"name": provider, "cluster": cluster}],
                "conditions": [{"type": "ControlPlaneHealthy", "status": "False", "reason": "Down"}],
            },
        }),
    );
}

fn slice(hub: &Arc<Sim>, name: &str, labels: Value, profiles: &[&str]) {
    let decisions: Vec<Value> =
        profiles.iter().map(|name| json!({"clusterProfileRef": {"name": name}})).collect();
    let object = json!({"metadata": {"labels": labels}, "decisions": decisions});
    put(hub, (Kind::placement_decision(), "fleet".to_owned(), name.to_owned()), object);
}

fn put(hub: &Arc<Sim>, name: (Kind, String, String), mut object: Value) {
    let uid = hub.with(|inner| {
        inner.uids += 1;
        format!("uid-{}", inner.uids)
    });
    object["metadata"]["namespace"] = json!(name.1);
    object["metadata"]["name"] = json!(name.2);
    object["metadata"]["uid"] = json!(uid);
    hub.put(&name, Some(object));
}

fn remove(hub: &Arc<Sim>, kind: Kind, name: &str) {
    hub.put(&(kind, "fleet".to_owned(), name.to_owned()), None);
}

fn find(world: &World, name: &str) -> Option<Cluster> {
    world.state.look(|view| query::cluster(view, name).unwrap())
}

async fn until_reached(world: &World, name: &str) {
    let is_reached = |world: &World| find(world, name).is_some_and(|cluster| cluster.takes_work());
    world.until(&format!("{name} takes work"), is_reached).await;
}

fn message(world: &World) -> String {
    world.cluster("east").hub.map(|hub| hub.message).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn profiles_are_clusters_as_long_as_they_are_there_over_leaders() {
    let mut world = hubbed(&["spoke", "late"]);
    let hub = Arc::clone(world.east());
    profile(&hub, "spoke", "cloud");
    until_reached(&world, "spoke").await;
    let spoke = world.cluster("spoke");
    assert_eq!(spoke.head.labels["region"], "eu");
    assert_eq!(spoke.credentials.server.unwrap().url, "https://spoke:6443");
    assert_eq!(spoke.profile.unwrap().health, "False (Down)");
    world.submit("report", |run| run["spec"]["placement"] = json!({"clusterSelector": "region in (eu)"}));
    world.until_phase("report", Phase::Succeeded).await;
    world.lead(None);
    profile(&hub, "late", "cloud");
    until_reached(&world, "late").await;
    remove(&hub, Kind::cluster_profile(), "late");
    world.until("it gets nothing new", |world| !world.cluster("late").takes_work()).await;
    world.pass(Duration::from_secs(500)).await;
    assert!(find(&world, "late").is_some(), "it may come back");
    world.until("it is forgotten", |world| find(world, "late").is_none()).await;
    assert!(find(&world, "spoke").is_some() && message(&world).is_empty(), "{}", message(&world));
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_is_gone_leaves_its_runs_where_they_are_until_it_is_back() {
    let world = hubbed(&["spoke"]);
    world.sims["spoke"].with(|inner| inner.run_ms = 1_500_000);
    let hub = Arc::clone(world.east());
    profile(&hub, "spoke", "cloud");
    until_reached(&world, "spoke").await;
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    remove(&hub, Kind::cluster_profile(), "spoke");
    world.until("it gets nothing new", |world| !world.cluster("spoke").takes_work()).await;
    world.submit("next", |_| {});
    world
        .until("it waits", |world| world.get("next").message.contains("held back by what its hub says"))
        .await;
    world.pass(Duration::from_secs(1_200)).await;
    assert_eq!(world.get("report").phase, Phase::Running);
    profile(&hub, "spoke", "cloud");
    world.until_phase("next", Phase::Running).await;
    world.until_phase("report", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_followed_is_said_of_the_hub() {
    let mut world = hubbed(&["spoke"]);
    let hub = Arc::clone(world.east());
    profile(&hub, "spoke", "unheard-of");
    profile(&hub, "east", "cloud");
    profile_in(&hub, "elsewhere", "stranger", "cloud");
    let both = "fleet/east: another cluster has this name; fleet/spoke: none of its access providers \
                (unheard-of) is in the provider file";
    world.until("it is said", |world| message(world) == both).await;
    profile(&hub, "spoke", "cloud");
    until_reached(&world, "spoke").await;
    remove(&hub, Kind::cluster_profile(), "east");
    world.until("nothing is wrong", |world| message(world).is_empty()).await;
    assert!(find(&world, "stranger").is_none());
    world.lead(None);
    profile(&hub, "spoke", "unheard-of");
    world.until("it gets nothing new", |world| !world.cluster("spoke").takes_work()).await;
}

#[tokio::test(start_paused = true)]
async fn a_decision_counts_as_a_whole_when_its_slices_have_settled() {
    let world = hubbed(&["one", "two", "three"]);
    let hub = Arc::clone(world.east());
    for name in ["one", "two", "three"] {
        profile(&hub, name, "cloud");
        until_reached(&world, name).await;
    }
    let decided = |world: &World| -> Vec<&str> {
        ["one", "two", "three"]
            .into_iter()
            .filter(|name| world.cluster(name).is_decided("fleet/gpu"))
            .collect()
    };
    // Slices are written one after the other.
    slice(&hub, "gpu-1", json!({KEY: "gpu", INDEX: "1"}), &["three"]);
    world.until("it is seen", |world| message(world).contains("its slices are not all there")).await;
    slice(&hub, "gpu-0", json!({KEY: "gpu", INDEX: "0"}), &["one"]);
    world.until("it is taken whole", |world| !decided(world).is_empty()).await;
    assert_eq!(decided(&world), ["one", "three"]);
    // A move from one slice to another is never half seen.
    slice(&hub, "gpu-0", json!({KEY: "gpu", INDEX: "0"}), &[]);
    world.pass(Duration::from_millis(1_500)).await;
    slice(&hub, "gpu-1", json!({KEY: "gpu", INDEX: "1"}), &["one", "two"]);
    world.until("it is taken", |world| decided(world) != ["one", "three"]).await;
    assert_eq!(decided(&world), ["one", "two"]);
    // A profile that is gone may come back; only the decision takes its cluster out.
    remove(&hub, Kind::cluster_profile(), "two");
    let not_followed = "decision fleet/gpu names fleet/two, which is not followed";
    world.until("it is said", |world| message(world) == not_followed).await;
    assert_eq!(decided(&world), ["one", "two"]);
    remove(&hub, Kind::placement_decision(), "gpu-0");
    remove(&hub, Kind::placement_decision(), "gpu-1");
    world.until("it is gone", |world| decided(world).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_where_a_decision_says_as_soon_as_that_is_known() {
    let world = hubbed(&["one", "two"]);
    let hub = Arc::clone(world.east());
    for name in ["one", "two"] {
        profile(&hub, name, "cloud");
        until_reached(&world, name).await;
    }
    world.submit("report", |run| run["spec"]["placement"] = json!({"decision": "fleet/alone"}));
    let waits = "east, one, two are not in the placement decision";
    world.until("it waits", |world| world.get("report").message.contains(waits)).await;
    slice(&hub, "alone", json!({}), &["two"]);
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.get("report").attempts[0].cluster_name, "two");
}
