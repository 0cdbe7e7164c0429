//! Runs that go on elsewhere.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::rule::Verdict;
use tallyman_model::*;

const AFTER_MS: u64 = limits::LOSS_AFTER_MS;
/// The `activeDeadlineSeconds` of the Job.
const DEADLINE_MS: u64 = 3_600_000;

impl World {
    /// `report`, whose Job has a deadline, is placed on east.
    fn bounded() -> Self {
        let mut world = Self::upgraded();
        world.submit("report", |run| {
            run["spec"]["placement"] = json!({"onLoss": "Move"});
            run["spec"]["manifests"][1]["spec"]["activeDeadlineSeconds"] = json!(DEADLINE_MS / 1_000);
        });
        world.place("report", "east");
        world.create("report", 0);
        world
    }

    /// It is made there, and was seen to start.
    fn started(&mut self) {
        self.started_at("2027-01-15T08:00:00Z");
    }

    /// The same, by the clock of its cluster.
    fn started_at(&mut self, start: &str) {
        self.create("report", 1);
        let item = self.item("report", 1, json!({"startTime": start, "active": 1}), |item| {
            item.verdict = Some(Verdict::Running);
            item.resource_version = "110".to_owned();
            item.seen.resource_version = "110".to_owned();
            item.seen.created_ms = time::parse(start);
        });
        self.observe("east", vec![item]);
    }

    fn lose(&mut self) {
        self.miss_for("east", AFTER_MS);
        self.assess("east").unwrap();
    }

    fn relocate(&mut self) -> Result<Done, Refusal> {
        let target = Target::named("risk", "report");
        self.run(Command::Move(Move { target, why: "it burned down".to_owned() }))
    }

    fn where_it_is(&self) -> (Phase, Vec<AttemptPhase>) {
        let run = self.get("report");
        (run.phase, run.attempts.iter().map(|attempt| attempt.phase).collect())
    }
}

#[test]
fn a_run_of_which_nothing_was_made_is_moved_at_once() {
    let mut world = World::upgraded();
    world.submit("report", |run| run["spec"]["placement"] = json!({"onLoss": "Move"}));
    world.place("report", "east");
    world.lose();
    assert_eq!(world.where_it_is(), (Phase::Accepted, vec![AttemptPhase::Moved]));
    let expected =
        "east has been out of reach since 2027-01-15T08:00:00Z, for longer than 15m; it goes on elsewhere";
    assert_eq!(world.get("report").message, expected);
    let run = world.place("report", "west");
    assert_eq!(run.main_object().unwrap().name, "report-a2");
}

#[test]
fn a_run_that_may_run_there_is_moved_when_its_deadline_and_a_grace_are_over_and_not_before() {
    let mut world = World::bounded();
    world.started();
    let seen_ms = world.now_ms;
    world.lose();
    let run = world.get("report");
    let due_ms = seen_ms + DEADLINE_MS + limits::TERMINATION_GRACE_MS + limits::DEADLINE_GRACE_MS;
    assert_eq!(run.attempts[0].lost.unwrap().give_up_ms, Some(due_ms));
    let at = time::format(due_ms);
    let expected = format!("its activeDeadlineSeconds and a grace are over at {at}: it is to be moved then");
    assert!(run.message.ends_with(&expected), "{}", run.message);
    world.now_ms = due_ms - 1;
    world.assess("east").unwrap();
    assert_eq!(world.where_it_is(), (Phase::Lost, vec![AttemptPhase::Running]));
    world.now_ms = due_ms;
    world.assess("east").unwrap();
    assert_eq!(world.where_it_is(), (Phase::Accepted, vec![AttemptPhase::Moved]));
}

