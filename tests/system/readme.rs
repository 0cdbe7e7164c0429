//! What the README shows is what a user sees.

use crate::dev::{PATIENCE, binary};
use std::path::PathBuf;
use tokio::process::Command;
use tokio::time::timeout;

/// The arguments of the README's `cargo run` line.
fn first_command() -> Vec<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let line = readme.lines().find_map(|line| line.strip_prefix("$ cargo run --release -- ")).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_first_command_shows_a_job_from_accepted_to_succeeded_and_read_back() {
    let mut command = Command::new(binary());
    command
        .args(first_command())
        .arg("--exit-when-done")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains('\u{1b}'), "a pipe gets plain lines");
    let lines: Vec<&str> = said.lines().collect();
    let mut from = 0;
    for words in [
        vec!["tallyman dev", "temporary data directory"],
        vec!["replicas", "leader"],
        vec!["clusters", "east, west", "simulated"],
        vec!["risk/nightly-report-", "Job + ConfigMap", "sha256:"],
        vec!["accepted", "rev", "of 3"],
        vec!["placed", "rev", "fewest running of east, west"],
        vec!["sent", "rev", "intent committed first"],
        vec!["created", "rev", "Job uid"],
        vec!["running", "rev"],
        vec!["succeeded", "rev", "attempt 1 of 1"],
        vec!["read back", "follower", "Succeeded", "ms"],
        vec!["kube-apiserver requests for this read: 0"],
        vec!["ledger", "records, chain verified"],
    ] {
        let found = lines[from..].iter().position(|line| words.iter().all(|word| line.contains(word)));
        from += found.unwrap_or_else(|| panic!("no line with {words:?} from line {from} on:\n{said}"));
    }
}
