//! A load of clients, and what must hold of all that they saw.

use crate::dev::{Answer, Dev, answer, path, runnable, until};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// An acknowledged submission.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) revision: u64,
}

/// A small deterministic generator: the seed is printed, and repeats the choices.
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) fn seeded(seed: u64) -> Self {
        eprintln!("seed {seed}");
        Self(seed)
    }

    /// The same for one of many, whose seed follows from one that was printed.
    pub(crate) fn quietly(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Clients that submit, repeat until acknowledged, and read their own writes on other replicas.
pub(crate) struct Load {
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) acknowledged: Arc<AtomicU64>,
    writers: Vec<tokio::task::JoinHandle<Vec<Acknowledged>>>,
}

impl Load {
    pub(crate) fn start(dev: &Arc<Dev>, writers: u64, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let writers = (0..writers)
            .map(|writer| {
                let (dev, stop, acknowledged) = (dev.clone(), stop.clone(), acknowledged.clone());
                tokio::spawn(async move { write(&dev, writer, seed, &stop, &acknowledged).await })
            })
            .collect();
        Self { stop, acknowledged, writers }
    }

    /// Waits until that many more submissions were acknowledged.
    pub(crate) async fn progress(&self, more: u64) {
        let goal = self.acknowledged.load(Ordering::SeqCst) + more;
        until("writes are acknowledged again", async || {
            (self.acknowledged.load(Ordering::SeqCst) >= goal).then_some(())
        })
        .await;
    }

    pub(crate) async fn finish(self) -> Vec<Acknowledged> {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Vec::new();
        for writer in self.writers {
            all.extend(writer.await.expect("a client saw something that must not be"));
        }
        all
    }
}

async fn write(
    dev: &Dev,
    writer: u64,
    seed: u64,
    stop: &AtomicBool,
    acknowledged: &AtomicU64,
) -> Vec<Acknowledged> {
    let mut choices = Choices::quietly(seed.wrapping_add(writer));
    let mut all: Vec<Acknowledged> = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        let name = format!("load-{writer}-{number}");
        let Some(answer) = submit(dev, &name, &mut choices, stop).await else { break };
        let uid = answer.body["metadata"]["uid"].as_str().unwrap().to_owned();
        let mine = Acknowledged { name, uid, revision: answer.revision() };
        assert!(
            all.last().is_none_or(|last| last.revision < mine.revision),
            "revisions go back: {all:?} {mine:?}"
        );
        acknowledged.fetch_add(1, Ordering::SeqCst);
        read_back(dev, &mine, &mut choices).await;
        all.push(mine);
        // Load without saturating two cores: the faults are the point.
        sleep(Duration::from_millis(30)).await;
    }
    all
}

/// Repeats one submission over the replicas, with one key, until it is acknowledged; `None` when told to stop
/// before that: then it may or may not have been taken.
async fn submit(dev: &Dev, name: &str, choices: &mut Choices, stop: &AtomicBool) -> Option<Answer> {
    let body = runnable(name, "200ms");
    loop {
        let replicas = dev.replicas();
        let replica = &replicas[choices.below(replicas.len() as u64) as usize];
        let url = format!("{}{}", replica.url, path("namespaces/load/runnables"));
        let request = dev.http.post(url).header("idempotency-key", name).timeout(ANSWER_MAX).json(&body);
        match answer(request).await {
            Some(answer) if answer.status == 201 => return Some(answer),
            Some(answer) => assert!(matches!(answer.status, 429 | 503 | 504), "{name}: {answer:?}"),
            None => {}
        }
        if stop.load(Ordering::SeqCst) {
            return None;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Reads the write on a random replica with its token: shown, or said not to be there yet; never missing.
async fn read_back(dev: &Dev, mine: &Acknowledged, choices: &mut Choices) {
    let replicas = dev.replicas();
    let replica = &replicas[choices.below(replicas.len() as u64) as usize];
    let (name, revision) = (&mine.name, mine.revision);
    let query = format!("resourceVersion={revision}&resourceVersionMatch=NotOlderThan");
    let url = format!("{}{}", replica.url, path(&format!("namespaces/load/runnables/{name}?{query}")));
    // One that is frozen does not answer: it is not waited for as long as all that is waited for.
    let Some(answer) = answer(dev.http.get(url).timeout(ANSWER_MAX)).await else { return };
    match answer.status {
        200 => {
            assert_eq!(answer.body["metadata"]["uid"], json!(mine.uid), "{name} on {}", replica.id);
            assert!(answer.revision() >= revision, "{name} on {} is older than its token", replica.id);
        }
        status => {
            assert!(matches!(status, 503 | 504), "{name} with token {revision} on {}: {answer:?}", replica.id)
        }
    }
}

/// Every acknowledged submission is on every replica and has succeeded; returns the number of Jobs each had.
pub(crate) async fn check_all_succeeded(dev: &Dev, acknowledged: &[Acknowledged]) {
    for one in acknowledged {
        let run = dev.until_phase("load", &one.name, "Succeeded").await;
        assert_eq!(run["metadata"]["uid"], json!(one.uid), "{} is another submission now", one.name);
    }
    for replica in dev.replicas() {
        let list = until("a replica lists all", async || {
            dev.get(&replica.url, &path("namespaces/load/runnables"))
                .await
                .filter(|answer| answer.status == 200)
        })
        .await;
        let items = list.body["items"].as_array().unwrap();
        let found: BTreeMap<_, _> = items
            .iter()
            .map(|item| (item["metadata"]["name"].as_str().unwrap(), &item["metadata"]["uid"]))
            .collect();
        for one in acknowledged {
            assert_eq!(
                found.get(one.name.as_str()),
                Some(&&json!(one.uid)),
                "{} lost {}",
                replica.id,
                one.name
            );
        }
    }
}
