//! One hung, one slow and one flapping cluster among 50, and what the others notice.

use crate::dev::until;
use crate::load::{Load, PROBE_OF, PROBES};
use crate::report::{Table, verdict};
use crate::setting::{Follow, Setting, name, variable};
use crate::times::{Times, lags};
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_chaos::{Fault, Matching};
use tokio::time::{Instant, sleep, timeout};

const CLUSTERS: usize = 50;
/// The first ones, of which each is sick in its own way.
const SICK: usize = 3;
/// What is asked for.
const MOVED_PERCENT_MAX: f64 = 10.0;
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
    let time = Duration::from_secs(variable("SECONDS", 15));
    let placed = |number: usize, run: &mut Value| {
        run["spec"]["placement"] = json!({"clusters": [name(cluster(number))]});
        run["spec"]["ttlAfterFinished"] = json!("10s");
    };
    load.run(rate, Duration::from_secs(5), placed).await;
    let (mut healthy, mut ill): (Vec<Stretch>, Vec<Stretch>) = (Vec::new(), Vec::new());
    for _ in 0..variable("ROUNDS", 4) {
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
    load.answered().await;
    all_well_there(&load, &follow).await;
    let mut p99 = Vec::new();
    for (what, stretches) in [("all well", &healthy), ("three of them sick", &ill)] {
        let (there, known) = measured(&load, &follow, stretches);
        let on = format!("{rate}/s over {CLUSTERS} clusters, {what}");
        there.report(&format!("accepted to Job in the cluster, {on}"), None);
        known.report(&format!("event to readable on every follower, {on}"), None);
        p99.push((there.at(0.99), known.at(0.99)));
        // What chance does to a p99 of one stretch.
        let of_each = stretches.iter().map(|one| measured(&load, &follow, &[*one]));
        let each: Vec<String> = of_each.map(|(there, _)| format!("{:.0}", there.at(0.99))).collect();
        eprintln!("p99 of each stretch, {what}: {} ms", each.join(", "));
    }
    moved("accepted to Job", p99[0].0, p99[1].0);
    moved("event to readable", p99[0].1, p99[1].1);
}

/// Reports by how much the sick ones change a p99 of the others.
fn moved(what: &str, before_ms: f64, after_ms: f64) {
    let percent = (after_ms / before_ms - 1.0) * 100.0;
    let asked = verdict(&format!("{MOVED_PERCENT_MAX:.0} %"), percent <= MOVED_PERCENT_MAX);
    let row = format!(
        "| p99 of {what} on the others, by one hung, one slow, one flapping | {percent:+.0} % | {asked} |"
    );
    Table::Figures.add(&row);
}

/// Waits until all that was accepted for those that are well has its Job, and asserts that nothing has two.
async fn all_well_there(load: &Load, follow: &Follow) {
    until("all that was accepted for those that are well has its Job", async || {
        let made = follow.made.lock().unwrap();
        let accepted = load.accepted.lock().unwrap();
        let mut on_well = accepted.keys().filter(|name| is_on_well(name));
        on_well.all(|name| made.contains_key(name)).then_some(())
    })
    .await;
    assert_eq!(follow.lost_and_twice(load).1, 0, "some have two Jobs");
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
fn measured(load: &Load, follow: &Follow, stretches: &[Stretch]) -> (Times, Times) {
    let counted = |at: Instant| stretches.iter().any(|(from, to)| (*from..*to).contains(&at));
    let (made, mut there) = (follow.made.lock().unwrap(), Times::default());
    for (name, at) in load.accepted.lock().unwrap().iter().filter(|(_, at)| counted(**at)) {
        if is_on_well(name) {
            there.add(*at, made[name]);
        }
    }
    let probe = |name: &str| number(name).is_some_and(|number| number.is_multiple_of(PROBE_OF));
    let (known, missing) = lags(&follow.changed, &follow.shown, |name, at| counted(at) && probe(name));
    assert_eq!(missing, 0, "events that no reader was told");
    (there, known)
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix("run-").and_then(|number| number.parse().ok())
}

/// The cluster of a submission: a probe, which is one in ten, may not always be on the same one.
fn cluster(number: usize) -> usize {
    (number + number / CLUSTERS) % CLUSTERS
}

fn is_on_well(name: &str) -> bool {
    number(name).is_some_and(|number| cluster(number) >= SICK)
}
