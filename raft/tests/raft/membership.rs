//! Replicas that are added, promoted, replaced and removed.

use crate::cluster::{Cluster, PATIENCE};
use std::time::Duration;
use tallyman_model::command::{DismissMember, ExpectMember, PreferDatacenter, PromoteMember};
use tallyman_model::quorum::Seen;
use tallyman_model::record::JoinAs;
use tallyman_model::{Command, Principal, Refusal, RefusalKind, ReplicaId};
use tallyman_raft::{Proposal, Role, Status, Timing};

pub(crate) async fn change(cluster: &Cluster, i: usize, command: Command) -> Result<(), Refusal> {
    let by = Principal { user: "test".to_owned(), ..Principal::default() };
    let committed = cluster.group(i).propose(Proposal { by, key: None, command }).await.unwrap();
    committed.reply.map(drop)
}

pub(crate) fn expect(cluster: &Cluster, i: usize, part: JoinAs) -> Command {
    let peer_address = cluster.places[i].address.clone();
    Command::ExpectMember(ExpectMember { peer_address, part: Some(part) })
}

fn promote(id: ReplicaId) -> Command {
    Command::PromoteMember(PromoteMember { id, replaces: None, seen: Seen::default() })
}

pub(crate) fn dismiss(id: ReplicaId) -> Command {
    Command::DismissMember(DismissMember { id, seen: Seen::default() })
}

/// The id of the replica at a place; one that has just been started does not say it at once.
pub(crate) async fn id(cluster: &Cluster, i: usize) -> ReplicaId {
    cluster.wait(i, "it has an id", |status| status.id.is_some()).await.id.unwrap()
}

pub(crate) fn votes(status: &Status) -> bool {
    status.id.is_some_and(|id| status.voters.contains(&id))
}

