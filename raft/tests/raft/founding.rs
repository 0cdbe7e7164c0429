//! How a group comes to be.

use crate::cluster::{Cluster, PATIENCE, free_addresses, write};
use crate::members::copy;
use tallyman_model::ReplicaId;
use tallyman_raft::{Group, GroupOptions, InitError, NotSent, ProposeError, Role, StartError};

#[tokio::test(flavor = "multi_thread")]
async fn three_blank_replicas_are_founded_once_and_elect_a_leader() {
    let mut cluster = Cluster::places(3);
    for i in 0..3 {
        cluster.start(i).await;
    }
    let blank = cluster.wait(1, "it says what it waits for", |status| status.waiting_for.is_some()).await;
    assert_eq!((blank.role, blank.id), (Role::Blank, None));
    assert!(blank.waiting_for.unwrap().contains("operator init"));
    let refused = cluster.group(1).propose(write(1)).await.unwrap_err();
    assert!(matches!(refused, ProposeError::NotSent { why: NotSent::NotReady { .. } }), "{refused}");

    let expected = cluster.group(2).init(4).await.unwrap_err();
    assert_eq!(expected, InitError::Expected { expected: 4, configured: 3 });
    // Asked at two replicas at once, one group is founded.
    let (one, two) = tokio::join!(cluster.group(1).init(3), cluster.group(2).init(3));
    let ids = [one.clone(), two.clone()].into_iter().find_map(Result::ok).unwrap();
    assert_eq!(ids, [ReplicaId(1), ReplicaId(2), ReplicaId(3)]);
    assert!(one.is_err() || two.is_err(), "{one:?} {two:?}");
    cluster.wait_until_all_serve().await;
    for i in 0..3 {
        let status = cluster.status(i);
        assert_eq!(
            status.id,
            Some(ReplicaId(i as u64 + 1)),
            "the places are in the order of their addresses"
        );
        assert_eq!(status.voters, ids);
        assert_eq!(cluster.group(i).id(), cluster.group(0).id());
    }
    assert!(matches!(cluster.group(0).init(3).await, Err(InitError::NotEmpty { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn founding_is_refused_while_one_peer_does_not_answer() {
    let mut cluster = Cluster::places(3);
    for i in 0..2 {
        cluster.start(i).await;
    }
    let missing = cluster.places[2].address.clone();
    let refused = cluster.group(1).init(3).await.unwrap_err();
    assert!(matches!(&refused, InitError::NoAnswer { peer, .. } if *peer == missing), "{refused}");
    cluster.start(2).await;
    cluster.group(1).init(3).await.unwrap();
    cluster.wait_until_all_serve().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_of_another_group_is_refused() {
    let mut cluster = Cluster::founded(1).await;
    cluster.kill(0).await;
    cluster.name = "other".to_owned();
    let refused = cluster.try_start(0).await.unwrap_err();
    assert!(
        matches!(&refused, StartError::OtherGroup { found, wanted, .. } if found == "test" && wanted == "other")
    );
    assert!(refused.to_string().contains("check `group` and `data_dir`"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_of_another_replica_is_refused_and_both_come_back_when_they_are_exchanged() {
    let mut cluster = Cluster::founded(3).await;
    cluster.kill(1).await;
    cluster.kill(2).await;
    let exchange = |cluster: &mut Cluster| {
        let dir = cluster.places[1].dir.clone();
        let other = std::mem::replace(&mut cluster.places[2].dir, dir);
        cluster.places[1].dir = other;
    };
    exchange(&mut cluster);
    for i in [1, 2] {
        let refused = cluster.try_start(i).await.unwrap_err();
        let StartError::OtherReplica { found, wanted, .. } = &refused else { panic!("{refused}") };
        assert_eq!((found, wanted), (&cluster.places[3 - i].address, &cluster.places[i].address));
        assert!(!refused.is_damage(), "it is well where it belongs");
    }
    exchange(&mut cluster);
    cluster.start(1).await;
    cluster.start(2).await;
    cluster.wait_until_all_serve().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_under_one_id_one_ends_and_says_why() {
    let mut cluster = Cluster::founded(3).await;
    let (leader, twice) = (cluster.leader().await, cluster.follower().await);
    cluster.write(leader, 1).await;
    cluster.wait_until_equal().await;
    cluster.kill(twice).await;
    let dir = cluster.places[twice].dir.with_extension("copy");
    copy(&cluster.places[twice].dir, &dir);
    cluster.start(twice).await;
    cluster.wait_until_all_serve().await;
    // The same address is known for it, and it listens elsewhere.
    let peer_listen = free_addresses(1)[0].parse().unwrap();
    let options = GroupOptions { dir: dir.into(), peer_listen, ..cluster.options(twice) };
    let second = Group::start(options).await.unwrap();
    let mut statuses = [second.status(), cluster.group(twice).status()];
    let ends = statuses.iter_mut().map(|status| Box::pin(status.wait_for(|status| status.fatal.is_some())));
    let (ended, ..) = tokio::time::timeout(PATIENCE, futures::future::select_all(ends)).await.unwrap();
    let why = ended.unwrap().fatal.clone().unwrap();
    assert!(why.contains("runs twice") || why.contains("has lost entries"), "{why}");
    second.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_two_groups_of_one_name_do_not_talk_and_say_why() {
    let mut one = Cluster::founded(3).await;
    // A replica of the other group comes under an address of this one.
    one.kill(2).await;
    let mut two = Cluster::places(1);
    two.places[0].address = one.places[2].address.clone();
    two.found().await;
    two.kill(0).await;
    one.places[2].dir = two.places[0].dir.clone();
    one.start(2).await;
    // The stranger leads its own group of one and is not disturbed; this group goes on without it.
    let leader = one.leader().await;
    one.write(leader, 1).await;
    assert_ne!(one.group(2).id(), one.group(0).id());
    assert!(one.shown(2).is_empty());
    let told = one.wait(leader, "it says why", |status| status.refused_by_peer.is_some()).await;
    assert!(told.refused_by_peer.unwrap().contains("belongs to group"));
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_are_not_talked_to_in_the_clear_off_loopback() {
    let cluster = Cluster::places(1);
    let mut options = cluster.options(0);
    options.peer_listen = "0.0.0.0:0".parse().unwrap();
    let refused = Group::start(options).await.err().unwrap();
    assert!(matches!(refused, StartError::Plain { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_must_be_among_the_configured_peers() {
    let cluster = Cluster::places(1);
    let mut options = cluster.options(0);
    options.peers = free_addresses(1);
    let refused = Group::start(options).await.err().unwrap();
    assert!(matches!(refused, StartError::Peers { .. }), "{refused}");
}

/// What a replica says of its log when it dials is a moment old: meanwhile it may have confirmed more to the leader.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_dial_while_they_confirm_entries_are_not_taken_for_damaged() {
    for round in 0..15 {
        let cluster = Cluster::founded(3).await;
        // The first proposals through followers are what makes them dial the leader.
        let writes = (0..12).map(|i| cluster.write(i % 3, 100 * round + i as u64));
        futures::future::join_all(writes).await;
        for i in 0..3 {
            assert_eq!(cluster.status(i).fatal, None, "replica {i} in round {round}");
        }
    }
}
