//! Watches: where they start, what they tell, how they end.

use crate::world::{WAIT_MAX, client, cluster, config_map, config_maps, create_config_maps, start};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use std::pin::Pin;
use std::time::Duration;
use tallyman_chaos::{Fault, Matching, SimulatedCluster, SimulatedClusterOptions, Verb};

type Events = Pin<Box<dyn Stream<Item = kube::Result<WatchEvent<ConfigMap>>> + Send>>;

async fn watch(api: &Api<ConfigMap>, params: &WatchParams, version: &str) -> Events {
    api.watch(params, version).await.unwrap().boxed()
}

async fn version(api: &Api<ConfigMap>) -> String {
    api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap()
}

/// The next event in short: what happened, and to whom.
async fn next(events: &mut Events) -> String {
    let event = tokio::time::timeout(WAIT_MAX, events.try_next()).await.expect("an event in time");
    match event.unwrap() {
        Some(WatchEvent::Added(map)) => format!("added {}", map.metadata.name.unwrap()),
        Some(WatchEvent::Modified(map)) => format!("modified {}", map.metadata.name.unwrap()),
        Some(WatchEvent::Deleted(map)) => format!("deleted {}", map.metadata.name.unwrap()),
        Some(WatchEvent::Bookmark(mark))
            if mark.metadata.annotations.contains_key("k8s.io/initial-events-end") =>
        {
            "end of the initial".to_owned()
        }
        Some(WatchEvent::Bookmark(_)) => "bookmark".to_owned(),
        Some(WatchEvent::Error(status)) => format!("error {} {}", status.code, status.reason),
        None => "end".to_owned(),
    }
}

fn quiet() -> WatchParams {
    WatchParams::default().disable_bookmarks()
}

async fn with_fast_bookmarks() -> SimulatedCluster {
    let mut options = SimulatedClusterOptions::named("east");
    options.bookmark_interval = Duration::from_millis(20);
    start(options).await
}

#[tokio::test]
async fn a_watch_tells_what_happened_since_its_version_and_what_happens() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    create_config_maps(&api, 0..2).await;
    api.delete("c000", &DeleteParams::default()).await.unwrap();
    let mut events = watch(&api, &quiet(), &from).await;
    for expected in ["added c000", "added c001", "deleted c000"] {
        assert_eq!(next(&mut events).await, expected);
    }
    let patch = Patch::Merge(json!({"data": {"k": "v"}}));
    api.patch("c001", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(next(&mut events).await, "modified c001");
}

#[tokio::test]
async fn a_watch_without_a_version_tells_first_what_is_there() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    create_config_maps(&api, 0..2).await;
    let mut events = watch(&api, &quiet(), "0").await;
    create_config_maps(&api, 2..3).await;
    for expected in ["added c000", "added c001", "added c002"] {
        assert_eq!(next(&mut events).await, expected);
    }
}

#[tokio::test]
async fn a_streaming_list_says_where_it_ends() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    create_config_maps(&api, 0..2).await;
    let mut events = watch(&api, &WatchParams::default().initial_events(), "").await;
    for expected in ["added c000", "added c001", "end of the initial"] {
        assert_eq!(next(&mut events).await, expected);
    }
}

#[tokio::test]
async fn bookmarks_carry_versions_of_changes_that_are_not_for_the_watch() {
    let cluster = with_fast_bookmarks().await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    let mut events = watch(&api, &WatchParams::default(), &from).await;
    let other: Api<ConfigMap> = Api::namespaced(client(&cluster), "other");
    create_config_maps(&other, 0..3).await;
    let reached: u64 = version(&other).await.parse().unwrap();
    let mark = tokio::time::timeout(WAIT_MAX, async {
        loop {
            let Some(WatchEvent::Bookmark(mark)) = events.try_next().await.unwrap() else {
                panic!("no bookmark")
            };
            if mark.metadata.resource_version.parse::<u64>().unwrap() >= reached {
                return mark;
            }
        }
    });
    mark.await.unwrap();
}

#[tokio::test]
async fn a_watch_from_before_a_compaction_is_expired_inside_of_the_stream() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    create_config_maps(&api, 0..2).await;
    cluster.compact();
    let mut events = watch(&api, &quiet(), &from).await;
    assert_eq!(next(&mut events).await, "error 410 Expired");
    assert_eq!(next(&mut events).await, "end");
}

