//! What processes cost, and what this machine is.

use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use tokio::time::Instant;

/// Of /proc: Linux counts CPU time in hundredths of a second everywhere.
const TICKS_PER_S: f64 = 100.0;

/// CPU seconds that each process has used.
pub(crate) fn cpu_s(pids: &[i32]) -> f64 {
    let of = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name may hold anything; what follows it is fixed: state is the first, utime and stime 12 and 13.
        let rest = stat.rsplit(')').next().unwrap_or_default().to_owned();
        let fields: Vec<f64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
        fields.iter().skip(11).take(2).sum::<f64>() / TICKS_PER_S
    };
    pids.iter().map(of).sum()
}

/// MiB resident, of each process.
pub(crate) fn resident_mib(pids: &[i32]) -> Vec<f64> {
    let of = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default().to_owned();
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    pids.iter().map(of).collect()
}

/// Cores, memory, file system and how long one fdatasync takes there.
pub(crate) fn describe(dir: &Path) -> Value {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0);
    let syncs = fdatasync_ms(dir);
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memoryGib": (kib / 1024.0 / 1024.0).round(),
        "fileSystem": file_system(dir),
        "fdatasyncMs": {"p50": syncs[syncs.len() / 2], "p99": syncs[syncs.len() * 99 / 100]},
    })
}

fn file_system(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.nth(1)?.to_owned(), fields.next()?.to_owned()))
    });
    let here = mounts.filter(|(mount, _)| dir.starts_with(mount)).max_by_key(|(mount, _)| mount.len());
    here.map(|(_, kind)| kind).unwrap_or_default()
}

/// Appends of 4 KiB, sorted.
fn fdatasync_ms(dir: &Path) -> Vec<f64> {
    let path = dir.join("fdatasync");
    let mut file = fs::File::create(&path).unwrap();
    let mut one = || {
        let start = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        start.elapsed().as_secs_f64() * 1000.0
    };
    let mut all: Vec<f64> = (0..200).map(|_| one()).collect();
    all.sort_by(f64::total_cmp);
    fs::remove_file(path).unwrap();
    all
}
