//! Pools and locks on real replicas: two clients on different ones race while the leader is killed.

use crate::dev::{Dev, Replica, answer, binary, path, signal, until};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

fn at(rest: &str) -> String {
    path(&format!("namespaces/risk/{rest}"))
}

/// What a replica says for certain: done, or refused for what it is.
async fn ask(dev: &Dev, replica: &Replica, method: Method, rest: &str, body: &Value) -> (u16, Value) {
    until(&format!("{method} {rest} is answered"), async || {
        let request = dev.http.request(method.clone(), format!("{}{}", replica.url, at(rest))).json(body);
        let answer = answer(request).await?;
        let early = answer.body["message"].as_str().is_some_and(|words| words.contains("needs version"));
        let certain = matches!(answer.status, 200 | 201 | 404 | 409 | 422) && !early;
        certain.then_some((answer.status, answer.body))
    })
    .await
}

/// What every replica shows once it has all that was acknowledged.
async fn everywhere(dev: &Dev, rest: &str) -> Vec<Value> {
    let mut shown = Vec::new();
    for replica in dev.replicas() {
        shown.push(ask(dev, &replica, Method::GET, rest, &Value::Null).await.1);
    }
    shown
}

async fn allocate(dev: &Dev, replica: &Replica, key: &str) -> (u16, Value) {
    ask(dev, replica, Method::POST, "pools/vlans/allocations", &json!({"key": key})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_race_for_the_last_value_while_the_leader_is_killed_one_wins_and_nothing_leaks() {
    let dev = Dev::start(&[]).await;
    let pool = json!({"apiVersion": "tallyman.dev/v1", "kind": "Pool", "metadata": {"name": "vlans"},
        "spec": {"ranges": [{"from": 100, "to": 101}]}});
    let any = dev.leader().await;
    assert_eq!(ask(&dev, &any, Method::POST, "pools", &pool).await.0, 201);
    assert_eq!(allocate(&dev, &any, "first").await.1["status"]["value"], "100");
    let mut newest = 0;
    for round in 0..3 {
        let (leader, followers) = (dev.leader().await, dev.followers().await);
        let keys = [format!("left-{round}"), format!("right-{round}")];
        let kill = async { signal(leader.pid, Signal::KILL) };
        let (left, right, ()) = tokio::join!(
            allocate(&dev, &followers[0], &keys[0]),
            allocate(&dev, &followers[1], &keys[1]),
            kill
        );
        let winner = match (left.0, right.0) {
            (200 | 201, 409) => 0,
            (409, 200 | 201) => 1,
            other => panic!("one wins, not {other:?}: {left:?} {right:?}"),
        };
        let won = [&left.1, &right.1][winner].clone();
        assert_eq!(won["status"]["value"], "101");
        let fence = won["status"]["fence"].as_u64().unwrap();
        assert!(fence > newest, "fencing tokens grow over leaders");
        newest = fence;
        for shown in everywhere(&dev, "pools/vlans").await {
            assert_eq!(shown["status"], json!({"size": 2, "allocated": 2, "free": 0}));
        }
        let released = format!("allocations/vlans.{}", keys[winner]);
        let survivor = &dev.followers().await[0];
        // An answer that was lost may come to a second try that finds it gone.
        assert!(matches!(ask(&dev, survivor, Method::DELETE, &released, &json!({})).await.0, 200 | 404));
    }
    let any = dev.leader().await;
    assert_eq!(ask(&dev, &any, Method::DELETE, "allocations/vlans.first", &json!({})).await.0, 200);
    for shown in everywhere(&dev, "pools/vlans").await {
        assert_eq!(shown["status"]["allocated"], 0);
    }
    assert_eq!(ask(&dev, &any, Method::DELETE, "pools/vlans", &json!({})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_whose_holder_is_silent_is_taken_over_and_the_late_holder_is_refused() {
    let dev = Dev::start(&[]).await;
    let lock = json!({"apiVersion": "tallyman.dev/v1", "kind": "Lock", "metadata": {"name": "leaf"}});
    let any = dev.leader().await;
    assert_eq!(ask(&dev, &any, Method::POST, "locks", &lock).await.0, 201);
    let taken =
        ask(&dev, &any, Method::POST, "locks/leaf/acquire", &json!({"owner": "a", "ttl": "3s"})).await;
    let first = taken.1["status"]["holders"][0]["token"].as_u64().unwrap();
    signal(any.pid, Signal::KILL);
    let other = dev.leader().await;
    // Nobody renews it: a leader lets it go by the log's time.
    until("the lock is free", async || {
        let shown = ask(&dev, &other, Method::GET, "locks/leaf", &Value::Null).await.1;
        (shown["status"]["free"] == 1).then_some(())
    })
    .await;
    let servers = dev.replicas().iter().map(|replica| replica.url.clone()).collect::<Vec<_>>().join(",");
    let client = |arguments: &[&str]| {
        let mut command = std::process::Command::new(binary());
        command.args(arguments).env("TALLYMAN_SERVER", &servers).env("TALLYMAN_NAMESPACE", "risk");
        command.output().unwrap()
    };
    let output = client(&["lock", "acquire", "leaf", "--owner", "b", "--ttl", "5m", "-o", "json"]);
    assert!(output.status.success(), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let second = shown["status"]["holders"][0]["token"].as_u64().unwrap();
    assert!(second > first);
    let late = client(&["lock", "renew", "leaf", "--token", &first.to_string()]);
    assert_eq!(late.status.code(), Some(4), "{late:?}");
    assert!(String::from_utf8_lossy(&late.stderr).contains("held by b"), "{late:?}");
    let listed = client(&["lock", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("leaf"), "{listed:?}");
    let released = client(&["lock", "release", "risk/leaf", "--token", &second.to_string()]);
    assert!(released.status.success(), "{released:?}");
}
