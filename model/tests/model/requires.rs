//! Runs that require a deployable to be on their cluster.

use crate::deployables::{deploy, get, looked, on, redeploy, see, work};
use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::FanOut;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

impl World {
    fn submit_requiring(&mut self, revision: Option<u32>, change: impl FnOnce(&mut Value)) -> Runnable {
        self.submit("report", |value| {
            value["spec"]["requires"] = json!([{"deployable": "settings", "revision": revision}]);
            change(value);
        })
    }

    fn lacks(&self, cluster: &str) -> Option<String> {
        query::lacks(&self.view, &self.get("report"), &self.cluster(cluster)).unwrap()
    }

    fn awaits(&mut self, ready: Revision) -> Runnable {
        let choice = Choice::Await { message: "no cluster takes it now".to_owned(), ready };
        let run = self.get("report").head.ordinal;
        self.ok(Command::Place(Place { run, attempt: 1, choice, why: String::new() }));
        self.get("report")
    }

    fn ready(&self) -> Revision {
        query::meta(&self.view).unwrap().ready
    }
}

fn roll_back(world: &mut World, to: u32) {
    world.ok(Command::Rollback(Rollback { target: Target::named("risk", "settings"), to: Some(to) }));
}

#[test]
fn a_run_goes_to_a_cluster_only_when_what_it_requires_is_all_applied_and_healthy_there() {
    let mut world = World::upgraded();
    world.submit_requiring(Some(2), |_| {});
    let waits = world.place("report", "east");
    assert_eq!((waits.phase, waits.reason), (Phase::Accepted, Reason::AwaitingDeployable));
    assert_eq!(waits.message, "east lacks deployable settings (there is none of that name)");
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    let lacks = |world: &World, on: &str| world.lacks(on).unwrap_or_default();
    assert_eq!(lacks(&world, "east"), "lacks deployable settings (revision 1 is there and not 2)");
    assert_eq!(lacks(&world, "west"), "lacks deployable settings (it is not to be there)");
    redeploy(&mut world, "debug", |_| {});
    let not_yet = "lacks deployable settings (revision 2 is not all applied there yet)";
    assert_eq!(lacks(&world, "east"), not_yet);
    work(&mut world, "east");
    let owned = on(&world, "east").unwrap().objects[0].owned;
    let sick = Looked { health: Health::Degraded, ..looked("first", owned) };
    see(&mut world, "east", "first", Some(sick));
    assert_eq!(lacks(&world, "east"), "lacks deployable settings (it is Degraded there)");
    see(&mut world, "east", "first", Some(looked("first", owned)));
    assert_eq!(world.lacks("east"), None);
    assert_eq!(world.place("report", "east").phase, Phase::Placed);
}

#[test]
fn a_later_revision_will_do_and_a_rollback_counts_as_what_it_goes_back_to() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    world.submit_requiring(Some(2), |_| {});
    for level in ["debug", "trace"] {
        redeploy(&mut world, level, |_| {});
    }
    work(&mut world, "east");
    assert_eq!(world.lacks("east"), None, "revision 3 came after it");
    roll_back(&mut world, 1);
    work(&mut world, "east");
    let before = "lacks deployable settings (revision 4, which is 1 again, is there and not 2)";
    assert_eq!(world.lacks("east").as_deref(), Some(before));
    roll_back(&mut world, 2);
    work(&mut world, "east");
    assert_eq!(world.lacks("east"), None, "revision 5 is 2 again");
    roll_back(&mut world, 4);
    work(&mut world, "east");
    let before = "lacks deployable settings (revision 6, which is 1 again, is there and not 2)";
    assert_eq!(world.lacks("east").as_deref(), Some(before), "4 itself was 1 again");
    redeploy(&mut world, "warn", |_| {});
    work(&mut world, "east");
    assert_eq!(world.lacks("east"), None);
}

#[test]
fn a_run_that_waits_is_looked_at_again_when_a_deployable_becomes_ready_somewhere() {
    let mut world = World::upgraded();
    world.submit_requiring(None, |_| {});
    let ready = world.ready();
    let waits = world.awaits(ready);
    assert_eq!(
        (waits.reason, waits.place_due_ms),
        (Reason::AwaitingDeployable, world.now_ms + limits::REQUIRES_AGAIN_MS)
    );
    let lane = |world: &World| query::due(&world.view, Lane::Require, Ordinal(0), u64::MAX, 10).unwrap();
    assert_eq!(lane(&world), [waits.head.ordinal]);
    deploy(&mut world, |_| {});
    assert_eq!(world.ready(), ready, "nothing is applied yet");
    work(&mut world, "east");
    assert!(world.ready() > ready);
    // Whoever decided before that looks once more.
    assert_eq!(world.awaits(ready).place_due_ms, world.now_ms);
    world.place("report", "east");
    assert!(lane(&world).is_empty());
}