#[test]
fn a_run_is_moved_and_ends_by_our_clock_whatever_that_of_its_cluster_says() {
    // A day behind, a day ahead, never set, and as far ahead as can be written.
    for start in
        ["2027-01-14T08:00:00Z", "2027-01-16T08:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
    {
        let mut world = World::bounded();
        world.started_at(start);
        let seen_ms = world.now_ms;
        world.lose();
        let due_ms = seen_ms + DEADLINE_MS + limits::TERMINATION_GRACE_MS + limits::DEADLINE_GRACE_MS;
        assert_eq!(world.get("report").attempts[0].lost.unwrap().give_up_ms, Some(due_ms), "{start}");

        let mut world = World::bounded();
        world.started_at(start);
        world.now_ms += 1_000;
        world.observe_verdict("report", 1, Verdict::Succeeded, 120);
        let run = world.get("report");
        assert_eq!((run.phase, run.finished_ms), (Phase::Succeeded, Some(world.now_ms)), "{start}");
    }
}

#[test]
fn where_nothing_bounds_it_only_a_person_moves_a_lost_run() {
    let expected =
        "or elsewhere by a person's word (tallyman move): nobody can see whether it still runs there";
    // Not seen to have started; its create unknown; suspended, so that its deadline begins anew.
    for how in 0..3 {
        let mut world = World::bounded();
        match how {
            0 => world.create("report", 1),
            1 => {
                let intent = world.intend("report", 1, Action::Create).unwrap();
                world.conclude("report", 1, intent, Outcome::Unknown { message: String::new() }).unwrap();
            }
            _ => {
                world.started();
                let item = world.item("report", 1, json!({"startTime": "2027-01-15T08:00:00Z"}), |item| {
                    item.seen.condition = Some(Condition::Suspended);
                    item.resource_version = "120".to_owned();
                    item.seen.resource_version = "120".to_owned();
                });
                world.observe("east", vec![item]);
            }
        }
        world.lose();
        assert!(world.get("report").message.ends_with(expected), "{how}: {}", world.get("report").message);
        world.now_ms += 30 * 24 * 3_600_000;
        world.assess("east").unwrap();
        assert_eq!(world.get("report").phase, Phase::Lost, "{how}");
        world.relocate().unwrap();
        let run = world.get("report");
        assert_eq!((run.phase, run.reason), (Phase::Accepted, Reason::ClusterLost), "{how}");
        assert_eq!(run.message, "ann gave it up on its lost cluster: it burned down; it goes on elsewhere");
        assert_eq!(run.attempts[0].leaving.as_ref().map(|leaving| leaving.by.as_str()), Some("ann"));
    }
}

#[test]
fn an_object_that_is_still_there_when_its_cluster_is_back_is_an_overlap_and_deleted() {
    let mut world = World::bounded();
    world.started();
    world.lose();
    world.relocate().unwrap();
    world.place("report", "west");
    world.create("report", 2);
    world.create("report", 3);
    world.observe_verdict("report", 3, Verdict::Running, 300);
    world.now_ms += 60_000;
    world.back("east");
    let east = world.cluster("east").head.ordinal;
    assert_eq!(world.due(Lane::Release, east).len(), 1, "our hold is taken off first");
    let intent = world.intend("report", 1, Action::Release).unwrap();
    let item = world.item("report", 1, json!({}), |item| {
        item.held = false;
        item.verdict = Some(Verdict::Running);
        item.resource_version = "400".to_owned();
        item.seen.resource_version = "400".to_owned();
    });
    world.conclude("report", 1, intent, Outcome::Done(Box::new(item))).unwrap();
    let run = world.get("report");
    assert_eq!(run.phase, Phase::Running, "attempt 2 goes on");
    assert_eq!(run.attempts[0].overlap_ms, Some(world.now_ms));
    let expected = format!(
        "overlap: Job risk/report on east (UID report-1) was there still at {} though it had been given up, and it ran; \
         it is deleted",
        time::format(world.now_ms)
    );
    assert_eq!(run.attempts[0].message, expected);
    let intent = world.intend("report", 1, Action::Delete).unwrap();
    world.conclude("report", 1, intent, Outcome::Gone).unwrap();
    assert_eq!(world.get("report").objects[1].state, ObjectState::Gone);
    world.observe_verdict("report", 3, Verdict::Succeeded, 310);
    assert_eq!(world.where_it_is(), (Phase::Succeeded, vec![AttemptPhase::Moved, AttemptPhase::Succeeded]));
}

#[test]
fn a_run_does_not_go_back_to_where_it_may_still_run() {
    let mut world = World::bounded();
    world.started();
    world.lose();
    world.relocate().unwrap();
    let east = world.cluster("east").head.ordinal;
    world.back("east");
    assert!(world.get("report").left().contains(&east));
    let place = Place {
        run: world.get("report").head.ordinal,
        attempt: 2,
        choice: Choice::On(east),
        why: String::new(),
    };
    assert_eq!(world.run(Command::Place(place)).unwrap_err().kind, RefusalKind::Outdated);
}

#[test]
fn a_run_is_taken_off_a_cluster_in_reach_only_when_its_object_is_seen_to_be_gone() {
    let mut world = World::running("Wait");
    world.relocate().unwrap();
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Stopping, Reason::Moving));
    assert_eq!(run.message, "ann takes it off east: it burned down");
    let before = world.get("report").head.revision;
    world.relocate().unwrap();
    assert_eq!(world.get("report").head.revision, before, "asking twice changes nothing");
    let intent = world.intend("report", 1, Action::Delete).unwrap();
    let mut item = world.item("report", 1, json!({}), |_| {});
    item.seen.deleting_ms = Some(1);
    world.conclude("report", 1, intent, Outcome::Done(Box::new(item))).unwrap();
    assert_eq!(world.where_it_is(), (Phase::Stopping, vec![AttemptPhase::Running]));
    let gone = world.item("report", 1, json!({}), |item| item.gone = true);
    world.observe("east", vec![gone]);
    assert_eq!(world.where_it_is(), (Phase::Accepted, vec![AttemptPhase::Moved]));
    assert_eq!(world.get("report").attempts[0].overlap_ms, None);
    let run = world.place("report", "west");
    assert_eq!((run.phase, run.attempts.len()), (Phase::Placed, 2));
}

