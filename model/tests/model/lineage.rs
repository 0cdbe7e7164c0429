//! A group that goes on from a backup.

use crate::world::World;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

fn begin(world: &mut World, number: u8) -> BeginLineage {
    let member = AddMember {
        directory: Uid([number; 16]),
        datacenter: "there".to_owned(),
        peer_address: "127.0.0.1:3".to_owned(),
        api_url: "http://127.0.0.1:4".to_owned(),
    };
    let source = "a backup".to_owned();
    let begin = BeginLineage { lineage: Uid([number; 16]), origin: Origin::Restored, source, member };
    world.ok(Command::BeginLineage(begin.clone()));
    begin
}

fn sweep(world: &mut World, name: &str) {
    let cluster = world.cluster(name);
    let stray = Stray {
        kind: Kind::Job,
        namespace: "risk".to_owned(),
        name: "unknown".to_owned(),
        uid: "u".to_owned(),
    };
    world.ok(Command::Sweep(Sweep {
        cluster: cluster.head.ordinal,
        kind: Kind::Job,
        timeline: cluster.timeline,
        items: Vec::new(),
        strays: vec![stray],
        strays_count: 1,
    }));
}

#[test]
fn a_lineage_has_one_member_with_a_new_id_and_a_gap_in_its_revisions() {
    let mut world = World::new();
    let kept = query::meta(&world.view).unwrap().revision;
    let begun = begin(&mut world, 5);
    let meta = query::meta(&world.view).unwrap();
    let lineage = meta.unconfirmed().unwrap();
    assert_eq!((lineage.last_kept, lineage.base), (kept, Revision(kept.0 + (1 << 40))));
    assert!(meta.revision > lineage.base && lineage.id == begun.lineage);
    let members = query::members(&world.view).unwrap();
    let [member] = members.as_slice() else { panic!("{members:?}") };
    assert_eq!((member.id, member.state), (ReplicaId(world.log.len() as u64), MemberState::Voter));
    assert_eq!(meta.ledger_len, lineage.record, "the ledger tells of it");
    let again = world.run(Command::BeginLineage(begun)).unwrap_err();
    assert_eq!(again.kind, RefusalKind::Conflict);
}

#[test]
fn nothing_is_placed_or_sent_before_the_lineage_is_confirmed_and_that_needs_every_cluster_compared() {
    let mut world = World::new();
    world.submit("placed", |_| {});
    world.place("placed", "east");
    sweep(&mut world, "east");
    let begun = begin(&mut world, 5);
    assert!(world.cluster("east").strays.is_empty(), "what was found in another life is forgotten");

    let waiting = world.submit("waiting", |_| {});
    world.submit("late", |value| value["spec"]["startBy"] = serde_json::json!("10m"));
    world.now_ms += 600_000;
    world.ok(Command::Expire(Expire {}));
    assert_eq!(world.get("late").phase, Phase::Accepted, "it may have started after the backup was taken");
    let place = Place {
        run: waiting.head.ordinal,
        attempt: 1,
        choice: Choice::On(world.cluster("east").head.ordinal),
        why: String::new(),
    };
    assert_eq!(world.run(Command::Place(place.clone())).unwrap_err().kind, RefusalKind::Outdated);
    assert_eq!(world.intend("placed", 0, Action::Create).unwrap_err().kind, RefusalKind::Outdated);

    let confirm = |without: &[&str]| {
        let without = without.iter().map(|name| (*name).to_owned()).collect();
        Command::ConfirmLineage(ConfirmLineage { lineage: begun.lineage, without })
    };
    let refused = world.run(confirm(&[])).unwrap_err();
    assert!(refused.kind == RefusalKind::Conflict && refused.message.contains("east, west"), "{refused:?}");
    sweep(&mut world, "east");
    assert!(world.run(confirm(&[])).unwrap_err().message.contains(": west;"));
    let other = ConfirmLineage { lineage: Uid([6; 16]), without: vec!["west".to_owned()] };
    assert!(world.run(Command::ConfirmLineage(other)).is_err(), "another report was looked at");
    let records = query::meta(&world.view).unwrap().ledger_len;
    world.ok(confirm(&["west"]));
    assert_eq!(query::meta(&world.view).unwrap().ledger_len, records + 1, "the ledger tells of it");

    world.ok(Command::Place(place));
    world.intend("placed", 0, Action::Create).unwrap();
    world.ok(Command::Expire(Expire {}));
    assert_eq!(world.get("late").reason, Reason::StartByPassed);
    assert!(world.run(confirm(&[])).is_err(), "there is nothing to be confirmed any more");
}
