//! Replicas are added, replaced and removed at random under load, with the leader killed in the middle.

use crate::cluster::{Cluster, PATIENCE, TestEnv, write};
use crate::membership::{change, dismiss, expect, id, until_done, until_members, votes};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tallyman_model::Env;
use tallyman_model::record::JoinAs;
use tallyman_raft::Group;

/// Changes of each run; `CHURN_ROUNDS` sets another number.
const ROUNDS: u64 = 4;

fn rounds() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
    let set = std::env::var("CHURN_ROUNDS");
    set.ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

/// One writer, and what was acknowledged to it.
pub(crate) struct Writer {
    groups: Arc<Mutex<Vec<Group>>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<BTreeSet<u64>>,
}

impl Writer {
    pub(crate) fn start(cluster: &Cluster) -> Self {
        let (groups, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let task = tokio::spawn(write_on(Arc::clone(&groups), Arc::clone(&stop)));
        let writer = Self { groups, stop, task };
        writer.look(cluster);
        writer
    }

    /// Writes go to those that run now.
    fn look(&self, cluster: &Cluster) {
        *self.groups.lock().unwrap() =
            cluster.running().into_iter().map(|i| cluster.group(i).clone()).collect();
    }

    pub(crate) async fn finish(self) -> BTreeSet<u64> {
        self.stop.store(true, Ordering::SeqCst);
        self.groups.lock().unwrap().clear();
        self.task.await.unwrap()
    }
}

/// Makes 0, 1, ..., each until it is there for certain.
async fn write_on(groups: Arc<Mutex<Vec<Group>>>, stop: Arc<AtomicBool>) -> BTreeSet<u64> {
    let (mut acknowledged, mut turn) = (BTreeSet::new(), 0);
    while !stop.load(Ordering::SeqCst) {
        turn += 1;
        let number = acknowledged.len() as u64;
        let group = {
            let groups = groups.lock().unwrap();
            groups.get(turn % groups.len().max(1)).cloned()
        };
        // A refusal says that it exists: a try whose outcome was unknown has made it.
        if let Some(group) = group
            && group.propose(write(number)).await.is_ok()
        {
            acknowledged.insert(number);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    acknowledged
}

struct Churn {
    cluster: Cluster,
    writer: Writer,
    members: Vec<usize>,
    chance: Arc<TestEnv>,
}

impl Churn {
    fn below(&self, bound: usize) -> usize {
        (self.chance.number() % bound as u64) as usize
    }

    /// A further place for a blank replica that may join as `part`.
    async fn blank(&mut self, part: JoinAs) -> usize {
        let new = self.cluster.add_place();
        change(&self.cluster, self.members[0], expect(&self.cluster, new, part)).await.unwrap();
        self.cluster.start(new).await;
        self.writer.look(&self.cluster);
        new
    }

    /// Kills the leader at some moment of what goes on, and starts it again.
    async fn kill_leader(&mut self) {
        tokio::time::sleep(Duration::from_millis(self.below(600) as u64)).await;
        let leader = self.cluster.leader().await;
        self.writer.groups.lock().unwrap().clear();
        self.cluster.kill(leader).await;
        self.writer.look(&self.cluster);
        tokio::time::sleep(Duration::from_millis(self.below(300) as u64)).await;
        self.cluster.start(leader).await;
        self.writer.look(&self.cluster);
    }

    /// Waits until a replica was told that it is removed, and stops it as its process would.
    async fn gone(&mut self, i: usize) {
        self.cluster.wait(i, "it hears that it is removed", |status| status.fatal.is_some()).await;
        self.writer.groups.lock().unwrap().clear();
        self.cluster.kill(i).await;
        self.writer.look(&self.cluster);
        self.members.retain(|member| *member != i);
    }

    async fn round(&mut self) {
        let one = self.members[self.below(self.members.len())];
        match self.below(3) {
            0 if self.members.len() < 5 => {
                let new = self.blank(JoinAs::Voter { replaces: None }).await;
                self.kill_leader().await;
                self.members.push(new);
            }
            1 if self.members.len() > 3 => {
                until_done(&self.cluster, one, dismiss(id(&self.cluster, one).await)).await;
                self.kill_leader().await;
                self.gone(one).await;
            }
            _ => {
                let replaces = Some(id(&self.cluster, one).await);
                let new = self.blank(JoinAs::Voter { replaces }).await;
                self.kill_leader().await;
                self.cluster.wait(new, "it votes", votes).await;
                self.members.push(new);
                self.gone(one).await;
            }
        }
        until_members(&self.cluster, &self.members).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_change_at_random_while_leaders_are_killed_lose_nothing_that_was_acknowledged() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let cluster = Cluster::founded(3).await;
    let writer = Writer::start(&cluster);
    let mut churn = Churn { cluster, writer, members: vec![0, 1, 2], chance: TestEnv::new(seed) };
    for round in 1..=rounds() {
        println!("round {round}: {:?}", churn.members);
        tokio::time::timeout(4 * PATIENCE, churn.round()).await.expect("a round ends");
    }
    let Churn { cluster, writer, members, .. } = churn;
    let acknowledged = writer.finish().await;
    cluster.wait_until_equal().await;
    for i in members {
        let shown: BTreeSet<u64> = cluster.shown(i).into_iter().collect();
        let lost: Vec<&u64> = acknowledged.difference(&shown).collect();
        assert!(lost.is_empty() && !acknowledged.is_empty(), "seed {seed}: place {i} lost {lost:?}");
    }
    println!("{} writes", acknowledged.len());
}
