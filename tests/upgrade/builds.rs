//! Two builds in one group.

use crate::dev::{answer, client, signal, until};
use crate::servers::{Load, Servers};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// Writers at once.
const WRITERS: usize = 3;
/// Submissions that are acknowledged between two steps.
const BETWEEN: u64 = 20;

#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
fn build(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Which version of a group a build understands; a build of before there were versions does not say.
fn understands(program: &str) -> Option<u64> {
    let output = Command::new(program).args(["version", "--client", "-o", "json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["understands"].as_u64()
}

impl Servers {
    /// Stops a server as an upgrade does, and starts it with another build.
    async fn exchange(&mut self, i: usize, program: &str) {
        let others =
            self.places.iter().enumerate().filter(|(other, place)| *other != i && place.child.is_some());
        *self.urls.lock().unwrap() = others.map(|(_, place)| place.url.clone()).collect();
        signal(self.places[i].child.as_ref().unwrap().id().unwrap() as i32, Signal::TERM);
        assert_eq!(self.ended(i).await, Some(0), "it hands over and ends well");
        self.places[i].program = program.into();
        self.start(i);
        until("it serves again", async || (self.get(i, "/readyz").await?.status == 200).then_some(())).await;
    }

    /// The group's version as that replica says it; 1 if it does not.
    async fn version(&self, i: usize) -> Option<u64> {
        Some(self.status(i).await?["version"]["group"].as_u64().unwrap_or(1))
    }

    /// Asks for what only the new build knows. The status, and what was said.
    async fn remark(&self, i: usize) -> (u16, String) {
        let url = format!("{}/operator/remark", self.places[i].url);
        let answered = until("it answers", async || {
            answer(client().post(&url).json(&json!({"text": "from tomorrow"}))).await
        })
        .await;
        (answered.status, answered.body["message"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs two builds: tests/upgrade/run"]
async fn a_group_is_upgraded_under_load_taken_back_before_its_version_rises_and_not_afterwards() {
    let (Some(old), Some(new)) = (build("UPGRADE_OLD"), build("UPGRADE_NEW")) else {
        eprintln!("left out: tests/upgrade/run builds what is needed");
        return;
    };
    let said = understands(&old);
    let (lower, higher) = (said.unwrap_or(1), understands(&new).unwrap_or(1));
    assert!(lower <= higher, "{old} understands {lower}, {new} {higher}");
    // What only one of the two knows can be asked for.
    let has_remarks = higher == 3;
    let mut servers = Servers::founded_of(&old).await;
    let load = Load::start(&servers, WRITERS);
    load.progress(BETWEEN).await;
    until("the group is at what all understand", async || (servers.version(0).await? == lower).then_some(()))
        .await;

    for i in [0, 1] {
        servers.exchange(i, &new).await;
        load.progress(BETWEEN).await;
        if has_remarks {
            let (status, words) = servers.remark(i).await;
            assert!(status == 503 && words.contains("upgrade"), "{status} {words}");
        }
        assert_eq!(servers.version(i).await, Some(lower), "not all are upgraded");
    }
    let id = servers.id(2).await;
    if has_remarks {
        // Led by the new build it is refused before it is proposed, and says who is old.
        servers.done(&["transfer-leader", "--to", &servers.id(0).await]).await;
        until("the refusal names the old one", async || {
            let (status, words) = servers.remark(1).await;
            (status == 503 && words.contains(&format!("upgrade {id} ("))).then_some(())
        })
        .await;
    }
    servers.exchange(1, &old).await;
    load.progress(BETWEEN).await;
    assert_eq!(servers.version(1).await, Some(lower), "it was taken back in time");
    servers.exchange(1, &new).await;
    servers.exchange(2, &new).await;
    for i in 0..3 {
        until("the version rises", async || (servers.version(i).await? == higher).then_some(())).await;
    }
    load.progress(BETWEEN).await;

    if lower < higher && said.is_some() {
        // Too late to go back: it does not start, and says which build to run.
        let leader = servers.leader().await;
        let back = (leader + 1) % 3;
        servers.kill(back).await;
        servers.places[back].program = old.clone().into();
        servers.start(back);
        assert_eq!(servers.ended(back).await, Some(1));
        let log = fs::read_to_string(servers.log(back)).unwrap();
        assert!(log.contains(&format!("run a build that understands {higher}")), "{log}");
        load.progress(BETWEEN).await;
        servers.places[back].program = new.clone().into();
        servers.start(back);
    }
    if has_remarks {
        assert_eq!(servers.remark(0).await.0, 200);
    }
    let acknowledged = load.finish().await;
    servers.until_equal(&[0, 1, 2]).await;
    servers.show_all(&[0, 1, 2], &acknowledged).await;
    eprintln!("upgrade: from {lower} to {higher}, {} writes acknowledged, 0 lost", acknowledged.len());
}
