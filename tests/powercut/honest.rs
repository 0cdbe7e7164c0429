//! The rig itself: a rig that loses nothing finds nothing.

use crate::dev::until;
use crate::group::Group;
use crate::machine::{Machine, cut, impossible};
use crate::writers::{Book, Writers};
use std::fs;
use std::process::Command;
use std::sync::Arc;

/// Replaces the calls by which data becomes durable.
const LIAR: &str = "int fsync(int fd) { return 0; } int fdatasync(int fd) { return 0; }
int sync_file_range(int fd, long from, long bytes, unsigned flags) { return 0; }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and loop devices: see CONTRIBUTING.md"]
async fn what_was_synced_is_there_after_a_cut_and_what_was_not_is_gone() {
    if let Some(why) = impossible().await {
        eprintln!("left out: no machine can be made here: {why}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut machine = Machine::make(dir.path()).unwrap();
    let script = format!(
        "cd {}; echo early > not-synced; dd if=/dev/zero of=synced bs=4k count=9 conv=fsync; echo late > late
         touch {}; while :; do sleep 1; done",
        machine.mount().display(),
        dir.path().join("written").display()
    );
    let shell = |script: String| ["/bin/bash".to_owned(), "-ec".to_owned(), script];
    machine.start("commit=300", &shell(script), &[]).await;
    until("all is written", async || dir.path().join("written").exists().then_some(())).await;
    assert_eq!(fs::read_to_string(machine.inside().join("late")).unwrap(), "late\n");
    cut(&mut [&mut machine]).await;
    machine.start("commit=300", &shell("while :; do sleep 1; done".to_owned()), &[]).await;
    assert_eq!(fs::read(machine.inside().join("synced")).unwrap(), [0; 9 * 4096]);
    // Its name went to the journal with the sync of the other file; its bytes did not.
    assert_eq!(fs::read_to_string(machine.inside().join("not-synced")).unwrap(), "");
    assert!(!machine.inside().join("late").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, loop devices and cc: see CONTRIBUTING.md"]
async fn replicas_whose_fsync_does_nothing_are_found_to_lose_acknowledged_writes() {
    if let Some(why) = impossible().await {
        eprintln!("left out: no machine can be made here: {why}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, library) = (dir.path().join("liar.c"), dir.path().join("liar.so"));
    fs::write(&source, LIAR).unwrap();
    match Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => return eprintln!("left out: cc: {error}"),
    }
    let preload = vec![("LD_PRELOAD".to_owned(), library.display().to_string())];
    let mut group = Group::start(dir.path(), "commit=300", preload).await;
    let book = Arc::new(Book::default());
    let writers = Writers::start(&group, &book, 1, 1);
    writers.progress(50).await;
    cut(&mut group.machines.iter_mut().collect::<Vec<_>>()).await;
    writers.finish().await;
    assert!(!book.runs.lock().unwrap().is_empty());
    group.environment.clear();
    for i in 0..3 {
        group.start_one(i).await;
    }
    // Their directories are empty or refused: there is no group any more that could be asked.
    until("a replica is blank, or says that it cannot go on", async || {
        for i in 0..3 {
            let blank = group.status(&group.urls[i]).await.is_some_and(|status| status["role"] == "blank");
            if blank || group.machines[i].has_ended() {
                return Some(());
            }
        }
        None
    })
    .await;
    assert!(!group.is_ready(&group.urls[0]).await);
}
