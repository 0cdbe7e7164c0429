//! When things were asked for, happened, and were known.

use crate::report::{Table, verdict};
use futures::StreamExt;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Times in ms.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn add(&mut self, from: Instant, to: Instant) {
        self.0.push(to.saturating_duration_since(from).as_secs_f64() * 1000.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// 0 if there are none.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let mut all = self.0.clone();
        all.sort_by(f64::total_cmp);
        let place = ((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1));
        all.get(place).copied().unwrap_or(0.0)
    }

    /// Reports them; `asked_ms` is what their p99 is to be at most.
    pub(crate) fn report(&self, what: &str, asked_ms: Option<f64>) {
        let (p50, p99, worst) = (self.at(0.5), self.at(0.99), self.at(1.0));
        let is_met = |asked_ms| self.len() > 0 && p99 <= asked_ms;
        let verdict = asked_ms.map_or(String::new(), |ms| verdict(&format!("p99 {ms:.0} ms"), is_met(ms)));
        let times = self.len();
        let row = format!("| {what} | {times} | {p50:.0} ms | {p99:.0} ms | {worst:.0} ms | {verdict} |");
        Table::Times.add(&row);
    }
}

/// Moments by what they are of, the first of each.
pub(crate) type Moments = Arc<Mutex<BTreeMap<String, Instant>>>;

/// Versions of objects by name, with when each was seen first.
pub(crate) type Versions = Arc<Mutex<BTreeMap<String, Vec<(u64, Instant)>>>>;

/// A watch that goes on until this is dropped.
pub(crate) struct Following(AbortHandle);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// UIDs by name.
pub(crate) type Uids = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

/// Notes when Jobs came to be on a cluster, under which UIDs, and when their status changed.
pub(crate) fn follow_cluster(server: &str, made: &Moments, uids: &Uids, changed: &Versions) -> Following {
    let (made, uids, changed) = (Arc::clone(made), Arc::clone(uids), Arc::clone(changed));
    let mut known: BTreeMap<String, u64> = BTreeMap::new();
    follow(format!("{server}/apis/batch/v1/jobs?watch=true"), move |event: Event, now| {
        let Some(name) = event.object.metadata.name.filter(|_| event.kind != "BOOKMARK") else { return };
        made.lock().unwrap().entry(name.clone()).or_insert(now);
        uids.lock().unwrap().entry(name.clone()).or_default().insert(event.object.metadata.uid);
        let said = event.object.status.said();
        if known.insert(name.clone(), said) != Some(said)
            && let Ok(version) = event.object.metadata.resource_version.parse()
        {
            changed.lock().unwrap().entry(name).or_default().push((version, now));
        }
    })
}

/// Notes which version of its Job a run was shown with, and when, on one replica.
pub(crate) fn follow_runs(replica: &str, selector: &str, shown: &Versions) -> Following {
    let shown = Arc::clone(shown);
    let path = crate::dev::path("runnables?watch=true&timeoutSeconds=3600&labelSelector=");
    follow(format!("{replica}{path}{selector}"), move |event: Event, now| {
        let Some(name) = event.object.metadata.name else { return };
        let observed = event.object.status.observed.and_then(|it| it.resource_version.parse().ok());
        if let Some(version) = observed {
            shown.lock().unwrap().entry(name).or_default().push((version, now));
        }
    })
}

/// From each event to when it, or a later one of that object, was shown by all; and how many are not shown yet.
pub(crate) fn lags(
    happened: &Versions,
    shown: &[Versions],
    counts: impl Fn(&str, Instant) -> bool,
) -> (Times, usize) {
    let (mut times, mut missing) = (Times::default(), 0);
    let shown: Vec<_> = shown.iter().map(|shown| shown.lock().unwrap()).collect();
    for (name, events) in happened.lock().unwrap().iter() {
        for (version, at) in events.iter().filter(|(_, at)| counts(name, *at)) {
            let first = |seen: &BTreeMap<String, Vec<(u64, Instant)>>| {
                let later = seen.get(name)?.iter().filter(|(found, _)| found >= version);
                later.map(|(_, at)| *at).min()
            };
            let firsts: Option<Vec<Instant>> = shown.iter().map(|seen| first(seen)).collect();
            match firsts.and_then(|firsts| firsts.into_iter().max()) {
                Some(last) => times.add(*at, last),
                None => missing += 1,
            }
        }
    }
    (times, missing)
}

fn follow(url: String, mut take: impl FnMut(Event, Instant) + Send + 'static) -> Following {
    let task = tokio::spawn(async move {
        let http = reqwest::Client::builder().build().unwrap();
        loop {
            // A replica or a cluster may be away.
            let Ok(answer) = http.get(&url).send().await else {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let (mut body, mut rest) = (answer.bytes_stream(), Vec::new());
            while let Some(Ok(chunk)) = body.next().await {
                let now = Instant::now();
                rest.extend_from_slice(&chunk);
                let mut begin = 0;
                while let Some(end) = rest[begin..].iter().position(|byte| *byte == b'\n') {
                    if let Ok(event) = serde_json::from_slice(&rest[begin..begin + end]) {
                        take(event, now);
                    }
                    begin += end + 1;
                }
                rest.drain(..begin);
            }
        }
    });
    Following(task.abort_handle())
}

/// What is read of an event, of a Job as of a run.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: String,
}

#[derive(Default, Deserialize)]
struct Status {
    observed: Option<Observed>,
    #[serde(default)]
    active: u64,
    #[serde(default)]
    ready: u64,
    #[serde(default)]
    succeeded: u64,
    #[serde(default)]
    conditions: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Observed {
    #[serde(default)]
    resource_version: String,
}

impl Status {
    /// A number that is another one when a Job says something else.
    fn said(&self) -> u64 {
        let conditions = self.conditions.len() as u64;
        ((self.active * 1000 + self.ready) * 1000 + self.succeeded) * 1000 + conditions
    }
}
