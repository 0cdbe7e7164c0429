//! Which step comes next, under any leader.

use super::step::{Step, View, next_step};
use MemberState::{Joining, Learner, Leaving, Voter};
use tallyman_model::command::RemoveMember;
use tallyman_model::record::{Head, Member, MemberState};
use tallyman_model::{Command, ReplicaId, Uid};

pub(super) fn member(id: u64, address: &str, state: MemberState) -> Member {
    Member {
        head: Head::default(),
        id: ReplicaId(id),
        directory: Uid([u8::try_from(id).unwrap_or(0); 16]),
        datacenter: String::new(),
        peer_address: address.to_owned(),
        api_url: String::new(),
        state,
    }
}

/// r1 leads and looks.
pub(super) fn view(voters: &[u64], learners: &[u64], caught_up: &[u64]) -> View {
    View {
        leader: 1,
        voters: voters.iter().copied().collect(),
        nodes: voters.iter().chain(learners).copied().collect(),
        settled: true,
        answering: caught_up.iter().map(|id| (*id, 0)).collect(),
        ..View::default()
    }
}

fn step(members: &[Member], view: &View) -> Option<Step> {
    next_step(members, "", view)
}

fn remove(id: u64) -> Option<Step> {
    Some(Step::Propose(Box::new(Command::RemoveMember(RemoveMember { id: ReplicaId(id) }))))
}

fn promote(id: u64, instead_of: Option<u64>) -> Option<Step> {
    Some(Step::Promote { id, instead_of })
}

/// The members of these states, r1 first.
fn members(states: &[(u64, MemberState)]) -> Vec<Member> {
    states.iter().map(|(id, state)| member(*id, &format!("m{id}:1"), *state)).collect()
}

const THREE: [(u64, MemberState); 3] = [(1, Voter), (2, Voter), (3, Voter)];

fn three_and(more: &[(u64, MemberState)]) -> Vec<Member> {
    members(&[&THREE, more].concat())
}

#[test]
fn a_replica_that_joins_in_place_of_another_goes_through_every_step() {
    let with = |state| three_and(&[(9, state)]);
    let joining = with(Joining { replaces: Some(ReplicaId(3)) });
    assert_eq!(step(&three_and(&[]), &view(&[1, 2, 3], &[], &[1, 2])), None);
    assert_eq!(step(&joining, &view(&[1, 2, 3], &[], &[1, 2])), Some(Step::AddLearner(9)));
    assert_eq!(step(&joining, &view(&[1, 2, 3], &[9], &[1, 2])), None, "it has to catch up first");
    assert_eq!(step(&joining, &view(&[1, 2, 3], &[9], &[1, 2, 9])), promote(9, Some(3)));
    let joint = View { joint: true, ..view(&[1, 2, 3, 9], &[], &[1, 2, 9]) };
    assert_eq!(step(&joining, &joint), Some(Step::Finish));
    let unsettled = View { settled: false, ..view(&[1, 2, 9], &[3], &[1, 2, 9]) };
    assert_eq!(step(&joining, &unsettled), None);
    assert_eq!(step(&joining, &view(&[1, 2, 9], &[3], &[1, 2, 9])), remove(3));
    let rest = members(&[(1, Voter), (2, Voter), (9, Joining { replaces: Some(ReplicaId(3)) })]);
    let recorded = step(&rest, &view(&[1, 2, 9], &[3], &[1, 2, 9]));
    assert!(
        matches!(recorded, Some(Step::Propose(command)) if matches!(&*command, Command::UpdateMember(update) if update.id == ReplicaId(9)))
    );
    let done = members(&[(1, Voter), (2, Voter), (9, Voter)]);
    assert_eq!(step(&done, &view(&[1, 2, 9], &[3], &[1, 2, 3, 9])), None, "it has not heard of it yet");
    assert_eq!(step(&done, &view(&[1, 2, 9], &[3], &[1, 2, 9])), Some(Step::Forget(3)));
    assert_eq!(step(&done, &view(&[1, 2, 9], &[], &[1, 2, 9])), None);
}