/// Repeats a change until it is not refused any more.
pub(crate) async fn until_done(cluster: &Cluster, i: usize, command: Command) {
    let done = async {
        while change(cluster, i, command.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.unwrap();
}

/// Waits until the voters are the replicas at these places, and nobody else is a member.
pub(crate) async fn until_members(cluster: &Cluster, places: &[usize]) {
    let mut expected = Vec::new();
    for i in places {
        expected.push(id(cluster, *i).await);
    }
    expected.sort_unstable();
    for i in places {
        let are = |status: &Status| status.voters == expected && status.learners.is_empty();
        cluster.wait(*i, "the members are those that they are to be", are).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_replica_waits_until_it_is_added_learns_until_it_is_promoted_and_stops_when_it_is_removed()
{
    let mut cluster = Cluster::founded(3).await;
    cluster.write(0, 1).await;
    let new = cluster.add_place();
    cluster.start(new).await;
    let told = |status: &Status| {
        status.waiting_for.as_ref().is_some_and(|why| why.contains("tallyman operator member add"))
    };
    cluster.wait(new, "it says what it waits for", told).await;
    let before = cluster.group(0).reader().applied_index();

    change(&cluster, 1, expect(&cluster, new, JoinAs::Learner)).await.unwrap();
    let learns = |status: &Status| status.role == Role::Learner && status.waiting_for.is_none();
    cluster.wait(new, "it learns and serves", learns).await;
    let joined = id(&cluster, new).await;
    assert!(joined.0 > before, "its id was never given before: {joined}");
    let token = cluster.write(new, 2).await;
    cluster.group(new).read(tallyman_raft::ReadMode::Token(token), PATIENCE).await.unwrap();

    until_done(&cluster, 2, promote(joined)).await;
    until_members(&cluster, &[0, 1, 2, new]).await;
    change(&cluster, 0, dismiss(joined)).await.unwrap();
    let told = cluster.wait(new, "it hears that it is removed", |status| status.fatal.is_some()).await;
    assert!(told.fatal.unwrap().contains("no longer of the group"));
    cluster.kill(new).await;
    until_members(&cluster, &[0, 1, 2]).await;
    cluster.write(1, 3).await;

    // Its directory is of no use any more, whatever it says of who votes.
    cluster.start(new).await;
    cluster.wait(new, "it is told again", |status| status.fatal.is_some()).await;
    cluster.write(1, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_that_was_removed_while_it_was_down_finds_out_when_it_is_back() {
    let mut cluster = Cluster::founded(3).await;
    let new = cluster.add_place();
    change(&cluster, 0, expect(&cluster, new, JoinAs::Learner)).await.unwrap();
    cluster.start(new).await;
    cluster
        .wait(new, "it learns", |status| status.role == Role::Learner && status.waiting_for.is_none())
        .await;
    let joined = id(&cluster, new).await;
    cluster.kill(new).await;
    change(&cluster, 0, dismiss(joined)).await.unwrap();
    until_members(&cluster, &[0, 1, 2]).await;
    cluster.start(new).await;
    cluster.wait(new, "a peer has told it", |status| status.fatal.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_is_replaced_by_a_blank_replica_and_nothing_is_lost() {
    let mut cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    let old = id(&cluster, leader).await;
    let new = cluster.add_place();
    cluster.write(leader, 1).await;
    let part = JoinAs::Voter { replaces: Some(old) };
    change(&cluster, leader, expect(&cluster, new, part)).await.unwrap();
    cluster.start(new).await;
    cluster.wait(new, "it votes", votes).await;
    cluster.wait(leader, "the old one is told", |status| status.fatal.is_some()).await;
    cluster.kill(leader).await;
    let places: Vec<usize> = (0..4).filter(|i| *i != leader).collect();
    until_members(&cluster, &places).await;
    cluster.write(new, 2).await;
    cluster.wait_until_equal().await;
    assert_eq!(cluster.shown(new), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_replica_is_removed_while_the_others_could_not_decide_without_it() {
    let mut cluster = Cluster::founded(3).await;
    let leader = cluster.leader().await;
    let others: Vec<usize> = (0..3).filter(|i| *i != leader).collect();
    let (left, lost) = (others[0], others[1]);
    let gone = id(&cluster, lost).await;
    cluster.kill(lost).await;
    // At once, while it has answered within the lease.
    for i in [left, leader] {
        let refusal = change(&cluster, left, dismiss(id(&cluster, i).await)).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Conflict);
        assert!(refusal.message.contains(&format!("start {gone} again")), "{}", refusal.message);
    }
    change(&cluster, left, dismiss(gone)).await.unwrap();
    until_members(&cluster, &[left, leader]).await;
    let refusal = change(&cluster, left, expect(&cluster, left, JoinAs::Learner)).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::AlreadyExists);
    // Of two both are needed to decide that one goes; then one is a group.
    change(&cluster, left, dismiss(id(&cluster, leader).await)).await.unwrap();
    cluster.wait(leader, "the leader has handed over and gone", |status| status.fatal.is_some()).await;
    cluster.kill(leader).await;
    until_members(&cluster, &[left]).await;
    let refusal = change(&cluster, left, dismiss(id(&cluster, left).await)).await.unwrap_err();
    assert!(refusal.message.contains("nobody else votes"), "{}", refusal.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_moves_to_the_preferred_datacenter_also_after_an_election() {
    let timing = Timing { prefer_steady_ms: 100, look_ms: 50, ..Timing::default() };
    let mut cluster = Cluster::founded_with(3, timing).await;
    let home = cluster.follower().await;
    let prefer =
        |datacenter: &str| Command::PreferDatacenter(PreferDatacenter { datacenter: datacenter.to_owned() });
    let refusal = change(&cluster, 0, prefer("mars")).await.unwrap_err();
    assert!(refusal.message.contains("dc0, dc1, dc2"), "{}", refusal.message);
    change(&cluster, 0, prefer(&format!("dc{home}"))).await.unwrap();
    let id = id(&cluster, home).await;
    cluster.wait(home, "it leads", |status| status.leader == Some(id)).await;
    cluster.kill(home).await;
    let other = cluster.leader().await;
    cluster.write(other, 1).await;
    cluster.start(home).await;
    cluster.wait(home, "it leads again", |status| status.role == Role::Leader).await;
    cluster.write(other, 2).await;
}
