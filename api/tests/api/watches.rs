//! Watches.

use crate::client::{start, start_with, words};
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path};
use serde_json::json;
use std::time::Duration;
use tallyman_model::Revision;
use tallyman_model::rule::Verdict;

fn event(kind: &str, name: &str, revision: u64) -> (String, String, u64) {
    (kind.to_owned(), name.to_owned(), revision)
}

#[tokio::test]
async fn a_watch_tells_every_change_in_order_from_where_it_was() {
    let server = start().await;
    let from = server.submit("a").await.revision();
    let mut watch = server.watch(&format!("{RUNNABLES}?watch=true&resourceVersion={from}")).await;
    server.submit("b").await;
    server.merge(&path("a"), &json!({"metadata": {"labels": {"x": "y"}}})).await.done(200);
    server.send("DELETE", &path("b"), &[], "").await.done(200);
    assert_eq!(watch.event().await, event("ADDED", "b", from + 1));
    assert_eq!(watch.event().await, event("MODIFIED", "a", from + 2));
    let deleted = watch.next().await.unwrap();
    assert_eq!(words(&deleted), event("DELETED", "b", from + 3));
    // Also what is gone is told in full.
    assert_eq!(deleted["object"]["spec"]["manifests"][0]["kind"], "Job");
    // From any revision in between it is the same stream.
    let mut resumed = server.watch(&format!("{RUNNABLES}?watch=1&resourceVersion={}", from + 1)).await;
    assert_eq!(resumed.event().await, event("MODIFIED", "a", from + 2));
    assert_eq!(resumed.event().await, event("DELETED", "b", from + 3));
}

#[tokio::test]
async fn a_watch_without_a_revision_begins_with_what_there_is() {
    let server = start().await;
    server.submit("a").await;
    server.submit("b").await;
    for query in ["watch=true", "watch=true&resourceVersion=0"] {
        let mut watch = server.watch(&format!("{RUNNABLES}?{query}")).await;
        assert_eq!(watch.event().await, event("ADDED", "a", 4), "{query}");
        assert_eq!(watch.event().await, event("ADDED", "b", 5), "{query}");
    }
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark_that_says_so() {
    let server = start().await;
    for i in 0..150 {
        server.submit(&format!("a{i:03}")).await;
    }
    let query =
        "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = server.watch(&format!("{RUNNABLES}?{query}")).await;
    for i in 0..150 {
        assert_eq!(watch.next().await.unwrap()["object"]["metadata"]["name"], format!("a{i:03}"));
    }
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], "153");
    server.submit("b").await;
    assert_eq!(watch.event().await, event("ADDED", "b", 154));
}

#[tokio::test]
async fn what_starts_or_stops_to_match_is_added_or_deleted() {
    let server = start().await;
    let east = server.memory.cluster("east");
    let from = server.submit("a").await.revision();
    let by_phase =
        format!("{RUNNABLES}?watch=true&resourceVersion={from}&fieldSelector=status.phase%3DRunning");
    let mut by_phase = server.watch(&by_phase).await;
    let by_label = format!("{RUNNABLES}?watch=true&resourceVersion={from}&labelSelector=desk%3Drates");
    let mut by_label = server.watch(&by_label).await;
    server.memory.started("a", east);
    server.merge(&path("a"), &json!({"metadata": {"labels": {"desk": "fx"}}})).await.done(200);
    server.memory.observe("a", Verdict::Succeeded, false);
    let phases: Vec<_> = [by_phase.event().await, by_phase.event().await, by_phase.event().await]
        .into_iter()
        .map(|(kind, _, _)| kind)
        .collect();
    assert_eq!(phases, ["ADDED", "MODIFIED", "DELETED"]);
    let mut labels = Vec::new();
    while labels.last().is_none_or(|kind| kind != "DELETED") {
        labels.push(by_label.event().await.0);
    }
    assert_eq!(labels, ["MODIFIED", "MODIFIED", "MODIFIED", "DELETED"]);
}