#[test]
fn a_run_that_ends_while_it_is_taken_off_has_ended() {
    let mut world = World::running("Wait");
    world.relocate().unwrap();
    world.observe_verdict("report", 1, Verdict::Succeeded, 120);
    assert_eq!(world.where_it_is(), (Phase::Succeeded, vec![AttemptPhase::Succeeded]));
}

#[test]
fn an_object_that_a_cluster_came_back_without_is_gone_on_with_elsewhere_if_the_run_is_to_move() {
    for (on_loss, expected) in [("Move", Phase::Accepted), ("Wait", Phase::Failed)] {
        let mut world = World::running(on_loss);
        world.lose();
        world.back("east");
        let gone = world.item("report", 1, json!({}), |item| item.gone = true);
        world.observe("east", vec![gone]);
        assert_eq!(world.get("report").phase, expected, "{on_loss}");
    }
    // What was seen there since, somebody took away.
    let mut world = World::running("Move");
    world.lose();
    world.now_ms += 1;
    world.back("east");
    world.observe_verdict("report", 1, Verdict::Pending, 150);
    let gone = world.item("report", 1, json!({}), |item| item.gone = true);
    world.observe("east", vec![gone]);
    assert_eq!((world.get("report").phase, world.get("report").reason), (Phase::Failed, Reason::ObjectGone));
}

#[test]
fn moving_does_not_count_against_attempts_max() {
    let mut world = World::upgraded();
    world.submit("report", |run| {
        run["spec"]["placement"] = json!({"onLoss": "Move"});
        run["spec"]["attempts"] = json!({"max": 2, "backoff": "1s"});
    });
    world.place("report", "east");
    world.lose();
    for (attempt, cluster) in [(2, "west"), (3, "west")] {
        assert_eq!(world.get("report").phase, Phase::Accepted);
        world.place("report", cluster);
        let objects = world.get("report").objects.len() as u16;
        for object in 0..objects {
            if world.get("report").objects[usize::from(object)].state == ObjectState::Absent {
                world.create("report", object);
            }
        }
        world.observe_verdict("report", objects - 1, Verdict::Failed, 100 * attempt);
    }
    assert_eq!(world.get("report").phase, Phase::Failed);
    assert_eq!(world.get("report").attempts.len(), 3);
    world.ok(Command::Retry(Retry { target: Target::named("risk", "report"), why: String::new() }));
    assert_eq!(world.get("report").attempts_added, 1);
}

