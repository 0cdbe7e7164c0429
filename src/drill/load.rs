//! The load of a drill: writers that submit all the time, through all replicas, and on each replica a reader that asks for
//! the newest of it with its token.

use super::book::{ACKED_MAX, Acked, Book, Event, PROBES_MAX, Probe, Saw};
use super::report::Replica;
use crate::client::{Answer, Client, Request, request};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// From one write of a writer to the next.
const WRITE_EVERY: Duration = Duration::from_millis(25);
/// After a try that was not acknowledged, before the next replica is asked.
const WRITE_AGAIN: Duration = Duration::from_millis(5);
/// From one read of a reader to the next.
const READ_EVERY: Duration = Duration::from_millis(100);
/// How long an answer to a write is waited for, before another replica is asked: gaps are seen no finer where a replica
/// is silent.
const WRITE_ANSWER_MAX: Duration = Duration::from_secs(1);
/// The same of a read: a little more than the replica waits itself for a revision.
const READ_ANSWER_MAX: Duration = Duration::from_secs(6);
/// How long what is under way is given when the load ends.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// The label with the idempotency key.
pub(crate) const KEY: &str = "drill.tallyman.dev/key";
/// Whose approval is asked for: what is submitted is held, so that no cluster sees anything of it.
const APPROVERS: &str = "drill.tallyman.dev/nobody";

/// What writers and readers share.
struct Shared {
    client: Client,
    replicas: Vec<Replica>,
    namespace: String,
    begun: Instant,
    book: Mutex<Book>,
    is_over: watch::Sender<bool>,
}

/// The load; it ends when this is dropped.
pub(super) struct Load {
    shared: Arc<Shared>,
    writers: JoinSet<()>,
    readers: JoinSet<()>,
}

impl Load {
    /// Begins with a writer and a reader for each replica.
    pub(super) fn start(client: &Client, replicas: &[Replica], namespace: &str) -> Self {
        let shared = Arc::new(Shared {
            client: client.clone(),
            replicas: replicas.to_vec(),
            namespace: namespace.to_owned(),
            begun: Instant::now(),
            book: Mutex::default(),
            is_over: watch::Sender::new(false),
        });
        let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
        for place in 0..replicas.len() {
            writers.spawn(write(Arc::clone(&shared), place));
            readers.spawn(read(Arc::clone(&shared), place));
        }
        Self { shared, writers, readers }
    }

    /// Where everything is submitted.
    pub(super) fn namespace(&self) -> &str {
        &self.shared.namespace
    }

    /// ms since it began.
    pub(super) fn now_ms(&self) -> u64 {
        self.shared.now_ms()
    }

    /// What was seen so far.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book()
    }

    /// Notes that something was done or seen.
    pub(super) fn note(&self, text: &str) {
        let event = Event { at_ms: self.now_ms(), text: text.to_owned() };
        self.book().events.push(event);
    }

    /// Begins no more writes, waits for what is under way, and gives what was seen.
    pub(super) async fn finish(mut self) -> Book {
        self.shared.is_over.send_replace(true);
        let settled = async { while self.writers.join_next().await.is_some() {} };
        let _ = timeout(SETTLE_MAX, settled).await;
        self.writers.shutdown().await;
        self.readers.shutdown().await;
        self.shared.book().clone()
    }
}

impl Shared {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of one replica only.
    fn at(&self, place: usize) -> Client {
        let url =
            self.replicas.get(place % self.replicas.len().max(1)).map_or("", |replica| replica.url.as_str());
        self.client.at(url)
    }

    fn is_over(&self) -> bool {
        *self.is_over.borrow()
    }
}

/// Submits one after the other; each under its own key until it is acknowledged, by whichever replica.
async fn write(shared: Arc<Shared>, writer: usize) {
    let mut place = writer;
    for number in 0_u64.. {
        if shared.is_over() || shared.book().acked.len() >= ACKED_MAX {
            return;
        }
        let key = format!("w{writer}-{number}");
        let path = request::runnables(Some(&shared.namespace));
        let request = Request::send(Method::POST, path, &submission(&key))
            .keyed(Some(&format!("{}-{key}", shared.namespace)));
        shared.book().submitted += 1;
        let begun = Instant::now();
        while let Err(again) = acknowledged(&shared, &key, &request, place).await {
            shared.book().refused(again.0, again.1);
            place += 1;
            if shared.is_over() && begun.elapsed() >= SETTLE_MAX {
                return;
            }
            sleep(WRITE_AGAIN).await;
        }
        sleep(WRITE_EVERY).await;
    }
}

