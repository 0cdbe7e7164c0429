//! The accept loop: bounds of size and time on connections and bodies.

use crate::client::{Server, start, start_with};
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path, runnable};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tallyman_api::BodyTimes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Everything that the server sends until it closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut text)).await.expect("an end").ok();
    String::from_utf8_lossy(&text).into_owned()
}

/// A server with short deadlines.
async fn impatient(memory: &Arc<Memory>) -> Server {
    start_with(memory, |options, limits| {
        options.body_times =
            BodyTimes { pause_max: Duration::from_millis(200), total_max: Duration::from_millis(600) };
        limits.head_max = Duration::from_millis(400);
        limits.idle_max = Duration::from_millis(600);
        limits.stall_max = Duration::from_millis(400);
    })
    .await
}

#[tokio::test]
async fn a_body_that_is_too_large_is_read_on_and_then_told_what_to_do() {
    let server = start().await;
    let mut body = runnable("a");
    body["spec"]["manifests"][0]["spec"]["filler"] = json!("x".repeat(4 * 1024 * 1024));
    let before = server.memory.index();
    let reply = server.post(RUNNABLES, &body).await;
    let message = reply.refused(413, "RequestEntityTooLarge");
    assert!(message.contains("object store"), "{message}");
    assert_eq!(reply.header("connection"), "close");
    // In one piece or many, with or without a length: the client that writes all first always hears it.
    for _ in 0..10 {
        let mut stream = connect(&server).await;
        let head =
            format!("POST {RUNNABLES} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "x".repeat(64 * 1024));
        for _ in 0..160 {
            stream.write_all(chunk.as_bytes()).await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413"));
    }
    assert_eq!(server.memory.index(), before);
}

#[tokio::test]
async fn who_asks_before_sending_too_much_is_told_at_once() {
    let server = start().await;
    let mut stream = connect(&server).await;
    let head = format!(
        "POST {RUNNABLES} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_after_a_bounded_amount() {
    let server = start().await;
    let mut stream = connect(&server).await;
    let head = format!("POST {RUNNABLES} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 1024 * 1024, "x".repeat(1024 * 1024));
    let mut sent = 0;
    while sent < 200 && stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 64, "{sent} MiB were taken");
}

#[tokio::test]
async fn a_body_that_stops_coming_or_drips_is_given_up() {
    let memory = Memory::founded();
    let server = impatient(&memory).await;
    let head = format!("POST {RUNNABLES} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{{");
    let mut stream = connect(&server).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 408"));
    let begun = Instant::now();
    let mut stream = connect(&server).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let drip = async {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut start = [0; 12];
    tokio::select! {
        () = drip => {}
        read = reading.read_exact(&mut start) => { read.unwrap(); }
    }
    assert_eq!(&start, b"HTTP/1.1 408");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let memory = Memory::founded();
    let server = impatient(&memory).await;
    for head in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: loc"] {
        let mut stream = connect(&server).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let begun = Instant::now();
        assert_eq!(rest(&mut stream).await, "");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_with_a_watch_is_not() {
    let memory = Memory::founded();
    let server = impatient(&memory).await;
    let patient = start_with(&memory, |_, _| {}).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let begun = Instant::now();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert!(begun.elapsed() >= Duration::from_millis(500));
    let mut watch = server.watch(&format!("{RUNNABLES}?watch=true")).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    patient.submit("a").await;
    assert_eq!(watch.event().await.1, "a");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_dropped() {
    let memory = Memory::founded();
    let server = impatient(&memory).await;
    let patient = start_with(&memory, |_, _| {}).await;
    let mut body = runnable("a");
    body["spec"]["manifests"][0]["spec"]["filler"] = json!("x".repeat(900 * 1024));
    for i in 0..15 {
        body["metadata"]["name"] = json!(format!("a{i}"));
        patient.post(RUNNABLES, &body).await.done(201);
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream
        .write_all(format!("GET {RUNNABLES} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut taken = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(Ok(count @ 1..)) = timeout(Duration::from_secs(5), stream.read(&mut buffer)).await {
        taken += count;
    }
    assert!(taken < 13 << 20, "{taken} bytes came");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let server = start().await;
    let mut stream = connect(&server).await;
    let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx-long: {}\r\n\r\n", "x".repeat(70 * 1024));
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 431"));
    let fits = "x".repeat(60 * 1024);
    assert_eq!(server.send("GET", "/livez", &[("x-long", &fits)], "").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_stopping_server_finishes_what_is_under_way() {
    let server = start().await;
    server.memory.freeze(true);
    server.submit("a").await;
    let memory = server.memory.clone();
    let response = {
        let address = server.address;
        let head = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n", path("a"));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::spawn(async move { rest(&mut stream).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).await.is_err());
    memory.freeze(false);
    assert!(response.await.unwrap().starts_with("HTTP/1.1 200"));
    stopping.await.unwrap();
}
