//! 200 submissions a second over 10 clusters: how soon they are there, how soon what becomes of them is known
//! everywhere, and what a run costs a kube-apiserver.

use crate::dev::until_within;
use crate::load::{Load, PROBES};
use crate::setting::{Setting, variable};
use crate::times::{Times, lags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tallyman_chaos::{RequestCount, Verb};
use tokio::time::{Instant, sleep};

const CLUSTERS: usize = 10;
/// How long the last runs may take to be gone.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long nothing is asked, to see what clusters cost that have nothing to do.
const AT_REST: Duration = Duration::from_secs(65);

/// Requests of Tallyman to all clusters.
fn requests(setting: &Setting) -> BTreeMap<(Verb, String), u64> {
    let mut all = BTreeMap::new();
    for cluster in setting.clusters.iter() {
        for (RequestCount { verb, resource, user_agent, .. }, count) in cluster.requests().iter() {
            if user_agent.starts_with("tallyman") {
                *all.entry((*verb, resource.clone())).or_default() += count;
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
    // Writes to a cluster that has just been met begin slowly.
    load.run(rate, Duration::from_secs(5), gone_soon).await;
    let (from, before) = (Instant::now(), setting.cpu());
    load.run(rate, Duration::from_secs(seconds), gone_soon).await;
    let (to, after) = (Instant::now(), setting.cpu());
    let (accepted, sent) = (load.accepted.lock().unwrap().len(), load.sent());
    let counted = |at: Instant| (from..to).contains(&at);
    until_within(PATIENCE, "all is cleaned up", async || {
        let made = setting.requests(Verb::Create);
        let gone = setting.requests(Verb::Delete);
        (made > 0 && gone >= made).then_some(())
    })
    .await;
    sleep(Duration::from_secs(3)).await;

    let made = follow.made.lock().unwrap().clone();
    let (mut there, mut lost) = (Times::default(), 0);
    for (name, at) in load.accepted.lock().unwrap().iter().filter(|(_, at)| counted(**at)) {
        match made.get(name) {
            Some(object) => there.add(*at, *object),
            None => lost += 1,
        }
    }
    let (known, missing) = lags(&follow.changed, &follow.shown, |name, at| counted(at) && probe(name));
    eprintln!(
        "{sent} submissions, {accepted} accepted, {lost} without a Job, {missing} events without a reader"
    );
    eprintln!("| what | times | p50 | p99 | worst |\n|---|---|---|---|---|");
    eprintln!("{}", there.row(&format!("accepted to Job in the cluster, {rate}/s over {CLUSTERS} clusters")));
    eprintln!("{}", known.row("event at the cluster to readable on every follower, beside that"));
    let cores = |i: usize| (after[i] - before[i]) / (to - from).as_secs_f64();
    let (leader, followers) = setting.roles().await;
    eprintln!(
        "cores: leader {:.2}, followers {:.2}, {:.2}",
        cores(leader),
        cores(followers[0]),
        cores(followers[1])
    );

    let with_runs = requests(&setting);
    sleep(AT_REST).await;
    let rest = more(&requests(&setting), &with_runs);
    eprintln!("\n| request | of a run (Job and ConfigMap) | of a cluster, a minute at rest |\n|---|---|---|");
    let at_rest: BTreeMap<_, _> = rest.into_iter().collect();
    let (mut sum, mut sum_rest) = (0.0, 0.0);
    for (what, count) in more(&with_runs, &BTreeMap::new()) {
        let idle =
            at_rest.get(&what).copied().unwrap_or(0.0) / CLUSTERS as f64 / AT_REST.as_secs_f64() * 60.0;
        eprintln!("| {what} | {:.2} | {idle:.2} |", count / accepted as f64);
        sum += count / accepted as f64;
        sum_rest += idle;
    }
    eprintln!("| all | {sum:.2} | {sum_rest:.2} |");
    assert_eq!((lost, missing), (0, 0));
}

/// True of a run that followers are watched for.
fn probe(name: &str) -> bool {
    let number = name.strip_prefix("run-").and_then(|number| number.parse::<usize>().ok());
    number.is_some_and(|number| number.is_multiple_of(crate::load::PROBE_OF))
}
