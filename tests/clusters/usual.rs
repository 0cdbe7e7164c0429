//! 200 submissions a second over 10 clusters: how soon they are there, how soon what becomes of them is known
//! everywhere, and what a run costs a kube-apiserver.

use crate::dev::until_within;
use crate::load::{Load, PROBES};
use crate::report::{Table, verdict};
use crate::setting::{Setting, variable};
use crate::times::{Times, lags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tallyman_chaos::{RequestCount, Verb};
use tokio::time::{Instant, sleep};

const CLUSTERS: usize = 10;
/// How long the last runs may take to be gone.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long nothing is asked, to see what clusters cost that have nothing to do.
const REST_S: u64 = 65;
/// What is asked for.
const THERE_MS_MAX: f64 = 250.0;
const KNOWN_MS_MAX: f64 = 100.0;
const REQUESTS_MAX: f64 = 4.0;

/// Requests of Tallyman to all clusters.
fn requests(setting: &Setting) -> BTreeMap<(Verb, String), u64> {
    let mut all = BTreeMap::new();
    for cluster in setting.clusters.iter() {
        for (RequestCount { verb, resource, user_agent, of_one, .. }, count) in cluster.requests().iter() {
            if user_agent.starts_with("tallyman") {
                let what = if *of_one { format!("{resource}, one") } else { resource.clone() };
                *all.entry((*verb, what)).or_default() += count;
            }
        }
    }
    all
}

/// How many more there are of each than before.
fn more(after: &BTreeMap<(Verb, String), u64>, before: &BTreeMap<(Verb, String), u64>) -> Vec<(String, f64)> {
    let row = |(what, count): (&(Verb, String), &u64)| {
        let count = count - before.get(what).copied().unwrap_or(0);
        (count > 0).then(|| (format!("{:?} {}", what.0, what.1), count as f64))
    };
    after.iter().filter_map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn usual() {
    let setting = Setting::of(CLUSTERS).await;
    let all: Vec<usize> = (0..CLUSTERS).collect();
    let follow = setting.follow(&all, PROBES).await;
    let mut load = Load::on(&setting.servers.urls);
    let rate = u32::try_from(variable("RATE", 200)).unwrap();
    let seconds = variable("SECONDS", 30);
    let gone_soon = |_: usize, run: &mut Value| run["spec"]["ttlAfterFinished"] = json!("5s");
    let entries = setting.applied().await.0;
    // Writes to a cluster that has just been met begin slowly.
    load.run(rate, Duration::from_secs(5), gone_soon).await;
    let (from, meter) = (Instant::now(), setting.meter());
    load.run(rate, Duration::from_secs(seconds), gone_soon).await;
    let to = Instant::now();
    meter.report(&setting, &format!("{rate}/s over {CLUSTERS} clusters")).await;
    load.answered().await;
    let (accepted, failed) = (load.accepted.lock().unwrap().len(), load.failed.load(Ordering::SeqCst));
    follow.all_there_once(&load).await;
    until_within(PATIENCE, "all is cleaned up", async || {
        let made = setting.requests(Verb::Create);
        let gone = setting.requests(Verb::Delete);
        (made > 0 && gone >= made).then_some(())
    })
    .await;
    let counted = |at: Instant| (from..to).contains(&at);
    let known = || lags(&follow.changed, &follow.shown, |name, at| counted(at) && probe(name));
    until_within(PATIENCE, "all events can be read", async || (known().1 == 0).then_some(())).await;

    let mut there = Times::default();
    for (name, at) in load.accepted.lock().unwrap().iter().filter(|(_, at)| counted(**at)) {
        there.add(*at, follow.made.lock().unwrap()[name]);
    }
    eprintln!("{} submissions, {accepted} accepted, {failed} not", load.sent());
    let what = format!("accepted to Job in the cluster, {rate}/s over {CLUSTERS} clusters");
    there.report(&what, Some(THERE_MS_MAX));
    known().0.report("event at the cluster to readable on every follower, beside that", Some(KNOWN_MS_MAX));
    assert_eq!(accepted + failed, load.sent());
    let of_a_run = (setting.applied().await.0 - entries) as f64 / accepted as f64;
    Table::Figures.add(&format!("| log entries of a run, from accepted to cleaned up | {of_a_run:.1} | |"));
    cost(&setting, accepted).await;
}

/// Reports what a run cost, and what a cluster does at rest.
async fn cost(setting: &Setting, runs: usize) {
    let rest_s = variable("REST", REST_S);
    let with_runs = requests(setting);
    sleep(Duration::from_secs(rest_s)).await;
    let minutes = (rest_s.max(1) * CLUSTERS as u64) as f64 / 60.0;
    let at_rest: BTreeMap<_, _> = more(&requests(setting), &with_runs).into_iter().collect();
    let (mut sum, mut sum_rest) = (0.0, 0.0);
    for (what, count) in more(&with_runs, &BTreeMap::new()) {
        let (of_run, idle) = (count / runs as f64, at_rest.get(&what).copied().unwrap_or(0.0) / minutes);
        Table::Requests.add(&format!("| {what} | {of_run:.2} | {idle:.2} |"));
        sum += if is_for_all(&what) { 0.0 } else { of_run };
        sum_rest += idle;
    }
    let asked = verdict(&format!("{REQUESTS_MAX:.0} of a run"), sum <= REQUESTS_MAX);
    Table::Requests
        .add(&format!("| all, of a run without what serves all runs ({asked}) | {sum:.2} | {sum_rest:.2} |"));
    assert!(sum < REQUESTS_MAX + 3.0, "a run asks for more than it did");
}

/// True of requests that are not made for one run: whether the cluster is there, sweeps, and watches.
fn is_for_all(what: &str) -> bool {
    ["List", "Watch", "Get /", "Get namespaces"].iter().any(|shared| what.starts_with(shared))
}

/// True of a run that followers are watched for.
fn probe(name: &str) -> bool {
    let number = name.strip_prefix("run-").and_then(|number| number.parse::<usize>().ok());
    number.is_some_and(|number| number.is_multiple_of(crate::load::PROBE_OF))
}
