#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::*;
use crate::client::request::runnables;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that gives `answers` in turn, each to one connection; `""` closes the connection without an answer.
async fn server(answers: Vec<&'static str>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let requests = Arc::clone(&seen);
    tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 16 * 1024];
            let length = socket.read(&mut bytes).await.unwrap();
            requests.lock().unwrap().push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (url, seen)
}

fn client(servers: Vec<String>) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::plain(servers).unwrap().within(Duration::from_secs(2))
}

fn key_of(request: &str) -> &str {
    request.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap()
}

const CREATED: &str =
    "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nTallyman-Revision: 7\r\nConnection: close\r\n\r\n{}";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn submit() -> Request {
    Request::send(reqwest::Method::POST, runnables(Some("risk")), &json!({}))
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_under_the_same_key() {
    let (url, seen) = server(vec!["", BUSY, CREATED]).await;
    let answer = client(vec![url]).change(submit(), "tallyman submit").await.unwrap();
    assert_eq!((answer.status, answer.revision()), (201, 7));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| key_of(request) == key_of(&seen[0])));
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_gone() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (url, _) = server(vec![CREATED]).await;
    let answer =
        client(vec![format!("http://{gone}"), url]).change(submit(), "tallyman submit").await.unwrap();
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn an_unknown_outcome_names_the_key_that_repeats_it_safely() {
    let (url, seen) = server(vec![""]).await;
    let failure = client(vec![url]).change(submit(), "tallyman submit job.yaml").await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unknown);
    let key = key_of(&seen.lock().unwrap()[0]).to_owned();
    assert!(failure.attempt.starts_with(&format!("tallyman submit job.yaml --idempotency-key {key}")));
}

#[tokio::test]
async fn nobody_there_is_not_unknown() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failure =
        client(vec![format!("http://{gone}")]).change(submit(), "tallyman submit").await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unavailable, "{failure:?}");
    assert!(failure.attempt.contains("tallyman dev"), "{failure:?}");
}

#[tokio::test]
async fn refusals_end_with_their_own_codes() {
    for (status, exit) in [
        (400, Exit::Failed),
        (401, Exit::Forbidden),
        (403, Exit::Forbidden),
        (409, Exit::Conflict),
        (410, Exit::Failed),
        (412, Exit::Conflict),
        (413, Exit::Failed),
        (422, Exit::Failed),
    ] {
        let answer = Answer { status, body: json!({"message": "no"}), ..Answer::default() };
        let failure = answer.ok(&submit()).unwrap_err();
        assert_eq!((failure.exit, failure.attempt.is_empty()), (exit, false), "{status}");
    }
}

const NO_TALLYMAN: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\nNot Found";

fn not_found(details: serde_json::Value) -> &'static str {
    let body =
        json!({"kind": "Status", "reason": "NotFound", "message": "no", "details": details}).to_string();
    let head =
        format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Box::leak((head + &body).into_boxed_str())
}

#[tokio::test]
async fn only_an_answer_that_names_the_object_means_that_it_is_not_there() {
    let named = not_found(json!({"kind": "runnables", "name": "a"}));
    let read = Request::get(runnables(Some("risk")) + "/a");
    let (url, _) = server(vec![named]).await;
    assert_eq!(client(vec![url]).read(&read).await.unwrap_err().exit, Exit::NotFound);
    for bare in [NO_TALLYMAN, not_found(json!({})), not_found(json!({"kind": "runnables"}))] {
        let (url, seen) = server(vec![bare, bare]).await;
        let failure = client(vec![url.clone()]).read(&read).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Unavailable, "{failure:?}");
        assert!(failure.message.contains(&format!("{url}: it is not a Tallyman")), "{failure:?}");
        assert_eq!(failure.attempt, NOT_SERVED_HINT);
        let failure = client(vec![url]).watch(&read).await.unwrap_err();
        assert_eq!((failure.exit, seen.lock().unwrap().len()), (Exit::Unavailable, 2), "{failure:?}");
    }
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_not_a_tallyman() {
    let (other, seen) = server(vec![NO_TALLYMAN]).await;
    let (url, _) = server(vec![CREATED]).await;
    let answer = client(vec![other, url]).change(submit(), "tallyman submit").await.unwrap();
    assert_eq!((answer.status, seen.lock().unwrap().len()), (201, 1));
}

