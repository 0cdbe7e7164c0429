#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::error::{Unknown, classify};
use crate::limits::{BREAKER_FAILURES, WRITES_START};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tallyman_model::rule::{Owned, project};

/// What it answers to everything, and how often it was asked.
#[derive(Default)]
struct Scripted {
    calls: AtomicU32,
    is_dead: AtomicBool,
    status: AtomicU32,
}

impl Scripted {
    fn answer<T: Send + 'static>(&self, value: T) -> Call<'_, T> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            if self.is_dead.load(Ordering::SeqCst) {
                return Err(CallError::lost(Unknown::Deadline));
            }
            match self.status.load(Ordering::SeqCst) {
                0 => Ok(value),
                status => Err(classify(u16::try_from(status).unwrap(), Some(5), b"")),
            }
        })
    }
}

fn seen() -> Observation {
    let object = json!({"metadata": {"namespace": "n", "name": "a", "uid": "u", "resourceVersion": "1"}});
    project(&Kind::Job, &object).unwrap()
}

impl ClusterApi for Scripted {
    fn identity(&self) -> Call<'_, Identity> {
        self.answer(Identity { kube_system_uid: "k".to_owned(), version: "v".to_owned() })
    }

    fn plural<'a>(&'a self, _: &'a Kind) -> Call<'a, String> {
        Box::pin(async { Ok("jobs".to_owned()) })
    }

    fn list<'a>(&'a self, _: &'a Extent, _: &'a str, _: Option<&'a str>, _: u32) -> Call<'a, Page> {
        self.answer(Page {
            items: Vec::new(),
            skipped: 0,
            bytes: 0,
            resource_version: "1".to_owned(),
            continue_token: None,
        })
    }

    fn objects<'a>(&'a self, _: &'a Kind, _: &'a [String]) -> Call<'a, Objects> {
        self.answer(Objects::default())
    }

    fn watch<'a>(&'a self, _: &'a Extent, _: &'a str, _: &'a str) -> Call<'a, WatchStream> {
        self.answer(Box::pin(futures::stream::empty()))
    }

    fn get<'a>(&'a self, _: &'a Kind, _: &'a str, _: &'a str) -> Call<'a, Option<Observation>> {
        self.answer(None)
    }

    fn pods<'a>(&'a self, _: &'a str, _: &'a str) -> Call<'a, (Vec<Examined>, bool)> {
        self.answer((Vec::new(), false))
    }

    fn warnings<'a>(&'a self, _: &'a str, _: &'a str) -> Call<'a, Vec<Warning>> {
        self.answer(Vec::new())
    }

    fn admission<'a>(&'a self, _: &'a str, _: &'a str) -> Call<'a, Option<Admission>> {
        self.answer(None)
    }

    fn create<'a>(&'a self, _: &'a Kind, _: &'a str, _: &'a [u8]) -> Call<'a, Observation> {
        self.answer(seen())
    }

    fn rehearse<'a>(&'a self, _: &'a Kind, _: &'a str, _: &'a [u8]) -> Call<'a, ()> {
        self.answer(())
    }

    fn delete<'a>(&'a self, _: &'a Kind, _: &'a str, _: &'a str, _: &'a str) -> Call<'a, Deleted> {
        self.answer(Deleted::Gone)
    }

    fn patch<'a>(
        &'a self,
        _: &'a Kind,
        _: &'a str,
        _: &'a str,
        _: &'a str,
        _: Option<&'a str>,
        _: &'a Value,
    ) -> Call<'a, Observation> {
        self.answer(seen())
    }

    fn look<'a>(&'a self, _: &'a Kind, _: &'a str, _: &'a str) -> Call<'a, Option<Look>> {
        self.answer(None)
    }

    fn apply<'a>(&'a self, _: &'a Kind, _: &'a str, _: &'a str, _: &'a [u8], _: Apply) -> Call<'a, Look> {
        self.answer(Look { item: seen(), owned: Owned::default(), object: Value::Null })
    }
}

fn guarded(fence: Fence) -> (Arc<Scripted>, Guarded) {
    let inner = Arc::new(Scripted::default());
    (Arc::clone(&inner), Guarded::new(inner, Limiter::default(), Breaker::default(), fence))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_for_a_leadership_that_is_over() {
    let (inner, api) = guarded(Arc::new(|| false));
    let error = api.create(&Kind::Job, "n", b"{}").await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { why: NotSent::Fenced, .. }));
    assert!(api.get(&Kind::Job, "n", "a").await.unwrap().is_none(), "reads go on");
    assert_eq!(inner.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_cluster_is_not_called_in_vain_and_is_found_again() {
    let (inner, api) = guarded(Arc::new(|| true));
    inner.is_dead.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        api.identity().await.unwrap_err();
        api.create(&Kind::Job, "n", b"{}").await.unwrap_err();
    }
    assert_eq!(
        inner.calls.load(Ordering::SeqCst),
        2 * BREAKER_FAILURES - 1,
        "reads and writes before it opened"
    );
    inner.is_dead.store(false, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(60)).await;
    let write = api.delete(&Kind::Job, "n", "a", "u").await.unwrap_err();
    assert!(
        matches!(write, CallError::NotSent { why: NotSent::BreakerOpen, .. }),
        "a write is never the probe"
    );
    api.identity().await.unwrap();
    api.create(&Kind::Job, "n", b"{}").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_cluster_gets_fewer_writes_and_none_before_the_time_it_named() {
    let (inner, api) = guarded(Arc::new(|| true));
    inner.status.store(429, Ordering::SeqCst);
    api.create(&Kind::Job, "n", b"{}").await.unwrap_err();
    assert_eq!(api.limiter.limit(), WRITES_START / 2);
    inner.status.store(0, Ordering::SeqCst);
    let started = tokio::time::Instant::now();
    api.create(&Kind::Job, "n", b"{}").await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn the_fence_is_asked_after_the_wait_for_a_slot() {
    let leads = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&leads);
    let (inner, api) = guarded(Arc::new(move || asked.load(Ordering::SeqCst)));
    inner.status.store(429, Ordering::SeqCst);
    api.create(&Kind::Job, "n", b"{}").await.unwrap_err();
    inner.status.store(0, Ordering::SeqCst);
    let call = api.create(&Kind::Job, "n", b"{}");
    leads.store(false, Ordering::SeqCst);
    assert!(matches!(call.await, Err(CallError::NotSent { why: NotSent::Fenced, .. })));
}
