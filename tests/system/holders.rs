//! Many clients at once on pools and locks, while the leader is killed, and what a watch tells of it.

use crate::dev::{Dev, PATIENCE, Replica, answer, path, runnable, signal, until, until_within};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

/// Far more than all of it takes on a busy machine.
const LONG: Duration = Duration::from_secs(240);

fn at(rest: &str) -> String {
    path(&format!("namespaces/risk/{rest}"))
}

/// What a replica says for certain: done, or refused for what it is.
async fn certain(
    dev: &Dev,
    replica: &Replica,
    method: &Method,
    rest: &str,
    body: &Value,
) -> Option<(u16, Value)> {
    let request = dev.http.request(method.clone(), format!("{}{}", replica.url, at(rest))).json(body);
    let answer = answer(request).await?;
    let early = answer.body["message"].as_str().is_some_and(|words| words.contains("needs version"));
    (matches!(answer.status, 200 | 201 | 404 | 409 | 422) && !early).then_some((answer.status, answer.body))
}

/// The same from the one replica after the other, until one says so.
async fn ask(dev: &Dev, first: usize, method: Method, rest: &str, body: &Value) -> (u16, Value) {
    let tries = AtomicUsize::new(first);
    until_within(LONG, &format!("{method} {rest} is answered"), async || {
        let replicas = dev.replicas();
        let replica = replicas.get(tries.fetch_add(1, Relaxed) % replicas.len().max(1))?;
        certain(dev, replica, &method, rest, body).await
    })
    .await
}

/// Follows a resource over all replicas, beginning with `first`, each time from the last event that it had, until
/// `is_enough`.
async fn follow(
    dev: Arc<Dev>,
    first: usize,
    rest: &str,
    mut take: impl FnMut(&str, &Value),
    is_enough: Arc<AtomicBool>,
) {
    let (mut last, mut streams) = (0_u64, first);
    while !is_enough.load(Relaxed) {
        let replicas = dev.replicas();
        let url = format!("{}{}", replicas[streams % replicas.len()].url, at(rest));
        streams += 1;
        let mut request = dev.http.get(url).header("accept", "text/event-stream");
        if last > 0 {
            request = request.header("last-event-id", last);
        }
        let Ok(Ok(mut response)) = timeout(PATIENCE, request.send()).await else { continue };
        if response.status().as_u16() != 200 {
            continue;
        }
        let mut text = String::new();
        while !is_enough.load(Relaxed) {
            let chunk = match timeout(Duration::from_millis(200), response.chunk()).await {
                Err(_) => continue,
                Ok(Ok(Some(chunk))) => chunk,
                Ok(_) => break,
            };
            text += std::str::from_utf8(&chunk).unwrap();
            while let Some((block, rest)) = text.split_once("\n\n") {
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let (Some(kind), Some(data)) = (field("event:"), field("data:")) {
                    let event: Value = serde_json::from_str(data).unwrap();
                    last = field("id:").map_or(last, |id| id.parse().unwrap());
                    if kind != "BOOKMARK" {
                        take(kind, &event["object"]);
                    }
                }
                text = rest.to_owned();
            }
        }
    }
}

/// What is seen of the holders of a lock, event by event.
#[derive(Default)]
struct Seen {
    /// Who got each token.
    tokens: BTreeMap<u64, String>,
    /// The most that were held at a time.
    most: u64,
}

