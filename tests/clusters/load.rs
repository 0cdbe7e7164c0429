//! Submissions at a rate.

use crate::dev::{client, path, until};
use crate::times::Moments;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// One in so many is followed on the followers.
pub(crate) const PROBE_OF: usize = 10;
/// How they are selected.
pub(crate) const PROBES: &str = "probe%3Dyes";
/// Their namespace.
pub(crate) const NAMESPACE: &str = "load";
/// Requests under way at most: an open loop must not become a flood of its own.
const UNDER_WAY_MAX: usize = 400;

/// Submits, spread over servers, whether or not they keep up.
pub(crate) struct Load {
    urls: Vec<String>,
    http: reqwest::Client,
    /// When a submission was acknowledged, by name.
    pub(crate) accepted: Moments,
    under_way: Arc<AtomicUsize>,
    /// Submissions that were refused or had no answer, and those that were not sent because too many were under way.
    pub(crate) failed: Arc<AtomicUsize>,
    next: usize,
}

impl Load {
    pub(crate) fn on(urls: &[String]) -> Self {
        let (accepted, under_way, failed) = (Moments::default(), Arc::default(), Arc::default());
        Self { urls: urls.to_vec(), http: client(), accepted, under_way, failed, next: 0 }
    }

    /// Submissions that were sent.
    pub(crate) fn sent(&self) -> usize {
        self.next
    }

    /// Waits until all is answered.
    pub(crate) async fn answered(&self) {
        until("all submissions are answered", async || {
            (self.under_way.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
    }

    /// Submits `per_s` a second for as long; `change` gets each number and document.
    pub(crate) async fn run(&mut self, per_s: u32, time: Duration, change: impl Fn(usize, &mut Value)) {
        let begun = Instant::now();
        let all = (time.as_secs_f64() * f64::from(per_s)) as u32;
        for number in 0..all {
            sleep_until(begun + Duration::from_secs(1) * number / per_s).await;
            self.submit(&change);
        }
    }

    fn submit(&mut self, change: &impl Fn(usize, &mut Value)) {
        let number = self.next;
        self.next += 1;
        if self.under_way.load(Ordering::SeqCst) >= UNDER_WAY_MAX {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let mut body = runnable(number);
        change(number, &mut body);
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let url = format!(
            "{}{}",
            self.urls[number % self.urls.len()],
            path(&format!("namespaces/{NAMESPACE}/runnables"))
        );
        let request = self.http.post(url).body(body.to_string());
        let (accepted, under_way) = (Arc::clone(&self.accepted), Arc::clone(&self.under_way));
        let failed = Arc::clone(&self.failed);
        under_way.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            match request.send().await {
                Ok(answer) if answer.status() == 201 => {
                    accepted.lock().unwrap().insert(name, Instant::now());
                }
                _ => {
                    failed.fetch_add(1, Ordering::SeqCst);
                }
            }
            under_way.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// A Job with a ConfigMap that runs for a moment.
fn runnable(number: usize) -> Value {
    let mut value = crate::dev::runnable(&format!("run-{number}"), "100ms");
    if number.is_multiple_of(PROBE_OF) {
        value["metadata"]["labels"] = json!({"probe": "yes"});
    }
    value
}
