//! The three ways to read, and what every answer says.

use crate::client::start;
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path};
use tokio::time::{Duration, Instant};

#[tokio::test]
async fn every_answer_says_its_revision_and_who_gave_it() {
    let server = start().await;
    server.submit("a").await;
    for path in [RUNNABLES, &path("a"), "/livez", "/nowhere", "/apis", &path("nobody")] {
        let reply = server.get(path).await;
        assert_eq!(reply.revision(), 4, "{path}");
        assert_eq!(reply.header("tallyman-served-by"), "r2", "{path}");
        assert_eq!(reply.header("tallyman-leader"), "r1", "{path}");
        assert_eq!(reply.header("tallyman-replica-lag-ms"), "4", "{path}");
        assert_eq!(reply.header("tallyman-oldest-cluster-ms"), "0", "{path}");
    }
}

#[tokio::test]
async fn an_answer_says_how_old_the_oldest_cluster_picture_in_it_is() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    server.memory.env.now_ms.fetch_add(2_500, std::sync::atomic::Ordering::Relaxed);
    server.submit("b").await;
    let age = |path: String| {
        let server = &server;
        async move { server.get(&path).await.header("tallyman-oldest-cluster-ms").to_owned() }
    };
    assert_eq!(age(path("a")).await, "2500");
    assert_eq!(age(path("b")).await, "0");
    assert_eq!(age(RUNNABLES.to_owned()).await, "2500");
    assert_eq!(age("/apis/tallyman.dev/v1/clusters/east".to_owned()).await, "2500");
}

#[tokio::test]
async fn a_poller_that_gets_no_body_learns_how_old_the_picture_is() {
    let server = start().await;
    let east = server.memory.cluster("east");
    server.submit("a").await;
    server.memory.started("a", east);
    let etag = server.get(&path("a")).await.header("etag").to_owned();
    for age in ["2500", "5000"] {
        server.memory.env.now_ms.fetch_add(2_500, std::sync::atomic::Ordering::Relaxed);
        let reply = server.send("GET", &path("a"), &[("if-none-match", &etag)], "").await;
        assert_eq!((reply.status.as_u16(), reply.header("tallyman-oldest-cluster-ms")), (304, age));
    }
}

#[tokio::test]
async fn a_linearizable_read_waits_for_what_was_acknowledged() {
    let server = start().await;
    server.memory.freeze(true);
    server.submit("a").await;
    let (path, memory) = (path("a"), server.memory.clone());
    let reading = tokio::spawn(async move { server.get(&path).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!reading.is_finished());
    memory.freeze(false);
    assert_eq!(reading.await.unwrap().status.as_u16(), 200);
}

#[tokio::test]
async fn without_a_quorum_a_linearizable_read_is_refused_and_a_stale_one_answers() {
    let server = start().await;
    server.submit("a").await;
    server.memory.knobs.lock().unwrap().no_quorum = true;
    let reply = server.get(&path("a")).await;
    assert!(reply.refused(503, "ServiceUnavailable").contains("consistency=stale"));
    assert_eq!(reply.header("retry-after"), "1");
    server.get(&format!("{}?consistency=linearizable", path("a"))).await.refused(503, "ServiceUnavailable");
    for mode in
        ["consistency=stale", "resourceVersion=0", "resourceVersion=4&resourceVersionMatch=NotOlderThan"]
    {
        assert_eq!(server.get(&format!("{}?{mode}", path("a"))).await.status.as_u16(), 200, "{mode}");
        assert_eq!(server.get(&format!("{RUNNABLES}?{mode}")).await.status.as_u16(), 200, "{mode}");
    }
}

#[tokio::test]
async fn a_read_with_a_token_shows_that_write_or_waits_for_it() {
    let server = start().await;
    server.memory.freeze(true);
    let token = server.submit("a").await.revision();
    let path = format!("{}?resourceVersion={token}&resourceVersionMatch=NotOlderThan", path("a"));
    let memory = server.memory.clone();
    let reading = tokio::spawn(async move { server.get(&path).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!reading.is_finished());
    memory.freeze(false);
    let reply = reading.await.unwrap();
    assert_eq!(reply.status.as_u16(), 200);
    assert!(reply.revision() >= token);
}

#[tokio::test]
async fn a_token_from_the_future_is_told_after_the_wait_with_a_hint() {
    let server = start().await;
    for query in
        ["resourceVersion=999&timeout=100ms", "resourceVersion=999&timeout=100ms&resourceVersionMatch=Exact"]
    {
        let begun = Instant::now();
        let reply = server.get(&format!("{RUNNABLES}?{query}")).await;
        assert!(reply.refused(504, "Timeout").contains("Too large resource version: 999, current: 3"));
        assert!(begun.elapsed() >= Duration::from_millis(100));
        let status = reply.json();
        assert_eq!(status["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
        assert_eq!(status["details"]["retryAfterSeconds"], 1);
    }
    let reply =
        server.send("GET", &format!("{}?resourceVersion=999", path("a")), &[("prefer", "wait=0")], "").await;
    reply.refused(504, "Timeout");
}

#[tokio::test]
async fn a_token_that_a_recovery_has_dropped_is_never_served() {
    let server = start().await;
    server.submit("a").await;
    server.memory.knobs.lock().unwrap().gap = Some((4, 100));
    server.get(&format!("{}?resourceVersion=50", path("a"))).await.refused(410, "Expired");
}

#[tokio::test]
async fn a_poller_that_has_the_revision_gets_no_body() {
    let server = start().await;
    let etag = server.submit("a").await.header("etag").to_owned();
    let reply = server.send("GET", &path("a"), &[("if-none-match", &etag)], "").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (304, 0));
    assert_eq!(reply.header("etag"), etag);
    let reply = server.send("GET", &path("a"), &[("if-none-match", "\"1\"")], "").await;
    assert_eq!(reply.status.as_u16(), 200);
}

#[tokio::test]
async fn a_replica_of_no_group_says_what_it_waits_for() {
    let server = crate::client::start_with(&Memory::blank(), |_, _| {}).await;
    for path in [RUNNABLES, "/apis/tallyman.dev/v1/clusters", "/apis/tallyman.dev/v1/replicas"] {
        let reply = server.get(path).await;
        assert!(reply.refused(503, "ServiceUnavailable").contains("operator init"));
        assert_eq!(reply.header("retry-after"), "2");
        assert_eq!(reply.header("tallyman-served-by"), "none");
    }
    assert_eq!(server.get("/livez").await.status.as_u16(), 200);
}
