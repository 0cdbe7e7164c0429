//! What was measured, for people and for programs.

use super::Bench;
use super::measure::{Measured, Seen};
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::screen::Screen;
use clap::ValueEnum as _;
use serde_json::{Value, json};
use tallyman_chaos::load::{Histogram, Tally};

/// The percentiles that are shown.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];
const HEADINGS: [&str; 10] =
    ["OPERATION", "OK", "PER SECOND", "P50 MS", "P90 MS", "P99 MS", "P99.9 MS", "MAX MS", "REFUSED", "LOST"];

/// Prints it.
///
/// # Errors
/// It cannot be written as YAML.
pub(super) fn print(bench: &Bench, measured: &Measured) -> Result<(), Failure> {
    let report = report(bench, measured);
    bench.output.print_plain(&report, |output| table(output, bench, measured))
}

fn workload(bench: &Bench) -> String {
    bench.workload.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn seconds(measured: &Measured) -> f64 {
    measured.outcome.took.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

fn report(bench: &Bench, measured: &Measured) -> Value {
    let operations: serde_json::Map<String, Value> = measured
        .outcome
        .operations
        .iter()
        .map(|(operation, tally)| ((*operation).to_owned(), operation_json(tally, seconds(measured))))
        .collect();
    json!({
        "workload": workload(bench),
        "servers": measured.servers,
        "clients": bench.clients,
        "ratePerSecond": bench.rate,
        "bytes": bench.bytes,
        "seconds": seconds(measured),
        "operations": operations,
        "watch": measured.seen.as_ref().map(|seen| json!({
            "watchers": bench.watchers,
            "events": seen.latency.count(),
            "missed": seen.missed,
            "latencyMs": latency_json(&seen.latency),
        })),
    })
}

fn operation_json(tally: &Tally, seconds: f64) -> Value {
    let codes: serde_json::Map<String, Value> =
        tally.codes.iter().map(|(code, count)| (code.to_string(), json!(count))).collect();
    json!({
        "ok": tally.latency.count(),
        "perSecond": tally.latency.count() as f64 / seconds,
        "codes": codes,
        "lost": tally.lost,
        "bytes": tally.bytes,
        "latencyMs": latency_json(&tally.latency),
    })
}

fn latency_json(latency: &Histogram) -> Value {
    let mut all: serde_json::Map<String, Value> = PERCENTILES
        .iter()
        .map(|(name, share)| ((*name).to_owned(), json!(ms(latency.percentile(*share)))))
        .collect();
    all.insert("mean".to_owned(), json!(latency.mean() / 1000.0));
    all.insert("max".to_owned(), json!(ms(latency.max())));
    Value::Object(all)
}

fn table(output: &OutputOptions, bench: &Bench, measured: &Measured) {
    let screen = Screen::stdout();
    let pace = bench.rate.map_or("closed loop".to_owned(), |rate| format!("{rate} a second"));
    screen.line(&format!(
        "{}   {} clients, {pace}, {:.1} s, {} servers, submissions of {} bytes",
        screen.bold(&workload(bench)),
        bench.clients,
        seconds(measured),
        measured.servers.len(),
        bench.bytes
    ));
    let operations = &measured.outcome.operations;
    let mut rows: Vec<Vec<String>> = operations
        .iter()
        .map(|(operation, tally)| {
            let refused = tally.codes.values().sum::<u64>().saturating_sub(tally.latency.count());
            let lost = tally.lost.values().sum();
            row(operation, &tally.latency, seconds(measured), refused, lost)
        })
        .collect();
    if let Some(Seen { latency, missed }) = &measured.seen {
        rows.push(row("seen", latency, seconds(measured), 0, *missed));
    }
    output.table(&HEADINGS, &rows);
    for (operation, tally) in operations {
        for (code, count) in tally.codes.iter().filter(|(code, _)| !(200..300).contains(*code)) {
            screen.line(&format!("{operation}: {count} were answered with HTTP {code}"));
        }
        for (why, count) in &tally.lost {
            screen.line(&format!("{operation}: {count} got no answer: {why}"));
        }
    }
}

fn row(operation: &str, latency: &Histogram, seconds: f64, refused: u64, lost: u64) -> Vec<String> {
    let at = |share| format!("{:.2}", ms(latency.percentile(share)));
    vec![
        operation.to_owned(),
        latency.count().to_string(),
        format!("{:.0}", latency.count() as f64 / seconds),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        format!("{:.2}", ms(latency.max())),
        refused.to_string(),
        lost.to_string(),
    ]
}
