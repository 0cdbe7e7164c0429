//! One run on each of several clusters.

use crate::approvers::{decide, named};
use crate::world::World;
use serde_json::json;
use std::collections::BTreeMap;
use tallyman_model::command::*;
use tallyman_model::record::{Action, Credentials, Decision, Record, Resource, Runnable};
use tallyman_model::rule::Verdict;
use tallyman_model::*;

impl World {
    fn add(&mut self, name: &str) {
        let uid = self.uid();
        let name = name.to_owned();
        self.ok(Command::AddCluster(AddCluster {
            uid,
            name: name.clone(),
            labels: BTreeMap::from([("zone".to_owned(), name)]),
            annotations: BTreeMap::new(),
            credentials: Credentials::default(),
            cordoned: false,
            paused: false,
            via: String::new(),
            ..AddCluster::default()
        }));
    }

    fn fan_out(&mut self, name: &str) -> Runnable {
        self.submit(name, |run| run["spec"]["placement"] = json!({"fanOut": true}))
    }

    /// All that is due for it, as a leader does it; in how many commands.
    fn work(&mut self) -> usize {
        let mut commands = 0;
        while let Some(run) = self.due(Lane::FanOut, Ordinal(0)).first().copied() {
            self.ok(Command::FanOut(FanOut { run }));
            commands += 1;
        }
        commands
    }

    fn runs(&self) -> Vec<(String, Phase)> {
        let page =
            query::list(&self.view, &query::Filter::all(Resource::Runnable), Ordinal(0), 5_000).unwrap();
        let shown = |record: &Record| match record {
            Record::Runnable(run) => Some((run.head.name.clone(), run.phase)),
            _ => None,
        };
        page.records.iter().filter_map(shown).collect()
    }

    /// Its Job is made there, and ends.
    fn end(&mut self, name: &str, cluster: &str, verdict: Verdict) {
        self.place(name, cluster);
        self.create(name, 0);
        self.create(name, 1);
        self.observe_verdict(name, 1, verdict, 110);
    }
}

fn named_phases(runs: &[(&str, Phase)]) -> Vec<(String, Phase)> {
    runs.iter().map(|(name, phase)| ((*name).to_owned(), *phase)).collect()
}

#[test]
fn there_is_one_run_for_each_cluster_and_the_phase_follows_from_them() {
    let mut world = World::upgraded();
    let run = world.fan_out("patch");
    assert!(world.due(Lane::Place, Ordinal(0)).is_empty(), "it is never placed itself");
    assert_eq!(world.work(), 2, "the clusters are chosen, then the runs made");
    let (east, west) = (world.get("patch-east"), world.get("patch-west"));
    assert_eq!(east.parent.as_ref().unwrap().uid, run.head.uid);
    assert_ne!(east.head.uid, west.head.uid);
    assert_eq!(east.spec.placement.clusters, ["east"]);
    assert_eq!(world.get("patch").message, "of 2 runs: 2 waiting");
    assert_eq!(
        query::manifests(&world.view, &east).unwrap(),
        query::manifests(&world.view, &run).unwrap(),
        "they have its manifests"
    );
    world.end("patch-east", "east", Verdict::Running);
    let run = world.get("patch");
    assert_eq!((run.phase, run.message.as_str()), (Phase::Running, "of 2 runs: 1 under way, 1 waiting"));
    world.observe_verdict("patch-east", 1, Verdict::Succeeded, 120);
    world.end("patch-west", "west", Verdict::Running);
    assert_eq!(world.get("patch").phase, Phase::Running);
    world.observe_verdict("patch-west", 1, Verdict::Succeeded, 120);
    let run = world.get("patch");
    assert_eq!((run.phase, run.message.as_str()), (Phase::Succeeded, "of 2 runs: 2 succeeded"));
    assert_eq!(run.finished_ms, Some(world.now_ms));
}

