//! `dev` and whoever started it: it goes on without them, unless it was told to end with them.

use crate::dev::{Dev, PATIENCE, binary, is_alive, signal, until};
use rustix::process::Signal;
use std::fs;
use std::process::Stdio;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_outlives_the_shell_that_started_it_and_its_replicas_do_not_outlive_dev() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, pid) = (folder.path().join("dev"), folder.path().join("pid"));
    let mut shell = Command::new("bash");
    // Neither the parent's end nor a terminal's is its own.
    let script = "nohup setsid \"$0\" dev --dir \"$1\" < /dev/null > \"$1.out\" 2>&1 & echo $! > \"$2\"";
    shell.arg("-c").arg(script).arg(binary()).arg(&dir).arg(&pid);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let left = timeout(PATIENCE, shell.status()).await.expect("the shell ends").unwrap();
    assert!(left.success());
    let pid: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let replicas = until("the replicas run", async || {
        let json: serde_json::Value = serde_json::from_slice(&fs::read(dir.join("dev.json")).ok()?).ok()?;
        let pids = json["replicas"].as_array()?.iter().map(|replica| replica["pid"].as_i64());
        pids.map(|pid| pid.filter(|pid| *pid > 0).map(|pid| pid as i32)).collect::<Option<Vec<_>>>()
    })
    .await;
    signal(pid, Signal::HUP);
    let says = || fs::read_to_string(dir.with_extension("out")).unwrap_or_default();
    until("it has come up, long after its shell and the signal", async || {
        assert!(is_alive(pid), "{}", says());
        says().contains("Ctrl-C stops all").then_some(())
    })
    .await;
    signal(pid, Signal::KILL);
    until("the replicas ended with it", async || {
        replicas.iter().all(|replica| !is_alive(*replica)).then_some(())
    })
    .await;
    let log = fs::read_to_string(dir.join("r1/server.log")).unwrap();
    assert!(log.contains("whoever started this replica is gone"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_says_so_when_it_ends_with_whoever_started_it() {
    let dev = Dev::start(&[]).await;
    let folder = dev.dir.clone();
    let (_, _temporary) = dev.close_input().await;
    let said = fs::read_to_string(folder.join("stderr")).unwrap();
    assert!(said.contains("whoever started this is gone"), "{said}");
}
