//! Replicas that come, are promoted, and go.

use crate::world::World;
use tallyman_model::command::*;
use tallyman_model::quorum::Seen;
use tallyman_model::record::*;
use tallyman_model::*;

fn address(place: u8) -> String {
    format!("m{place}.example.com:7001")
}

fn joiner(directory: u8, place: u8) -> AddMember {
    AddMember {
        directory: Uid([directory; 16]),
        datacenter: format!("dc{place}"),
        peer_address: address(place),
        api_url: format!("http://m{place}.example.com:7000"),
    }
}

/// A group of r1, r2 and r3, at places of the same numbers.
fn founded() -> World {
    let mut world = World::blank();
    let members = (1..=3).map(|number| joiner(number, number)).collect();
    world.ok(Command::Found(Found { group: Uid([7; 16]), members }));
    let early = world.run(Command::AddMember(joiner(23, 3))).unwrap_err();
    assert_eq!(early.kind, RefusalKind::Outdated, "its id is the index of its entry, and r2 is there");
    while world.log.len() < 3 {
        world.run(dismiss(99, &[])).unwrap_err();
    }
    world
}

fn expect(place: u8, part: Option<JoinAs>) -> Command {
    Command::ExpectMember(ExpectMember { peer_address: address(place), part })
}

fn seen(answering: &[u64], caught_up: &[u64]) -> Seen {
    let ids = |ids: &[u64]| ids.iter().copied().map(ReplicaId).collect();
    Seen { answering: ids(answering), caught_up: ids(caught_up) }
}

fn dismiss(id: u64, answering: &[u64]) -> Command {
    Command::DismissMember(DismissMember { id: ReplicaId(id), seen: seen(answering, answering) })
}

fn promote(id: u64, replaces: Option<u64>, seen: Seen) -> Command {
    let replaces = replaces.map(ReplicaId);
    Command::PromoteMember(PromoteMember { id: ReplicaId(id), replaces, seen })
}

/// Joins, and gives its id.
fn join(world: &mut World, directory: u8, place: u8) -> u64 {
    world.ok(Command::AddMember(joiner(directory, place)));
    world.log.len() as u64
}

fn state(world: &World, id: u64) -> MemberState {
    let members = query::members(&world.view).unwrap();
    members.into_iter().find(|member| member.id == ReplicaId(id)).expect("it is a member").state
}

fn expected(world: &World) -> Vec<Expected> {
    query::meta(&world.view).unwrap().expected
}

#[test]
fn a_replica_joins_only_where_one_is_expected_and_as_what_it_is_expected() {
    let mut world = founded();
    let stranger = world.run(Command::AddMember(joiner(4, 4))).unwrap_err();
    assert_eq!(stranger.kind, RefusalKind::Conflict);
    assert!(stranger.message.contains("tallyman operator member add m4.example.com:7001"), "{stranger:?}");

    world.ok(expect(4, Some(JoinAs::Learner)));
    let records = query::meta(&world.view).unwrap().ledger_len;
    world.ok(expect(4, Some(JoinAs::Learner)));
    assert_eq!(query::meta(&world.view).unwrap().ledger_len, records, "asking again changes nothing");
    let learner = join(&mut world, 4, 4);
    assert_eq!((state(&world, learner), expected(&world).len()), (MemberState::Learner, 0));

    world.ok(expect(5, Some(JoinAs::Learner)));
    world.ok(expect(5, Some(JoinAs::Voter { replaces: Some(ReplicaId(2)) })));
    assert_eq!(expected(&world).len(), 1, "the last word counts");
    let voter = join(&mut world, 5, 5);
    assert_eq!(state(&world, voter), MemberState::Joining { replaces: Some(ReplicaId(2)) });

    world.ok(expect(6, Some(JoinAs::Learner)));
    world.ok(expect(6, None));
    assert!(world.run(Command::AddMember(joiner(6, 6))).is_err());
    assert_eq!(world.run(expect(6, None)).unwrap_err().kind, RefusalKind::NotFound);
}

#[test]
fn nobody_is_expected_where_a_replica_is_reached_or_in_place_of_one_that_does_not_vote() {
    let mut world = founded();
    let learner = Some(JoinAs::Learner);
    assert_eq!(world.run(expect(2, learner)).unwrap_err().kind, RefusalKind::AlreadyExists);
    for wrong in ["m4", "m4:", ":1", "m4:0", "http://m4:1", "m4:99999", "a b:1"] {
        let command = ExpectMember { peer_address: wrong.to_owned(), part: learner };
        assert_eq!(
            world.run(Command::ExpectMember(command)).unwrap_err().kind,
            RefusalKind::Invalid,
            "{wrong}"
        );
    }
    let of = |id| Some(JoinAs::Voter { replaces: Some(ReplicaId(id)) });
    assert_eq!(world.run(expect(4, of(9))).unwrap_err().kind, RefusalKind::NotFound);
    world.ok(expect(4, learner));
    let id = join(&mut world, 4, 4);
    assert_eq!(world.run(expect(5, of(id))).unwrap_err().kind, RefusalKind::Conflict);
    for place in 10..15 {
        world.ok(expect(place, learner));
    }
    assert!(world.run(expect(15, learner)).unwrap_err().message.contains("at most 9"));
}

