//! One leader with many clusters: what it takes, and a change of leaders.

use crate::report::{Table, verdict};
use crate::setting::{Setting, variable};
use rustix::process::Signal;
use std::fs;
use std::time::Duration;
use tallyman_chaos::Verb;
use tokio::time::{Instant, sleep};

/// Clusters when nobody asks for more: `CLUSTERS=500` does.
const CLUSTERS: u64 = 12;
/// How long the first sweeps take, which are spread over that time.
const SETTLED_S: u64 = 40;
/// How long it is looked at what servers take that nobody asks for anything.
const IDLE_S: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_leaders_goes_on_watching_every_cluster_where_it_was_and_lists_nothing() {
    let count = variable("CLUSTERS", CLUSTERS);
    let begun = Instant::now();
    let mut setting = Setting::of(usize::try_from(count).unwrap()).await;
    let took_s = begun.elapsed().as_secs_f64();
    let is_measured = count > CLUSTERS;
    if is_measured {
        let what = format!("{count} clusters made, registered, reached and watched, s");
        Table::Figures.add(&format!("| {what} | {took_s:.1} | |"));
        at_rest(&setting, "at first").await;
    }
    let leader = setting.servers.leader().await;
    let before = watches(&setting);
    let killed = Instant::now();
    setting.servers.end(leader, Signal::KILL).await;
    let relists = setting.relists_now();
    // Each has one watch more than it had.
    setting.watched(before / count + 1).await;
    let again_s = killed.elapsed().as_secs_f64();
    let (watches, anew) = (watches(&setting) - before, setting.relists().await.saturating_sub(relists));
    eprintln!(
        "leader killed: all {count} watched again after {again_s:.1} s, by {watches} watches; {anew} listings"
    );
    assert_eq!(anew, 0, "a new leader lists what the one before it knew");
    if is_measured {
        let what = format!("leader of {count} clusters killed to all of them watched, s");
        Table::Figures.add(&format!("| {what} | {again_s:.1} | |"));
        let asked = verdict("0", anew == 0);
        Table::Figures.add(&format!("| listings by the new leader | {anew} | {asked} |"));
        setting.servers.start(leader);
        setting.servers.ready().await;
        at_rest(&setting, "after a change of leaders").await;
    }
}

/// Watches that all clusters were asked for.
fn watches(setting: &Setting) -> u64 {
    setting.clusters.iter().map(|cluster| cluster.requests().of(Verb::Watch, "jobs")).sum()
}

/// Reports what the servers take while nobody asks for anything.
async fn at_rest(setting: &Setting, when: &str) {
    sleep(Duration::from_secs(variable("SETTLED", SETTLED_S))).await;
    let (entries, meter) = (setting.applied().await.0, setting.meter());
    sleep(Duration::from_secs(variable("SECONDS", IDLE_S))).await;
    let (count, entries) = (setting.clusters.len(), setting.applied().await.0 - entries);
    let a_second = entries as f64 / meter.seconds();
    meter.report(setting, &format!("{count} clusters at rest, {when}")).await;
    let sockets = sockets(setting.servers.pid(setting.servers.leader().await));
    Table::Figures.add(&format!("| sockets of the leader of {count} clusters at rest | {sockets} | |"));
    Table::Figures.add(&format!("| log entries a second, {count} clusters at rest | {a_second:.1} | |"));
}

fn sockets(pid: i32) -> usize {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let is_socket = |target: std::path::PathBuf| target.to_string_lossy().starts_with("socket:");
    all.flatten().filter(|fd| fs::read_link(fd.path()).is_ok_and(is_socket)).count()
}