#[test]
fn it_fails_when_one_did_and_all_have_ended_and_a_retry_starts_only_what_failed() {
    let mut world = World::upgraded();
    world.fan_out("patch");
    world.work();
    world.end("patch-east", "east", Verdict::Failed);
    assert_eq!(world.get("patch").phase, Phase::Running);
    world.end("patch-west", "west", Verdict::Succeeded);
    let run = world.get("patch");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::RunsFailed));
    assert_eq!(run.message, "of 2 runs: 1 succeeded, 1 failed");

    let retry =
        |name: &str| Command::Retry(Retry { target: Target::named("risk", name), why: String::new() });
    world.ok(retry("patch"));
    assert_eq!(world.get("patch").phase, Phase::Accepted);
    world.work();
    assert_eq!(
        (world.get("patch-east").phase, world.get("patch-west").phase),
        (Phase::Accepted, Phase::Succeeded)
    );
    let run = world.place("patch-east", "east");
    assert_eq!(run.main_object().unwrap().name, "patch-a2");
    world.create("patch-east", 2);
    world.observe_verdict("patch-east", 2, Verdict::Succeeded, 120);
    assert_eq!(world.get("patch").phase, Phase::Succeeded);
}

#[test]
fn nothing_is_made_before_enough_people_approved_and_a_retry_asks_anew() {
    let mut world = World::upgraded();
    let run = world.submit("patch", |run| {
        run["spec"]["placement"] = json!({"fanOut": true});
        run["spec"]["approvals"] = json!({"required": 1, "groups": ["leads"]});
    });
    assert_eq!((run.phase, world.work()), (Phase::Held, 0));
    // What the placement means is decided when it is released.
    world.add("north");
    decide(&mut world, "patch", &named("bob"), Decision::Approve, run.digest).unwrap();
    world.work();
    assert_eq!(world.runs().len(), 4);
    for name in ["patch-east", "patch-west", "patch-north"] {
        let run = world.get(name);
        let asked = decide(&mut world, name, &named("cat"), Decision::Reject, run.digest).unwrap_err();
        assert!(asked.message.contains("needs no approval"), "{asked}");
    }
    let cancel = Cancel { target: Target::named("risk", "patch"), why: String::new() };
    world.ok(Command::Cancel(cancel));
    world.work();
    assert_eq!(world.get("patch").phase, Phase::Cancelled);
    world.ok(Command::Retry(Retry { target: Target::named("risk", "patch"), why: String::new() }));
    assert_eq!((world.get("patch").phase, world.work()), (Phase::Held, 0), "nothing starts again before");
    let east = world.get("patch-east");
    assert_eq!(east.phase, Phase::Cancelled);
    decide(&mut world, "patch", &named("bob"), Decision::Approve, run.digest).unwrap();
    world.work();
    assert_eq!(world.get("patch-east").phase, Phase::Accepted);
}

#[test]
fn a_run_is_not_placed_while_what_it_is_a_part_of_is_not_approved() {
    let mut world = World::upgraded();
    let run = world.submit("patch", |run| {
        run["spec"]["placement"] = json!({"fanOut": true});
        run["spec"]["approvals"] = json!({"required": 1, "groups": ["leads"]});
    });
    decide(&mut world, "patch", &named("bob"), Decision::Approve, run.digest).unwrap();
    world.work();
    world.place("patch-east", "east");
    world.intend("patch-east", 0, Action::Create).unwrap();
    let child = world.get("patch-west");
    // As if a later command could void the decision while its runs are under way.
    let mut held = world.get("patch");
    held.approvals.as_mut().unwrap().given.clear();
    let row = Row::Record(std::sync::Arc::new(Record::Runnable(held.clone())));
    let revision = held.head.revision;
    world.view.commit([(Key::record(held.head.ordinal), Write { revision, row: Some(row) })].into());
    let choice = Choice::On(world.cluster("west").head.ordinal);
    let place = Place { run: child.head.ordinal, attempt: 1, choice, why: String::new() };
    assert!(world.run(Command::Place(place)).unwrap_err().message.contains("not approved"));
    world.create_refused("patch-east", 1);
}

impl World {
    fn create_refused(&mut self, name: &str, object: u16) {
        assert!(self.intend(name, object, Action::Create).is_err());
    }
}