#[test]
fn a_conflict_of_an_operator_points_to_the_replicas() {
    let answer = Answer { status: 409, body: json!({"message": "not empty"}), ..Answer::default() };
    let failure = answer.ok(&Request::send(reqwest::Method::POST, "/operator/init", &json!({}))).unwrap_err();
    assert_eq!((failure.exit, failure.attempt.as_str()), (Exit::Conflict, "tallyman operator status"));
}

#[test]
fn causes_are_shown_by_field() {
    let body = json!({"message": "the runnable is not valid", "details": {"causes": [
        {"field": "spec.manifests[0].kind", "message": "Secrets cannot be sent yet"}]}});
    let failure = Answer { status: 422, body, ..Answer::default() }.ok(&submit()).unwrap_err();
    assert_eq!(
        failure.message,
        "the runnable is not valid\n  spec.manifests[0].kind: Secrets cannot be sent yet"
    );
}

#[test]
fn every_refusal_ends_with_what_fits_it() {
    let post = |path: &str| Request::send(reqwest::Method::POST, path, &json!({}));
    let run = format!("{}/a", runnables(Some("risk")));
    let named =
        json!({"kind": "Status", "reason": "NotFound", "details": {"kind": "runnables", "name": "a"}});
    for (status, body, request, exit, attempt) in [
        (404, named.clone(), Request::get(&run), Exit::NotFound, "tallyman list -A"),
        (404, named, Request::get(request::cluster("x")), Exit::NotFound, "tallyman cluster list"),
        (409, json!({}), post(&runnables(Some("risk"))), Exit::Conflict, "generateName"),
        (409, json!({}), post(&format!("{run}/cancel")), Exit::Conflict, "tallyman get risk/a"),
        (409, json!({}), post(&request::cluster("x")), Exit::Conflict, "tallyman cluster list"),
        (401, json!({}), Request::get(&run), Exit::Forbidden, "TALLYMAN_TOKEN_FILE"),
        (403, json!({}), Request::get(&run), Exit::Forbidden, "who may"),
        (410, json!({}), Request::get(&run), Exit::Failed, "list again"),
        (422, json!({}), post(&run), Exit::Failed, "nothing was changed"),
        (429, json!({}), post(&run), Exit::Unavailable, "in a moment"),
        (504, json!({}), Request::get(&run), Exit::Unknown, "without a token"),
    ] {
        let failure = Answer { status, body, ..Answer::default() }.ok(&request).unwrap_err();
        assert_eq!(failure.exit, exit, "{status} {}", request.path);
        assert!(failure.attempt.contains(attempt), "{status} {}: {failure:?}", request.path);
        assert!(failure.text().lines().last().unwrap().starts_with("try: "));
    }
}

#[tokio::test]
async fn a_group_that_cannot_be_reached_is_told_server_by_server_with_where_they_are_named() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (other, _) = server(vec![NO_TALLYMAN; 50]).await;
    let read = Request::get(runnables(None));
    let failure = client(vec![format!("http://{gone}"), other.clone()]).read(&read).await.unwrap_err();
    assert!(failure.message.contains(&format!("http://{gone}: failed to connect")), "{failure:?}");
    assert!(failure.message.contains(&format!("{other}: it is not a Tallyman")), "{failure:?}");
    let failure = client(vec![format!("http://{gone}")]).read(&read).await.unwrap_err();
    assert!(failure.attempt.ends_with("these are from the command line"), "{failure:?}");
}

#[tokio::test]
async fn a_stale_read_on_another_server_does_not_go_back() {
    let (url, seen) = server(vec![CREATED, CREATED]).await;
    let client = client(vec![url]);
    let stale = Request::get(runnables(None)).query("consistency", "stale");
    client.read(&stale).await.unwrap();
    client.read(&stale).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen[0].contains("consistency=stale"), "{seen:?}");
    assert!(seen[1].contains("resourceVersion=7&resourceVersionMatch=NotOlderThan"), "{seen:?}");
}

#[tokio::test]
async fn the_server_that_answered_is_asked_first_from_then_on() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (url, _) = server(vec![CREATED]).await;
    let client = client(vec![format!("http://{gone}"), url.clone()]);
    client.read(&Request::get(runnables(None))).await.unwrap();
    assert_eq!(client.in_turn().next(), Some((1, url.as_str())));
}
