//! From the election of a leader to its first write to a cluster.

use crate::dev::signal;
use crate::load::{Load, PROBES};
use crate::report::{Table, verdict};
use crate::setting::{Setting, variable};
use crate::times::Times;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;
use tallyman_chaos::Verb;
use tokio::time::{Instant, sleep, timeout};

const CLUSTERS: usize = 10;
/// Submissions a second meanwhile.
const RATE: u32 = 20;
/// What is asked for.
const FIRST_MS_MAX: f64 = 3_000.0;
/// How often it is looked who leads, and whether somebody writes.
const STEP: Duration = Duration::from_millis(2);
/// After this nothing of a leader that was killed arrives any more, and no other leads yet.
const SILENT: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: see BENCHMARKS.md"]
async fn elected() {
    let mut setting = Setting::of(CLUSTERS).await;
    let follow = setting.follow(&(0..CLUSTERS).collect::<Vec<_>>(), PROBES).await;
    let (mut from_kill, mut from_election) = (Times::default(), Times::default());
    let rounds = variable("ROUNDS", 30);
    let mut load = Load::on(&setting.servers.urls);
    let mut relists = 0;
    for round in 0..rounds {
        setting.servers.ready().await;
        let leader = setting.servers.leader().await;
        // Some of what is under way was begun by the leader that goes, and there is more when the next one comes.
        let ended = async {
            load.run(RATE, Duration::from_secs(1), |_, _| {}).await;
            tokio::join!(load.run(RATE, Duration::from_secs(3), |_, _| {}), async {
                let killed = Instant::now();
                signal(setting.servers.pid(leader), Signal::KILL);
                sleep(SILENT).await;
                let listed = setting.relists_now();
                let (elected, wrote) =
                    tokio::join!(somebody_leads(&setting, leader), somebody_writes(&setting));
                (killed, elected, wrote, listed)
            })
        };
        let ((), (killed, elected, wrote, listed)) = ended.await;
        relists += setting.relists().await.saturating_sub(listed);
        from_kill.add(killed, wrote);
        from_election.add(elected, wrote);
        eprintln!(
            "{} of {rounds}: elected after {:?}, wrote after {:?}",
            round + 1,
            elected - killed,
            wrote - killed
        );
        setting.servers.end(leader, Signal::KILL).await;
        setting.servers.start(leader);
    }
    from_election.report("a new leader is elected to its first write to a cluster", Some(FIRST_MS_MAX));
    from_kill.report("leader killed to the first write to a cluster", None);
    load.answered().await;
    follow.all_there_once(&load).await;
    let asked = verdict("0", relists == 0);
    Table::Figures.add(&format!(
        "| listings by {rounds} new leaders of {CLUSTERS} clusters, beside sweeps | {relists} | {asked} |"
    ));
    assert_eq!(relists, 0, "a new leader lists what the one before it knew");
}

async fn somebody_leads(setting: &Setting, former: usize) -> Instant {
    let look = async {
        loop {
            for i in (0..setting.servers.urls.len()).filter(|i| *i != former) {
                let status = setting.servers.status(i).await;
                if status.is_some_and(|status| status["role"] == json!("leader")) {
                    return Instant::now();
                }
            }
            sleep(STEP).await;
        }
    };
    timeout(PATIENCE, look).await.expect("somebody leads")
}

async fn somebody_writes(setting: &Setting) -> Instant {
    let writes = || -> u64 {
        [Verb::Create, Verb::Patch, Verb::Delete].map(|verb| setting.requests(verb)).iter().sum()
    };
    let before = writes();
    let look = async {
        while writes() == before {
            sleep(STEP).await;
        }
        Instant::now()
    };
    timeout(PATIENCE, look).await.expect("somebody writes")
}
