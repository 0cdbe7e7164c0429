//! Data directories that are lost, damaged, older, used twice, another replica's, or another group's.

use crate::dev::{Dev, PATIENCE, Replica, binary, path, runnable, signal, until};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// The command that replaces a damaged replica is given this long to get its address from the supervisor's next try.
const TRY_MS: u64 = 1500;

impl Dev {
    /// Waits until three replicas vote and `gone` is none of them. Gives their ids.
    async fn until_replaced(&self, gone: &Replica) -> Vec<String> {
        until("a replica with a new id votes in its place", async || {
            let answer = self.get(&self.leader().await.url, &path("replicas")).await?;
            let items = answer.body["items"].as_array()?.clone();
            let voters: Vec<String> = items
                .iter()
                .filter(|item| item["status"]["role"] != json!("Learner"))
                .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
                .collect();
            (voters.len() == 3 && items.len() == 3 && !voters.contains(&gone.id)).then_some(voters)
        })
        .await
    }

    /// Waits until what was acknowledged before is read from the replica that took the place of `gone`, or came back.
    async fn until_served(&self, gone: &Replica, names: &[&str]) -> Replica {
        let served = until("it serves what was acknowledged", async || {
            let now = self.replicas().into_iter().find(|replica| replica.url == gone.url)?;
            for name in names {
                let answer = self.read(&now.url, "risk", name).await.filter(|answer| answer.status == 200)?;
                (answer.header("tallyman-served-by") == now.id).then_some(())?;
            }
            Some(now)
        });
        served.await
    }

    async fn submit_some(&self, names: &[&str]) {
        let leader = self.leader().await;
        for name in names {
            let answer = self.submit(&leader.url, "risk", &runnable(name, "10ms")).await.unwrap();
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    }

    /// The same, and waits until the replica has it, and has written down that its log is known to be on disk.
    async fn submit_some_until_known(&self, names: &[&str], replica: &Replica) {
        let watermark = replica.dir.join("watermark");
        let before = fs::read(&watermark).unwrap();
        self.submit_some(names).await;
        self.until_served(replica, names).await;
        until("its watermark has moved", async || (fs::read(&watermark).unwrap() != before).then_some(()))
            .await;
    }
}

/// Stops a replica, does something to its data directory, and lets it be started again.
fn meanwhile(replica: &Replica, change: impl FnOnce(&Path)) {
    signal(replica.pid, Signal::STOP);
    change(&replica.dir);
    signal(replica.pid, Signal::KILL);
}

async fn until_it_says(replica: &Replica, words: &str) {
    let log = replica.dir.with_file_name("server.log");
    let says = async || fs::read_to_string(&log).unwrap_or_default().contains(words).then_some(());
    until(&format!("it says: {words}"), says).await;
}

/// Runs the one command that replaces a damaged replica, beside the supervisor that keeps starting it.
async fn replace(dev: &Dev, damaged: &Replica) {
    until("the command has moved the damaged data aside", async || {
        let mut command = Command::new(binary());
        command
            .args(["server", "--replace-damaged", "--config"])
            .arg(damaged.dir.with_file_name("config.toml"));
        let mut child = command.kill_on_drop(true).stderr(Stdio::null()).spawn().unwrap();
        // It ends at once while the supervisor's try has the port.
        let _ = timeout(Duration::from_millis(TRY_MS), child.wait()).await;
        damaged.dir.join("damaged-1").exists().then_some(())
    })
    .await;
    let voters = dev.until_replaced(damaged).await;
    until("the supervisor's is the new one", async || {
        dev.replicas().into_iter().find(|now| now.url == damaged.url && voters.contains(&now.id))
    })
    .await;
}

/// The files of a directory with this ending, oldest first.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(ending));
    files.sort();
    files
}