/// One try; otherwise the status and words of what was answered.
async fn acknowledged(
    shared: &Shared,
    key: &str,
    request: &Request,
    place: usize,
) -> Result<(), (u16, String)> {
    let answer = shared.at(place).once(request, WRITE_ANSWER_MAX).await;
    let answer = answer.ok_or_else(|| (0, "no answer".to_owned()))?;
    if !(200..300).contains(&answer.status) {
        return Err((answer.status, answer.words()));
    }
    let acked = Acked {
        key: key.to_owned(),
        name: answer.text("/metadata/name").to_owned(),
        uid: answer.text("/metadata/uid").to_owned(),
        revision: answer.revision(),
        at_ms: shared.now_ms(),
    };
    shared.book().acked.push(acked);
    Ok(())
}

/// Reads the newest acknowledged write on one replica, all the time.
async fn read(shared: Arc<Shared>, place: usize) {
    let Some(replica) = shared.replicas.get(place).map(|replica| replica.id.clone()) else { return };
    let client = shared.at(place);
    while !shared.is_over() {
        let newest = shared.book().acked.last().cloned();
        if let Some(newest) = newest {
            let request =
                Request::get(request::runnable(&shared.namespace, &newest.name)).token(newest.revision);
            let (at_ms, begun) = (shared.now_ms(), Instant::now());
            let answer = client.once(&request, READ_ANSWER_MAX).await;
            let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let probe =
                Probe { replica: replica.clone(), at_ms, took_ms, saw: saw(answer.as_ref(), &newest.uid) };
            let mut book = shared.book();
            if book.probes.len() < PROBES_MAX {
                book.probes.push(probe);
            }
        }
        sleep(READ_EVERY).await;
    }
}

/// What an answer to a read with a token shows of the write.
fn saw(answer: Option<&Answer>, uid: &str) -> Saw {
    let Some(answer) = answer else { return Saw::Nothing };
    of_answer(answer.status, answer.text("/metadata/uid") == uid, answer.is_too_new())
}

fn of_answer(status: u16, is_it: bool, is_too_new: bool) -> Saw {
    match status {
        200 if is_it => Saw::Write,
        200 | 404 | 410 => Saw::Without,
        504 if is_too_new => Saw::Late,
        _ => Saw::Nothing,
    }
}

/// A Job that is held until somebody approves it, which nobody can.
fn submission(key: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable",
        "metadata": {"generateName": "drill-", "labels": {KEY: key}},
        "spec": {
            "approvals": {"required": 1, "groups": [APPROVERS]},
            "manifests": [{
                "apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "drill-"},
                "spec": {"template": {"spec": {
                    "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
                }}},
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_the_write_is_told_from_one_that_is_late_and_from_none() {
        for (status, is_it, is_too_new, expected) in [
            (200, true, false, Saw::Write),
            (200, false, false, Saw::Without),
            (404, false, false, Saw::Without),
            (410, false, false, Saw::Without),
            (504, false, true, Saw::Late),
            (504, false, false, Saw::Nothing),
            (503, false, false, Saw::Nothing),
        ] {
            assert_eq!(of_answer(status, is_it, is_too_new), expected, "{status}");
        }
        assert_eq!(saw(None, "mine"), Saw::Nothing);
    }

    #[test]
    fn what_is_submitted_is_held_and_known_by_its_key() {
        let body = submission("w1-7");
        assert_eq!(body["metadata"]["labels"][KEY], "w1-7");
        assert_eq!(body["spec"]["approvals"]["required"], 1);
        assert!(body["metadata"].get("name").is_none(), "a name of its own would hide what was done twice");
    }
}
