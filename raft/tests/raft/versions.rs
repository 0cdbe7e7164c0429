//! Replicas of different builds: the group's version rises when the last one understands it, and never falls.

use crate::cluster::{Cluster, PATIENCE};
use std::time::Duration;
use tallyman_model::command::ExpectMember;
use tallyman_model::ledger::LedgerRecord;
use tallyman_model::record::{JoinAs, Meta};
use tallyman_model::{Command, GROUP_VERSION, Key, Principal, Row};
use tallyman_raft::{Proposal, StartError};

impl Cluster {
    fn meta(&self, i: usize) -> Meta {
        self.group(i).reader().now(|view, _| match view.get(Key::META).unwrap() {
            Some(Row::Meta(meta)) => *meta,
            _ => Meta::default(),
        })
    }

    /// Starts the replica `i` again with another build.
    async fn build(&mut self, i: usize, understands: u32) {
        if let Some(group) = self.places[i].group.take() {
            group.shutdown().await;
        }
        self.places[i].understands = understands;
        self.start(i).await;
        self.wait_until_all_serve().await;
    }

    async fn wait_for_version(&self, version: u32) {
        let risen = async {
            while self.running().into_iter().any(|i| self.meta(i).version != version) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, risen).await.expect("the version rises");
    }

    /// The verbs of the ledger, in order.
    fn verbs(&self, i: usize) -> Vec<String> {
        let lines = self.group(i).reader().ledger(1, usize::MAX).unwrap();
        let record = |line: &[u8]| serde_json::from_slice::<LedgerRecord>(line).unwrap();
        lines.iter().map(|(_, line, _)| record(line).verb).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_rises_after_the_last_upgrade_until_then_all_may_go_back_and_afterwards_none() {
    let (old, new) = (GROUP_VERSION - 1, GROUP_VERSION);
    let mut cluster = Cluster::places(3);
    cluster.places.iter_mut().for_each(|place| place.understands = old);
    cluster.found().await;
    cluster.wait_for_version(old).await;
    cluster.write(0, 1).await;
    for (written, (i, understands)) in (2..).zip([(0, new), (1, new), (0, old), (0, new)]) {
        cluster.build(i, understands).await;
        cluster.write(i, written).await;
    }
    cluster.build(2, new).await;
    cluster.wait_for_version(new).await;
    cluster.write(2, 6).await;

    cluster.kill(1).await;
    cluster.places[1].understands = old;
    let refused = cluster.try_start(1).await.unwrap_err();
    assert!(matches!(refused, StartError::TooOld { .. }) && !refused.is_damage(), "{refused:?}");
    let words = format!("this build understands versions up to {old}: run a build that understands {new}");
    assert!(refused.to_string().contains(&words), "{refused}");
    cluster.write(2, 7).await;
    cluster.build(1, new).await;
    cluster.wait_until_equal().await;
    assert_eq!(cluster.shown(1), (1..=7).collect::<Vec<_>>());
    let verbs = cluster.verbs(1);
    let writes = |many| vec!["add-cluster"; many];
    let expected = [vec!["found", "raise-version"], writes(5), vec!["raise-version"], writes(2)].concat();
    assert_eq!(verbs, expected, "it is raised at the start, and once when the last one is upgraded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_replica_of_an_old_build_is_let_in_when_it_is_upgraded() {
    let mut cluster = Cluster::founded(1).await;
    cluster.wait_for_version(GROUP_VERSION).await;
    let new = cluster.add_place();
    cluster.places[new].understands = GROUP_VERSION - 1;
    let expect = ExpectMember {
        peer_address: cluster.places[new].address.clone(),
        part: Some(JoinAs::Voter { replaces: None }),
    };
    let command = Command::ExpectMember(expect);
    let proposal = Proposal { by: Principal::leader(), key: None, command };
    cluster.group(0).propose(proposal).await.unwrap().reply.unwrap();
    cluster.start(new).await;
    let words = format!("run a build that understands {GROUP_VERSION}");
    let is_told = |status: &tallyman_raft::Status| {
        status.waiting_for.as_ref().is_some_and(|waiting| waiting.contains(&words))
    };
    cluster.wait(new, "it is told which build to run", is_told).await;
    assert_eq!(cluster.status(0).learners, []);
    cluster.build(new, GROUP_VERSION).await;
    cluster.wait(0, "both vote", |status| status.voters.len() == 2).await;
}