#[tokio::test]
async fn bookmarks_say_how_far_the_watch_is_when_they_are_asked_for() {
    let server = start().await;
    let from = server.submit("a").await.revision();
    let path_of = |more: &str| format!("{RUNNABLES}?watch=true&resourceVersion={from}{more}");
    let mut watch = server.watch(&path_of("&allowWatchBookmarks=true")).await;
    let first = watch.next().await.unwrap();
    assert_eq!(words(&first), event("BOOKMARK", "", from));
    assert_eq!(first["object"]["kind"], "Runnable");
    // A change that the watch does not tell moves it on, too.
    server.memory.cluster("east");
    loop {
        let (kind, _, revision) = words(&watch.next().await.unwrap());
        assert_eq!(kind, "BOOKMARK");
        if revision == server.memory.look(|view| tallyman_model::query::meta(view).unwrap().revision.0) {
            break;
        }
    }
    let mut silent = server.watch(&path_of("&timeoutSeconds=1")).await;
    assert_eq!(silent.next().await, None);
}

#[tokio::test]
async fn a_compacted_or_future_revision_is_refused_before_any_stream() {
    let server = start().await;
    let newest = server.submit("a").await.revision();
    server.memory.compact(Revision(newest));
    server.get(&format!("{RUNNABLES}?watch=true&resourceVersion=2")).await.refused(410, "Expired");
    let future = format!("{RUNNABLES}?watch=true&resourceVersion={}&timeout=50ms", newest + 100);
    server.get(&future).await.refused(504, "Timeout");
    for wrong in [
        "resourceVersion=x",
        "continue=x",
        "timeoutSeconds=x",
        "resourceVersionMatch=Exact&resourceVersion=3",
        "watch=maybe",
    ] {
        let watch = if wrong.starts_with("watch") { "" } else { "watch=true&" };
        server.get(&format!("{RUNNABLES}?{watch}{wrong}")).await.refused(400, "BadRequest");
    }
}

#[tokio::test]
async fn a_watch_that_falls_behind_what_is_kept_hears_it_in_the_stream() {
    let server = start().await;
    let from = server.submit("a").await.revision();
    let mut watch = server
        .watch(&format!("{RUNNABLES}?watch=true&resourceVersion={from}&allowWatchBookmarks=true"))
        .await;
    assert_eq!(watch.next().await.unwrap()["type"], "BOOKMARK");
    // All of it happens before the watch looks again.
    server.memory.freeze(true);
    server.submit("b").await;
    let newest = server.submit("c").await.revision();
    server.memory.compact(Revision(newest));
    server.memory.freeze(false);
    loop {
        let event = watch.next().await.unwrap();
        if event["type"] == "BOOKMARK" {
            continue;
        }
        assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)), "{event}");
        assert_eq!(event["object"]["reason"], "Expired");
        break;
    }
    assert_eq!(watch.next().await, None);
}

#[tokio::test]
async fn watches_end_when_the_server_stops() {
    let server = start_with(&Memory::founded(), |_, limits| limits.drain_max = Duration::from_secs(30)).await;
    let mut watch = server.watch(&format!("{RUNNABLES}?watch=true")).await;
    let stopping = tokio::spawn(server.stop());
    assert_eq!(watch.next().await, None);
    tokio::time::timeout(Duration::from_secs(5), stopping).await.expect("a quick end").unwrap();
}

#[tokio::test]
async fn rows_are_watched_too() {
    let server = start().await;
    server.submit("a").await;
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let path = format!("{RUNNABLES}?watch=true&timeoutSeconds=1");
    let reply = server.send("GET", &path, &accept, "").await;
    let event: serde_json::Value = serde_json::from_str(reply.text().lines().next().unwrap()).unwrap();
    assert_eq!((&event["type"], &event["object"]["kind"]), (&json!("ADDED"), &json!("Table")));
    assert_eq!(event["object"]["rows"][0]["cells"][0], "a");
}
