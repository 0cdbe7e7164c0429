//! A stream of events that is followed from replica to replica, while leaders are killed.

use crate::dev::{Dev, PATIENCE, path, runnable, signal, until};
use rustix::process::Signal;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::time::timeout;

/// What an event says: its id, its type, and the record's name.
type Told = (u64, String, String);

/// Follows a stream over all replicas, each time from the last id that it had, until it has `upto`.
async fn follow(urls: Vec<String>, from: u64, upto: Arc<AtomicU64>) -> (Vec<Told>, usize) {
    let http = reqwest::Client::new();
    let (mut told, mut last, mut streams) = (Vec::new(), from, 0);
    loop {
        let url = &urls[streams % urls.len()];
        streams += 1;
        let request = http.get(format!("{url}{}", path("runnables"))).header("accept", "text/event-stream");
        let Ok(Ok(mut response)) = timeout(PATIENCE, request.header("last-event-id", last).send()).await
        else {
            continue;
        };
        if response.status().as_u16() != 200 {
            continue;
        }
        let mut text = String::new();
        while let Ok(Ok(Some(chunk))) = timeout(PATIENCE, response.chunk()).await {
            text += std::str::from_utf8(&chunk).unwrap();
            while let Some((block, rest)) = text.split_once("\n\n") {
                take(block, &mut last, &mut told);
                text = rest.to_owned();
            }
            if last >= upto.load(Relaxed) {
                return (told, streams);
            }
        }
    }
}

fn take(block: &str, last: &mut u64, told: &mut Vec<Told>) {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let Some(id) = field("id:") else { return };
    let (id, kind) = (id.parse().unwrap(), field("event:").unwrap());
    assert!(id >= *last, "the stream went back from {last} to {id}");
    *last = id;
    if kind != "BOOKMARK" {
        let data: Value = serde_json::from_str(field("data:").unwrap()).unwrap();
        let name = data["object"]["metadata"]["name"].as_str().unwrap().to_owned();
        assert_eq!(data["object"]["metadata"]["resourceVersion"], id.to_string());
        told.push((id, kind.to_owned(), name));
    }
}

/// The same events from the watch of one replica that nothing happens to, up to `upto`.
async fn replayed(url: &str, from: u64, upto: u64) -> Vec<Told> {
    let query = path(&format!("runnables?watch=true&allowWatchBookmarks=true&resourceVersion={from}"));
    let mut response = reqwest::get(format!("{url}{query}")).await.unwrap();
    let (mut text, mut told) = (String::new(), Vec::new());
    loop {
        let chunk = timeout(PATIENCE, response.chunk()).await.unwrap().unwrap().unwrap();
        text += std::str::from_utf8(&chunk).unwrap();
        while let Some((line, rest)) = text.split_once('\n') {
            let event: Value = serde_json::from_str(line).unwrap();
            let metadata = &event["object"]["metadata"];
            let revision: u64 = metadata["resourceVersion"].as_str().unwrap().parse().unwrap();
            let kind = event["type"].as_str().unwrap().to_owned();
            if kind != "BOOKMARK" && revision <= upto {
                told.push((revision, kind, metadata["name"].as_str().unwrap().to_owned()));
            } else if revision >= upto {
                return told;
            }
            text = rest.to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_followed_over_replicas_and_leader_changes_misses_nothing_and_tells_nothing_twice() {
    let dev = Dev::start(&[]).await;
    let leader = dev.leader().await;
    let list = dev.get(&leader.url, &path("runnables")).await.unwrap();
    let from: u64 = list.header("tallyman-revision").parse().unwrap();
    // The leader first: it is killed under the stream.
    let mut urls = vec![leader.url.clone()];
    urls.extend(dev.followers().await.into_iter().map(|replica| replica.url));
    let upto = Arc::new(AtomicU64::new(u64::MAX));
    let following = tokio::spawn(follow(urls.clone(), from, Arc::clone(&upto)));
    for i in 0..24 {
        if i == 8 || i == 16 {
            signal(dev.leader().await.pid, Signal::KILL);
        }
        let name = format!("run-{i:02}");
        until("a run is taken", async || {
            for url in &urls {
                let answer = dev.submit(url, "risk", &runnable(&name, "10ms")).await;
                if answer.is_some_and(|answer| matches!(answer.status, 201 | 409)) {
                    return Some(());
                }
            }
            None
        })
        .await;
    }
    for i in 0..24 {
        dev.until_phase("risk", &format!("run-{i:02}"), "Succeeded").await;
    }
    let survivor = dev.leader().await;
    let list = dev.get(&survivor.url, &path("runnables")).await.unwrap();
    let end: u64 = list.header("tallyman-revision").parse().unwrap();
    upto.store(end, Relaxed);
    let (told, streams) = timeout(PATIENCE, following).await.expect("the stream gets to the end").unwrap();
    let told: Vec<Told> = told.into_iter().filter(|(id, ..)| *id <= end).collect();
    assert!(streams >= 2, "no stream was broken");
    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0), "not in order, or twice");
    for i in 0..24 {
        let name = format!("run-{i:02}");
        assert_eq!(told.iter().filter(|(_, kind, of)| kind == "ADDED" && *of == name).count(), 1, "{name}");
    }
    assert_eq!(told, replayed(&survivor.url, from, end).await);
}