impl Seen {
    fn take(&mut self, lock: &Value) {
        let holders = lock["status"]["holders"].as_array().unwrap();
        let held: u64 = holders.iter().map(|holder| holder["permits"].as_u64().unwrap()).sum();
        self.most = self.most.max(held);
        for holder in holders {
            let (token, owner) = (holder["token"].as_u64().unwrap(), holder["owner"].as_str().unwrap());
            let newest = self.tokens.last_key_value().map_or(0, |(newest, _)| *newest);
            let known = self.tokens.entry(token).or_insert_with(|| {
                assert!(token > newest, "token {token} comes after {newest}");
                owner.to_owned()
            });
            assert_eq!(known, owner, "token {token} has two owners");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_who_want_one_of_three_permits_get_it_in_turn_while_holders_vanish_and_the_leader_is_killed() {
    LocalSet::new().run_until(fifty()).await;
}

async fn fifty() {
    const OWNERS: usize = 50;
    let dev = Arc::new(Dev::start(&[]).await);
    let lock = json!({"apiVersion": "tallyman.dev/v1", "kind": "Lock", "metadata": {"name": "gate"}, "spec": {"permits": 3}});
    assert_eq!(ask(&dev, 0, Method::POST, "locks", &lock).await.0, 201);
    let (enough, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(std::sync::Mutex::new(Seen::default())));
    let follower = dev.followers().await[0].id.clone();
    let first = dev.replicas().iter().position(|replica| replica.id == follower).unwrap();
    let following = tokio::spawn({
        let (dev, enough, seen) = (Arc::clone(&dev), Arc::clone(&enough), Arc::clone(&seen));
        async move { follow(dev, first, "locks", |_, lock| seen.lock().unwrap().take(lock), enough).await }
    });
    let granted = Arc::new(AtomicUsize::new(0));
    let mut owners = JoinSet::new();
    for number in 0..OWNERS {
        let (dev, granted) = (Arc::clone(&dev), Arc::clone(&granted));
        owners.spawn_local(async move {
            let body = json!({"owner": format!("o-{number}"), "ttl": "2s"});
            let token = until_within(LONG, "a permit is granted", async || {
                let (status, lock) = ask(&dev, number, Method::POST, "locks/gate/acquire", &body).await;
                let holders = lock["status"]["holders"].as_array()?;
                let is_own = |holder: &&Value| holder["owner"] == body["owner"];
                (status == 200).then(|| holders.iter().find(is_own).unwrap()["token"].as_u64().unwrap())
            })
            .await;
            granted.fetch_add(1, Relaxed);
            // Every fifth is never heard of again.
            if number % 5 != 0 {
                // An answer that was lost, or a time that is over, shows as a grant that is over.
                let (status, _) =
                    ask(&dev, number, Method::POST, "locks/gate/release", &json!({"token": token})).await;
                assert!(matches!(status, 200 | 409), "{status}");
            }
            token
        });
    }
    until_within(LONG, "many had it", async || (granted.load(Relaxed) >= OWNERS / 3).then_some(())).await;
    signal(dev.leader().await.pid, Signal::KILL);
    let mut tokens = BTreeSet::new();
    while let Some(token) = timeout(LONG, owners.join_next()).await.expect("all get it") {
        assert!(tokens.insert(token.unwrap()), "a token was given twice");
    }
    until("those that vanished are forgotten", async || {
        let lock = ask(&dev, 0, Method::GET, "locks/gate", &Value::Null).await.1;
        (lock["status"]["free"] == 3).then_some(())
    })
    .await;
    until("the watch has told of all", async || {
        let seen = seen.lock().unwrap();
        tokens.iter().all(|token| seen.tokens.contains_key(token)).then_some(())
    })
    .await;
    enough.store(true, Relaxed);
    timeout(PATIENCE, following).await.expect("it ends").unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.most <= 3, "{} were held", seen.most);
    assert!(seen.tokens.len() >= OWNERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_runs_get_a_value_each_over_all_replicas_while_the_leader_is_killed_and_give_all_back() {
    LocalSet::new().run_until(two_hundred()).await;
}

async fn two_hundred() {
    const RUNS: usize = 200;
    let dev = Arc::new(Dev::start(&[]).await);
    let pool = json!({"apiVersion": "tallyman.dev/v1", "kind": "Pool", "metadata": {"name": "vlans"},
        "spec": {"ranges": [{"from": 1000, "to": 1000 + RUNS - 1}]}});
    assert_eq!(ask(&dev, 0, Method::POST, "pools", &pool).await.0, 201);
    let enough = Arc::new(AtomicBool::new(false));
    // Of each allocation that there is, its value; and how many there were in all.
    let live = Arc::new(std::sync::Mutex::new((BTreeMap::<String, String>::new(), 0)));
    let following = tokio::spawn({
        let (dev, enough, live) = (Arc::clone(&dev), Arc::clone(&enough), Arc::clone(&live));
        let take = move |kind: &str, one: &Value| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (name, value) = (text(&one["metadata"]["name"]), text(&one["status"]["value"]));
            let (live, all) = &mut *live.lock().unwrap();
            match kind {
                "ADDED" => {
                    assert!(!live.values().any(|taken| *taken == value), "{value} has two owners");
                    live.insert(name, value);
                    *all += 1;
                }
                "DELETED" => assert_eq!(live.remove(&name), Some(value)),
                other => panic!("{other} of {name}"),
            }
        };
        async move { follow(dev, 1, "allocations", take, enough).await }
    });
    let taken = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..RUNS {
        let (dev, taken) = (Arc::clone(&dev), Arc::clone(&taken));
        clients.spawn_local(async move {
            let mut run = runnable(&format!("run-{number}"), "10ms");
            run["spec"]["allocations"] = json!([{"name": "vlan", "pool": "vlans"}]);
            run["spec"]["ttlAfterFinished"] = json!("1s");
            run["spec"]["manifests"][0]["data"] = json!({"vlan": "$[allocations.vlan]"});
            // Whoever was not answered and asks again finds it there.
            let (status, body) = ask(&dev, number, Method::POST, "runnables", &run).await;
            assert!(matches!(status, 201 | 409), "{body}");
            assert!(!body["message"].as_str().unwrap_or_default().contains("exhausted"), "{body}");
            taken.fetch_add(1, Relaxed);
            let run =
                ask(&dev, number, Method::GET, &format!("runnables/run-{number}"), &Value::Null).await.1;
            run["status"]["allocations"][0]["value"].as_str().unwrap().to_owned()
        });
    }
    until_within(LONG, "some are taken", async || (taken.load(Relaxed) >= RUNS / 4).then_some(())).await;
    signal(dev.leader().await.pid, Signal::KILL);
    let mut values = Vec::new();
    while let Some(value) = timeout(LONG, clients.join_next()).await.expect("all are taken") {
        values.push(value.unwrap());
    }
    assert_eq!(values.len(), RUNS);
    until_within(LONG, "all values are given back", async || {
        let pool = ask(&dev, 0, Method::GET, "pools/vlans", &Value::Null).await.1;
        (pool["status"]["allocated"] == 0).then_some(())
    })
    .await;
    until("the watch has told of all", async || {
        let live = live.lock().unwrap();
        (live.0.is_empty() && live.1 == RUNS).then_some(())
    })
    .await;
    enough.store(true, Relaxed);
    timeout(PATIENCE, following).await.expect("it ends").unwrap();
}