#[tokio::test]
async fn a_watch_that_is_open_survives_a_compaction() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let mut events = watch(&api, &quiet(), &version(&api).await).await;
    create_config_maps(&api, 0..1).await;
    assert_eq!(next(&mut events).await, "added c000");
    let other: Api<ConfigMap> = Api::namespaced(client(&cluster), "other");
    create_config_maps(&other, 0..3).await;
    // Once this is told, the watch has passed what is compacted now.
    create_config_maps(&api, 1..2).await;
    assert_eq!(next(&mut events).await, "added c001");
    cluster.compact();
    create_config_maps(&api, 2..3).await;
    assert_eq!(next(&mut events).await, "added c002");
}

#[tokio::test]
async fn a_full_history_expires_old_watches() {
    let mut options = SimulatedClusterOptions::named("east");
    options.history_events_max = 5;
    let cluster = start(options).await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    create_config_maps(&api, 0..7).await;
    let mut events = watch(&api, &quiet(), &from).await;
    assert_eq!(next(&mut events).await, "error 410 Expired");
}

#[tokio::test]
async fn an_expired_watch_can_be_answered_by_status() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    let id = cluster.faults().next(1, Matching::verb(Verb::Watch), Fault::GoneAsStatus);
    let Err(kube::Error::Api(status)) = api.watch(&quiet(), &from).await.map(drop) else {
        panic!("not refused")
    };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    assert_eq!(cluster.faults().hits(id), 1);
}

#[tokio::test]
async fn an_object_that_starts_or_stops_to_match_is_told_as_added_or_deleted() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    let mut events = watch(&api, &quiet().labels("tier=b"), &from).await;
    api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
    for (tier, expected) in [("b", "added one"), ("b2", "deleted one"), ("b", "added one")] {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"tier": tier}}}));
        api.patch("one", &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(next(&mut events).await, expected);
    }
    api.delete("one", &DeleteParams::default()).await.unwrap();
    assert_eq!(next(&mut events).await, "deleted one");
}

#[tokio::test]
async fn a_watch_ends_after_its_timeout_and_when_all_are_closed() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    let mut events = watch(&api, &quiet().timeout(1), &from).await;
    assert_eq!(next(&mut events).await, "end");
    let mut events = watch(&api, &quiet(), &from).await;
    cluster.faults().close_watches();
    assert_eq!(next(&mut events).await, "end");
}

#[tokio::test]
async fn a_silent_watch_says_nothing_until_the_silence_ends() {
    let cluster = with_fast_bookmarks().await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    cluster.faults().silence_watches(true);
    let mut events = watch(&api, &WatchParams::default(), &from).await;
    create_config_maps(&api, 0..1).await;
    // Ten times the interval of bookmarks.
    let sound = tokio::time::timeout(Duration::from_millis(200), events.try_next()).await;
    assert!(sound.is_err(), "{sound:?}");
    cluster.faults().silence_watches(false);
    assert_eq!(next(&mut events).await, "added c000");
}

#[tokio::test]
async fn a_watch_from_the_future_stays_silent_until_its_version_is_passed() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    let from = version(&api).await.parse::<u64>().unwrap() + 2;
    let mut events = watch(&api, &quiet(), &from.to_string()).await;
    // The namespace, made on first use, takes a version too.
    create_config_maps(&api, 0..3).await;
    assert_eq!(next(&mut events).await, "added c001");
}

#[tokio::test]
async fn a_watch_of_metadata_tells_the_same_with_nothing_else_of_objects() {
    let cluster = with_fast_bookmarks().await;
    let api = config_maps(&cluster);
    let from = version(&api).await;
    create_config_maps(&api, 0..1).await;
    let path = format!(
        "/api/v1/namespaces/risk/configmaps?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion={from}"
    );
    let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let request = hyper::Request::get(path).header("accept", accept).body(Vec::new()).unwrap();
    let text = client(&cluster).request_text(request).await.unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["type"], &lines[1]["type"]), (&json!("ADDED"), &json!("BOOKMARK")), "{text}");
    for line in &lines {
        let fields: Vec<_> = line["object"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["apiVersion", "kind", "metadata"], "{line}");
        assert_eq!(line["object"]["kind"], "PartialObjectMetadata");
    }
}
