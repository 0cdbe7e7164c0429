//! Watches as server-sent events.

use crate::client::{Server, start, start_with};
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path, runnable};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_model::Revision;
use tokio::time::timeout;

const AUDIT: &str = "/apis/tallyman.dev/v1/auditrecords";

struct Stream {
    body: Incoming,
    rest: String,
}

/// One event, or a comment, in which case only `comment` is true.
#[derive(Debug, Default, PartialEq)]
struct Event {
    id: Option<u64>,
    event: String,
    data: Value,
    comment: bool,
}

impl Event {
    fn name(&self) -> &str {
        self.data["object"]["metadata"]["name"].as_str().unwrap_or_default()
    }
}

impl Stream {
    async fn open(server: &Server, path: &str, last: Option<u64>) -> Self {
        let mut headers = vec![("accept", "text/event-stream".to_owned())];
        headers.extend(last.map(|last| ("last-event-id", last.to_string())));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let response = server.open("GET", path, &headers, "").await;
        assert_eq!(response.status().as_u16(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert!(header("cache-control").contains("no-cache"));
        assert_eq!(header("x-accel-buffering"), "no");
        assert_eq!(header("tallyman-served-by"), "r2");
        let mut stream = Self { body: response.into_body(), rest: String::new() };
        assert_eq!(stream.block().await.unwrap(), "retry: 1000");
        stream
    }

    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                return Some(block);
            }
            let frame = timeout(Duration::from_secs(60), self.body.frame()).await.expect("a sign of life");
            self.rest += std::str::from_utf8(&frame?.unwrap().into_data().unwrap()).unwrap();
        }
    }

    async fn next(&mut self) -> Option<Event> {
        let block = self.block().await?;
        let mut event = Event::default();
        for line in block.lines() {
            match line.split_once(':').unwrap() {
                ("id", id) => event.id = Some(id.trim().parse().unwrap()),
                ("event", name) => event.event = name.trim().to_owned(),
                ("data", data) => event.data = serde_json::from_str(data).unwrap(),
                ("", "") => event.comment = true,
                other => panic!("{other:?}"),
            }
        }
        Some(event)
    }

    /// The next one that tells of a record: its type, name and id.
    async fn change(&mut self) -> (String, String, Option<u64>) {
        loop {
            let event = self.next().await.expect("an event");
            if !event.comment && event.event != "BOOKMARK" {
                assert_eq!(event.data["type"], event.event);
                return (event.event.clone(), event.name().to_owned(), event.id);
            }
        }
    }
}

fn told(kind: &str, name: &str, id: u64) -> (String, String, Option<u64>) {
    (kind.to_owned(), name.to_owned(), Some(id))
}

