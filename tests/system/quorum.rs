//! Without a quorum: nothing is pretended, and what is known is still shown.

use crate::dev::{Dev, path, runnable, signal, until};
use rustix::process::Signal;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_a_linearizable_read_is_refused_and_a_stale_one_answers() {
    let dev = Dev::start(&[]).await;
    let leader = dev.leader().await;
    let written = dev.submit(&leader.url, "risk", &runnable("before", "10ms")).await.unwrap();
    let survivor = dev.followers().await.remove(0);
    let read = |query: String| path(&format!("namespaces/risk/runnables/before?{query}"));
    let token = format!("resourceVersion={}&resourceVersionMatch=NotOlderThan", written.revision());
    let seen = dev.get(&survivor.url, &read(token.clone())).await.unwrap();
    assert_eq!(seen.status, 200);

    // Frozen, so that nothing restarts them.
    let others: Vec<_> = dev.replicas().into_iter().filter(|replica| replica.id != survivor.id).collect();
    others.iter().for_each(|replica| signal(replica.pid, Signal::STOP));
    until("a linearizable read is refused", async || {
        let answer = dev.get(&survivor.url, &read(String::new())).await?;
        (answer.status == 503).then(|| assert_eq!(answer.body["kind"], json!("Status")))
    })
    .await;
    let stale = dev.get(&survivor.url, &read("consistency=stale".to_owned())).await.unwrap();
    assert_eq!((stale.status, &stale.body["metadata"]["uid"]), (200, &written.body["metadata"]["uid"]));
    assert_eq!(
        dev.get(&survivor.url, &read(token)).await.unwrap().status,
        200,
        "a token that is reached needs nobody"
    );
    let refused = dev.submit(&survivor.url, "risk", &runnable("during", "10ms")).await.unwrap();
    assert!(matches!(refused.status, 503 | 504), "{refused:?}");
    assert_eq!(
        dev.get(&survivor.url, "/livez").await.unwrap().status,
        200,
        "liveness never looks at the quorum"
    );

    others.iter().for_each(|replica| signal(replica.pid, Signal::CONT));
    until("reads are linearizable again", async || {
        dev.get(&survivor.url, &read(String::new())).await.filter(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_from_the_future_is_waited_for_and_then_answered_with_504_and_a_hint() {
    let dev = Dev::start(&[]).await;
    let url = dev.followers().await[0].url.clone();
    let future = path("runnables?resourceVersion=999999999&resourceVersionMatch=NotOlderThan");
    let answer = dev.get(&url, &future).await.unwrap();
    assert_eq!((answer.status, &answer.body["reason"]), (504, &json!("Timeout")));
    assert!(answer.body["details"]["retryAfterSeconds"].as_u64().is_some(), "{answer:?}");
}
