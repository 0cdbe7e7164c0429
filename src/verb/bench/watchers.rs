//! The fan-out: many watch, some submit, and it counts how soon each watcher has each submission.

use super::Bench;
use super::measure::Seen;
use super::scripts::{SENT, WRITE, Writer, Writes};
use crate::client::{Client, Request, request};
use crate::exit::{Exit, Failure};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallyman_chaos::load::{self, Histogram, Outcome, Script, Shot, Target};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How long watchers may take to begin, and to see what was submitted last.
const WATCHERS_S_MAX: u64 = 30;
/// How a line begins that tells of a new runnable.
const ADDED: &[u8] = b"{\"type\":\"ADDED\"";

/// Submits, and marks when.
struct Stamped {
    writes: Writes,
    start: Instant,
}

impl Script for Stamped {
    fn next(&mut self) -> Shot {
        self.writes.stamped(&self.start.elapsed().as_micros().to_string())
    }
}

/// What the watchers share.
struct Watching {
    start: Instant,
    /// A permit for each watcher that has begun.
    begun: Semaphore,
    /// How many submissions each must see, when that is known.
    expected: watch::Receiver<Option<u64>>,
}

/// Runs the load, and the watchers beside it.
///
/// # Errors
/// A watcher could not begin.
pub(super) async fn run(
    bench: &Bench,
    client: &Client,
    targets: Vec<Target>,
    writer: Writer,
) -> Result<(Outcome, Seen), Failure> {
    let listed = Request::get(request::runnables(Some(bench.namespace()))).query("limit", 1);
    let revision = client.read(&listed).await?.revision();
    let query = format!("?watch=true&resourceVersion={revision}&timeoutSeconds=3600");
    let path = format!("{}{query}", request::runnables(Some(bench.namespace())));
    let (expect, expected) = watch::channel(None);
    let (start, begun) = (Instant::now(), Semaphore::new(0));
    let watching = Arc::new(Watching { start, begun, expected });
    let mut watchers = JoinSet::new();
    for target in targets.iter().cycle().take(usize::try_from(bench.watchers).unwrap_or(usize::MAX)) {
        watchers.spawn(watcher(Arc::clone(&watching), target.clone(), path.clone()));
    }
    let all = u32::try_from(bench.watchers).unwrap_or(u32::MAX);
    let patience = Duration::from_secs(WATCHERS_S_MAX);
    if timeout(patience, watching.begun.acquire_many(all)).await.is_err() {
        let message = format!("not all watchers could begin within {WATCHERS_S_MAX} s");
        return Err(Failure::new(Exit::Unavailable, message, "fewer --watchers; ulimit -n"));
    }
    let plan = bench.plan(targets);
    let outcome = load::run(plan, |number| -> Box<dyn Script> {
        Box::new(Stamped { writes: Writes::new(writer.clone(), number), start })
    })
    .await;
    let written = outcome.operations.get(WRITE).map_or(0, |tally| tally.latency.count());
    expect.send_replace(Some(written));
    let (mut latency, mut seen) = (Histogram::default(), 0);
    while let Some(ended) = watchers.join_next().await {
        let histogram = ended.unwrap_or_default();
        seen += histogram.count().min(written);
        latency.add(&histogram);
    }
    let missed = (written * bench.watchers).saturating_sub(seen);
    Ok((outcome, Seen { latency, missed }))
}

/// Reads until it has seen all that was submitted, or was given the time to; the times, in µs.
async fn watcher(watching: Arc<Watching>, target: Target, path: String) -> Histogram {
    let seen = Mutex::new(Histogram::default());
    let count = || seen.lock().unwrap_or_else(PoisonError::into_inner).count();
    let on_line = |line: &[u8], now: Instant| {
        if let Some(sent_us) = sent_us(line) {
            let seen_us = u64::try_from(now.duration_since(watching.start).as_micros()).unwrap_or(u64::MAX);
            seen.lock().unwrap_or_else(PoisonError::into_inner).record(seen_us.saturating_sub(sent_us));
        }
        watching.expected.borrow().is_none_or(|expected| count() < expected)
    };
    // All may have come before it is known how many that is.
    let ended = async {
        let mut expected = watching.expected.clone();
        let all = expected.wait_for(Option::is_some).await.map_or(None, |all| *all);
        if all.is_some_and(|all| count() < all) {
            tokio::time::sleep(Duration::from_secs(WATCHERS_S_MAX)).await;
        }
    };
    tokio::select! {
        // A watch that breaks is told by what it missed.
        _ = load::watch(&target, path, || watching.begun.add_permits(1), on_line) => {}
        () = ended => {}
    }
    seen.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// When the new runnable of this line was sent.
fn sent_us(line: &[u8]) -> Option<u64> {
    if !line.starts_with(ADDED) {
        return None;
    }
    let at = line.windows(SENT.len()).position(|window| window == SENT.as_bytes())? + SENT.len();
    let digits = line.get(at..)?.split(|byte| *byte == b'"').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
