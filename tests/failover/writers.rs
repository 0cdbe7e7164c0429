//! Clients that write all the time, and when they were acknowledged.

use crate::dev::{client, path, runnable, until_within};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// From one write to the next, so that all processes together leave the machine some air.
const PACE: Duration = Duration::from_millis(10);
/// After a write that was not taken, before it is tried at the next server.
const AGAIN: Duration = Duration::from_millis(5);
/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long may pass until writes are acknowledged again.
const PATIENCE: Duration = Duration::from_secs(60);

/// An acknowledged write.
#[derive(Clone, Copy, Debug)]
struct Acked {
    sent: Instant,
    at: Instant,
}

#[derive(Default)]
struct Book {
    acked: Vec<Acked>,
    /// Answers that were no acknowledgement, by their status; 0: none came.
    others: BTreeMap<u16, u64>,
}

/// The writers; they end when this is dropped.
pub(crate) struct Writers {
    book: Arc<Mutex<Book>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Writers {
    /// `count` writers, each of which begins at another one of the servers `urls`. What they write is called by `name`.
    pub(crate) fn start(urls: &[String], count: usize, name: &str) -> Self {
        let book = Arc::default();
        let task = |writer| {
            tokio::spawn(write(writer, format!("{name}-{writer}"), urls.to_vec(), Arc::clone(&book)))
        };
        let tasks = (0..count).map(task).collect();
        Self { book, tasks }
    }

    /// Waits until so many writes are acknowledged that were sent from now on.
    pub(crate) async fn progress(&self, count: usize) {
        let now = Instant::now();
        until_within(PATIENCE, "writes are acknowledged", async || {
            let book = self.book.lock().unwrap();
            (book.acked.iter().rev().take_while(|acked| acked.sent > now).count() >= count).then_some(())
        })
        .await;
    }

    /// The longest time without an acknowledgement, from the last one before `since` on.
    pub(crate) fn gap(&self, since: Instant) -> Duration {
        let book = self.book.lock().unwrap();
        let before = book.acked.iter().rposition(|acked| acked.at <= since).unwrap_or(0);
        let pairs = book.acked[before..].windows(2);
        pairs.map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
    }

    /// How long the acknowledged writes took, in ms.
    pub(crate) fn latencies_ms(&self) -> Vec<f64> {
        let book = self.book.lock().unwrap();
        book.acked.iter().map(|acked| (acked.at - acked.sent).as_secs_f64() * 1000.0).collect()
    }

    /// How many writes were acknowledged, and the other answers.
    pub(crate) fn summary(&self) -> String {
        let book = self.book.lock().unwrap();
        format!(
            "{} acknowledged writes; other answers by status (0: none): {:?}",
            book.acked.len(),
            book.others
        )
    }
}

async fn write(writer: usize, name: String, urls: Vec<String>, book: Arc<Mutex<Book>>) {
    let (http, mut turn) = (client(), writer);
    for number in 0.. {
        let mut body = runnable(&format!("{name}-{number}"), "10ms");
        // It stays in the inventory: what the leader does at clusters is another question.
        body["spec"]["placement"]["clusterSelector"]["matchLabels"]["failover.tallyman.dev/nowhere"] =
            "".into();
        let url = format!("{}{}", urls[turn % urls.len()], path("namespaces/failover/runnables"));
        let sent = Instant::now();
        let answer = timeout(ANSWER_MAX, http.post(url).json(&body).send()).await;
        let status = answer.ok().and_then(Result::ok).map_or(0, |answer| answer.status().as_u16());
        if status == 201 {
            book.lock().unwrap().acked.push(Acked { sent, at: Instant::now() });
            sleep(PACE).await;
        } else {
            *book.lock().unwrap().others.entry(status).or_default() += 1;
            turn += 1;
            sleep(AGAIN).await;
        }
    }
}
