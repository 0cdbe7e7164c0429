//! A backup is taken under load and restored beside the group: what comes of it is a prefix of what was acknowledged.

use super::{Bite, Card};
use crate::client::{Client, Request, text};
use crate::drill::book::Acked;
use crate::drill::readback;
use crate::drill::stage::Stage;
use crate::exit::{Exit, Failure};
use crate::verb::operator::{SNAPSHOT, STATUS};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// Writes before and after the backup, so that it is of the middle.
const WRITES_AROUND: usize = 100;
/// How long taking the backup may take.
const TAKE_S_MAX: u64 = 600;
/// How long one answer of the restored group is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(2);

pub(super) const CARD: Card = Card {
    sentence: "a backup is taken under load and restored beside the group, into a directory of its own",
    write_gap_ms_max: 1000,
    staleness_ms_max: 1000,
    ready_ms_max: 10_000,
    sends_runs: false,
    restores: true,
    on_dev: &[
        "save a backup while writes go on: tallyman operator snapshot save",
        "restore it into a temporary directory: tallyman operator snapshot restore",
        "start a replica there, and compare what it has with what was acknowledged",
        "see that it is another lineage, which sends nothing; stop it, and remove its directory",
    ],
    on_deployment: &[],
    needs: "a group that needs no login: what is restored answers whoever asks on this machine",
};

pub(super) async fn act(stage: &Stage<'_>) -> Result<Bite, Failure> {
    stage.begin();
    stage.progress(WRITES_AROUND).await?;
    let dir =
        tempfile::Builder::new().prefix("tallyman-drill-").tempdir().map_err(|error| unusable(&error))?;
    let file = dir.path().join("backup.tallyman");
    let mut backup = File::create_new(&file).map_err(|error| unusable(&error))?;
    let from = stage.client.download(&Request::get(SNAPSHOT), TAKE_S_MAX, &mut backup).await?;
    stage.say(&format!("a backup is saved from {from}"));
    stage.progress(WRITES_AROUND).await?;
    let begun = Instant::now();
    let (config, url) = configure(dir.path(), &stage.group.of.name).map_err(|error| unusable(&error))?;
    run(&[
        Path::new("operator"),
        Path::new("snapshot"),
        Path::new("restore"),
        &file,
        Path::new("--config"),
        &config,
    ])
    .await?;
    let _server = start(&config, dir.path()).map_err(|error| unusable(&error))?;
    let client = Client::plain(vec![url])?;
    let status = stage
        .until("the restored group answers", async || {
            let answer = client.once(&Request::get("/readyz"), ANSWER_MAX).await?;
            (answer.status == 200).then_some(())?;
            Some(client.once(&Request::get(STATUS), ANSWER_MAX).await?.body)
        })
        .await?;
    let restored_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    stage.findings().restored_ms = Some(restored_ms);
    stage.say(&format!("the restored group answers after {restored_ms} ms"));
    let there = uids(&client, stage.load.namespace()).await?;
    let acked = stage.load.book().acked.clone();
    let wrong = not_a_prefix(&acked, &there);
    stage.findings().not_prefix = Some(wrong);
    stage.say(&format!(
        "it has {} of {} submissions, {wrong} are missing before its newest",
        there.len(),
        acked.len()
    ));
    Ok(bite(&status, acked.len(), there.len()))
}

/// A restore is seen only in a lineage of its own that sends nothing, and that ends before what came after the backup.
fn bite(status: &Value, acked: usize, there: usize) -> Bite {
    let confirmed = status.pointer("/lineage/confirmed").and_then(Value::as_bool);
    match (text(status, "/lineage/origin"), confirmed) {
        ("restored", Some(false)) if there > 0 && there < acked => Bite::Seen,
        ("restored", Some(false)) => Bite::NotSeen(format!("it has {there} of {acked}, which is no part")),
        (origin, confirmed) => Bite::NotSeen(format!(
            "its lineage is {origin:?}, confirmed {confirmed:?}, and not one that waits"
        )),
    }
}

/// How many acknowledged submissions are missing that are older than the newest that is there.
fn not_a_prefix(acked: &[Acked], there: &BTreeSet<String>) -> u64 {
    let newest = acked.iter().filter(|acked| there.contains(&acked.uid)).map(|acked| acked.revision).max();
    let older = acked.iter().filter(|acked| Some(acked.revision) <= newest);
    older.filter(|acked| !there.contains(&acked.uid)).count() as u64
}

async fn uids(client: &Client, namespace: &str) -> Result<BTreeSet<String>, Failure> {
    let found = readback::one(client, namespace, 0).await?;
    Ok(found.into_values().flatten().collect())
}

/// A configuration for the one replica, and its URL.
fn configure(dir: &Path, group: &str) -> std::io::Result<(PathBuf, String)> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
    let (api, peer) = (free()?, free()?);
    let text = format!(
        "group = {group:?}\ndatacenter = \"drill\"\ndata_dir = {:?}\napi_listen = \"{api}\"\npeer_listen = \"{peer}\"\n\
         advertise = \"127.0.0.1\"\npeers = [\"{peer}\"]\n",
        dir.join("data"),
    );
    let path = dir.join("config.toml");
    fs::write(&path, text)?;
    Ok((path, format!("http://{api}")))
}

async fn run(arguments: &[&Path]) -> Result<(), Failure> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| unusable(&error))?);
    let output = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|error| unusable(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::new(Exit::Failed, format!("failed to restore: {said}"), "tallyman operator snapshot verify"))
}

/// The restored replica; it ends with us, however we end.
fn start(config: &Path, dir: &Path) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["server", "--parent-pipe", "--config"])
        .arg(config)
        .env_remove(crate::environment::ADVERTISE)
        .env_remove(crate::environment::DATACENTER)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(File::create(dir.join("server.log"))?)
        .kill_on_drop(true)
        .spawn()
}

fn unusable(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("failed to restore beside the group: {error}"),
        "check the temporary directory",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acked(revision: u64) -> Acked {
        Acked { uid: format!("u{revision}"), revision, ..Acked::default() }
    }

    #[test]
    fn what_is_missing_before_the_newest_is_no_prefix() {
        let acked = [3, 5, 8, 9].map(acked);
        let there = |all: &[u64]| all.iter().map(|revision| format!("u{revision}")).collect::<BTreeSet<_>>();
        assert_eq!(not_a_prefix(&acked, &there(&[3, 5])), 0);
        assert_eq!(not_a_prefix(&acked, &there(&[3, 8])), 1);
        assert_eq!(not_a_prefix(&acked, &there(&[])), 0);
        assert_eq!(not_a_prefix(&acked, &there(&[3, 5, 7])), 0, "what was never acknowledged may be there");
    }

    #[test]
    fn a_restored_group_that_would_send_or_has_everything_proves_nothing() {
        let status = |origin: &str, confirmed| serde_json::json!({"lineage": {"origin": origin, "confirmed": confirmed}});
        assert!(matches!(bite(&status("restored", false), 9, 5), Bite::Seen));
        for (status, there) in [
            (status("restored", true), 5),
            (status("", false), 5),
            (status("restored", false), 9),
            (status("restored", false), 0),
        ] {
            assert!(matches!(bite(&status, 9, there), Bite::NotSeen(_)), "{status}");
        }
    }
}
