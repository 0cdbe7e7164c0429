//! `Prefer`: waiting for what a write is for, long polls, and short answers.

use crate::client::{Reply, Server, start, start_with};
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path, runnable};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::rule::Verdict;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Sends a request in the background.
fn later(
    server: &Arc<Server>,
    method: &'static str,
    path: String,
    prefer: &'static str,
    body: String,
) -> JoinHandle<Reply> {
    let server = Arc::clone(server);
    tokio::spawn(async move { server.send(method, &path, &[("prefer", prefer)], body).await })
}

/// Gives a request time to be wrong.
async fn not_yet(answer: &JoinHandle<Reply>) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!answer.is_finished());
}

#[tokio::test]
async fn a_create_that_waits_is_answered_when_the_main_object_is_on_the_cluster() {
    let server = Arc::new(start().await);
    let east = server.memory.cluster("east");
    let create = later(&server, "POST", RUNNABLES.to_owned(), "wait=60", runnable("a").to_string());
    not_yet(&create).await;
    server.memory.place("a", east);
    server.memory.intend("a");
    not_yet(&create).await;
    server.memory.observe("a", Verdict::Running, false);
    let reply = create.await.unwrap();
    let document = reply.done(201);
    assert_eq!(document["status"]["phase"], "Running");
    assert_eq!(reply.header("preference-applied"), "wait=60");
    assert_eq!(
        reply.header("etag"),
        format!("\"{}\"", document["metadata"]["resourceVersion"].as_str().unwrap())
    );
    let own: u64 = document["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    assert!(reply.revision() >= own);
}

#[tokio::test]
async fn a_wait_that_is_over_is_answered_with_the_run_as_it_is() {
    let server = start().await;
    let begun = Instant::now();
    let reply = server.send("POST", RUNNABLES, &[("prefer", "wait=1")], runnable("a").to_string()).await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(reply.done(201)["status"]["phase"], "Accepted");
    assert_eq!(reply.header("preference-applied"), "wait=1");
    // Without the header nobody waits, and what is longer than may be is cut.
    assert_eq!(server.submit("b").await.header("preference-applied"), "");
    let reply = server.send("DELETE", &path("b"), &[("prefer", "wait=999999")], "").await;
    assert_eq!(reply.header("preference-applied"), "wait=300");
}

#[tokio::test]
async fn cancel_delete_and_retry_wait_for_what_they_are_for() {
    let server = Arc::new(start().await);
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    let cancel = later(&server, "POST", format!("{}/cancel", path("a")), "wait=60", String::new());
    not_yet(&cancel).await;
    server.memory.observe("a", Verdict::Running, true);
    assert_eq!(cancel.await.unwrap().done(200)["status"]["phase"], "Cancelled");
    let retry = later(&server, "POST", format!("{}/retry", path("a")), "wait=60", String::new());
    not_yet(&retry).await;
    let delete = later(&server, "DELETE", path("a"), "wait=60", String::new());
    // It was between two attempts, so nothing of it is left.
    let reply = delete.await.unwrap();
    assert_eq!(reply.done(200)["status"], "Success");
    assert_eq!(reply.header("preference-applied"), "wait=60");
    retry.await.unwrap().done(200);
    server.get(&path("a")).await.refused(404, "NotFound");
}

#[tokio::test]
async fn what_waits_holds_no_place_of_others() {
    let memory = Memory::founded();
    let server = start_with(&memory, |options, _| {
        options.bounds.writes_max = 1;
        options.bounds.writes_of_one_tenant_max = 1;
        options.bounds.reads_max = 1;
        options.bounds.waits_max = 3;
    });
    let server = Arc::new(server.await);
    let waits: Vec<_> = (0..3)
        .map(|i| {
            later(&server, "POST", RUNNABLES.to_owned(), "wait=60", runnable(&format!("a{i}")).to_string())
        })
        .collect();
    for wait in &waits {
        not_yet(wait).await;
    }
    // Beyond the bound a write is answered at once, and does not say that it waited.
    let reply = server.send("POST", RUNNABLES, &[("prefer", "wait=60")], runnable("b").to_string()).await;
    reply.done(201);
    assert_eq!(reply.header("preference-applied"), "");
    server.get(&path("b")).await.done(200);
    // What cannot be answered without waiting is refused.
    let future = format!("{}?resourceVersion=99999", path("b"));
    let reply = server.get(&future).await;
    reply.refused(429, "TooManyRequests");
    assert!(reply.header("retry-after").parse::<u32>().is_ok());
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("tallyman_api_in_flight{class=\"wait\"} 3"), "{metrics}");
    let server = Arc::try_unwrap(server);
    assert!(server.is_err(), "the waits still run");
}

#[tokio::test]
async fn waits_end_when_the_server_stops() {
    let memory = Memory::founded();
    let server = start_with(&memory, |_, limits| limits.drain_max = Duration::from_secs(30)).await;
    let address = server.address;
    let write = tokio::spawn(async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let body = runnable("a").to_string();
        let head = format!(
            "POST {RUNNABLES} HTTP/1.1\r\nhost: localhost\r\nprefer: wait=200\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        tokio::io::AsyncWriteExt::write_all(&mut stream, (head + &body).as_bytes()).await.unwrap();
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text).await.unwrap();
        text
    });
    while memory.look(|view| tallyman_model::query::runnable(view, "risk", "a").unwrap().is_none()) {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(Duration::from_secs(20), server.stop()).await.expect("a quick end");
    assert!(write.await.unwrap().starts_with("HTTP/1.1 201"));
}

#[tokio::test]
async fn a_long_poll_is_answered_when_the_record_is_newer_or_gone_or_the_time_is_over() {
    let server = Arc::new(start().await);
    let from = server.submit("a").await.revision();
    let poll = |prefer| {
        later(&server, "GET", format!("{}?resourceVersion={from}", path("a")), prefer, String::new())
    };
    let waiting = poll("wait=60");
    not_yet(&waiting).await;
    // Other records do not wake it.
    server.submit("b").await;
    not_yet(&waiting).await;
    server.merge(&path("a"), &json!({"metadata": {"labels": {"x": "y"}}})).await.done(200);
    let reply = waiting.await.unwrap();
    assert_eq!(reply.done(200)["metadata"]["labels"]["x"], "y");
    assert_eq!(reply.header("preference-applied"), "wait=60");
    // It is newer already.
    poll("wait=60").await.unwrap().done(200);
    let newest = reply.revision();
    let old = format!("{}?resourceVersion={newest}", path("a"));
    let reply =
        server.send("GET", &old, &[("prefer", "wait=1"), ("if-none-match", reply.header("etag"))], "").await;
    assert_eq!((reply.status.as_u16(), reply.header("preference-applied")), (304, "wait=1"));
    let gone = later(&server, "GET", old, "wait=60", String::new());
    not_yet(&gone).await;
    server.send("DELETE", &path("a"), &[], "").await.done(200);
    gone.await.unwrap().refused(404, "NotFound");
}

#[tokio::test]
async fn an_answer_can_be_as_short_as_its_metadata() {
    let server = start().await;
    let prefer = [("prefer", "return=minimal")];
    let reply = server.send("POST", RUNNABLES, &prefer, runnable("a").to_string()).await;
    let document = reply.done(201);
    assert_eq!(reply.header("preference-applied"), "return=minimal");
    assert_eq!((&document["kind"], &document["metadata"]["name"]), (&json!("Runnable"), &json!("a")));
    assert!(
        document["metadata"]["uid"].is_string() && document["spec"].is_null() && document["status"].is_null()
    );
}
