//! Full disks: three replicas, each on an ext4 of its own that something else fills.

use crate::dev::{Answer, answer, binary, path, runnable, until};
use crate::group::Group;
use crate::machine::{Machine, impossible};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::Command;

const MIB: u64 = 1024 * 1024;
/// Less than what is to stay free, and more than what counts as full.
const LITTLE: u64 = 64 * MIB;

/// Takes all blocks but `leave` bytes; more of them each time it is called.
fn fill(machine: &Machine, leave: u64) {
    let inside = machine.inside();
    let Ok(found) = statvfs(&inside) else { return };
    let take = (found.f_bavail * found.f_frsize).saturating_sub(leave);
    let Ok(file) = OpenOptions::new().create(true).append(true).open(filler(machine)) else { return };
    if take > 0 {
        // As much as there is: a moment later it may be less.
        let _ = fallocate(&file, FallocateFlags::empty(), file.metadata().unwrap().len(), take);
    }
}

fn filler(machine: &Machine) -> PathBuf {
    machine.inside().join("filler")
}

fn free(machine: &Machine) {
    fs::remove_file(filler(machine)).unwrap();
}

struct Clients<'a> {
    group: &'a Group,
}

impl Clients<'_> {
    async fn submit(&self, of: usize, name: &str, bytes: usize) -> Option<Answer> {
        let mut body = runnable(name, "10ms");
        body["spec"]["manifests"][0]["data"]["a"] = json!("x".repeat(bytes));
        let url = format!("{}{}", self.group.urls[of], path("namespaces/risk/runnables"));
        answer(self.group.http.post(url).json(&body)).await
    }

    async fn until_taken(&self, of: usize, name: &str) {
        until("a submission is taken", async || {
            self.submit(of, name, 1).await.filter(|answer| matches!(answer.status, 201 | 409))
        })
        .await;
    }

    async fn get(&self, of: usize, path: &str) -> Option<Answer> {
        answer(self.group.http.get(format!("{}{path}", self.group.urls[of]))).await
    }

    async fn status(&self, of: usize) -> Option<Value> {
        self.group.status(&self.group.urls[of]).await
    }

    /// The machine whose replica leads, and says so itself.
    async fn leader(&self) -> usize {
        until("somebody leads", async || {
            for of in 0..self.group.urls.len() {
                if self.status(of).await.is_some_and(|status| status["role"] == "leader") {
                    return Some(of);
                }
            }
            None
        })
        .await
    }

    async fn until_pressed(&self, of: usize, is_pressed: bool) {
        until("it is seen how much space is left", async || {
            let status = self.status(of).await?;
            (status["disk"]["pressed"] == json!(is_pressed)).then_some(())
        })
        .await;
    }

    async fn until_reserved(&self, of: usize) {
        until("the reserve is there", async || {
            let bytes = self.status(of).await?["disk"]["reserveBytes"].as_u64()?;
            (bytes == 32 * MIB).then_some(())
        })
        .await;
    }
}

