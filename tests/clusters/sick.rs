//! One hung, one slow and one flapping cluster among 50, and what the others notice.

use crate::load::{Load, PROBE_OF, PROBES};
use crate::setting::{Setting, name, variable};
use crate::times::{Times, lags};
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_chaos::{Fault, Matching};
use tokio::time::{Instant, sleep, timeout};

const CLUSTERS: usize = 50;
/// The first ones, of which each is sick in its own way.
const SICK: usize = 3;
/// How slow the slow one is.
const SLOW: Duration = Duration::from_secs(2);
/// How long the flapping one is there, and is not.
const FLAP: Duration = Duration::from_millis(1500);

/// From and to.
type Stretch = (Instant, Instant);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn sick() {
    let setting = Setting::of(CLUSTERS).await;
    let well: Vec<usize> = (SICK..CLUSTERS).collect();
    let follow = setting.follow(&well, PROBES).await;
    let mut load = Load::on(&setting.servers.urls);
    let rate = u32::try_from(variable("RATE", 100)).unwrap();
    let time = Duration::from_secs(variable("SECONDS", 20));
    let placed = |number: usize, run: &mut Value| {
        // A probe, which is one in ten, may not always be on the same cluster.
        let cluster = (number + number / CLUSTERS) % CLUSTERS;
        run["spec"]["placement"] = json!({"clusters": [name(cluster)]});
        run["spec"]["ttlAfterFinished"] = json!("10s");
    };
    load.run(rate, Duration::from_secs(5), placed).await;
    let (mut healthy, mut ill): (Vec<Stretch>, Vec<Stretch>) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let from = Instant::now();
        load.run(rate, time, placed).await;
        healthy.push((from, Instant::now()));
        setting.clusters[0].faults().always(Matching::any(), Fault::Hang);
        setting.clusters[1].faults().always(Matching::any(), Fault::Delay(SLOW));
        let from = Instant::now();
        // Half of it is the time in which it is found out.
        tokio::select! {
            () = load.run(rate, time, placed) => {}
            () = flap(&setting) => {}
        }
        ill.push((from, Instant::now()));
        setting.clusters[..SICK].iter().for_each(|cluster| cluster.faults().clear());
        setting.clusters[2].resume_listener().await.unwrap();
        setting.reached().await;
        sleep(Duration::from_secs(5)).await;
    }
    sleep(Duration::from_secs(5)).await;
    eprintln!("| {rate}/s over {CLUSTERS} clusters, of those that are well | times | p50 | p99 | worst |");
    eprintln!("|---|---|---|---|---|");
    let mut p99 = Vec::new();
    for (what, stretches) in [("all well", &healthy), ("one hung, one slow, one flapping", &ill)] {
        let (there, known) = measured(&load, &follow, stretches);
        eprintln!("{}", there.row(&format!("accepted to Job in the cluster, {what}")));
        eprintln!("{}", known.row(&format!("event to readable on every follower, {what}")));
        p99.push((there.at(0.99), known.at(0.99)));
    }
    let change = |before: f64, after: f64| (after / before - 1.0) * 100.0;
    eprintln!(
        "the sick ones move the others' p99 by {:+.0} % and {:+.0} %",
        change(p99[0].0, p99[1].0),
        change(p99[0].1, p99[1].1)
    );
}

/// Comes and goes for ever.
async fn flap(setting: &Setting) {
    loop {
        setting.clusters[2].pause_listener().await;
        sleep(FLAP).await;
        setting.clusters[2].resume_listener().await.unwrap();
        let _ = timeout(FLAP, std::future::pending::<()>()).await;
    }
}

/// From accepted to there, and from event to known, of runs on clusters that are well, in these stretches.
fn measured(load: &Load, follow: &crate::setting::Follow, stretches: &[Stretch]) -> (Times, Times) {
    let counted = |at: Instant| stretches.iter().any(|(from, to)| (*from..*to).contains(&at));
    let of = |name: &str| name.strip_prefix("run-").and_then(|number| number.parse::<usize>().ok());
    let made = follow.made.lock().unwrap();
    let (mut there, mut lost) = (Times::default(), 0);
    for (name, at) in load.accepted.lock().unwrap().iter().filter(|(_, at)| counted(**at)) {
        let on_well = of(name).is_some_and(|number| (number + number / CLUSTERS) % CLUSTERS >= SICK);
        match made.get(name) {
            Some(object) if on_well => there.add(*at, *object),
            None if on_well => lost += 1,
            _ => {}
        }
    }
    let probe = |name: &str| of(name).is_some_and(|number| number.is_multiple_of(PROBE_OF));
    let (known, missing) = lags(&follow.changed, &follow.shown, |name, at| counted(at) && probe(name));
    eprintln!("{lost} without a Job, {missing} events without a reader");
    assert_eq!(lost, 0);
    (there, known)
}
