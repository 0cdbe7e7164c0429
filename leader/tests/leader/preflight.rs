//! Clusters that are asked whether they would take a run, before it is placed there.

use crate::world::World;
use serde_json::json;
use tallyman_model::record::Kind;
use tallyman_model::{Phase, Reason};

/// A leader and two clusters, of which `east`, the first by name, lacks the namespace.
fn two() -> World {
    let mut world = World::new(1, &["east", "west"]);
    world.raise();
    world.east().with(|inner| inner.namespaces.clear());
    world.lead(None);
    world
}

fn submit(world: &World, name: &str, preflight: &str) {
    world.submit(name, |run| {
        run["spec"]["preflight"] = json!(preflight);
        // The same for all: what was said of one is known of the others.
        run["spec"]["manifests"] = json!([{
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "job-"},
            "spec": {"template": {}},
        }]);
    });
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_to_a_cluster_that_would_take_it_and_few_are_asked_for_many() {
    let world = two();
    for number in 0..20 {
        submit(&world, &format!("report-{number}"), "Require");
    }
    for number in 0..20 {
        world.until_phase(&format!("report-{number}"), Phase::Succeeded).await;
    }
    let run = world.get("report-0");
    assert_eq!(run.attempt().unwrap().cluster_name, "west");
    assert!(run.checks[0].message.starts_with("Job risk/job-"), "{:?}", run.checks);
    for sim in world.sims.values() {
        // As many as are asked before the first answer is there.
        let asked = sim.with(|inner| inner.rehearsed.len());
        assert!(asked > 0 && asked < 20, "{asked} dry runs for 20 runs");
    }
    assert_eq!(world.east().with(|inner| inner.created.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_every_cluster_refuses_waits_with_their_words_until_one_takes_it() {
    let world = two();
    world.west().with(|inner| inner.namespaces.clear());
    submit(&world, "report", "Require");
    world
        .until("both have refused it", |world| {
            world.get("report").message.contains("east, west refuse it")
                || (world.get("report").message.contains("east refuses it")
                    && world.get("report").message.contains("west refuses it"))
        })
        .await;
    assert_eq!(world.get("report").reason, Reason::NoCluster);
    world.east().with(|inner| inner.namespaces.insert("risk".to_owned()));
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.get("report").attempt().unwrap().cluster_name, "east");
}

#[tokio::test(start_paused = true)]
async fn without_it_nobody_is_asked_and_advice_changes_nothing() {
    let world = two();
    submit(&world, "skips", "Skip");
    submit(&world, "heeds", "Advise");
    world.until("the advice is there", |world| !world.get("heeds").checks.is_empty()).await;
    world.until("it is placed", |world| !world.get("heeds").attempts.is_empty()).await;
    let asked: usize = world.sims.values().map(|sim| sim.with(|inner| inner.rehearsed.len())).sum();
    assert_eq!(asked, 1);
    assert!(world.get("skips").checks.is_empty());
    world.sims.values().for_each(|sim| {
        sim.with(|inner| inner.namespaces.insert("risk".to_owned()));
    });
    world.until_phase("skips", Phase::Succeeded).await;
    world.until_phase("heeds", Phase::Succeeded).await;
    let jobs = world.sims.values().map(|sim| sim.with(|inner| inner.created.clone())).collect::<Vec<_>>();
    assert_eq!(jobs.iter().flatten().filter(|(kind, _, _)| *kind == Kind::Job).count(), 2);
}
