//! `tallyman drill` against `tallyman dev`: what is promised is measured, what is broken is healed.

use crate::blocks::block;
use crate::dev::{Dev, PATIENCE, Replica, binary, is_alive, path, signal, until};
use crate::servers::Servers;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::process::{Output, Stdio};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// `tallyman drill ...` for the replicas of `dev`.
fn drill(dev: &Dev, arguments: &[&str]) -> Command {
    let servers: Vec<String> = dev.replicas().into_iter().map(|replica| replica.url).collect();
    let mut command = Command::new(binary());
    command.arg("drill").args(arguments).env("TALLYMAN_SERVER", servers.join(","));
    // Its key is made there, and its reports.
    command.current_dir(&dev.dir).env("HOME", &dev.dir).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn done(mut command: Command) -> Output {
    timeout(PATIENCE * 2, command.output()).await.expect("the drill ends").unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// True if the process is frozen.
fn is_frozen(replica: &Replica) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", replica.pid)).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
}

/// How many submissions there are, in all namespaces.
async fn submissions(dev: &Dev) -> usize {
    let answer = dev.get(&dev.replicas()[0].url, &path("runnables")).await.unwrap();
    answer.body["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_kills_the_leader_loses_nothing_and_its_report_cannot_be_changed() {
    let dev = Dev::start(&[]).await;
    let before = dev.leader().await;
    let shown = block("tallyman drill run leader-loss --report drill.html");
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split(' ').skip(2).collect()).collect();
    let [run, show] = lines.try_into().unwrap();
    let file = dev.dir.join("drill.html");
    // How long the gap is on a busy machine is not the question here.
    let run = [run, vec!["--write-gap", "60s"]].concat();
    let output = done(drill(&dev, &run)).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(submissions(&dev).await, 0, "what it submitted is removed");
    until("the leader was started again", async || {
        let now = dev.replicas().into_iter().find(|replica| replica.id == before.id)?;
        (now.pid != before.pid).then_some(())
    })
    .await;

    let shown = done(drill(&dev, &[show.clone(), vec!["-o", "json"]].concat())).await;
    assert!(shown.status.success(), "{}", said(&shown));
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let report = &shown["report"];
    assert_eq!((&report["kept"], &report["group"]["name"]), (&json!("true"), &json!("dev")));
    assert!(report["writes"]["acknowledged"].as_u64() > Some(200), "{}", report["writes"]);
    let killed = format!("killed {}, the leader", before.id);
    assert!(report["events"].to_string().contains(&killed), "{}", report["events"]);
    let measured = |what: &str| {
        let promises = report["promises"].as_array().unwrap();
        promises.iter().find(|one| one["what"] == what).unwrap()["measured"].clone()
    };
    assert_eq!((measured("lost"), measured("twice"), measured("unseen")), (json!(0), json!(0), json!(0)));
    assert!(measured("writeGapMs").as_u64() > Some(100), "the leader was away: {}", measured("writeGapMs"));
    for replica in dev.replicas() {
        let reads =
            report["reads"].as_array().unwrap().iter().find(|one| one["replica"] == replica.id).unwrap();
        let answered = reads["waited"].as_array().unwrap().iter().filter(|one| !one[1].is_null()).count();
        assert!(answered > 5, "{} was read all the time: {reads}", replica.id);
    }

    let again = done(drill(&dev, &run)).await;
    assert!(again.status.code() == Some(1) && said(&again).contains("failed to write"), "{}", said(&again));
    let sealed = fs::read_to_string(&file).unwrap();
    let gap = format!("\"measured\":{}", measured("writeGapMs"));
    fs::write(&file, sealed.replacen(&gap, "\"measured\":16", 1)).unwrap();
    let tampered = done(drill(&dev, &show)).await;
    assert_eq!(tampered.status.code(), Some(1), "{}", said(&tampered));
    assert!(said(&tampered).contains("it was changed after it was signed"), "{}", said(&tampered));
    fs::write(&file, sealed.replacen(">kept<", ">broken<", 1)).unwrap();
    let tampered = done(drill(&dev, &show)).await;
    assert_eq!(tampered.status.code(), Some(1), "{}", said(&tampered));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_handover_is_drilled_and_a_dry_run_or_a_wrong_name_does_nothing() {
    let dev = Dev::start(&[]).await;
    let before = dev.leader().await;
    let rehearsed = done(drill(&dev, &["run", "leader-loss", "--dry-run"])).await;
    assert!(
        rehearsed.status.success() && said(&rehearsed).contains("kill its process"),
        "{}",
        said(&rehearsed)
    );
    let wrong = done(drill(&dev, &["run", "leader-loss", "--yes-this-is", "night"])).await;
    assert!(wrong.status.code() == Some(1) && said(&wrong).contains("not of night"), "{}", said(&wrong));
    assert_eq!((dev.leader().await.pid, submissions(&dev).await), (before.pid, 0));

    let output = done(drill(&dev, &["run", "planned-handover", "--write-gap", "60s"])).await;
    let said = said(&output);
    // A busy machine may be later than it is promised; nothing else may be broken.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    assert!(said.contains(&format!("{} handed over to", before.id)), "{said}");
    for line in said.lines().filter(|line| line.contains("submissions") || line.contains("did not show")) {
        assert!(!line.contains("broken") && !line.contains("unknown"), "{said}");
    }
    let pids = |replicas: Vec<Replica>| replicas.into_iter().map(|replica| replica.pid).collect::<Vec<_>>();
    assert!(pids(dev.replicas()).contains(&before.pid), "nobody was restarted");
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_drill_froze_goes_on_when_the_drill_is_killed_aborted_or_late_and_ends_with_dev() {
    let dev = Dev::start(&[]).await;
    let long = ["run", "datacenter-loss", "--hold", "600s", "--heal-after", "600s"];
    let frozen =
        async || until("the leader is frozen", async || dev.replicas().into_iter().find(is_frozen)).await;
    let thawed = async |what: &str| {
        until(what, async || (!dev.replicas().iter().any(is_frozen)).then_some(())).await;
        dev.wait_ready().await;
    };
    for (how, code) in [(Signal::KILL, None), (Signal::INT, Some(7))] {
        let running = drill(&dev, &long).spawn().unwrap();
        let pid = running.id().unwrap() as i32;
        let replica = frozen().await;
        signal(pid, how);
        let ended = timeout(PATIENCE, running.wait_with_output()).await.expect("it ends").unwrap();
        assert_eq!(ended.status.code(), code, "{}", said(&ended));
        thawed("all go on without the drill").await;
        let now = dev.replicas().into_iter().find(|now| now.id == replica.id).unwrap();
        assert_eq!(now.pid, replica.pid, "it was not restarted");
    }
    assert!(dev.output().contains("drill healed   asked for, or the drill is gone"), "{}", dev.output());

    // One that has frozen itself is no longer waited for.
    let late = ["run", "datacenter-loss", "--hold", "600s", "--heal-after", "1s"];
    let running = drill(&dev, &late).spawn().unwrap();
    frozen().await;
    thawed("they go on when the time is over, with the drill still there").await;
    assert!(dev.output().contains("drill healed   its time is over"), "{}", dev.output());
    drop(running);

    let _running = drill(&dev, &long).spawn().unwrap();
    let replica = frozen().await;
    signal(dev.pid(), Signal::KILL);
    until("the frozen one ends, too", async || (!is_alive(replica.pid)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_a_restore_and_clusters_that_are_away_are_drilled_and_nothing_is_lost_or_done_twice() {
    let dev = Dev::start(&[]).await;
    let pids: Vec<i32> = dev.replicas().into_iter().map(|replica| replica.pid).collect();
    for scenario in ["cluster-loss", "apiserver-outage", "restore-from-backup", "rolling-restart"] {
        let file = format!("{scenario}.json");
        let output = done(drill(&dev, &["run", scenario, "--write-gap", "60s", "--report", &file])).await;
        // How long reads wait on a busy machine is not the question here.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(&output));
        let shown = done(drill(&dev, &["show", &file, "-o", "json"])).await;
        assert_eq!(shown.status.code(), output.status.code());
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let promises = shown["report"]["promises"].as_array().unwrap();
        let counted: Vec<&Value> = promises.iter().filter(|one| one["promised"] == json!(0)).collect();
        assert_eq!(counted.len(), if scenario == "rolling-restart" { 3 } else { 4 });
        assert!(counted.iter().all(|one| one["kept"] == json!("true")), "{}", said(&output));
    }
    let now: Vec<i32> = dev.replicas().into_iter().map(|replica| replica.pid).collect();
    assert!(pids.iter().all(|pid| !now.contains(pid)), "all were restarted: {pids:?}, {now:?}");
    // Whether a create that was cut off arrives yet is known only after a while; until then its record stays.
    let left = dev.get(&dev.replicas()[0].url, &path("runnables")).await.unwrap();
    let is_going = |item: &Value| item["metadata"]["deletionTimestamp"].is_string();
    assert!(left.body["items"].as_array().unwrap().iter().all(is_going), "{:?}", left.body);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_no_dev_is_drilled_only_by_its_name_and_by_a_persons_hand() {
    let mut servers = Servers::founded().await;
    let urls: Vec<String> = servers.places.iter().map(|place| place.url.clone()).collect();
    let drill = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.arg("drill").args(arguments).env("TALLYMAN_SERVER", urls.join(","));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        command
    };
    let refused = done(drill(&["run", "leader-loss"])).await;
    let words = said(&refused);
    assert!(refused.status.code() == Some(1) && words.contains("--yes-this-is night"), "{words}");
    let only_dev = done(drill(&["run", "cluster-loss", "--yes-this-is", "night"])).await;
    assert_eq!(only_dev.status.code(), Some(1), "{}", said(&only_dev));

    let run = ["run", "leader-loss", "--yes-this-is", "night", "--write-gap", "60s"];
    let mut running = drill(&run).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let mut all = String::new();
    loop {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("it says what is to be done").unwrap();
        let line = line.unwrap_or_else(|| panic!("it ended early:\n{all}"));
        all.push_str(&(line.clone() + "\n"));
        if line.contains("now do this: kill") {
            let leader = urls.iter().position(|url| line.contains(&format!("({url})"))).unwrap();
            servers.kill(leader).await;
            servers.start(leader);
            break;
        }
    }
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.expect("it goes on").unwrap() {
        all.push_str(&(line + "\n"));
    }
    assert!(running.wait().await.unwrap().success(), "{all}");
}
