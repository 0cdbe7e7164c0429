#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that gives `answers` in turn, each to one connection, and notes what it was asked for.
async fn server(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let requests = Arc::clone(&seen);
    tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 16 * 1024];
            let length = socket.read(&mut bytes).await.unwrap();
            let line = String::from_utf8_lossy(&bytes[..length]).lines().next().unwrap().to_owned();
            requests.lock().unwrap().push(line);
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (url, seen)
}

fn run(name: &str, revision: u64) -> Value {
    json!({"metadata": {"namespace": "risk", "name": name, "uid": name, "resourceVersion": revision.to_string()}})
}

fn list(revision: u64, runs: &[Value]) -> String {
    let body =
        json!({"kind": "RunnableList", "metadata": {"resourceVersion": revision.to_string()}, "items": runs});
    answer(200, &body.to_string())
}

fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A watch that breaks off after these events.
fn watch(events: &[(&str, Value)]) -> String {
    let lines: Vec<String> = events
        .iter()
        .map(|(kind, object)| json!({"type": kind, "object": object}).to_string() + "\n")
        .collect();
    format!("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\nConnection: close\r\n\r\n{}", lines.concat())
}

async fn follow(urls: Vec<String>) -> Follow {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::plain(urls).unwrap().within(Duration::from_secs(10));
    let request = Request::get(request::runnables(Some("risk")));
    Follow::start(&client, Scope::Selected(Box::new(request))).await.unwrap().0
}

#[tokio::test]
async fn a_watch_that_breaks_goes_on_at_its_revision_on_the_next_server() {
    let (one, _) = server(vec![list(7, &[run("a", 5)]), watch(&[("MODIFIED", run("a", 8))])]).await;
    let (other, asked) =
        server(vec![watch(&[("BOOKMARK", run("", 9))]), watch(&[("ADDED", run("b", 10))])]).await;
    let mut follow = follow(vec![one, other]).await;
    assert_eq!(follow.next().await.unwrap(), Change::Modified(run("a", 8)));
    assert_eq!(follow.next().await.unwrap(), Change::Added(run("b", 10)));
    let asked = asked.lock().unwrap();
    assert!(asked[0].contains("resourceVersion=8"), "{asked:?}");
    assert!(asked[1].contains("resourceVersion=9"), "a bookmark moves it on: {asked:?}");
}

#[tokio::test]
async fn what_is_too_old_is_read_anew_and_the_gap_is_told() {
    let gone = answer(410, &json!({"kind": "Status", "code": 410, "reason": "Expired"}).to_string());
    let (url, _) = server(vec![
        list(7, &[run("a", 5), run("b", 6), run("c", 7)]),
        gone,
        list(20, &[run("a", 5), run("c", 12), run("d", 15)]),
    ])
    .await;
    let mut follow = follow(vec![url]).await;
    assert_eq!(follow.next().await.unwrap(), Change::Gap);
    assert_eq!(follow.next().await.unwrap(), Change::Modified(run("c", 12)));
    assert_eq!(follow.next().await.unwrap(), Change::Added(run("d", 15)));
    assert!(matches!(follow.next().await.unwrap(), Change::Deleted(run) if reference(&run) == "risk/b"));
    assert_eq!(follow.version(), 20);
}

#[tokio::test]
async fn an_error_in_the_stream_is_a_gap_only_if_it_says_so() {
    let error = |code: u64| ("ERROR", json!({"kind": "Status", "code": code}));
    let (url, asked) = server(vec![
        list(7, &[]),
        watch(&[error(503)]),
        watch(&[("ADDED", run("a", 8)), error(410)]),
        list(9, &[run("a", 8)]),
    ])
    .await;
    let mut follow = follow(vec![url]).await;
    assert_eq!(follow.next().await.unwrap(), Change::Added(run("a", 8)));
    assert_eq!(follow.next().await.unwrap(), Change::Gap);
    assert!(asked.lock().unwrap()[2].contains("resourceVersion=7"));
}
