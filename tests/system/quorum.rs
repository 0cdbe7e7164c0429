//! Without a quorum: nothing is pretended, and what is known is still shown.

use crate::dev::{Dev, path, runnable, signal, until};
use futures::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stood_still_past_its_lease_serves_no_old_value_when_it_wakes() {
    let dev = Dev::start(&[]).await;
    for round in 0..3 {
        let old = dev.leader().await;
        let other = dev.followers().await.remove(0);
        signal(old.pid, Signal::STOP);
        let name = format!("written-{round}");
        // Others lead by now, and this one does not know.
        let written = until("the others take a write", async || {
            dev.submit(&other.url, "risk", &runnable(&name, "10ms"))
                .await
                .filter(|answer| answer.status == 201)
        })
        .await;
        // They lie in its sockets when it wakes.
        let item = path(&format!("namespaces/risk/runnables/{name}"));
        let reads = (0..20).map(|_| dev.get(&old.url, &item));
        let wake = async {
            sleep(Duration::from_millis(200)).await;
            signal(old.pid, Signal::CONT);
        };
        let (answers, ()) = tokio::join!(join_all(reads), wake);
        for answer in answers.into_iter().flatten() {
            assert!(matches!(answer.status, 200 | 500..), "an old value: {answer:?}");
            if answer.status == 200 {
                assert_eq!(answer.body["metadata"]["uid"], written.body["metadata"]["uid"]);
            }
        }
        until("it reads what the others wrote", async || {
            dev.get(&old.url, &item).await.filter(|answer| answer.status == 200)
        })
        .await;
    }
}
