//! A short run of three real replicas under strace.

use crate::dev::{Dev, binary, runnable};
use crate::order::check;
use crate::trace::calls;
use std::fs;
use std::process::Command;

/// Clients at once, so that entries share fdatasyncs, and what each of them writes, one after the other.
const CLIENTS: u64 = 4;
const WRITES: u64 = 25;
const QUORUM: usize = 2;
/// The calls that are traced: all that write to a file or a socket, and those that make durable.
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fdatasync,fsync";
/// Each fdatasync takes this much longer, in microseconds: an answer that does not wait for it is seen to be early.
const SLOWER: &str = "inject=fdatasync:delay_enter=10000";
/// How much of what is written is kept: an entry's name and that in an answer are further ahead.
const BYTES: &str = "65536";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: see CONTRIBUTING.md"]
async fn a_201_leaves_only_when_a_quorum_has_its_entry_on_disk() {
    if !Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("left out: there is no strace");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let (dir, trace) = (temporary.path().join("dev"), temporary.path().join("trace"));
    let mut strace = tokio::process::Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-ttt", "-T", "-y", "-s", BYTES, "-e", CALLS, "-e", SLOWER, "-o"]);
    strace.arg(&trace).arg(binary());
    let dev = Dev::spawn(strace, &dir, &["--clusters", "1"]);
    dev.wait_ready().await;
    let urls: Vec<String> = dev.replicas().into_iter().map(|replica| replica.url).collect();
    let client = async |client: u64| {
        for number in 0..WRITES {
            let url = &urls[((client + number) % 3) as usize];
            let answer = dev.submit(url, "risk", &runnable(&marker(client, number), "10ms")).await.unwrap();
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    };
    futures::future::join_all((0..CLIENTS).map(client)).await;
    // strace keeps signals from what it runs.
    dev.close_input().await;

    let calls = calls(&fs::read_to_string(&trace).unwrap());
    let markers = (0..CLIENTS).flat_map(|client| (0..WRITES).map(move |number| marker(client, number)));
    let shown: Vec<_> = markers.map(|marker| check(&calls, &marker, QUORUM)).collect();
    let wrong: Vec<_> = shown.iter().filter_map(|one| one.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{} of {} acknowledged too early: {wrong:#?}", wrong.len(), shown.len());
    let shown: Vec<_> = shown.into_iter().flatten().collect();
    let syncs = calls.iter().filter(|call| call.name == "fdatasync" && call.of.contains("/log/")).count();
    eprintln!(
        "acknowledged: {} writes, {syncs} fdatasyncs of logs, each 201 after those that cover it on {QUORUM} of 3 \
         ({} on all); the closest by {:.0} us",
        shown.len(),
        shown.iter().filter(|one| one.durable_on == 3).count(),
        shown.iter().map(|one| one.margin_s * 1e6).fold(f64::INFINITY, f64::min)
    );
}

/// A name that no other write's begins with.
fn marker(client: u64, number: u64) -> String {
    format!("traced-{client:02}-{number:04}")
}
