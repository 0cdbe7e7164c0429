//! Runs that no cluster took: what stands in the way is shown, they are found in one list, and a person retries them.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::query::{FieldTest, Filter};
use tallyman_model::record::*;
use tallyman_model::*;

fn refused(reason: Reason, permanent: bool) -> Outcome {
    let message = "the cluster answered 403 Forbidden: jobs.batch is forbidden".to_owned();
    Outcome::Refused { reason, message, permanent, retry_after_ms: None }
}

/// The name of each dead letter.
fn dead(world: &World) -> Vec<String> {
    let mut filter = Filter::all(Resource::Runnable);
    filter.fields.push((FieldTest::DeadLetter, true));
    let page = query::list(&world.view, &filter, Ordinal(0), 10).unwrap();
    assert_eq!(query::dead_letters(&world.view, 10).unwrap(), page.records.len());
    page.records.iter().filter_map(|record| Some(record.head()?.name.clone())).collect()
}

/// A run of which the first object was refused.
fn refuse(world: &mut World, name: &str, outcome: Outcome) {
    world.submit(name, |value| value["spec"]["startBy"] = json!("10m"));
    world.place(name, "east");
    let intent = world.intend(name, 0, Action::Create).unwrap();
    world.conclude(name, 0, intent, outcome).unwrap();
}

#[test]
fn what_only_an_operator_can_change_is_waited_for_until_start_by_and_then_a_dead_letter() {
    let mut world = World::new();
    refuse(&mut world, "report", refused(Reason::NeedsOperator, false));
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Sent, Reason::NeedsOperator));
    assert!(run.message.contains("403 Forbidden"), "{}", run.message);
    assert!(dead(&world).is_empty(), "it is still tried");

    world.now_ms += 600_000;
    world.ok(Command::Expire(Expire {}));
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::NeedsOperator));
    assert!(run.message.contains("startBy") && run.message.contains("403 Forbidden"), "{}", run.message);
    assert_eq!(dead(&world), ["report"]);
}

#[test]
fn what_is_refused_for_good_is_a_dead_letter_at_once_and_what_ran_and_failed_is_none() {
    let mut world = World::new();
    refuse(&mut world, "wrong", refused(Reason::Refused, true));
    assert_eq!(dead(&world), ["wrong"]);
    world.submit("ran", |_| {});
    world.place("ran", "east");
    world.create("ran", 0);
    world.create("ran", 1);
    world.observe_verdict("ran", 1, rule::Verdict::Failed, 110);
    assert_eq!(world.get("ran").phase, Phase::Failed);
    assert_eq!(dead(&world), ["wrong"]);
}

#[test]
fn of_two_who_retry_the_same_dead_letter_one_does() {
    let mut world = World::new();
    refuse(&mut world, "report", refused(Reason::Refused, true));
    let revision = Some(world.get("report").head.revision);
    let retry = || {
        let target = Target { revision, ..Target::named("risk", "report") };
        Command::Retry(Retry { target, why: "the role is there now".to_owned() })
    };
    world.ok(retry());
    assert!(dead(&world).is_empty());
    assert_eq!(world.run(retry()).unwrap_err().kind, RefusalKind::Conflict);
    // Also when it has failed again meanwhile: it is another failure that nobody has looked at.
    world.place("report", "east");
    let object = u16::try_from(world.get("report").objects.len() - 1).unwrap();
    let member = world.get("report").objects.iter().rposition(|object| object.planned == 0).unwrap();
    assert!(usize::from(object) >= member);
    let intent = world.intend("report", u16::try_from(member).unwrap(), Action::Create).unwrap();
    world.conclude("report", u16::try_from(member).unwrap(), intent, refused(Reason::Refused, true)).unwrap();
    assert_eq!(dead(&world), ["report"]);
    assert_eq!(world.run(retry()).unwrap_err().kind, RefusalKind::Conflict);
    assert_eq!(world.get("report").attempts.len(), 2);
}

#[test]
fn a_reason_that_is_over_is_not_shown_any_more() {
    let mut world = World::new();
    refuse(&mut world, "report", refused(Reason::NeedsOperator, false));
    world.now_ms += 60_000;
    world.create("report", 0);
    let run = world.get("report");
    assert_eq!((run.phase, run.reason, run.message.as_str()), (Phase::Sent, Reason::None, ""));
}

#[test]
fn retry_after_is_waited_for_and_not_all_come_back_when_it_ends() {
    let mut world = World::new();
    let mut due = std::collections::BTreeSet::new();
    for i in 0..8 {
        let asked = Outcome::Refused {
            reason: Reason::Retrying,
            message: "too many requests".to_owned(),
            permanent: false,
            retry_after_ms: Some(30_000),
        };
        refuse(&mut world, &format!("report-{i}"), asked);
        let due_ms = world.get(&format!("report-{i}")).objects[0].due_ms;
        assert!(due_ms >= world.now_ms + 30_000);
        due.insert(due_ms);
    }
    assert!(due.len() > 4, "{due:?}");
}

#[test]
fn a_reason_says_what_helps_if_it_stands_in_the_way_of_sending() {
    assert_eq!(Reason::NeedsOperator.class(), Some(Class::Operator));
    assert_eq!(Reason::Refused.class(), Some(Class::Permanent));
    assert_eq!(Reason::NoCluster.class(), Some(Class::Transient));
    assert_eq!(Reason::ObjectFailed.class(), None);
}
