//! What was measured, as JSON and as a table.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A row of the table: what it is, and what a step says of it.
type Line = (&'static str, fn(&Value) -> String);

const LINES: [Line; 18] = [
    ("writes/s, 128 clients", |step| number(&step["writes"]["write"]["perSecond"], 0)),
    ("their p50, p99 ms", |step| percentiles(&step["writes"]["write"]["latencyMs"])),
    ("list page of 50 on followers, p50, p99 ms", |step| percentiles(&step["lists"]["page"]["latencyMs"])),
    ("a list of none, p50, p99 ms", |step| percentiles(&step["lists"]["none"]["latencyMs"])),
    ("get of any row on followers, p50, p99 ms", |step| percentiles(&step["gets"]["read"]["latencyMs"])),
    ("resident MiB, most of a replica", |step| most(&step["sizes"]["residentMib"])),
    ("inventory MiB on disk", |step| most(&step["sizes"]["inventoryMib"])),
    ("inventory bytes a row", |step| bytes_a_row(step, &step["sizes"])),
    ("killed to ready, s", |step| number(&step["killedToReadySeconds"], 1)),
    ("stopped to ready, s", |step| number(&step["stoppedToReadySeconds"], 1)),
    ("rows lost to ready, s", |step| number(&step["withoutRowsToReadySeconds"], 1)),
    ("backup, s", |step| number(&step["snapshot"]["seconds"][0], 1)),
    ("backup, MiB", |step| number(&step["snapshot"]["mib"], 0)),
    ("1,000 writes/s alone, p50, p99 ms", |step| percentiles(&step["snapshot"]["alone"])),
    ("the same beside backups, p50, p99 ms", |step| percentiles(&step["snapshot"]["beside"])),
    ("restore of the backup, s", |step| number(&step["snapshot"]["restoreSeconds"], 1)),
    ("an idle replica, % of a core", |step| {
        let all = step["idleCores"].as_array().into_iter().flatten().filter_map(Value::as_f64);
        format!("{:.1}", all.fold(0.0, f64::max) * 100.0)
    }),
    ("last scrub of all rows", |step| {
        let line: Value =
            serde_json::from_str(step["scrub"].as_str().unwrap_or_default()).unwrap_or_default();
        line["took"].as_str().unwrap_or("-").to_owned()
    }),
];

fn number(value: &Value, digits: usize) -> String {
    value.as_f64().map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}

fn percentiles(value: &Value) -> String {
    format!("{}, {}", number(&value["p50"], 2), number(&value["p99"], 2))
}

fn greatest(value: &Value) -> f64 {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).fold(0.0, f64::max)
}

fn most(value: &Value) -> String {
    format!("{:.0}", greatest(value))
}

fn bytes_a_row(step: &Value, sizes: &Value) -> String {
    let rows = step["rows"].as_f64().unwrap_or(1.0);
    format!("{:.0}", greatest(&sizes["inventoryMib"]) * 1024.0 * 1024.0 / rows)
}

/// Writes scale.json and scale.md.
pub(crate) fn write(dir: &Path, about: &Value, steps: &[Value], churned: Option<&Value>) {
    let whole = json!({"about": about, "steps": steps, "churned": churned});
    fs::write(dir.join("scale.json"), format!("{whole:#}")).unwrap();
    let mut table = String::from("| |");
    steps.iter().for_each(|step| table.push_str(&format!(" {} rows |", step["rows"])));
    table.push_str("\n|---|");
    steps.iter().for_each(|_| table.push_str("---|"));
    for (what, of) in LINES {
        table.push_str(&format!("\n| {what} |"));
        steps.iter().for_each(|step| table.push_str(&format!(" {} |", of(step))));
    }
    if let Some(churned) = churned {
        let change = &churned["changes"]["change"];
        table.push_str(&format!(
            "\n\nAfter {} random changes ({}/s): {} bytes of inventory a row, {} MiB resident",
            change["ok"],
            number(&change["perSecond"], 0),
            bytes_a_row(churned, &churned["sizes"]),
            most(&churned["sizes"]["residentMib"]),
        ));
    }
    fs::write(dir.join("scale.md"), table + "\n").unwrap();
}
