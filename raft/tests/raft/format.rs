//! Data directories that builds before this one have written.
//!
//! `golden/directories/N.tar.gz` is a whole one, and `N.txt` says what it holds. This build must find the same in it.
//! When a format changes, the next one is added with
//! `GOLDEN_DIRECTORY=N cargo test -p tallyman-raft --test raft -- --ignored format`.

use crate::cluster::{PATIENCE, TestEnv, has_snapshot, write};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tallyman_raft::{Backend, Group, GroupOptions, ReadMode, Timing};

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/directories")
}

/// A group of one, which is reached at no real address.
async fn start(dir: &Path) -> Group {
    let address = "golden.example:7101".to_owned();
    let options = GroupOptions {
        dir: dir.into(),
        group: "golden".to_owned(),
        datacenter: "there".to_owned(),
        peer_listen: "127.0.0.1:0".parse().unwrap(),
        advertise_peer: address.clone(),
        advertise_api: "http://golden.example:7001".to_owned(),
        peers: vec![address],
        tls: None,
        env: TestEnv::new(4711),
        backend: Backend::Sled,
        timing: Timing { log_kept_entries: 5, ledger_segment_records: 20, ..Timing::default() },
        on_fatal: None,
        // What was written is to be found as it was.
        understands: 1,
        flush_gate: None,
    };
    Group::start(options).await.unwrap()
}

/// What a replica holds, in words.
fn facts(group: &Group) -> String {
    let reader = group.reader();
    let (records, head) = reader.ledger_head();
    let hash = reader.state_hash().hash;
    let mut text = String::new();
    writeln!(text, "revision {}\nstate hash {hash:032x}", reader.revision().0).unwrap();
    writeln!(text, "ledger {records} {head}").unwrap();
    for (number, line, _) in reader.ledger(1, usize::MAX).unwrap() {
        writeln!(text, "{number} {}", String::from_utf8(line).unwrap()).unwrap();
    }
    text
}

fn tar(arguments: &[&str], file: &Path, dir: &Path) {
    let done = Command::new("tar").args(arguments).arg(file).arg("-C").arg(dir).arg(".").status().unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_every_format_opens_and_holds_what_was_written() {
    let mut opened = 0;
    for entry in fs::read_dir(goldens()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap();
        let dir = tempfile::tempdir().unwrap();
        tar(&["-xzf"], &path.with_extension("tar.gz"), dir.path());
        // As it was left, and with all that is made of snapshot and log made again.
        for lost in [&[] as &[&str], &["inventory", "changes"]] {
            lost.iter().for_each(|part| fs::remove_dir_all(dir.path().join(part)).unwrap());
            let group = start(dir.path()).await;
            group.read(ReadMode::Linearizable, PATIENCE).await.unwrap();
            assert_eq!(facts(&group), expected, "{} without {lost:?}", path.display());
            group.reader().verify_ledger().unwrap();
            group.shutdown().await;
        }
        opened += 1;
    }
    assert!(opened > 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes into the sources: GOLDEN_DIRECTORY names the file"]
async fn a_directory_of_todays_format_is_written() {
    #[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
    let name = std::env::var("GOLDEN_DIRECTORY").expect("GOLDEN_DIRECTORY is the number of the format");
    let dir = tempfile::tempdir().unwrap();
    let group = start(dir.path()).await;
    group.init(1).await.unwrap();
    for number in 0..60 {
        group.propose(write(number)).await.unwrap().reply.unwrap();
    }
    group.take_snapshot().await;
    has_snapshot(dir.path()).await;
    for number in 60..70 {
        group.propose(write(number)).await.unwrap().reply.unwrap();
    }
    let text = facts(&group);
    group.shutdown().await;
    fs::create_dir_all(goldens()).unwrap();
    // Space that is only kept is none of the format.
    let _ = fs::remove_file(dir.path().join("reserve"));
    fs::write(goldens().join(format!("{name}.txt")), text).unwrap();
    tar(&["-czf"], &goldens().join(format!("{name}.tar.gz")), dir.path());
}
