//! A write or sync that fails once, in each kind of file: the replica ends, names the file, and comes back by a plain
//! start with everything that was acknowledged.

use crate::dev::{Dev, Replica, binary, is_alive, runnable, until};
use crate::history::{Load, check_all_succeeded};
use crate::inject::{Injection, impossible};
use crate::order::check;
use crate::trace::calls;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What fails: whose, which file, and how.
struct Fault {
    of_leader: bool,
    file: fn(&Path) -> PathBuf,
    fault: &'static str,
}

/// Each fails once; a second call would succeed.
const FAULTS: [Fault; 8] = [
    Fault { of_leader: false, file: log, fault: "fdatasync:error=EIO:when=3" },
    Fault { of_leader: true, file: log, fault: "fdatasync:error=EIO:when=3" },
    Fault { of_leader: false, file: log, fault: "write,writev,pwrite64:error=EIO:when=3" },
    Fault { of_leader: true, file: watermark, fault: "fdatasync:error=EIO:when=1" },
    Fault { of_leader: false, file: ledger, fault: "pwrite64:error=EIO:when=3" },
    Fault { of_leader: true, file: changes, fault: "pwrite64:error=EIO:when=3" },
    // sled's own thread writes it, and nothing waits for that.
    Fault { of_leader: false, file: rows, fault: "pwrite64:error=EIO:when=1" },
    Fault { of_leader: true, file: rows, fault: "fdatasync:error=EIO:when=1" },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: see CONTRIBUTING.md"]
async fn the_first_failed_write_or_sync_of_any_file_ends_the_replica_and_nothing_acknowledged_is_lost() {
    if let Some(why) = impossible() {
        eprintln!("left out: {why}");
        return;
    }
    let dev = Arc::new(Dev::start(&["--clusters", "1"]).await);
    let load = Load::start(&dev, 2, std::process::id().into());
    for fault in &FAULTS {
        load.progress(5).await;
        let victim = if fault.of_leader { dev.leader().await } else { dev.followers().await.swap_remove(0) };
        let file = (fault.file)(&victim.dir);
        eprintln!("{}: {} of {}", victim.id, fault.fault, file.display());
        let said = said(&victim).len();
        let injection = Injection::into(victim.pid, &[&file], fault.fault, &dev.dir.join("strace")).await;
        until("the replica has ended", async || (!is_alive(victim.pid)).then_some(())).await;
        drop(injection);
        let words = last_words(&victim, said);
        assert!(words.contains(file.to_str().unwrap()) && words.contains("Input/output error"), "{words}");
        until("it is back and ready", async || {
            let back = dev.replicas().into_iter().find(|one| one.url == victim.url)?;
            assert!(back.id.is_empty() || back.id == victim.id, "it came back as another: {back:?}");
            (back.pid != victim.pid).then_some(())?;
            let ready = dev.get(&back.url, "/readyz").await?;
            (ready.status == 200).then_some(())
        })
        .await;
    }
    load.progress(5).await;
    let acknowledged = load.finish().await;
    check_all_succeeded(&dev, &acknowledged).await;
    until("all replicas have the same state", async || {
        let mut states = Vec::new();
        for replica in dev.replicas() {
            let body = dev.get(&replica.url, "/operator/status").await?.body;
            states.push((body["ledger"].clone(), body["stateHash"]["hash"].clone()));
        }
        (states[0].0 != json!(null) && states.iter().all(|state| *state == states[0])).then_some(())
    })
    .await;
    eprintln!("failed: {} faults, {} acknowledged writes, none lost", FAULTS.len(), acknowledged.len());
}

/// Each thread's nth fdatasync fails: that of the log's own thread as well as those of others.
const AGAIN_AND_AGAIN: &str = "inject=fdatasync:error=EIO:when=40";
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fdatasync,fsync";
const WRITES: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: see CONTRIBUTING.md"]
async fn what_a_failed_sync_covered_is_not_acknowledged_before_a_quorum_has_it_by_others() {
    if let Some(why) = impossible() {
        eprintln!("left out: {why}");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let (dir, trace) = (temporary.path().join("dev"), temporary.path().join("trace"));
    let mut strace = tokio::process::Command::new("strace");
    strace.args([
        "-f",
        "--seccomp-bpf",
        "-ttt",
        "-T",
        "-y",
        "-s",
        "65536",
        "-e",
        CALLS,
        "-e",
        AGAIN_AND_AGAIN,
    ]);
    strace.arg("-o").arg(&trace).arg(binary());
    let dev = Dev::spawn(strace, &dir, &["--clusters", "1"]);
    dev.wait_ready().await;
    let name = |number: u64| format!("traced-{number:04}");
    for number in 0..WRITES {
        let mut tries = 0;
        until("it is acknowledged", async || {
            tries += 1;
            let url = dev.replicas()[tries % 3].url.clone();
            let body = runnable(&name(number), "10ms");
            // One that was lost on the way exists already: its 201 never left, so there is nothing to check.
            dev.submit(&url, "risk", &body).await.filter(|answer| matches!(answer.status, 201 | 409))
        })
        .await;
    }
    dev.close_input().await;
    let text = fs::read_to_string(&trace).unwrap();
    let failed = text.lines().filter(|line| line.contains("EIO") && line.contains("/log/")).count();
    assert!(failed > 0, "no fdatasync of a log has failed");
    let calls = calls(&text);
    let left =
        |name: &str| calls.iter().any(|call| call.data.contains("HTTP/1.1 201 ") && call.data.contains(name));
    let names: Vec<String> = (0..WRITES).map(name).filter(|name| left(name)).collect();
    for name in &names {
        check(&calls, name, 2).unwrap();
    }
    assert!(names.len() > WRITES as usize / 2, "{} of {WRITES} acknowledged", names.len());
    eprintln!("acknowledged: {} writes while {failed} fdatasyncs of logs failed", names.len());
}

fn said(replica: &Replica) -> String {
    fs::read_to_string(replica.dir.parent().unwrap().join("server.log")).unwrap()
}

/// The last complaint of what it said after `from`, and all that led to it.
fn last_words(replica: &Replica, from: usize) -> String {
    let said = said(replica);
    let complaint = said[from..].lines().find(|line| line.starts_with("error:"));
    complaint.unwrap_or_else(|| panic!("it said nothing: {}", &said[from..])).to_owned()
}

/// The newest file with this ending in a folder.
fn newest(dir: PathBuf, ending: &str) -> PathBuf {
    let files = fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.to_str().unwrap().ends_with(ending)).max().unwrap()
}

pub(crate) fn log(data: &Path) -> PathBuf {
    newest(data.join("log"), ".wal")
}

fn watermark(data: &Path) -> PathBuf {
    data.join("watermark")
}

fn ledger(data: &Path) -> PathBuf {
    newest(data.join("ledger"), ".jsonl")
}

fn changes(data: &Path) -> PathBuf {
    newest(data.join("changes"), "")
}

fn rows(data: &Path) -> PathBuf {
    let generations = fs::read_dir(data.join("inventory")).unwrap().map(|file| file.unwrap().path());
    generations.filter(|path| path.is_dir()).max().unwrap().join("db")
}