fn zero(path: &Path, from: u64, length: usize) {
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(&vec![0; length], from).unwrap();
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lost_its_directory_joins_under_a_new_id_and_the_old_one_leaves() {
    let dev = Dev::start(&[]).await;
    let lost = dev.followers().await.remove(0);
    dev.submit_some(&["before"]).await;
    // Moved away while it stands still, so that nothing is written between the kill and the restart.
    meanwhile(&lost, |data| fs::remove_dir_all(data).unwrap());
    let voters = dev.until_replaced(&lost).await;
    let new = dev.until_served(&lost, &["before"]).await;
    assert!(voters.contains(&new.id), "{new:?} of {voters:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_another_group_is_refused_with_what_to_do() {
    let (dir, _temporary) = Dev::start(&[]).await.stop_keeping().await;
    // Another group at the same addresses, and then the first one's r1 among it.
    let (mine, kept) = (dir.join("r1/data"), dir.join("kept"));
    fs::rename(&mine, &kept).unwrap();
    ["r2/data", "r3/data"].iter().for_each(|data| fs::remove_dir_all(dir.join(data)).unwrap());
    Dev::start_in(&dir, &[]).await.stop().await;
    fs::remove_dir_all(&mine).unwrap();
    fs::rename(&kept, &mine).unwrap();

    let dev = Dev::spawn_in(&dir, &[]);
    let stranger =
        until("the replicas run", async || dev.replicas().into_iter().find(|one| one.id == "r1")).await;
    let said = until("its peers have refused it and it says so", async || {
        let answer = dev.get(&stranger.url, "/operator/status").await?;
        answer.body["refusedByPeer"].as_str().map(str::to_owned)
    })
    .await;
    assert!(said.contains("group"), "{said}");
    let read = dev.get(&stranger.url, &path("runnables")).await.unwrap();
    assert_eq!(read.status, 503, "{read:?}");
    let ready = dev.get(&stranger.url, "/readyz").await.unwrap();
    assert_eq!(ready.status, 503, "{ready:?}");
    until("the two others serve", async || {
        let url = &dev.replicas()[1].url;
        dev.get(url, &path("runnables")).await.filter(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_rows_and_changes_are_made_again_and_a_damaged_log_makes_a_new_member_with_one_command() {
    let dev = Dev::start(&[]).await;
    dev.submit_some(&["one", "two"]).await;
    let damaged = dev.followers().await.remove(0);
    // Stopped in good order: after a kill the newest rows are not in their files yet.
    let (dir, _temporary) = dev.stop_keeping().await;
    for rows in files(&damaged.dir.join("inventory"), "1") {
        zero(&rows.join("db"), 0, 64 * 1024);
    }
    files(&damaged.dir.join("changes"), "").iter().for_each(|file| zero(file, 64, 64));
    let dev = Dev::start_in(&dir, &[]).await;
    let healed = dev.until_served(&damaged, &["one", "two"]).await;
    assert_eq!(healed.id, damaged.id, "it is the same member");

    dev.submit_some_until_known(&["three"], &healed).await;
    meanwhile(&healed, |data| zero(&files(&data.join("log"), ".wal")[0], 300, 8));
    until_it_says(&healed, "try: start it once with --replace-damaged").await;
    replace(&dev, &healed).await;
    dev.until_served(&healed, &["one", "two", "three"]).await;
    assert!(healed.dir.join("damaged-1/log").exists(), "what was damaged is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_a_directory_is_refused_by_the_peers_and_stays_refused() {
    let dev = Dev::start(&[]).await;
    let old = dev.followers().await.remove(0);
    let copy = dev.dir.join("older");
    signal(old.pid, Signal::STOP);
    copy_dir(&old.dir, &copy);
    signal(old.pid, Signal::CONT);
    dev.submit_some_until_known(&["later"], &old).await;
    meanwhile(&old, |data| {
        fs::rename(data, data.with_extension("newer")).unwrap();
        copy_dir(&copy, data);
    });
    until_it_says(&old, "has lost entries that it had confirmed").await;
    // The next leader may not know what it once had.
    until_it_says(&old, "it is out of service: ").await;
    replace(&dev, &old).await;
    assert!(old.dir.join("damaged-1/out-of-service").exists());
    dev.until_served(&old, &["later"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_without_its_log_is_refused_and_one_that_is_used_is_not_used_twice() {
    let dev = Dev::start(&[]).await;
    let [used, emptied] = <[Replica; 2]>::try_from(dev.followers().await).unwrap();
    let config = fs::read_to_string(used.dir.with_file_name("config.toml")).unwrap();
    // Another port for the API, the same directory.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = config.lines().map(|line| match line.split_once(" = ") {
        Some(("api_listen", _)) => format!("api_listen = \"{free}\""),
        _ => line.to_owned(),
    });
    let second = used.dir.with_file_name("second.toml");
    fs::write(&second, config.collect::<Vec<_>>().join("\n")).unwrap();
    let second = Command::new(binary()).args(["server", "--config"]).arg(&second).output();
    let second = timeout(PATIENCE, second).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("another process uses it"), "{said}");

    dev.submit_some(&["before"]).await;
    meanwhile(&emptied, |data| {
        fs::remove_dir_all(data.join("log")).unwrap();
        fs::remove_file(data.join("watermark")).unwrap();
    });
    until_it_says(&emptied, "but its watermark is missing").await;
    replace(&dev, &emptied).await;
    dev.until_served(&emptied, &["before"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_of_another_replica_is_refused_and_one_of_two_copies_ends() {
    let dev = Dev::start(&[]).await;
    let [other, mine] = <[Replica; 2]>::try_from(dev.followers().await).unwrap();
    dev.submit_some(&["before"]).await;
    dev.until_served(&other, &["before"]).await;
    let (kept, copy) = (dev.dir.join("kept"), dev.dir.join("copy"));
    signal(other.pid, Signal::STOP);
    copy_dir(&other.dir, &copy);
    signal(other.pid, Signal::CONT);
    meanwhile(&mine, |data| {
        fs::rename(data, &kept).unwrap();
        copy_dir(&copy, data);
    });
    until_it_says(&mine, "is of the replica at").await;
    // What belongs there is put back while its supervisor keeps trying.
    until("its own directory is back", async || {
        fs::remove_dir_all(&mine.dir).and_then(|()| fs::rename(&kept, &mine.dir)).ok()
    })
    .await;
    assert_eq!(dev.until_served(&mine, &["before"]).await.id, mine.id);

    // The copy runs under the name of the other one, as on a second machine that was given its volume.
    let config = fs::read_to_string(other.dir.with_file_name("config.toml")).unwrap();
    let config = config.lines().map(|line| match line.split_once(" = ") {
        Some((name @ ("api_listen" | "peer_listen"), at)) => {
            format!("{name} = {}", at.replace("127.0.0.1", "127.0.0.2"))
        }
        Some(("data_dir", _)) => format!("data_dir = {:?}", copy.display().to_string()),
        _ => line.to_owned(),
    });
    let second = dev.dir.join("second.toml");
    fs::write(&second, config.collect::<Vec<_>>().join("\n")).unwrap();
    let second = Command::new(binary()).args(["server", "--config"]).arg(&second).kill_on_drop(true).output();
    let second = timeout(PATIENCE, second).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    let is_told = said.contains("runs twice") || said.contains("has lost entries");
    assert!(!second.status.success() && is_told, "{said}");
    dev.submit_some(&["after"]).await;
    assert_eq!(dev.until_served(&other, &["before", "after"]).await.id, other.id);
}