#[test]
fn so_many_runs_a_second_are_moved_and_no_more() {
    let mut world = World::upgraded();
    let max = limits::MOVES_PER_SECOND_MAX as usize;
    for i in 0..max + 1 {
        let name = format!("run-{i}");
        world.submit(&name, |run| run["spec"]["placement"] = json!({"onLoss": "Move"}));
        world.place(&name, "east");
    }
    let moved =
        |world: &World| (0..=max).filter(|i| world.get(&format!("run-{i}")).phase == Phase::Accepted).count();
    world.now_ms -= world.now_ms % 1_000;
    world.lose();
    assert_eq!(moved(&world), max);
    world.now_ms += 999;
    world.assess("east").unwrap();
    assert_eq!(moved(&world), max);
    world.now_ms += 1;
    world.assess("east").unwrap();
    assert_eq!(moved(&world), max + 1);
}

#[test]
fn a_run_that_no_other_cluster_takes_stays_lost_and_is_looked_at_again() {
    let mut world = World::upgraded();
    world.submit("report", |run| run["spec"]["placement"] = json!({"onLoss": "Move"}));
    world.place("report", "east");
    let cordon = |cordoned| {
        let cordoned = Some(cordoned);
        Command::UpdateCluster(UpdateCluster {
            name: "west".to_owned(),
            cordoned,
            ..UpdateCluster::default()
        })
    };
    world.ok(cordon(true));
    world.lose();
    let run = world.get("report");
    assert_eq!(run.phase, Phase::Lost);
    assert!(run.message.ends_with("it is not moved: no other cluster takes it now"), "{}", run.message);
    world.ok(cordon(false));
    world.now_ms += limits::GIVE_UP_AGAIN_MS;
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Accepted);
}

#[test]
fn what_cannot_be_moved_is_refused_with_the_reason() {
    let mut world = World::upgraded();
    world.submit("report", |run| run["spec"]["placement"] = json!({"clusters": ["east"]}));
    let why = |world: &mut World| world.relocate().unwrap_err().message;
    assert_eq!(why(&mut world), "report has no cluster now: it goes to one that takes it");
    world.place("report", "east");
    assert_eq!(why(&mut world), "report cannot be moved: it may run on no other cluster");
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "report"), why: String::new() }));
    assert_eq!(why(&mut world), "report has ended: it is Cancelled; only a retry starts it again");
    let long = "a".repeat(62);
    world.submit(&long, |run| run["spec"]["manifests"][0]["metadata"]["name"] = json!("input"));
    world.place(&long, "east");
    let target = Target::named("risk", &long);
    let refused = world.run(Command::Move(Move { target, why: String::new() })).unwrap_err();
    assert!(refused.message.ends_with("leaves no room for the number of an attempt"), "{}", refused.message);
}

#[test]
fn the_number_of_the_attempt_is_on_the_pods_of_a_job() {
    let mut world = World::upgraded();
    world.submit("report", |run| {
        run["spec"]["manifests"][1]["spec"]["template"] = json!({"metadata": {"annotations": {"a": "b"}}});
    });
    let run = world.place("report", "east");
    let manifests = query::manifests(&world.view, &run).unwrap();
    let marks = manifest::Marks { group: Uid([7; 16]), cluster_uid: "c".to_owned(), at_ms: 0 };
    let sent = manifest::as_sent(&run, &run.objects[1], &manifests, &marks).unwrap();
    let pod = &sent["spec"]["template"]["metadata"];
    assert_eq!(pod["labels"]["tallyman.dev/attempt"], json!("1"));
    assert_eq!(pod["annotations"], json!({"a": "b"}));
}
