//! How far watches have come.

use crate::world::World;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

impl World {
    fn moved(&self, cluster: &str, kind: Kind, cursor: &str) -> CursorMove {
        let cluster = self.cluster(cluster);
        CursorMove {
            cluster: cluster.head.ordinal,
            extent: Extent::everywhere(kind),
            foreign: None,
            plural: String::new(),
            timeline: cluster.timeline,
            cursor: Some(cursor.to_owned()),
            rule: None,
        }
    }

    fn cursor(&self, cluster: &str, kind: &Kind) -> Option<(String, String, u64)> {
        let watch =
            query::watch(&self.view, self.cluster(cluster).head.ordinal, &Extent::everywhere(kind.clone()))
                .unwrap();
        watch.map(|watch| (watch.cursor, watch.reached, watch.observed_ms))
    }
}

#[test]
fn the_cursors_of_many_watches_move_in_one_entry() {
    let mut world = World::upgraded();
    world.now_ms += 1_000;
    let moves = vec![
        world.moved("east", Kind::Job, "7"),
        world.moved("west", Kind::Job, "9"),
        world.moved("west", Kind::Workflow, "11"),
    ];
    world.ok(Command::MoveCursors(MoveCursors { moves }));
    let at = |version: &str| Some((version.to_owned(), version.to_owned(), world.now_ms));
    assert_eq!(world.cursor("east", &Kind::Job), at("7"));
    assert_eq!(world.cursor("west", &Kind::Job), at("9"));
    assert_eq!(world.cursor("west", &Kind::Workflow), at("11"));
}

#[test]
fn a_move_of_a_timeline_that_is_over_or_of_a_cluster_that_is_gone_changes_nothing_and_holds_up_no_other() {
    let mut world = World::upgraded();
    let (late, stray) = (world.moved("east", Kind::Job, "70"), world.moved("west", Kind::Job, "9"));
    let east = world.cluster("east").head.ordinal;
    world.ok(Command::Contact(Contact {
        cluster: east,
        reachable: true,
        kube_system_uid: Some("east-identity".to_owned()),
        version: String::new(),
        rewound: true,
        relayed_by: None,
        unwatched: Vec::new(),
        message: String::new(),
    }));
    let gone = CursorMove { cluster: Ordinal(1_000_000), ..stray.clone() };
    world.ok(Command::MoveCursors(MoveCursors { moves: vec![late, gone, stray] }));
    assert_eq!(world.cursor("east", &Kind::Job), None);
    assert_eq!(world.cursor("west", &Kind::Job).unwrap().0, "9");
}

#[test]
fn a_group_of_which_a_replica_may_not_know_it_moves_none_together() {
    let mut world = World::new();
    let moves = vec![world.moved("east", Kind::Job, "7")];
    let refusal = world.run(Command::MoveCursors(MoveCursors { moves })).unwrap_err();
    assert!(refusal.message.contains("needs version 3 of the group"), "{}", refusal.message);
}
