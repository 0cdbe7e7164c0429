use super::*;
use crate::testing::{Fixture, PERMIT};
use tallyman_model::Command;
use tallyman_model::ReplicaId;
use tallyman_model::command::{Cancel, Outcome, Target};

fn due_now(fixture: &Fixture) -> Vec<(u16, Step)> {
    due(&fixture.run(), fixture.cluster(), fixture.now_ms, &PERMIT)
}

#[test]
fn members_come_first_and_the_main_object_after_all_of_them() {
    let mut fixture = Fixture::placed();
    assert_eq!(due_now(&fixture), [(0, Step::Write(Action::Create))]);
    fixture.create(0);
    assert_eq!(due_now(&fixture), [(1, Step::Write(Action::Create))]);
    fixture.create(1);
    assert_eq!(due_now(&fixture), []);
}

#[test]
fn an_intent_of_ours_is_left_alone_until_it_is_overdue_and_then_unknown() {
    let mut fixture = Fixture::placed();
    fixture.intend(0, Action::Create);
    assert_eq!(due_now(&fixture), []);
    fixture.now_ms += tallyman_model::limits::CALL_DEADLINE_MS;
    assert!(matches!(due_now(&fixture)[..], [(0, Step::Lost(_))]));
}

#[test]
fn an_intent_of_an_earlier_leadership_is_read_at_once() {
    let mut fixture = Fixture::placed();
    fixture.intend(0, Action::Create);
    for later in
        [Permit { term: 2, leader: ReplicaId(2), incarnation: 1 }, Permit { incarnation: 2, ..PERMIT }]
    {
        let steps = due(&fixture.run(), fixture.cluster(), fixture.now_ms, &later);
        assert!(matches!(steps[..], [(0, Step::Resolve(_))]), "{steps:?}");
    }
}

#[test]
fn an_unknown_create_is_read_after_its_delay() {
    let mut fixture = Fixture::placed();
    let intent = fixture.intend(0, Action::Create);
    fixture.conclude(0, intent, Outcome::Unknown { message: String::new() });
    assert_eq!(due_now(&fixture), []);
    fixture.now_ms += tallyman_model::limits::RETRY_DELAY_MS_MIN;
    assert!(matches!(due_now(&fixture)[..], [(0, Step::Resolve(_))]));
}

#[test]
fn a_create_that_is_not_wanted_any_more_is_doubted_until_nothing_can_land() {
    let mut fixture = Fixture::placed();
    let intent = fixture.intend(0, Action::Create);
    fixture.take(Command::Cancel(Cancel { target: Target::named("risk", "report"), why: String::new() }));
    fixture.conclude(0, intent, Outcome::Unknown { message: String::new() });
    fixture.now_ms += 1_000;
    fixture.conclude(0, intent, Outcome::Absent);
    assert_eq!(due_now(&fixture), []);
    fixture.now_ms += tallyman_model::limits::CALL_DEADLINE_MS + tallyman_model::limits::CALL_DRAIN_MS;
    assert_eq!(due_now(&fixture), [(0, Step::Doubt)]);
    fixture.conclude(0, 0, Outcome::Absent);
    assert_eq!(due_now(&fixture), []);
}

#[test]
fn objects_on_other_clusters_are_somebody_elses_work() {
    let fixture = Fixture::placed();
    assert_eq!(due(&fixture.run(), Ordinal(99), fixture.now_ms, &PERMIT), []);
}
