//! What is beyond the bounds is refused at once, what is within them is not disturbed, and it is over with the load.

use crate::client::{Server, start_with};
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path, runnable};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tallyman_api::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

async fn bounded(change: impl FnOnce(&mut Bounds)) -> Server {
    start_with(&Memory::founded(), |options, _| {
        options.bounds.queue_max = Duration::from_millis(50);
        change(&mut options.bounds);
    })
    .await
}

#[tokio::test]
async fn watches_are_bounded_and_keep_nobody_else_out() {
    let server = bounded(|bounds| bounds.watches_max = 2).await;
    let first = server.watch(&format!("{RUNNABLES}?watch=true")).await;
    let _second = server.watch(&format!("{RUNNABLES}?watch=true")).await;
    let refused = server.get(&format!("{RUNNABLES}?watch=true")).await;
    let message = refused.refused(429, "TooManyRequests");
    assert!(message.contains("2 watches are open"), "{message}");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(refused.json()["details"]["retryAfterSeconds"], seconds);
    server.submit("a").await;
    server.get(RUNNABLES).await.done(200);
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("tallyman_api_watches 2"), "{metrics}");
    assert!(metrics.contains("tallyman_api_refused_total{class=\"watch\",reason=\"full\"} 1"), "{metrics}");
    drop(first);
    let begun = Instant::now();
    while server.open("GET", &format!("{RUNNABLES}?watch=true"), &[], "").await.status() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the place of a watch that ended is not free");
    }
}

#[tokio::test]
async fn reads_that_wait_for_a_leader_fill_their_class_and_no_other() {
    let memory = Memory::founded();
    let server = start_with(&memory, |options, _| {
        options.bounds.queue_max = Duration::from_millis(50);
        options.bounds.reads_max = 2;
    });
    let server = Arc::new(server.await);
    server.submit("a").await;
    memory.freeze(true);
    server.submit("b").await;
    // Linearizable reads wait here until the replica has caught up.
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.get(&path("a")).await })
        })
        .collect();
    let begun = Instant::now();
    while !server.get("/metrics").await.text().contains("in_flight{class=\"read\"} 2") {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    let begun = Instant::now();
    server.get(&path("a")).await.refused(429, "TooManyRequests");
    assert!(begun.elapsed() < Duration::from_secs(4), "a refusal took {:?}", begun.elapsed());
    for free in ["/livez", "/version", "/apis", "/operator/status"] {
        assert_eq!(server.get(free).await.status.as_u16(), 200, "{free}");
    }
    memory.freeze(false);
    for read in waiting {
        read.await.unwrap().done(200);
    }
    // It is over when the load is.
    server.get(&path("a")).await.done(200);
}

#[tokio::test]
async fn a_body_that_drips_keeps_nobody_from_writing() {
    let server = bounded(|bounds| {
        bounds.writes_max = 1;
        bounds.writes_of_one_tenant_max = 1;
    })
    .await;
    let mut dripping = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("POST {RUNNABLES} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{{");
        stream.write_all(head.as_bytes()).await.unwrap();
        dripping.push(stream);
    }
    server.submit("a").await;
}

#[tokio::test]
async fn large_bodies_are_held_up_to_a_bound() {
    let server = bounded(|bounds| bounds.bodies_bytes_max = 600 * 1024).await;
    let mut body = runnable("a");
    body["spec"]["manifests"][0]["spec"]["filler"] = json!("x".repeat(500 * 1024));
    let text = body.to_string();
    // All of it but the last byte: it is held, and waits.
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {RUNNABLES} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        text.len()
    );
    first.write_all(head.as_bytes()).await.unwrap();
    first.write_all(&text.as_bytes()[..text.len() - 1]).await.unwrap();
    let begun = Instant::now();
    loop {
        let metrics = server.get("/metrics").await.text();
        let held = metrics.lines().find_map(|line| line.strip_prefix("tallyman_api_bodies_held_bytes "));
        if held.unwrap().parse::<usize>().unwrap() >= text.len() - 1024 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{metrics}");
    }
    body["metadata"]["name"] = json!("b");
    let refused = server.post(RUNNABLES, &body).await;
    assert!(refused.refused(429, "TooManyRequests").contains("large bodies"));
    // Small ones are taken all the same.
    server.submit("small").await;
    first.write_all(b"}").await.unwrap();
    let mut text = String::new();
    first.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 201"), "{text}");
    server
        .post(RUNNABLES, &{
            body["metadata"]["name"] = json!("c");
            body
        })
        .await
        .done(201);
}

#[tokio::test]
async fn connections_beyond_the_bound_get_one_answer_and_only_health_is_served_on_them() {
    let server = start_with(&Memory::founded(), |_, limits| {
        limits.connections_max = 2;
        limits.spares_max = 1;
    })
    .await;
    let connect = || async { TcpStream::connect(server.address).await.unwrap() };
    let (one, _two) = (connect().await, connect().await);
    for (path, code) in [("/livez", 200), (RUNNABLES, 429), ("/operator/status", 200)] {
        let mut spare = connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        spare.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        timeout(Duration::from_secs(60), spare.read_to_string(&mut text)).await.expect("an end").unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {code}")), "{path}: {text}");
    }
    drop(one);
    let begun = Instant::now();
    while server.get(RUNNABLES).await.status.as_u16() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
