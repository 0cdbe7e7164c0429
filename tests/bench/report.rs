//! What was measured, as JSON and as tables.

use crate::compare::{CLIENTS, Figures, MIDDLE, Runs, middle, percentiles};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

pub(crate) struct Report {
    pub(crate) about: Value,
    pub(crate) runs: Runs,
    pub(crate) resident: Value,
    pub(crate) events_ms: Vec<f64>,
    pub(crate) failover_ms: Vec<f64>,
}

/// What is asked for: a name, what was measured, the bound, and whether it is met.
struct Floor {
    what: &'static str,
    measured: f64,
    bound: f64,
    is_met: bool,
}

fn ratio(ours: f64, theirs: f64) -> f64 {
    if theirs > 0.0 { ours / theirs } else { 0.0 }
}

impl Report {
    fn middle(&self, system: &'static str, load: &'static str, clients: u64) -> Figures {
        middle(&self.runs, (system, load, clients))
    }

    fn floors(&self) -> Vec<Floor> {
        let least = |what, measured, bound| Floor { what, measured, bound, is_met: measured >= bound };
        let most = |what, measured, bound| Floor { what, measured, bound, is_met: measured <= bound };
        let rate = |system, load| self.middle(system, load, MIDDLE).per_second;
        let p50 = |system, load| self.middle(system, load, 1).p50_ms;
        let at =
            |all: &Vec<f64>, percentile| percentiles(all.clone())[percentile].as_f64().unwrap_or(f64::MAX);
        vec![
            least("writes / puts, 128 clients", ratio(rate("tallyman", "writes"), rate("etcd", "puts")), 1.0),
            least(
                "token reads on followers / linearizable gets, 128 clients",
                ratio(rate("tallyman", "reads"), rate("etcd", "linearizable")),
                2.0,
            ),
            most(
                "p50 of a write / of a put, 1 client",
                ratio(p50("tallyman", "writes"), p50("etcd", "puts")),
                1.2,
            ),
            most("leader killed to next acknowledged write, p50 in ms", at(&self.failover_ms, "p50"), 1500.0),
            most("event to readable on every follower, p99 in ms", at(&self.events_ms, "p99"), 200.0),
        ]
    }

    /// True if nothing is below what is asked for.
    pub(crate) fn is_met(&self) -> bool {
        self.floors().iter().all(|floor| floor.is_met)
    }

    pub(crate) fn write(&self, dir: &Path) {
        fs::write(dir.join("report.json"), format!("{:#}\n", self.json())).unwrap();
        fs::write(dir.join("report.md"), self.tables()).unwrap();
    }

    fn json(&self) -> Value {
        let runs = self.runs.iter().map(|((system, load, clients), runs)| {
            let runs = runs.iter().map(|run| {
                json!({"perSecond": run.per_second, "p50Ms": run.p50_ms, "p99Ms": run.p99_ms, "cpuUs": run.cpu_us})
            });
            json!({"system": system, "load": load, "clients": clients, "runs": runs.collect::<Vec<_>>()})
        });
        let floors = self.floors().into_iter().map(|floor| {
            json!({"what": floor.what, "measured": floor.measured, "bound": floor.bound, "met": floor.is_met})
        });
        json!({
            "machine": self.about,
            "runs": runs.collect::<Vec<_>>(),
            "residentMib": self.resident,
            "eventsMs": percentiles(self.events_ms.clone()),
            "failoverMs": percentiles(self.failover_ms.clone()),
            "floors": floors.collect::<Vec<_>>(),
        })
    }

    fn tables(&self) -> String {
        let mut out = String::new();
        let about = &self.about;
        let sync = &about["fdatasyncMs"];
        let _ = writeln!(
            out,
            "{} cores, {} GiB, {}, fdatasync of 4 KiB p50 {:.2} ms, p99 {:.2} ms\n",
            about["cores"],
            about["memoryGib"],
            about["fileSystem"].as_str().unwrap_or_default(),
            sync["p50"].as_f64().unwrap_or_default(),
            sync["p99"].as_f64().unwrap_or_default()
        );
        self.table(&mut out, "puts", "writes", &CLIENTS);
        self.table(&mut out, "linearizable", "reads", &CLIENTS);
        self.table(&mut out, "linearizable", "linearizable", &[MIDDLE]);
        self.table(&mut out, "serializable", "stale", &[MIDDLE]);
        let _ = writeln!(out, "resident, MiB a node: {}", self.resident);
        let _ = writeln!(
            out,
            "leader killed to next acknowledged write, ms: {}",
            percentiles(self.failover_ms.clone())
        );
        let _ = writeln!(
            out,
            "event to readable on every follower, ms: {}\n",
            percentiles(self.events_ms.clone())
        );
        for Floor { what, measured, bound, is_met } in self.floors() {
            let word = if is_met { "met   " } else { "MISSED" };
            let _ = writeln!(out, "{word} {what}: {measured:.2} (floor {bound})");
        }
        out
    }

    fn table(&self, out: &mut String, theirs: &'static str, ours: &'static str, all: &[u64]) {
        let _ = writeln!(
            out,
            "| clients | etcd {theirs}/s | Tallyman {ours}/s | ratio | etcd p50, p99 ms | Tallyman p50, p99 ms | etcd µs CPU | Tallyman µs CPU |"
        );
        let _ = writeln!(out, "|---|---|---|---|---|---|---|---|");
        for clients in all {
            let (etcd, tallyman) =
                (self.middle("etcd", theirs, *clients), self.middle("tallyman", ours, *clients));
            let _ = writeln!(
                out,
                "| {clients} | {:.0} | {:.0} | {:.2} | {:.2}, {:.2} | {:.2}, {:.2} | {:.0} | {:.0} |",
                etcd.per_second,
                tallyman.per_second,
                ratio(tallyman.per_second, etcd.per_second),
                etcd.p50_ms,
                etcd.p99_ms,
                tallyman.p50_ms,
                tallyman.p99_ms,
                etcd.cpu_us,
                tallyman.cpu_us
            );
        }
        out.push('\n');
    }
}