#[test]
fn a_replica_that_lost_its_directory_gets_the_part_that_it_had() {
    let mut world = founded();
    let first = join(&mut world, 23, 3);
    let in_place = MemberState::Joining { replaces: Some(ReplicaId(3)) };
    assert_eq!(state(&world, first), in_place);
    let again = join(&mut world, 33, 3);
    assert_eq!((state(&world, first), state(&world, again)), (MemberState::Leaving, in_place));
    assert_eq!(state(&world, 3), MemberState::Voter, "it votes until the other one does");
    let repeated = world.ok(Command::AddMember(joiner(33, 3)));
    let Some(Record::Member(known)) = repeated.record.as_deref() else { panic!("{repeated:?}") };
    assert_eq!(known.id, ReplicaId(again), "the same directory keeps its id");

    world.ok(expect(4, Some(JoinAs::Learner)));
    let learner = join(&mut world, 4, 4);
    let next = join(&mut world, 24, 4);
    assert_eq!((state(&world, learner), state(&world, next)), (MemberState::Leaving, MemberState::Learner));
    world.ok(dismiss(next, &[1, 2, 3]));
    assert!(
        world.run(Command::AddMember(joiner(34, 4))).is_err(),
        "one that was removed has to be added again"
    );
}

#[test]
fn a_learner_votes_once_it_has_caught_up_and_enough_answer() {
    let mut world = founded();
    world.ok(expect(4, Some(JoinAs::Learner)));
    let id = join(&mut world, 4, 4);
    let slow = world.run(promote(id, None, seen(&[1, 2, 3, id], &[1, 2, 3]))).unwrap_err();
    assert!(slow.kind == RefusalKind::Conflict && slow.message.contains("has not caught up"), "{slow:?}");
    let silent = world.run(promote(id, None, seen(&[1, 2, 3], &[1, 2, 3]))).unwrap_err();
    assert!(silent.message.contains("does not answer"), "{silent:?}");
    let few = world.run(promote(id, None, seen(&[1, id], &[1, id]))).unwrap_err();
    assert!(few.message.contains("where 3 are needed: start r2, r3 again"), "{few:?}");
    world.ok(promote(id, None, seen(&[1, 2, id], &[1, id])));
    assert_eq!(state(&world, id), MemberState::Joining { replaces: None });
    world.ok(promote(id, Some(3), Seen::default()));
    assert_eq!(state(&world, id), MemberState::Joining { replaces: Some(ReplicaId(3)) });
    assert_eq!(world.run(promote(2, Some(3), Seen::default())).unwrap_err().kind, RefusalKind::Conflict);
    assert_eq!(world.run(promote(9, None, Seen::default())).unwrap_err().kind, RefusalKind::NotFound);
    world.ok(promote(2, None, Seen::default()));
}

#[test]
fn a_removal_that_would_lose_the_quorum_is_refused_with_what_to_do() {
    let mut world = founded();
    let refused = world.run(dismiss(2, &[1, 2])).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Conflict);
    assert!(
        refused.message.contains("start r3 again, or remove or replace what is lost (r3) first"),
        "{refused:?}"
    );
    world.ok(dismiss(3, &[1, 2]));
    assert_eq!(state(&world, 3), MemberState::Leaving);
    world.ok(dismiss(3, &[1]));
    // r3 is on its way, and does not count any more: of r1 and r2 both are needed.
    assert!(world.run(dismiss(2, &[2, 3])).is_err());
    world.ok(dismiss(2, &[1, 2]));
    let last = world.run(dismiss(1, &[1])).unwrap_err();
    assert!(last.message.contains("nobody else votes"), "{last:?}");
    assert_eq!(world.run(dismiss(9, &[1])).unwrap_err().kind, RefusalKind::NotFound);
}

#[test]
fn who_was_told_to_leave_is_not_recorded_as_a_voter_by_a_leader_that_has_not_seen_it_yet() {
    let mut world = founded();
    world.ok(expect(4, Some(JoinAs::Voter { replaces: None })));
    let id = join(&mut world, 4, 4);
    world.ok(dismiss(id, &[1, 2, 3]));
    let update = UpdateMember {
        id: ReplicaId(id),
        state: Some(MemberState::Voter),
        datacenter: None,
        peer_address: None,
        api_url: None,
    };
    assert_eq!(world.run(Command::UpdateMember(update.clone())).unwrap_err().kind, RefusalKind::Outdated);
    // It may stay after all.
    world.ok(promote(id, None, seen(&[1, 2, 3, id], &[id])));
    world.ok(Command::UpdateMember(update));
    assert_eq!(state(&world, id), MemberState::Voter);
}

#[test]
fn a_datacenter_is_preferred_only_where_a_replica_is() {
    let mut world = founded();
    let prefer = |name: &str| Command::PreferDatacenter(PreferDatacenter { datacenter: name.to_owned() });
    assert_eq!(world.run(prefer("mars")).unwrap_err().kind, RefusalKind::Invalid);
    world.ok(prefer("dc2"));
    assert_eq!(query::meta(&world.view).unwrap().preferred_datacenter, "dc2");
    world.ok(prefer(""));
    assert_eq!(query::meta(&world.view).unwrap().preferred_datacenter, "");
}
