//! What is kept in a directory.

use crate::world::{client, condition, config_map, config_maps, job_with, jobs, start};
use futures::TryStreamExt as _;
use kube::api::{DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use std::path::Path;
use std::pin::pin;
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions, StartError};

fn kept_in(dir: &Path) -> SimulatedClusterOptions {
    SimulatedClusterOptions { dir: Some(dir.to_owned()), ..SimulatedClusterOptions::named("east") }
}

#[tokio::test]
async fn objects_identity_and_version_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(kept_in(dir.path())).await;
    let (uid, address) = (first.uid(), first.address());
    let api = config_maps(&first);
    let made = api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    api.create(&PostParams::default(), &config_map("two", "a")).await.unwrap();
    api.delete("two", &DeleteParams::default()).await.unwrap();
    let version = api.list(&ListParams::default()).await.unwrap().metadata.resource_version;
    drop((api, client(&first)));
    first.stop().await;
    let second = start(SimulatedClusterOptions { listen: address, ..kept_in(dir.path()) }).await;
    assert_eq!((second.uid(), second.address()), (uid, address));
    let found = config_maps(&second).list(&ListParams::default()).await.unwrap();
    assert_eq!(found.metadata.resource_version, version);
    assert_eq!(found.items.len(), 1);
    assert_eq!(found.items[0].metadata, made.metadata);
}

#[tokio::test]
async fn a_watch_goes_on_from_before_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(kept_in(dir.path())).await;
    let version =
        config_maps(&first).list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    config_maps(&first).create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    first.stop().await;
    let second = start(kept_in(dir.path())).await;
    let mut events = pin!(config_maps(&second).watch(&WatchParams::default(), &version).await.unwrap());
    let Some(WatchEvent::Added(map)) = events.try_next().await.unwrap() else { panic!("not added") };
    assert_eq!(map.metadata.name.as_deref(), Some("one"));
}

#[tokio::test]
async fn running_jobs_go_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(kept_in(dir.path())).await;
    jobs(&first).create(&PostParams::default(), &job_with("report", "1s", &json!({}))).await.unwrap();
    first.stop().await;
    let second = start(kept_in(dir.path())).await;
    let done = condition(&jobs(&second), "report", "Complete").await;
    assert_eq!(done.status.unwrap().succeeded, Some(1));
}

#[tokio::test]
async fn a_cluster_that_is_dropped_without_a_stop_keeps_what_it_answered() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(kept_in(dir.path())).await;
    config_maps(&first).create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    drop(first);
    let second = start(kept_in(dir.path())).await;
    assert!(config_maps(&second).get("one").await.is_ok());
}

#[tokio::test]
async fn two_clusters_do_not_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _first = start(kept_in(dir.path())).await;
    let second = SimulatedCluster::start(kept_in(dir.path())).await;
    assert!(matches!(second, Err(StartError::DirInUse { .. })), "{second:?}");
}

#[tokio::test]
async fn a_rewound_cluster_forgets_what_came_after_and_ends_watches() {
    let cluster = start(SimulatedClusterOptions::named("east")).await;
    let api = config_maps(&cluster);
    api.create(&PostParams::default(), &config_map("old", "a")).await.unwrap();
    let checkpoint = cluster.checkpoint();
    let made = api.create(&PostParams::default(), &config_map("new", "a")).await.unwrap();
    api.delete("old", &DeleteParams::default()).await.unwrap();
    let version = made.metadata.resource_version.unwrap();
    let mut events = pin!(api.watch(&WatchParams::default().disable_bookmarks(), &version).await.unwrap());
    assert!(matches!(events.try_next().await.unwrap(), Some(WatchEvent::Deleted(_))));
    cluster.rewind(&checkpoint).unwrap();
    assert!(events.try_next().await.unwrap().is_none());
    let found = api.list(&ListParams::default()).await.unwrap();
    assert!(found.metadata.resource_version.unwrap().parse::<u64>().unwrap() < version.parse().unwrap());
    let names: Vec<_> = found.items.into_iter().map(|map| map.metadata.name.unwrap()).collect();
    assert_eq!(names, ["old"]);
}