#[test]
fn a_learner_stays_one_until_it_is_promoted() {
    let all = three_and(&[(9, Learner)]);
    assert_eq!(step(&all, &view(&[1, 2, 3], &[], &[1, 2, 3])), Some(Step::AddLearner(9)));
    assert_eq!(step(&all, &view(&[1, 2, 3], &[9], &[1, 2, 3, 9])), None);
    let promoted = three_and(&[(9, Joining { replaces: None })]);
    assert_eq!(step(&promoted, &view(&[1, 2, 3], &[9], &[1, 2, 3, 9])), promote(9, None));
    let slow =
        View { answering: [(1, 0), (2, 0), (9, 11)].into(), behind_max: 10, ..view(&[1, 2, 3], &[9], &[]) };
    assert_eq!(step(&promoted, &slow), None, "it is too far behind");
    let near = View { answering: [(1, 0), (2, 0), (9, 10)].into(), ..slow };
    assert_eq!(step(&promoted, &near), promote(9, None));
}

#[test]
fn a_vote_is_neither_given_nor_taken_when_too_few_would_answer_then() {
    let all = members(&[(1, Voter), (2, Voter), (3, Voter), (4, Leaving)]);
    assert_eq!(step(&all, &view(&[1, 2, 3, 4], &[], &[1, 2, 4])), Some(Step::Demote(4)));
    assert_eq!(step(&all, &view(&[1, 2, 3, 4], &[], &[1, 4])), None, "two of three do not answer");
    let all = members(&[(1, Voter), (2, Voter), (3, Voter), (9, Joining { replaces: None })]);
    assert_eq!(step(&all, &view(&[1, 2, 3], &[9], &[1, 9])), None, "of four three would be needed");
}

#[test]
fn one_that_leaves_loses_its_vote_hears_of_it_and_is_forgotten_when_it_has_stopped() {
    let all = members(&[(1, Voter), (2, Voter), (3, Leaving)]);
    assert_eq!(step(&all, &view(&[1, 2, 3], &[], &[1, 2, 3])), Some(Step::Demote(3)));
    assert_eq!(step(&all, &view(&[1, 2], &[3], &[1, 2, 3])), remove(3));
    let rest = members(&[(1, Voter), (2, Voter)]);
    assert_eq!(step(&rest, &view(&[1, 2], &[3], &[1, 2, 3])), None);
    assert_eq!(step(&rest, &view(&[1, 2], &[3], &[1, 2])), Some(Step::Forget(3)));
    let learner = three_and(&[(4, Leaving)]);
    assert_eq!(
        step(&learner, &view(&[1, 2, 3], &[4], &[1, 2, 3, 4])),
        remove(4),
        "a learner has no vote to lose"
    );
}

#[test]
fn a_leader_that_is_to_go_hands_over_first_to_one_that_stays() {
    let mut all = members(&[(1, Leaving), (2, Leaving), (3, Voter), (4, Voter), (5, Voter)]);
    let mut now = view(&[1, 2, 3, 4, 5], &[], &[1, 2, 3, 4, 5]);
    now.answering.insert(3, 1);
    now.behind_max = 5;
    assert_eq!(step(&all, &now), Some(Step::HandOver(5)), "the last of those that have most");
    all[2].datacenter = "home".to_owned();
    assert_eq!(next_step(&all, "home", &now), Some(Step::HandOver(3)));
    let replaced = three_and(&[(9, Joining { replaces: Some(ReplicaId(1)) })]);
    let now = view(&[1, 2, 3], &[9], &[1, 2, 3, 9]);
    assert_eq!(step(&replaced, &now), Some(Step::HandOver(3)));
    assert_eq!(step(&replaced, &View { leader: 3, ..now }), promote(9, Some(1)));
}

#[test]
fn one_whose_place_another_has_taken_goes_even_if_it_votes_still() {
    // As when both voted before it was decided that one replaces the other.
    let all = three_and(&[(9, Joining { replaces: Some(ReplicaId(3)) })]);
    assert_eq!(step(&all, &view(&[1, 2, 3, 9], &[], &[1, 2, 9])), Some(Step::Demote(3)));
}
