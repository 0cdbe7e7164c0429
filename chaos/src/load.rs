//! A load: clients that ask servers as fast as they are answered, or at a given rate, and how long that took.
//!
//! Each client asks one thing at a time, over one connection to each server that it asks, which is kept open. With a
//! given rate a request's time counts from when it was to be sent, not from when a client was free to send it: a
//! server that stalls is charged for everything that had to wait.

mod connection;
mod histogram;
mod target;
mod watcher;

pub use histogram::Histogram;
pub use target::{Target, TargetError};
pub use watcher::{WatchError, watch};

use bytes::Bytes;
use connection::Connection;
use hyper::{Method, Request, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long one answer is waited for.
const ANSWER_S_MAX: u64 = 30;
/// How long a client rests whose connection broke.
const RECONNECT_DELAY: Duration = Duration::from_millis(20);
/// Different words about lost requests that are kept.
const LOSSES_TOLD_MAX: usize = 8;

/// How fast requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Closed loop: a client sends the next one when it has its answer.
    Closed,
    /// Open loop: so many a second over all clients, whether or not the servers keep up.
    PerSecond(f64),
}

/// Who is asked, by how many, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The servers; a [`Shot`] names one by its position.
    pub targets: Vec<Target>,
    /// Clients, which is also how many requests are under way at most.
    pub clients: usize,
    /// How fast.
    pub pace: Pace,
    /// No request begins after this.
    pub duration: Duration,
    /// Not more requests than these.
    pub requests_max: u64,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Shot {
    /// What it counts as.
    pub operation: &'static str,
    /// Which of the plan's targets; beyond the last one it begins anew.
    pub target: usize,
    /// Path and query.
    pub path: String,
    /// A JSON body makes it a POST.
    pub body: Option<Bytes>,
}

/// What a server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The revision in the answer's header.
    pub revision: Option<u64>,
    /// Bytes of the body.
    pub bytes: u64,
}

impl Answer {
    /// True if the request was granted.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What one client asks, one after the other.
pub trait Script: Send {
    /// The next request.
    fn next(&mut self) -> Shot;
    /// What came of it.
    fn answered(&mut self, _shot: &Shot, _answer: &Answer) {}
}

/// What came of the requests that count as one operation.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Times of the granted ones, in µs.
    pub latency: Histogram,
    /// How many were answered with each HTTP status.
    pub codes: BTreeMap<u16, u64>,
    /// Bytes of all bodies that were received.
    pub bytes: u64,
    /// Requests without an answer, by why.
    pub lost: BTreeMap<String, u64>,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.bytes += other.bytes;
        for (code, count) in &other.codes {
            *self.codes.entry(*code).or_default() += count;
        }
        for (why, count) in &other.lost {
            self.lose(why, *count);
        }
    }

    fn lose(&mut self, why: &str, count: u64) {
        let full = self.lost.len() >= LOSSES_TOLD_MAX && !self.lost.contains_key(why);
        *self.lost.entry(if full { "other" } else { why }.to_owned()).or_default() += count;
    }

    fn take(&mut self, answer: &Result<Answer, String>, since: Instant) {
        match answer {
            Ok(answer) => {
                *self.codes.entry(answer.status).or_default() += 1;
                self.bytes += answer.bytes;
                if answer.is_ok() {
                    self.latency.record(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
                }
            }
            Err(why) => self.lose(why, 1),
        }
    }
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// From its start to its last answer.
    pub took: Duration,
    /// By operation.
    pub operations: BTreeMap<&'static str, Tally>,
}

/// What all clients share.
struct Schedule {
    plan: Plan,
    start: Instant,
    next: AtomicU64,
}

impl Schedule {
    /// Waits until the next request is due; from when its time counts. `None`: it is over.
    async fn due(&self) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let end = self.start + self.plan.duration;
        if number >= self.plan.requests_max {
            return None;
        }
        match self.plan.pace {
            Pace::Closed => Some(Instant::now()).filter(|now| *now < end),
            Pace::PerSecond(rate) => {
                let due = self.start + Duration::from_secs_f64(number as f64 / rate.max(f64::MIN_POSITIVE));
                if due >= end {
                    return None;
                }
                sleep_until(due).await;
                Some(due)
            }
        }
    }
}

/// Runs a load to its end. `script` makes the script of the client with that number, from 0 on.
pub async fn run(plan: Plan, script: impl Fn(usize) -> Box<dyn Script>) -> Outcome {
    let clients = plan.clients;
    let schedule = Arc::new(Schedule { plan, start: Instant::now(), next: AtomicU64::new(0) });
    let mut running = JoinSet::new();
    for number in 0..clients {
        running.spawn(client(Arc::clone(&schedule), script(number)));
    }
    let mut outcome = Outcome::default();
    while let Some(ended) = running.join_next().await {
        for (operation, tally) in ended.unwrap_or_default() {
            outcome.operations.entry(operation).or_default().add(&tally);
        }
    }
    outcome.took = schedule.start.elapsed();
    outcome
}

async fn client(schedule: Arc<Schedule>, mut script: Box<dyn Script>) -> BTreeMap<&'static str, Tally> {
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    let mut open: BTreeMap<usize, Connection> = BTreeMap::new();
    while let Some(since) = schedule.due().await {
        let shot = script.next();
        let at = shot.target % schedule.plan.targets.len().max(1);
        let answer = match schedule.plan.targets.get(at) {
            Some(target) => exchange(&mut open, at, target, &shot).await,
            None => Err("no server is named".to_owned()),
        };
        tallies.entry(shot.operation).or_default().take(&answer, since);
        match &answer {
            Ok(answer) => script.answered(&shot, answer),
            Err(_) => {
                open.remove(&at);
                sleep(RECONNECT_DELAY).await;
            }
        }
    }
    tallies
}

async fn exchange(
    open: &mut BTreeMap<usize, Connection>,
    at: usize,
    target: &Target,
    shot: &Shot,
) -> Result<Answer, String> {
    let exchange = async {
        if let std::collections::btree_map::Entry::Vacant(place) = open.entry(at) {
            place.insert(Connection::open(target).await?);
        }
        let connection = open.get_mut(&at).ok_or("not connected")?;
        connection.send(request(target, shot)?).await
    };
    match timeout(Duration::from_secs(ANSWER_S_MAX), exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {ANSWER_S_MAX} s")),
    }
}

fn request(target: &Target, shot: &Shot) -> Result<Request<connection::Body>, String> {
    let uri = shot.path.parse().map_err(|error| format!("{error}"))?;
    let body = shot.body.clone();
    let mut request = Request::new(connection::Body::new(body.clone().unwrap_or_default()));
    *request.method_mut() = if body.is_some() { Method::POST } else { Method::GET };
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = target.headers().clone();
    Ok(request)
}

#[cfg(test)]
mod tests;