#[test]
fn a_deployable_that_waiting_runs_require_may_be_removed_and_they_say_so() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    world.submit_requiring(None, |_| {});
    work(&mut world, "east");
    world.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan: false }));
    assert_eq!(world.lacks("east").as_deref(), Some("lacks deployable settings (it is being removed)"));
    work(&mut world, "east");
    assert_eq!(get(&world), None);
    let waits = world.place("report", "east");
    assert_eq!(waits.message, "east lacks deployable settings (there is none of that name)");
    let deadline_ms = waits.start_deadline_ms;
    world.now_ms = deadline_ms;
    world.ok(Command::Expire(Expire {}));
    let ended = world.get("report");
    assert_eq!((ended.phase, ended.reason), (Phase::Failed, Reason::StartByPassed));
    assert!(ended.message.contains("there is none of that name"), "{}", ended.message);
}

#[test]
fn what_is_gone_before_anything_was_sent_takes_the_run_back_and_what_has_begun_goes_on() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    world.submit_requiring(None, |_| {});
    world.place("report", "east");
    see(&mut world, "east", "first", None);
    world.intend("report", 0, Action::Create).unwrap();
    let back = world.get("report");
    assert_eq!((back.phase, back.reason), (Phase::Accepted, Reason::AwaitingDeployable));
    assert_eq!((back.attempts.len(), back.objects.len(), back.place_due_ms), (0, 0, world.now_ms));
    let words = "east lacks deployable settings (revision 1 is not all applied there yet)";
    assert_eq!(back.message, words);

    work(&mut world, "east");
    assert_eq!(world.place("report", "east").attempts.len(), 1);
    world.create("report", 0);
    see(&mut world, "east", "first", None);
    world.intend("report", 1, Action::Create).unwrap();
    assert!(world.get("report").objects[1].pending.is_some());
}

#[test]
fn a_lost_run_stays_where_it_is_while_the_others_lack_what_it_requires() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    world.submit_requiring(None, |value| value["spec"]["placement"] = json!({"onLoss": "Move"}));
    world.place("report", "east");
    world.miss_for("east", limits::LOSS_AFTER_MS);
    world.assess("east").unwrap();
    let lost = world.get("report");
    assert_eq!(lost.phase, Phase::Lost);
    let why = "no other cluster takes it now: west lacks deployable settings (it is not to be there)";
    assert!(lost.message.ends_with(why), "{}", lost.message);
    redeploy(&mut world, "info", |value| value["spec"]["placement"] = json!({}));
    work(&mut world, "west");
    world.now_ms += limits::GIVE_UP_AGAIN_MS;
    world.miss("east");
    world.assess("east").unwrap();
    assert_eq!(world.get("report").attempts[0].phase, AttemptPhase::Moved);
}

#[test]
fn each_run_of_a_fan_out_waits_for_its_own_cluster() {
    let mut world = World::upgraded();
    deploy(&mut world, |_| {});
    work(&mut world, "east");
    world.submit_requiring(None, |value| value["spec"]["placement"] = json!({"fanOut": true}));
    while let Some(run) = world.due(Lane::FanOut, Ordinal(0)).first().copied() {
        world.ok(Command::FanOut(FanOut { run }));
    }
    assert_eq!(world.place("report-east", "east").phase, Phase::Placed);
    let waits = world.place("report-west", "west");
    assert_eq!((waits.phase, waits.reason), (Phase::Accepted, Reason::AwaitingDeployable));
}

#[test]
fn what_cannot_be_required_is_refused_in_words() {
    let value = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "report"},
        "spec": {
            "requires": [{"deployable": "a", "revision": 0}, {"deployable": "A"}, {"deployable": "a"}, {"name": "b"}],
            "manifests": [{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {}}}],
        },
    });
    let causes = manifest::accept(value, "risk", Uid([1; 16])).unwrap_err();
    let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
    let expected = [
        "spec.requires[0].revision",
        "spec.requires[1].deployable",
        "spec.requires[2]",
        "spec.requires[3].deployable",
        "spec.requires[3].name",
    ];
    assert_eq!(fields, expected);
}
