//! Clusters that are watched by namespaces.

use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tallyman_model::command::{Delete, Target, UpdateCluster};
use tallyman_model::record::{Extent, Kind, WatchScope};
use tallyman_model::{Command, Env, Phase, manifest};

/// A leader of one cluster, of which it may read only these namespaces.
fn led(namespaces: &[&str]) -> World {
    let mut world = World::new(1, &["east"]);
    world.raise();
    world.watch(WatchScope::Namespaces);
    let readable: BTreeSet<String> = namespaces.iter().map(|&namespace| namespace.to_owned()).collect();
    world.east().with(|inner| inner.readable = Some(readable));
    world.lead(None);
    world
}

impl World {
    fn watch(&self, scope: WatchScope) {
        let watch = Some((scope, Vec::new()));
        self.ok(Command::UpdateCluster(UpdateCluster {
            name: "east".to_owned(),
            watch,
            ..UpdateCluster::default()
        }));
    }

    /// A Job that ends when it is told to.
    fn submit_in(&self, namespace: &str, name: &str) {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {}}});
        let value: Value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"manifests": [job]},
        });
        let submit = manifest::accept(value, namespace, self.state.env.uid()).expect("it is well-formed");
        self.ok(Command::Submit(Box::new(submit)));
    }

    fn watched(&self) -> Vec<Extent> {
        self.east().with(|inner| inner.extents.clone())
    }

    fn denied(&self) -> usize {
        self.east().with(|inner| inner.denied.len())
    }
}

fn jobs_in(namespace: &str) -> Extent {
    Extent { kind: Kind::Job, namespace: namespace.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_followed_swept_and_deleted_by_what_may_be_read_of_its_namespace() {
    let world = led(&["risk"]);
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
    world.until("a sweep", |world| world.cluster("east").swept_ms > 0).await;
    world.ok(Command::Delete(Delete { target: Target::named("risk", "report") }));
    world.until("it is gone", |world| world.find("report").is_none()).await;
    assert_eq!(world.watched(), [jobs_in("risk")]);
    assert_eq!((world.denied(), world.cluster("east").message.as_str()), (0, ""));
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_resumes_the_watch_of_each_namespace_where_it_was() {
    let mut world = led(&["risk", "desk"]);
    world.east().with(|inner| inner.run_ms = 600_000);
    world.submit_in("risk", "one");
    world.submit_in("desk", "two");
    world.until_phase("one", Phase::Running).await;
    world.until("both are watched", |world| world.watched().len() == 2).await;
    world.pass(Duration::from_secs(20)).await;
    // Whoever would list them now would be told that nothing is there.
    let listings = world.east().with(|inner| inner.listings.clone());
    world.lead(None);
    world.until("both are watched again", |world| world.watched().len() == 4).await;
    assert_eq!(world.east().with(|inner| inner.listings.clone()), listings, "nothing is listed anew");
    world.until_phase("one", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_in_one_namespace_is_said_and_not_taken_for_gone() {
    let world = led(&["risk"]);
    world.east().with(|inner| inner.run_ms = 600_000);
    world.submit_in("desk", "unseen");
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    world.until("it is said", |world| !world.cluster("east").message.is_empty()).await;
    world.pass(Duration::from_secs(120)).await;
    let name = (Kind::Job, "desk".to_owned(), "unseen".to_owned());
    assert!(world.east().get(name.0, &name.1, &name.2).is_some(), "nobody touched it");
    world.until_phase("report", Phase::Succeeded).await;
    assert!(world.east().with(|inner| inner.denied.iter().all(|extent| extent.namespace == "desk")));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_watched_as_its_scope_says_from_then_on() {
    let world = led(&["risk"]);
    world.east().with(|inner| inner.run_ms = 30_000);
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    world.east().with(|inner| inner.readable = None);
    world.watch(WatchScope::Cluster);
    let everywhere = Extent::everywhere(Kind::Job);
    world.until("it is watched whole", |world| world.watched().last() == Some(&everywhere)).await;
    world.watch(WatchScope::Namespaces);
    world
        .until("it is watched by namespaces", |world| world.watched().last() == Some(&jobs_in("risk")))
        .await;
    world.until_phase("report", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_of_the_whole_cluster_is_said_no_more_once_it_is_watched_by_namespaces() {
    let world = led(&["risk"]);
    world.watch(WatchScope::Cluster);
    world.until("it is said", |world| !world.cluster("east").message.is_empty()).await;
    world.pass(Duration::from_secs(60)).await;
    world.watch(WatchScope::Namespaces);
    world.until("it is said no more", |world| world.cluster("east").message.is_empty()).await;
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
}
