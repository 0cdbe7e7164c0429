//! The comparison: both in turns, round after round, and the median of each figure.

use crate::dev::Dev;
use crate::etcd::Etcd;
use crate::report::Report;
use crate::setting::Setting;
use crate::tallyman::Tallyman;
use crate::{events, failover, machine};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Clients of each comparison.
pub(crate) const CLIENTS: [u64; 4] = [1, 16, 128, 512];
/// Where consistent and stale reads are compared too.
pub(crate) const MIDDLE: u64 = 128;

/// What one run of one load gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU time of each server for one operation, in µs, on average.
    pub(crate) cpu_us: f64,
}

/// A system, a load, and a number of clients.
pub(crate) type Case = (&'static str, &'static str, u64);

/// All runs of each case.
pub(crate) type Runs = BTreeMap<Case, Vec<Figures>>;

/// The median of one figure; 0 without a run.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The medians of a case.
pub(crate) fn middle(runs: &Runs, case: Case) -> Figures {
    let of =
        |figure: fn(&Figures) -> f64| median(runs.get(&case).into_iter().flatten().map(figure).collect());
    Figures {
        per_second: of(|run| run.per_second),
        p50_ms: of(|run| run.p50_ms),
        p99_ms: of(|run| run.p99_ms),
        cpu_us: of(|run| run.cpu_us),
    }
}

/// How many operations of a case take about as long as a run should, from the runs before.
fn total(runs: &Runs, case: Case, seconds: f64) -> u64 {
    let known = runs.get(&case).and_then(|runs| runs.last()).map(|run| run.per_second);
    let guess = match (case.1, case.2) {
        ("puts", 1) => 500.0,
        ("puts", 16) => 2_000.0,
        ("puts", _) => 4_000.0,
        (_, 1) => 1_000.0,
        _ => 6_000.0,
    };
    ((known.unwrap_or(guess) * seconds) as u64).max(case.2 * 4)
}

fn note(runs: &mut Runs, case: Case, figures: Figures) {
    let Figures { per_second, p50_ms, cpu_us, .. } = figures;
    let (system, load, clients) = case;
    eprintln!(
        "{system:9} {load:13} {clients:3} clients {per_second:8.0}/s   p50 {p50_ms:7.2} ms   {cpu_us:5.0} us CPU"
    );
    runs.entry(case).or_default().push(figures);
}

async fn round(runs: &mut Runs, setting: &Setting, etcd: &Etcd, tallyman: &Tallyman) {
    let seconds = setting.seconds;
    for clients in CLIENTS {
        let case = ("etcd", "puts", clients);
        let figures = etcd.put(clients, total(runs, case, seconds)).await;
        note(runs, case, figures);
        note(runs, ("tallyman", "writes", clients), tallyman.run("writes", clients, seconds).await);
        let case = ("etcd", "linearizable", clients);
        let figures = etcd.range("l", clients, total(runs, case, seconds)).await;
        note(runs, case, figures);
        note(runs, ("tallyman", "reads", clients), tallyman.run("reads", clients, seconds).await);
    }
    let case = ("etcd", "serializable", MIDDLE);
    let figures = etcd.range("s", MIDDLE, total(runs, case, seconds)).await;
    note(runs, case, figures);
    for workload in ["linearizable", "stale"] {
        note(runs, ("tallyman", workload, MIDDLE), tallyman.run(workload, MIDDLE, seconds).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes and the whole machine: tests/bench/run"]
async fn tallyman_beside_etcd() {
    let setting = Setting::read();
    let mut runs = Runs::new();
    let about = machine::describe(&setting.dir);
    let etcd = Etcd::start(&setting.bin, &setting.dir.join("etcd")).await;
    let tallyman = Tallyman::start(&setting.dir.join("tallyman")).await;
    for number in 1..=setting.rounds {
        eprintln!("round {number} of {}", setting.rounds);
        round(&mut runs, &setting, &etcd, &tallyman).await;
    }
    let resident = json!({
        "etcd": machine::resident_mib(&etcd.pids()), "tallyman": machine::resident_mib(&tallyman.pids()),
    });
    drop(etcd);
    tallyman.stop().await;
    // A small inventory of its own: how long a start takes is another question.
    let dev: Dev = Tallyman::fresh(&setting.dir.join("small")).await;
    let events_ms = events::measure(&dev).await;
    let failover_ms = failover::measure(&dev, setting.kills).await;
    dev.stop().await;
    let report = Report { about, runs, resident, events_ms, failover_ms };
    report.write(&setting.dir);
    assert!(!setting.floors || report.is_met(), "a floor is missed: see the report");
}

/// Percentiles of times in ms.
pub(crate) fn percentiles(mut all: Vec<f64>) -> Value {
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all.get(((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1)));
    json!({"count": all.len(), "p50": at(0.5), "p99": at(0.99), "max": all.last()})
}
