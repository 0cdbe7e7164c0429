//! The measurements, each by one command. `FAILOVER_ROUNDS` says how often (100), `TALLYMAN_BIN` which build.

use crate::far::ROUND_TRIP;
use crate::servers::Servers;
use crate::writers::Writers;
use rustix::process::Signal;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Clients that write.
const WRITERS: usize = 2;
/// How long a group that is far apart is watched before its leaders are killed.
const WATCHED: Duration = Duration::from_secs(120);

#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
fn rounds(usual: usize) -> usize {
    std::env::var("FAILOVER_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

/// Prints percentiles of times in ms.
fn say(what: &str, mut all: Vec<f64>) {
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all[((all.len() as f64 * share) as usize).min(all.len() - 1)];
    let (p50, p99, worst) = (at(0.5), at(0.99), at(1.0));
    eprintln!("{what}: {} times, p50 {p50:.0} ms, p99 {p99:.0} ms, worst {worst:.0} ms", all.len());
}

/// How the leader stops leading.
#[derive(Clone, Copy, Debug)]
enum How {
    Killed,
    Stopped,
    HandedOver,
}

/// The gaps in ms.
async fn gaps(servers: &mut Servers, how: How, rounds: usize) -> Vec<f64> {
    let writers = Writers::start(&servers.urls, WRITERS, &format!("{how:?}").to_lowercase());
    let mut all = Vec::new();
    for round in 0..rounds {
        servers.ready().await;
        writers.progress(20).await;
        let leader = servers.leader().await;
        let since = Instant::now();
        match how {
            How::Killed => servers.end(leader, Signal::KILL).await,
            How::Stopped => servers.end(leader, Signal::TERM).await,
            How::HandedOver => assert!(servers.hand_over(leader).await, "nobody took over"),
        }
        // Without what is gone: back at once, it would help the others to elect sooner.
        writers.progress(10).await;
        if !matches!(how, How::HandedOver) {
            servers.start(leader);
        }
        servers.ready().await;
        writers.progress(10).await;
        all.push(writers.gap(since).as_secs_f64() * 1000.0);
        eprintln!("{how:?} {} of {rounds}: {:.0} ms", round + 1, all[round]);
    }
    eprintln!("{}", writers.summary());
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn kills() {
    let mut servers = Servers::founded(None).await;
    say("killed", gaps(&mut servers, How::Killed, rounds(100)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn handovers() {
    let mut servers = Servers::founded(None).await;
    say("handed over", gaps(&mut servers, How::HandedOver, rounds(100)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn stops() {
    let mut servers = Servers::founded(None).await;
    say("stopped", gaps(&mut servers, How::Stopped, rounds(100)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn far_watched() {
    let servers = Servers::founded(Some(ROUND_TRIP)).await;
    let writers = Writers::start(&servers.urls, WRITERS, "watched");
    writers.progress(10).await;
    let term = servers.term().await;
    sleep(WATCHED).await;
    assert_eq!(servers.term().await, term, "the leader was lost without a reason");
    say("written", writers.latencies_ms());
    eprintln!("one leader for {WATCHED:?}; {}", writers.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn far_handovers() {
    let mut servers = Servers::founded(Some(ROUND_TRIP)).await;
    say("handed over", gaps(&mut servers, How::HandedOver, rounds(30)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn far_kills() {
    let mut servers = Servers::founded(Some(ROUND_TRIP)).await;
    say("killed", gaps(&mut servers, How::Killed, rounds(30)).await);
}
