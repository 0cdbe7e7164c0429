//! Clusters that are reached through one datacenter.

use crate::world::World;
use std::collections::BTreeMap;
use tallyman_model::command::*;
use tallyman_model::record::Credentials;
use tallyman_model::*;

fn plant(via: &str) -> Command {
    Command::AddCluster(AddCluster {
        uid: Uid([5; 16]),
        name: "plant".to_owned(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        credentials: Credentials::default(),
        cordoned: false,
        paused: false,
        via: via.to_owned(),
        ..AddCluster::default()
    })
}

fn update(via: &str) -> Command {
    let via = Some(via.to_owned());
    Command::UpdateCluster(UpdateCluster { name: "plant".to_owned(), via, ..UpdateCluster::default() })
}

#[test]
fn a_cluster_is_reached_through_a_datacenter_where_a_replica_is_and_no_other() {
    let mut world = World::upgraded();
    let refused = world.run(plant("paris")).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Invalid);
    assert_eq!(refused.message, "no replica is in datacenter \"paris\"; they are in here");
    world.ok(plant("here"));
    assert_eq!(world.cluster("plant").via, "here");
    assert_eq!(world.run(update("paris")).unwrap_err().kind, RefusalKind::Invalid);
    world.ok(update(""));
    assert_eq!(world.cluster("plant").via, "");
    world.ok(update("here"));
    assert_eq!(world.cluster("plant").via, "here");
}

#[test]
fn a_cluster_says_through_whom_it_was_reached_last_and_nobody_while_it_is_not() {
    let mut world = World::upgraded();
    world.ok(plant("here"));
    let cluster = world.cluster("plant").head.ordinal;
    let contact = |reachable: bool, relayed_by| {
        Command::Contact(Contact {
            cluster,
            reachable,
            kube_system_uid: reachable.then(|| "plant".to_owned()),
            version: String::new(),
            rewound: false,
            relayed_by,
            unwatched: Vec::new(),
            message: String::new(),
        })
    };
    world.ok(contact(true, Some(ReplicaId(1))));
    assert_eq!(world.cluster("plant").relayed_by, Some(ReplicaId(1)));
    world.ok(contact(false, None));
    assert_eq!(world.cluster("plant").relayed_by, None);
}

#[test]
fn a_group_whose_replicas_do_not_all_know_it_takes_no_such_cluster() {
    let mut world = World::new();
    assert!(plant("here").since() > query::meta(&world.view).unwrap().version);
    assert_eq!(plant("").since(), 0);
    assert_eq!(update("").since(), 0, "which is in every replacement of a cluster");
    assert!(world.run(plant("here")).is_err());
}