#[tokio::test]
async fn a_stream_begins_with_what_there_is_and_then_says_from_where_to_go_on() {
    let server = start().await;
    server.submit("a").await;
    let newest = server.submit("b").await.revision();
    let mut stream = Stream::open(&server, RUNNABLES, None).await;
    for name in ["a", "b"] {
        let event = stream.next().await.unwrap();
        // In the order of making, not of change: none of them is a place to go on from.
        assert_eq!((event.event.as_str(), event.name(), event.id), ("ADDED", name, None));
    }
    let bookmark = stream.next().await.unwrap();
    assert_eq!((bookmark.event.as_str(), bookmark.id), ("BOOKMARK", Some(newest)));
    assert_eq!(bookmark.data["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    server.merge(&path("a"), &json!({"metadata": {"labels": {"x": "y"}}})).await.done(200);
    server.send("DELETE", &path("b"), &[], "").await.done(200);
    assert_eq!(stream.change().await, told("MODIFIED", "a", newest + 1));
    assert_eq!(stream.change().await, told("DELETED", "b", newest + 2));
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_that_its_reader_has() {
    let server = start().await;
    let from = server.submit("a").await.revision();
    for name in ["b", "c", "d"] {
        server.submit(name).await;
    }
    // A browser repeats the URL that it began with; where it was stands in the header.
    let begun = format!("{RUNNABLES}?watch=true&resourceVersion={from}");
    for (query, last) in [(begun.as_str(), None), (RUNNABLES, Some(from)), (&begun, Some(from + 1))] {
        let mut stream = Stream::open(&server, query, last).await;
        let first = last.unwrap_or(from) + 1;
        for (i, name) in ["b", "c", "d"].iter().enumerate().skip(usize::try_from(first - from - 1).unwrap()) {
            assert_eq!(stream.change().await, told("ADDED", name, from + 1 + i as u64));
        }
    }
    let initial =
        format!("{RUNNABLES}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=1");
    let mut stream = Stream::open(&server, &initial, Some(from + 2)).await;
    assert_eq!(stream.change().await, told("ADDED", "d", from + 3));
}

#[tokio::test]
async fn an_id_that_is_too_old_is_said_before_the_stream_or_in_it_and_never_skipped() {
    let server = start().await;
    let from = server.submit("a").await.revision();
    let mut stream = Stream::open(&server, RUNNABLES, Some(from)).await;
    server.memory.freeze(true);
    server.submit("b").await;
    let newest = server.submit("c").await.revision();
    server.memory.compact(Revision(newest));
    server.memory.freeze(false);
    let error = loop {
        let event = stream.next().await.unwrap();
        if !event.comment && event.event != "BOOKMARK" {
            break event;
        }
    };
    assert_eq!((error.event.as_str(), &error.data["object"]["code"]), ("ERROR", &json!(410)));
    assert_eq!(error.id, None);
    assert_eq!(stream.next().await, None);
    let headers = [("accept", "text/event-stream"), ("last-event-id", &from.to_string())];
    server.send("GET", RUNNABLES, &headers, "").await.refused(410, "Expired");
    let headers = [("accept", "text/event-stream"), ("last-event-id", "x1")];
    server.send("GET", RUNNABLES, &headers, "").await.refused(400, "BadRequest");
}

#[tokio::test]
async fn a_follower_that_is_behind_the_id_waits_for_it() {
    let server = start().await;
    server.memory.freeze(true);
    let from = server.submit("a").await.revision();
    server.submit("b").await;
    let memory = server.memory.clone();
    let stream = tokio::spawn(async move {
        let mut stream = Stream::open(&server, RUNNABLES, Some(from)).await;
        stream.change().await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!stream.is_finished());
    memory.freeze(false);
    assert_eq!(stream.await.unwrap(), told("ADDED", "b", from + 1));
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives_and_a_bookmark_moves_the_id_past_what_is_not_told() {
    let memory = Memory::founded();
    let server = start_with(&memory, |options, _| options.heartbeat_every = Duration::from_millis(40)).await;
    let from = server.submit("a").await.revision();
    let mut stream = Stream::open(&server, RUNNABLES, Some(from)).await;
    // Nothing is new: comments only, which an EventSource does not see.
    for _ in 0..3 {
        assert!(stream.next().await.unwrap().comment);
    }
    memory.cluster("east");
    let newest = memory.look(|view| tallyman_model::query::meta(view).unwrap().revision.0);
    let mut reached = from;
    while reached < newest {
        let event = stream.next().await.unwrap();
        if !event.comment {
            assert_eq!(event.event, "BOOKMARK");
            assert!(event.id.unwrap() > reached, "a bookmark that says nothing new");
            reached = event.id.unwrap();
        }
    }
}

#[tokio::test]
async fn a_bookmark_follows_events_behind_which_more_was_read_that_is_not_told() {
    let memory = Memory::founded();
    let server = start_with(&memory, |options, _| options.heartbeat_every = Duration::from_millis(40)).await;
    let from = server.submit("a").await.revision();
    let added = server.submit("b").await.revision();
    memory.cluster("east");
    let newest = memory.look(|view| tallyman_model::query::meta(view).unwrap().revision.0);
    assert!(newest > added);
    // Both are there when it begins, and are read together.
    let mut stream = Stream::open(&server, RUNNABLES, Some(from)).await;
    assert_eq!(stream.change().await, told("ADDED", "b", added));
    let bookmark = stream.next().await.unwrap();
    assert_eq!((bookmark.event.as_str(), bookmark.id), ("BOOKMARK", Some(newest)));
}

#[tokio::test]
async fn the_ledger_and_rows_for_people_are_streams_too() {
    let server = start().await;
    server.submit("a").await;
    let mut stream = Stream::open(&server, AUDIT, None).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.event.as_str(), first.name()), ("ADDED", "1"));
    let mut resumed = Stream::open(&server, AUDIT, first.id).await;
    assert_eq!(resumed.change().await.1, "2");
    let table = "text/event-stream, application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut stream = server.open("GET", RUNNABLES, &[("accept", table)], "").await.into_body();
    let mut text = String::new();
    while !text.contains("rows") {
        let frame = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        text += std::str::from_utf8(&frame).unwrap();
    }
    assert!(
        text.starts_with("retry: 1000\n\nevent: ADDED\ndata: {\"type\":\"ADDED\",\"object\":{"),
        "{text}"
    );
    // One record is not a stream, and what takes both and names JSON first gets JSON.
    server
        .send("GET", &path("a"), &[("accept", "text/event-stream")], "")
        .await
        .refused(406, "NotAcceptable");
    let both = [("accept", "application/json, text/event-stream")];
    assert_eq!(server.send("GET", RUNNABLES, &both, "").await.done(200)["kind"], "RunnableList");
}

#[tokio::test]
async fn large_events_come_one_by_one_and_whole() {
    let server = start().await;
    let from = server.submit("a").await.revision();
    let mut body = runnable("b");
    body["spec"]["manifests"][0]["spec"]["filler"] = json!("x".repeat(500 * 1024));
    for i in 0..8 {
        body["metadata"]["name"] = json!(format!("b{i}"));
        server.post(RUNNABLES, &body).await.done(201);
    }
    let mut stream = Stream::open(&server, RUNNABLES, Some(from)).await;
    let mut whole = Stream::open(&server, RUNNABLES, None).await;
    assert_eq!(whole.next().await.unwrap().name(), "a");
    for i in 0..8 {
        assert_eq!(stream.change().await, told("ADDED", &format!("b{i}"), from + 1 + i));
        assert_eq!(whole.next().await.unwrap().name(), format!("b{i}"));
    }
}