fn kept(query: &str) -> String {
    path(&format!("namespaces/risk/runnables/kept{query}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and loop devices: see CONTRIBUTING.md"]
async fn full_disks_refuse_submissions_serve_all_else_and_recover_by_themselves() {
    if let Some(why) = impossible().await {
        eprintln!("left out: {why}");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut group = Group::start(temporary.path(), "noatime", Vec::new()).await;
    all_have_little_left(&group).await;
    the_leader_alone_has_little_left(&group).await;
    one_has_nothing_left(&mut group).await;
}

async fn all_have_little_left(group: &Group) {
    let clients = Clients { group };
    for name in ["kept", "gone"] {
        clients.until_taken(0, name).await;
    }
    for of in 0..3 {
        clients.until_reserved(of).await;
        fill(&group.machines[of], LITTLE);
    }
    for of in 0..3 {
        clients.until_pressed(of, true).await;
    }
    let leader = clients.leader().await;
    for of in [leader, (leader + 1) % 3] {
        let refused = until("submissions are refused", async || {
            clients.submit(of, "refused", 1).await.filter(|answer| answer.status == 507)
        })
        .await;
        let message = refused.body["message"].as_str().unwrap();
        assert_eq!(refused.body["reason"], "InsufficientStorage");
        assert!(message.contains("MiB left") && message.contains("Free space"), "{message}");
    }
    let gone = format!("{}{}", group.urls[0], path("namespaces/risk/runnables/gone"));
    assert_eq!(answer(group.http.delete(&gone)).await.unwrap().status, 200, "deletes go on");
    assert_eq!(clients.get(1, &kept("")).await.unwrap().status, 200, "reads go on");
    let ready = clients.get(1, "/readyz?verbose").await.unwrap();
    assert!(ready.status == 200 && ready.body.to_string().contains("disk pressed"), "{ready:?}");
    let metrics = clients.get(leader, "/metrics").await.unwrap().body.to_string();
    assert!(
        metrics.contains("tallyman_disk_pressed 1") && metrics.contains("tallyman_submissions_refused 1")
    );
    let mut status = Command::new(binary());
    let output = status.args(["operator", "status", "--server", &group.urls.join(",")]).output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.contains("submissions: no (disks are full") && output.contains("left on its disk"),
        "{output}"
    );
    group.machines.iter().for_each(free);
    clients.until_taken(2, "again").await;
    for of in 0..3 {
        clients.until_pressed(of, false).await;
    }
}

async fn the_leader_alone_has_little_left(group: &Group) {
    let clients = Clients { group };
    let pressed = clients.leader().await;
    fill(&group.machines[pressed], LITTLE);
    until("another one leads", async || (clients.leader().await != pressed).then_some(())).await;
    clients.until_taken(pressed, "under-another").await;
    free(&group.machines[pressed]);
    clients.until_pressed(pressed, false).await;
}

async fn one_has_nothing_left(group: &mut Group) {
    let full = (Clients { group }.leader().await + 1) % 3;
    end_for_want_of_space(group, full).await;

    group.start_one(full).await;
    let clients = Clients { group };
    until("it serves what it has", async || {
        clients.get(full, &kept("?consistency=stale")).await.filter(|answer| answer.status == 200)
    })
    .await;
    clients.until_taken((full + 1) % 3, "without-the-full-one").await;
    until("it follows, on what the reserve has left", async || {
        clients.get(full, &kept("")).await.filter(|answer| answer.status == 200)
    })
    .await;
    let status = clients.status(full).await.unwrap();
    let disk = &status["disk"];
    assert_eq!((&disk["pressed"], &disk["reserveBytes"]), (&json!(true), &json!(0)), "{status}");
    assert!(!group.machines[full].has_ended(), "it is not started in vain");

    end_for_want_of_space(group, full).await;
    let said = group.machines[full].home.join("server.log");
    let before = fs::read_to_string(&said).unwrap().len();
    group.start_one(full).await;
    until("with nothing left at all it waits", async || {
        fs::read_to_string(&said).unwrap()[before..].contains("waiting for space").then_some(())
    })
    .await;
    assert!(!group.machines[full].has_ended(), "it is not started in vain");

    free(&group.machines[full]);
    group.until_ready().await;
    let clients = Clients { group };
    clients.until_pressed(full, false).await;
    clients.until_reserved(full).await;
    until("all have the same state", async || {
        let mut hashes = Vec::new();
        for of in 0..3 {
            hashes.push(clients.status(of).await?["stateHash"]["hash"].clone());
        }
        hashes.iter().all(|hash| *hash == hashes[0]).then_some(())
    })
    .await;
}

/// Writes go on while something takes whatever is left of one disk and is given up there.
async fn end_for_want_of_space(group: &mut Group, full: usize) {
    let said = group.machines[full].home.join("server.log");
    let before = fs::read_to_string(&said).unwrap().len();
    let mut number = 0;
    while !group.machines[full].has_ended() {
        fill(&group.machines[full], 0);
        number += 1;
        assert!(number < 400, "it does not end");
        Clients { group }.submit((full + 1) % 3, &format!("while-full-{before}-{number}"), 50_000).await;
    }
    let words = fs::read_to_string(&said).unwrap()[before..].to_owned();
    let complaint = words.lines().find(|line| line.starts_with("error:")).unwrap_or_default();
    assert!(complaint.contains("No space left on device") && complaint.contains("/data/"), "{words}");
    eprintln!("full: {complaint}");
    unmounted(&group.machines[full]).await;
}

/// Its process is gone, and with the namespace of that its mount: before that, a second one would damage the image.
async fn unmounted(machine: &Machine) {
    let home = machine.home.to_str().unwrap();
    until("its file system is unmounted", async || {
        let devices =
            Command::new("losetup").args(["--list", "--noheadings", "-O", "BACK-FILE"]).output().unwrap();
        (!String::from_utf8_lossy(&devices.stdout).contains(home)).then_some(())
    })
    .await;
}
