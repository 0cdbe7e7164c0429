//! One leader with many clusters: what it takes, and a change of leaders.

use crate::machine::resident_mib;
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
    eprintln!("{count} clusters made, registered, reached and watched in {took_s:.1} s");
    let is_measured = count > CLUSTERS;
    if is_measured {
        at_rest(&setting).await;
    }
    let before = Counted::of(&setting);
    let leader = setting.servers.leader().await;
    let killed = Instant::now();
    setting.servers.end(leader, Signal::KILL).await;
    // Each has one watch more than it had.
    setting.watched(before.watches / count + 1).await;
    let again_s = killed.elapsed().as_secs_f64();
    let after = Counted::of(&setting);
    let watches = after.watches - before.watches;
    let (listings, sweeps) = (after.listings - before.listings, after.sweeps - before.sweeps);
    // Whoever watches asks for the newest version, at the cost of one object; and who sweeps lists.
    let anew = listings.saturating_sub(watches + sweeps);
    eprintln!(
        "leader killed: all {count} watched again after {again_s:.1} s, by {watches} watches with a probe each; \
         {sweeps} sweeps, {anew} other listings"
    );
    assert!(anew < count / 4, "{listings} listings beside {watches} probes and {sweeps} sweeps");
    if is_measured {
        setting.servers.start(leader);
        setting.servers.ready().await;
        at_rest(&setting).await;
    }
}

/// Requests to all clusters.
struct Counted {
    watches: u64,
    listings: u64,
    /// ConfigMaps are listed by sweeps only.
    sweeps: u64,
}

impl Counted {
    fn of(setting: &Setting) -> Self {
        let of = |verb, resource: &str| -> u64 {
            setting.clusters.iter().map(|cluster| cluster.requests().of(verb, resource)).sum()
        };
        Self {
            watches: of(Verb::Watch, "jobs"),
            listings: of(Verb::List, "jobs"),
            sweeps: of(Verb::List, "configmaps"),
        }
    }
}

/// Prints what the servers take while nobody asks for anything.
async fn at_rest(setting: &Setting) {
    sleep(Duration::from_secs(SETTLED_S)).await;
    let (cpu, applied, from) = (setting.cpu(), setting.applied().await.0, Instant::now());
    sleep(Duration::from_secs(IDLE_S)).await;
    let (after, entries) = (setting.cpu(), setting.applied().await.0 - applied);
    let took_s = from.elapsed().as_secs_f64();
    let leader = setting.servers.leader().await;
    eprintln!("| server | resident MiB | of a core | sockets |\n|---|---|---|---|");
    for i in 0..setting.servers.urls.len() {
        let (pid, role) = (setting.servers.pid(i), if i == leader { "leader" } else { "follower" });
        let resident = resident_mib(&[pid])[0];
        let share = (after[i] - cpu[i]) / took_s * 100.0;
        eprintln!("| {role} | {resident:.0} | {share:.1} % | {} |", sockets(pid));
    }
    eprintln!("log entries a second: {:.1}", entries as f64 / took_s);
}

fn sockets(pid: i32) -> usize {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let is_socket = |target: std::path::PathBuf| target.to_string_lossy().starts_with("socket:");
    all.flatten().filter(|fd| fs::read_link(fd.path()).is_ok_and(is_socket)).count()
}