#[test]
fn many_runs_are_made_stopped_and_removed_a_few_at_a_time() {
    let mut world = World::upgraded();
    for number in 0..40 {
        world.add(&format!("c{number:02}"));
    }
    world.fan_out("patch");
    assert_eq!(world.work(), 1 + 42_usize.div_ceil(limits::FAN_OUT_RUNS_MAX));
    assert_eq!(world.runs().len(), 43);
    // One that is registered later does not join.
    world.add("late");
    assert_eq!(world.work(), 0);
    world.place("patch-east", "east");
    world.create("patch-east", 0);
    world.create("patch-east", 1);
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "patch"), why: "enough".to_owned() }));
    assert_eq!(world.get("patch").phase, Phase::Stopping);
    assert!(world.work() >= 42_usize.div_ceil(limits::FAN_OUT_RUNS_MAX));
    let run = world.get("patch");
    assert_eq!(run.message, "ann asked for it: enough; of 42 runs: 41 cancelled, 1 under way");
    let gone = world.item("patch-east", 1, json!({}), |item| item.gone = true);
    world.observe("east", vec![gone]);
    assert_eq!(world.get("patch").phase, Phase::Cancelled);
    world.ok(Command::Delete(Delete { target: Target::named("risk", "patch") }));
    world.work();
    // What is on a cluster goes first.
    assert_eq!(world.runs(), named_phases(&[("patch", Phase::Cancelled), ("patch-east", Phase::Cancelled)]));
    let run = world.get("patch-east");
    let intent = world.intend("patch-east", 0, Action::Delete).unwrap();
    world.conclude("patch-east", 0, intent, Outcome::Gone).unwrap();
    assert!(run.deletion.is_some());
    assert_eq!(world.runs(), []);
}

#[test]
fn a_fan_out_without_any_cluster_waits_for_one_until_start_by() {
    let mut world = World::upgraded();
    world.submit("patch", |run| {
        run["spec"]["placement"] =
            json!({"fanOut": true, "clusterSelector": {"matchLabels": {"zone": "north"}}});
    });
    assert_eq!(world.work(), 1);
    let run = world.get("patch");
    assert_eq!((run.phase, run.reason), (Phase::Accepted, Reason::NoCluster));
    assert_eq!(run.message, "no cluster is in spec.placement");
    world.add("north");
    world.now_ms += limits::FAN_OUT_AGAIN_MS;
    world.work();
    assert_eq!(world.runs(), named_phases(&[("patch", Phase::Accepted), ("patch-north", Phase::Accepted)]));
}

#[test]
fn the_runs_share_its_deadlines_and_it_is_stopped_with_them() {
    let mut world = World::upgraded();
    world.submit("patch", |run| {
        run["spec"]["placement"] = json!({"fanOut": true});
        run["spec"]["finishBy"] = json!("1h");
        run["spec"]["onLate"] = json!("Stop");
        run["spec"]["startBy"] = json!("10m");
    });
    world.work();
    world.end("patch-east", "east", Verdict::Succeeded);
    world.now_ms += 600_000;
    world.ok(Command::Expire(Expire {}));
    let run = world.get("patch");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::RunsFailed));
    assert_eq!(world.get("patch-west").reason, Reason::StartByPassed);
}

#[test]
fn names_that_are_taken_or_too_long_get_others() {
    let mut world = World::upgraded();
    world.submit("patch-east", |_| {});
    world.fan_out("patch");
    world.work();
    let names: Vec<String> = world.runs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 4);
    assert!(names.iter().any(|name| name.starts_with("patch-east-")), "{names:?}");
    let long = "a".repeat(60);
    let long = [long.as_str(); 4].join(".");
    world.submit(&long, |run| {
        run["spec"]["placement"] = json!({"fanOut": true});
        run["spec"]["manifests"][0]["metadata"]["name"] = json!("input");
        run["spec"]["manifests"][1]["metadata"]["name"] = json!("long");
    });
    world.work();
    let names: Vec<String> = world.runs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 7);
    assert!(names.iter().all(|name| name.len() <= 253), "{names:?}");
}

#[test]
fn a_fan_out_that_cannot_be_is_refused_with_what_to_do() {
    let refused = |placement: serde_json::Value| {
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"},
            "spec": {"placement": placement, "manifests": [
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {}}}]},
        });
        manifest::accept(value, "risk", Uid([1; 16])).unwrap_err()
    };
    assert_eq!(refused(json!({"fanOut": "yes"}))[0].field, "spec.placement.fanOut");
    assert_eq!(refused(json!({"fanOut": true, "onLoss": "Move"}))[0].field, "spec.placement.onLoss");
    assert_eq!(refused(json!({"fanOut": true, "weights": {"east": 2}}))[0].field, "spec.placement.weights");
}

