//! Backups: what they take, what they do to writes, and how long a restore takes.

use crate::dev::binary;
use crate::group::{Group, WRITES_PER_S};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::process::Command;
use tokio::time::Instant;

/// How long writes are measured without and with backups under way.
const SECONDS: u64 = 15;

async fn operator(arguments: &[&str]) -> f64 {
    let start = Instant::now();
    let output =
        Command::new(binary()).arg("operator").args(arguments).kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    start.elapsed().as_secs_f64()
}

/// Saves from one replica after the other until `ended`; the seconds of each.
async fn save_all_the_time(group: &Group, file: &str, ended: &AtomicBool) -> Vec<f64> {
    let mut took = Vec::new();
    for replica in group.dev.replicas().iter().cycle() {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        took.push(operator(&["snapshot", "save", file, "--overwrite", "--server", &replica.url]).await);
    }
    took
}

/// Writes at the usual rate, first alone, then while backups are taken one after the other.
pub(crate) async fn measure(group: &mut Group, dir: &Path) -> Value {
    let (rate, duration) = (WRITES_PER_S.to_string(), format!("{SECONDS}s"));
    let load = ["--rate", &rate, "--clients", "64", "--duration", &duration];
    let alone = group.fill(&load).await;
    let path = dir.join("backup.tallyman");
    let file = path.display().to_string();
    let ended = AtomicBool::new(false);
    let writes = async {
        let report = group.bench("fill", &load).await;
        ended.store(true, Ordering::Relaxed);
        report
    };
    let (beside, took_s) = tokio::join!(writes, save_all_the_time(group, &file, &ended));
    group.rows += beside["operations"]["write"]["ok"].as_u64().unwrap();
    json!({
        "seconds": took_s,
        "mib": fs::metadata(&path).unwrap().len() as f64 / 1024.0 / 1024.0,
        "alone": alone["operations"]["write"]["latencyMs"],
        "beside": beside["operations"]["write"]["latencyMs"],
        "restoreSeconds": restore(group, dir, &file).await,
    })
}

/// Restores the backup into a blank directory.
async fn restore(group: &Group, dir: &Path, file: &str) -> f64 {
    let blank = dir.join("restored");
    let _ = fs::remove_dir_all(&blank);
    fs::create_dir_all(&blank).unwrap();
    let config = fs::read_to_string(group.dev.dir.join("r1/config.toml")).unwrap();
    let data_dir = format!("data_dir = {:?}", blank.join("data"));
    let lines: Vec<&str> = config
        .lines()
        .map(|line| if line.starts_with("data_dir") { data_dir.as_str() } else { line })
        .collect();
    let path = blank.join("config.toml");
    fs::write(&path, lines.join("\n")).unwrap();
    let took_s = operator(&["snapshot", "restore", file, "--config", path.to_str().unwrap()]).await;
    let _ = fs::remove_dir_all(blank);
    took_s
}
