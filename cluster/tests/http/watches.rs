use super::*;
use futures::StreamExt;
use tallyman_cluster::{CallError, ClusterApi, NotSent, RefusedKind, WatchEvent};

fn line(kind: &str, object: &serde_json::Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

async fn read_all(api: &KubeApi) -> Vec<WatchEvent> {
    api.watch(&all_jobs(), "a=b", "7").await.unwrap().collect().await
}

#[tokio::test]
async fn a_watch_asks_for_bookmarks_and_a_timeout_and_says_what_it_hears() {
    let lines = [line("ADDED", &job("8")), line("BOOKMARK", &json!({"metadata": {"resourceVersion": "9"}}))];
    let whole = Say::chunks(&lines) + "0\r\n\r\n";
    let (server, api) = start([Say::Bytes(whole)]).await;
    let events = read_all(&api).await;
    assert!(
        matches!(&events[..], [WatchEvent::Seen(_), WatchEvent::Bookmark { .. }, WatchEvent::Eof]),
        "{events:?}"
    );
    let request = server.requests().remove(0);
    let expected = "GET /apis/batch/v1/jobs?watch=true&labelSelector=a%3Db&resourceVersion=7\
        &allowWatchBookmarks=true&timeoutSeconds=1 ";
    assert!(request.starts_with(expected), "{request}");
    assert!(request.to_lowercase().contains("accept-encoding: identity"));
}

#[tokio::test]
async fn a_connection_that_breaks_in_a_line_loses_that_line_only() {
    let mut cut = Say::chunks(&[line("ADDED", &job("8")), line("ADDED", &job("9"))]);
    cut.truncate(cut.len() - 30);
    let (_server, api) = start([Say::Close(cut)]).await;
    let events = read_all(&api).await;
    assert!(matches!(&events[..], [WatchEvent::Seen(item), WatchEvent::Eof] if item.resource_version == "8"));
}

#[tokio::test]
async fn a_silent_watch_ends_a_little_after_the_time_it_asked_for() {
    let (_server, api) = start([Say::Hang(Say::chunks(&[line("ADDED", &job("8"))]))]).await;
    let started = tokio::time::Instant::now();
    let events = read_all(&api).await;
    assert!(matches!(&events[..], [WatchEvent::Seen(_), WatchEvent::Eof]), "{events:?}");
    assert!(started.elapsed() >= Duration::from_millis(1_300), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_410_is_told_as_status_and_in_the_stream() {
    let gone = status(410, "Expired", json!({}));
    let object: serde_json::Value = serde_json::from_str(&gone).unwrap();
    let in_stream = Say::chunks(&[line("ERROR", &object)]) + "0\r\n\r\n";
    let (_server, api) = start([Say::json(410, &gone), Say::Bytes(in_stream)]).await;
    let error = api.watch(&all_jobs(), "a=b", "7").await.map(drop).unwrap_err();
    assert_eq!(error.refused_kind(), Some(RefusedKind::Expired));
    assert!(matches!(&read_all(&api).await[..], [WatchEvent::Error { code: 410, .. }]));
}

#[tokio::test]
async fn a_watch_from_nowhere_is_not_opened() {
    let (server, api) = start([]).await;
    for from in ["", "0"] {
        let error = api.watch(&all_jobs(), "", from).await.map(drop).unwrap_err();
        assert!(matches!(error, CallError::NotSent { why: NotSent::Request, .. }));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_never_answers_does_not_hold_a_watch() {
    let (server, api) = start([Say::Hang(String::new())]).await;
    assert!(matches!(api.watch(&all_jobs(), "", "7").await.map(drop), Err(CallError::Unknown { .. })));
    assert_eq!(server.unsaid(), 0);
}

#[tokio::test]
async fn what_is_watched_in_one_namespace_is_listed_probed_and_watched_there() {
    let list = json!({"metadata": {"resourceVersion": "9"}, "items": []}).to_string();
    let says = [Say::json(200, &list), Say::json(200, &list), Say::Bytes(Say::chunks(&[]) + "0\r\n\r\n")];
    let (server, api) = start(says).await;
    let extent = Extent { kind: Kind::Job, namespace: "risk".to_owned() };
    api.list(&extent, "", None, 5).await.unwrap();
    api.newest(&extent).await.unwrap();
    drop(api.watch(&extent, "", "7").await.unwrap());
    for request in server.requests() {
        assert!(request.starts_with("GET /apis/batch/v1/namespaces/risk/jobs?"), "{request}");
    }
}
