//! Clients that write without a pause and note what was acknowledged.

use crate::dev::{path, until};
use crate::group::Group;
use crate::history::Choices;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Clients at once.
const WRITERS: u64 = 8;
/// How long an answer is waited for; without one it is unknown what came of the write.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Before a write is tried elsewhere.
const PAUSE: Duration = Duration::from_millis(10);

/// What must be there of one run, by its name.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) uid: String,
    pub(crate) manifests: Value,
    /// The values that its label may have; the last acknowledged one, and one whose answer did not come.
    pub(crate) labels: Vec<Value>,
    pub(crate) deleted: Deleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    No,
    Unknown,
    Yes,
}

/// All that was acknowledged, over all rounds of a group.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) runs: Mutex<BTreeMap<String, Noted>>,
    /// Writes, of which a run may have had several.
    pub(crate) acknowledged: AtomicU64,
    /// Writes of which it is not known what came.
    pub(crate) unknown: AtomicU64,
}

pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    book: Arc<Book>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    pub(crate) fn start(group: &Group, book: &Arc<Book>, round: u64, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = |writer| {
            let client = Writer {
                http: group.http.clone(),
                urls: group.urls.clone(),
                book: Arc::clone(book),
                choices: Choices::quietly(seed ^ (round << 8) ^ writer),
                prefix: format!("run-{round}-{writer}"),
            };
            tokio::spawn(client.run(Arc::clone(&stop)))
        };
        let tasks = (0..WRITERS).map(task).collect();
        Self { stop, book: Arc::clone(book), tasks }
    }

    /// Waits until so many more writes were acknowledged.
    pub(crate) async fn progress(&self, more: u64) {
        let goal = self.book.acknowledged.load(Ordering::SeqCst) + more;
        until("writes are acknowledged again", async || {
            (self.book.acknowledged.load(Ordering::SeqCst) >= goal).then_some(())
        })
        .await;
    }

    pub(crate) async fn finish(self) {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

struct Writer {
    http: reqwest::Client,
    urls: Vec<String>,
    book: Arc<Book>,
    choices: Choices,
    prefix: String,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) {
        // The run that is changed next, if what is known of it is certain.
        let mut last: Option<String> = None;
        for number in 0.. {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            last = match (self.choices.below(8), last) {
                (0, Some(name)) => self.label(name, number).await,
                (1, Some(name)) => self.delete(name).await,
                _ => self.submit(format!("{}-{number}", self.prefix)).await,
            };
        }
    }

    async fn submit(&mut self, name: String) -> Option<String> {
        let manifests = manifests(&name, &mut self.choices);
        let body = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"manifests": manifests},
        });
        let request = self.request(Method::POST, "").json(&body);
        let answer = self.acknowledged(request, 201).await?;
        let uid = answer["metadata"]["uid"].as_str().unwrap().to_owned();
        assert!(answer["metadata"]["resourceVersion"].is_string(), "{answer}");
        let noted = Noted { uid, manifests, labels: vec![Value::Null], deleted: Deleted::No };
        self.book.runs.lock().unwrap().insert(name.clone(), noted);
        Some(name)
    }

    async fn label(&mut self, name: String, number: u64) -> Option<String> {
        let label = json!(number.to_string());
        self.note(&name, |noted| noted.labels.push(label.clone()));
        let body = json!({"metadata": {"labels": {"last": label}}}).to_string();
        let request = self.request(Method::PATCH, &format!("/{name}"));
        let request = request.header("content-type", "application/merge-patch+json").body(body);
        self.acknowledged(request, 200).await?;
        self.note(&name, |noted| noted.labels = vec![label]);
        Some(name)
    }

    async fn delete(&mut self, name: String) -> Option<String> {
        self.note(&name, |noted| noted.deleted = Deleted::Unknown);
        let request = self.request(Method::DELETE, &format!("/{name}"));
        self.acknowledged(request, 200).await?;
        self.note(&name, |noted| noted.deleted = Deleted::Yes);
        None
    }

    fn note(&self, name: &str, change: impl FnOnce(&mut Noted)) {
        change(self.book.runs.lock().unwrap().get_mut(name).unwrap());
    }

    fn request(&mut self, method: Method, rest: &str) -> RequestBuilder {
        let url = &self.urls[self.choices.below(self.urls.len() as u64) as usize];
        let url = format!("{url}{}{rest}", path("namespaces/risk/runnables"));
        self.http.request(method, url).timeout(ANSWER_MAX)
    }

    /// The answer, if it acknowledges; else nothing is known.
    async fn acknowledged(&self, request: RequestBuilder, status: u16) -> Option<Value> {
        let answer = async {
            let response = request.send().await.ok()?;
            let found = response.status().as_u16();
            let body: Value = response.json().await.ok()?;
            assert!(found == status || matches!(found, 429 | 503 | 504), "{found}: {body}");
            (found == status).then_some(body)
        }
        .await;
        match answer {
            Some(_) => drop(self.book.acknowledged.fetch_add(1, Ordering::SeqCst)),
            None => {
                self.book.unknown.fetch_add(1, Ordering::SeqCst);
                sleep(PAUSE).await;
            }
        }
        answer
    }
}

/// A Job and its input, of many sizes: some take parts of their own in the inventory.
fn manifests(name: &str, choices: &mut Choices) -> Value {
    let bytes = match choices.below(40) {
        0 => 60_000 + choices.below(100_000),
        _ => choices.below(1_500),
    };
    let letter = char::from(b'a' + choices.below(26) as u8);
    let text: String = std::iter::repeat_n(letter, bytes as usize).collect();
    json!([
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{name}-input")}, "data": {"text": text}},
        {
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
            }}},
        },
    ])
}