fn retry(name: &str) -> Command {
    Command::Retry(Retry { target: Target::named("risk", name), why: "the role is there now".to_owned() })
}

impl World {
    /// Its cluster refuses it for good.
    fn refuse(&mut self, name: &str, cluster: &str) {
        self.place(name, cluster);
        let intent = self.intend(name, 0, Action::Create).unwrap();
        let (reason, message) = (Reason::Refused, "forbidden".to_owned());
        let refused = Outcome::Refused { reason, message, permanent: true, retry_after_ms: None };
        self.conclude(name, 0, intent, refused).unwrap();
    }
}

#[test]
fn a_run_of_it_that_is_a_dead_letter_is_started_again_alone_and_it_goes_on() {
    let mut world = World::upgraded();
    world.fan_out("patch");
    world.work();
    world.refuse("patch-east", "east");
    world.refuse("patch-west", "west");
    assert!(world.get("patch-east").is_dead_letter() && !world.get("patch").is_dead_letter());
    assert_eq!(world.get("patch").phase, Phase::Failed);
    world.now_ms += 1_000;
    world.ok(retry("patch-east"));
    let run = world.get("patch");
    assert_eq!((run.phase, run.finished_ms), (Phase::Running, None));
    assert_eq!(run.message, "of 2 runs: 1 failed, 1 waiting");
    assert_eq!(world.work(), 0, "nothing is passed on to the others");
    assert_eq!(world.get("patch-west").phase, Phase::Failed);
    let again = world.place("patch-east", "east");
    let member = again.objects.iter().position(|object| object.attempt == 2 && object.planned == 0).unwrap();
    world.create("patch-east", u16::try_from(member).unwrap());
    world.create("patch-east", u16::try_from(member).unwrap() + 1);
    world.observe_verdict("patch-east", u16::try_from(member).unwrap() + 1, Verdict::Succeeded, 130);
    let run = world.get("patch");
    assert_eq!((run.phase, run.message.as_str()), (Phase::Failed, "of 2 runs: 1 succeeded, 1 failed"));
}

#[test]
fn all_of_it_that_failed_starts_again_in_one_go_while_others_are_under_way() {
    let mut world = World::upgraded();
    world.add("north");
    let north = world.cluster("north").head.ordinal;
    world.contact(north, "north-identity");
    world.fan_out("patch");
    world.work();
    world.refuse("patch-east", "east");
    world.refuse("patch-west", "west");
    world.end("patch-north", "north", Verdict::Running);
    assert_eq!(world.get("patch").phase, Phase::Running);
    world.now_ms += 1_000;
    let deadline_ms = world.now_ms + world.get("patch").spec.start_by_ms;
    world.ok(retry("patch"));
    world.work();
    for name in ["patch-east", "patch-west"] {
        let run = world.get(name);
        assert_eq!((run.phase, run.start_deadline_ms), (Phase::Accepted, deadline_ms), "{name}");
    }
    let run = world.get("patch");
    assert_eq!((run.phase, run.message.as_str()), (Phase::Running, "of 3 runs: 1 under way, 2 waiting"));
    assert!(world.run(retry("patch")).is_err(), "nothing of it has ended");
}

#[test]
fn one_alone_is_not_started_again_where_somebody_has_to_agree_or_all_is_being_stopped() {
    let mut world = World::upgraded();
    world.submit("patch", |run| {
        run["spec"]["placement"] = json!({"fanOut": true});
        run["spec"]["approvals"] = json!({"required": 1, "groups": ["leads"]});
    });
    let digest = world.get("patch").digest;
    decide(&mut world, "patch", &named("bob"), Decision::Approve, digest).unwrap();
    world.work();
    world.refuse("patch-east", "east");
    let refused = world.run(retry("patch-east")).unwrap_err();
    assert!(refused.message.contains("people have to agree"), "{refused}");
    let refused = world.run(retry("patch")).unwrap_err();
    assert!(refused.message.contains("only a failed or cancelled run is retried"), "{refused}");

    let mut world = World::upgraded();
    world.fan_out("patch");
    world.work();
    world.refuse("patch-east", "east");
    world.end("patch-west", "west", Verdict::Running);
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "patch"), why: String::new() }));
    let refused = world.run(retry("patch-east")).unwrap_err();
    assert!(refused.message.contains("is being stopped"), "{refused}");
}
