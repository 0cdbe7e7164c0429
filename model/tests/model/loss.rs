//! Clusters that are out of reach for long, and come back.

use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::rule::Verdict;
use tallyman_model::*;

/// The usual `lossAfter`.
const AFTER_MS: u64 = limits::LOSS_AFTER_MS;

impl World {
    /// A look at the cluster that finds nobody.
    pub(crate) fn miss(&mut self, cluster: &str) {
        let cluster = self.cluster(cluster).head.ordinal;
        self.ok(Command::Contact(Contact {
            cluster,
            reachable: false,
            kube_system_uid: None,
            version: String::new(),
            rewound: false,
            relayed_by: None,
            unwatched: Vec::new(),
            message: "failed to connect".to_owned(),
        }));
    }

    /// The cluster is looked for in vain for so long, every half minute.
    pub(crate) fn miss_for(&mut self, cluster: &str, ms: u64) {
        self.miss(cluster);
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            self.now_ms = (self.now_ms + 30_000).min(until_ms);
            self.miss(cluster);
        }
    }

    pub(crate) fn back(&mut self, cluster: &str) {
        let ordinal = self.cluster(cluster).head.ordinal;
        self.contact(ordinal, &format!("{cluster}-identity"));
        self.assess(cluster).unwrap();
    }

    pub(crate) fn assess(&mut self, cluster: &str) -> Result<Done, Refusal> {
        let cluster = self.cluster(cluster).head.ordinal;
        self.run(Command::Assess(Assess { cluster }))
    }

    /// `report` runs on east.
    pub(crate) fn running(on_loss: &str) -> Self {
        let mut world = Self::upgraded();
        world.submit("report", |run| run["spec"]["placement"] = json!({"onLoss": on_loss}));
        world.place("report", "east");
        world.create("report", 0);
        world.create("report", 1);
        world.observe_verdict("report", 1, Verdict::Running, 110);
        world
    }

    pub(crate) fn lane(&self, lane: Lane, cluster: &str) -> Vec<Ordinal> {
        query::due(&self.view, lane, self.cluster(cluster).head.ordinal, u64::MAX, 100).unwrap()
    }
}

#[test]
fn a_run_is_lost_when_its_cluster_was_looked_for_in_vain_for_its_loss_after_and_not_before() {
    let mut world = World::running("Wait");
    world.miss_for("east", AFTER_MS - 1);
    assert!(world.assess("east").unwrap().record.is_none());
    assert_eq!(world.get("report").phase, Phase::Running);
    world.now_ms += 1;
    world.miss("east");
    world.assess("east").unwrap();
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Lost, Reason::ClusterLost));
    let expected = "east has been out of reach since 2027-01-15T08:00:00Z, for longer than 15m; \
                    it goes on as it is there when east is back";
    assert_eq!(run.message, expected);
    assert_eq!(run.attempts[0].phase, AttemptPhase::Running, "that is what was seen of it last");
}

#[test]
fn time_in_which_nobody_looked_does_not_count() {
    let mut world = World::running("Wait");
    world.miss_for("east", AFTER_MS / 2);
    // Nobody leads for an hour; the next leader finds the cluster out of reach, too.
    world.now_ms += 3_600_000;
    world.term += 1;
    let refused = world.assess("east").unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Outdated, "it has not looked itself");
    world.miss("east");
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Running);
    // What the leader before counted is not lost.
    world.miss_for("east", AFTER_MS / 2);
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Lost);
}

#[test]
fn a_leadership_that_stood_still_counts_one_gap_between_looks_at_most() {
    let mut world = World::running("Wait");
    world.miss("east");
    world.now_ms += 24 * 3_600_000;
    world.miss("east");
    assert_eq!(world.cluster("east").missed_ms, limits::MISSED_GAP_MS_MAX);
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Running);
}

#[test]
fn contact_ends_the_count_and_a_lost_run_goes_on_as_it_was_seen() {
    let mut world = World::running("Wait");
    world.miss_for("east", AFTER_MS);
    world.assess("east").unwrap();
    let lost_ms = world.now_ms;
    world.now_ms += 60_000;
    world.back("east");
    let run = world.get("report");
    assert_eq!((run.phase, run.reason, run.message.as_str()), (Phase::Running, Reason::None, ""));
    let loss = Loss { since_ms: lost_ms, back_ms: Some(world.now_ms), give_up_ms: None };
    assert_eq!(run.attempts[0].lost, Some(loss));
    assert_eq!(world.cluster("east").missed_ms, 0);
    world.miss_for("east", AFTER_MS - 1);
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Running, "the next outage counts from its own beginning");
}

#[test]
fn each_run_is_lost_by_its_own_loss_after() {
    let mut world = World::running("Wait");
    let placement = json!({"lossAfter": "1m"});
    world.submit("hasty", |run| run["spec"]["placement"] = placement);
    world.place("hasty", "east");
    world.miss_for("east", 60_000);
    world.assess("east").unwrap();
    assert_eq!((world.get("hasty").phase, world.get("report").phase), (Phase::Lost, Phase::Running));
    world.back("east");
    assert_eq!(world.get("hasty").phase, Phase::Placed);
    assert!(world.lane(Lane::Return, "east").is_empty());
}

#[test]
fn a_lost_run_stays_lost_whatever_else_is_done_to_it_and_a_cancel_waits_for_the_cluster() {
    let mut world = World::running("Wait");
    world.miss_for("east", AFTER_MS);
    world.assess("east").unwrap();
    let target = Target::named("risk", "report");
    world.ok(Command::Patch(Patch {
        target: target.clone(),
        labels: [("a".to_owned(), Some("b".to_owned()))].into(),
        annotations: Default::default(),
    }));
    assert_eq!(world.get("report").phase, Phase::Lost);
    world.ok(Command::Cancel(Cancel { target, why: String::new() }));
    assert_eq!(world.get("report").phase, Phase::Stopping);
    world.back("east");
    assert_eq!(world.get("report").phase, Phase::Stopping);
    assert_eq!(world.lane(Lane::Delete, "east").len() + world.lane(Lane::Release, "east").len(), 1);
}

#[test]
fn on_loss_fail_ends_the_run_and_what_is_left_there_is_deleted_when_the_cluster_is_back() {
    let mut world = World::running("Fail");
    world.miss_for("east", AFTER_MS);
    world.assess("east").unwrap();
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::ClusterLost));
    let expected = "east has been out of reach since 2027-01-15T08:00:00Z, for longer than 15m; \
                    what is there of it is deleted when east is back";
    assert_eq!(run.message, expected);
    assert_eq!(run.attempts[0].phase, AttemptPhase::Lost);
    assert!(run.objects.iter().all(|object| !object.wanted && object.claims()), "they are owed");
    world.back("east");
    for object in 0..2 {
        if object == 1 {
            let intent = world.intend("report", 1, Action::Release).unwrap();
            let item = world.item("report", 1, json!({}), |item| {
                item.held = false;
                item.resource_version = "400".to_owned();
                item.seen.resource_version = "400".to_owned();
            });
            world.conclude("report", 1, intent, Outcome::Done(Box::new(item))).unwrap();
        }
        let intent = world.intend("report", object, Action::Delete).unwrap();
        world.conclude("report", object, intent, Outcome::Gone).unwrap();
    }
    let run = world.get("report");
    assert!(run.objects.iter().all(|object| object.state == ObjectState::Gone));
    assert_eq!((run.phase, run.reason), (Phase::Failed, Reason::ClusterLost), "the end stands");
}

#[test]
fn no_end_is_committed_while_it_is_not_known_whether_the_object_was_made() {
    let mut world = World::upgraded();
    world.submit("report", |run| run["spec"]["placement"] = json!({"onLoss": "Fail"}));
    world.place("report", "east");
    world.create("report", 0);
    let intent = world.intend("report", 1, Action::Create).unwrap();
    world.conclude("report", 1, intent, Outcome::Unknown { message: String::new() }).unwrap();
    world.miss_for("east", AFTER_MS);
    world.assess("east").unwrap();
    let run = world.get("report");
    assert_eq!(run.phase, Phase::Lost);
    let expected = "it cannot end while it is not known whether Job risk/report on east was made";
    assert!(run.message.ends_with(expected), "{}", run.message);
    world.now_ms += 30 * 24 * 3_600_000;
    world.miss_for("east", AFTER_MS);
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Lost);
    world.back("east");
    assert_eq!(world.get("report").phase, Phase::Sent, "it is found out now, and goes on");
}

#[test]
fn a_run_of_which_nothing_was_sent_ends_without_leaving_anything_there() {
    let mut world = World::upgraded();
    world.submit("report", |run| run["spec"]["placement"] = json!({"onLoss": "Fail"}));
    world.place("report", "east");
    world.miss_for("east", AFTER_MS);
    world.assess("east").unwrap();
    let run = world.get("report");
    assert_eq!(run.phase, Phase::Failed);
    assert!(run.objects.iter().all(|object| !object.claims()));
}

#[test]
fn nothing_is_given_up_while_more_than_half_of_the_clusters_are_out_of_reach() {
    let mut world = World::running("Fail");
    world.miss("west");
    world.miss_for("east", AFTER_MS);
    world.assess("east").unwrap();
    let run = world.get("report");
    assert_eq!(run.phase, Phase::Lost);
    let expected = "2 of 2 clusters are out of reach at once, which is rather Tallyman's network than theirs: \
                    nothing is given up there while that is so";
    assert!(run.message.ends_with(expected), "{}", run.message);
    world.back("west");
    world.now_ms += limits::GIVE_UP_AGAIN_MS - 1;
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Lost, "it is looked at again after a while");
    world.now_ms += 1;
    world.assess("east").unwrap();
    assert_eq!(world.get("report").phase, Phase::Failed);
}

#[test]
fn many_runs_are_found_lost_and_back_a_page_at_a_time() {
    let mut world = World::upgraded();
    let count = limits::ASSESS_MAX + 1;
    for i in 0..count {
        let name = format!("run-{i}");
        world.submit(&name, |_| {});
        world.place(&name, "east");
    }
    world.miss_for("east", AFTER_MS);
    world.assess("east").unwrap();
    assert_eq!(world.lane(Lane::Loss, "east").len(), 1);
    world.assess("east").unwrap();
    assert_eq!(world.lane(Lane::Return, "east").len(), count.min(100));
    let east = world.cluster("east").head.ordinal;
    world.contact(east, "east-identity");
    world.assess("east").unwrap();
    assert_eq!(world.lane(Lane::Return, "east").len(), 1);
    world.assess("east").unwrap();
    let done = world.assess("east").unwrap();
    assert_eq!(done.revision, world.assess("east").unwrap().revision, "there is nothing left to decide");
    assert!((0..count).all(|i| world.get(&format!("run-{i}")).phase == Phase::Placed));
}

#[test]
fn a_placement_says_what_it_takes() {
    let faults = |placement: Value| {
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"},
            "spec": {"placement": placement, "manifests": [
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {}}},
            ]},
        });
        let faults =
            manifest::accept(value, "risk", Uid([1; 16])).map(|_| Vec::new()).unwrap_or_else(|all| all);
        faults.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>()
    };
    assert!(faults(json!({"onLoss": "Fail", "lossAfter": "1s", "weights": {"east": 1_000}})).is_empty());
    assert_eq!(
        faults(json!({"clusters": ["east"], "weights": {"east": 0, "west": 2}})),
        [
            "spec.placement.weights.east: must be 1 to 1000, not 0",
            "spec.placement.weights.west: is not among spec.placement.clusters"
        ]
    );
    assert_eq!(
        faults(json!({"onLoss": "Go", "lossAfter": "999ms"})),
        [
            "spec.placement.onLoss: must be Wait, Move or Fail, not \"Go\"",
            "spec.placement.lossAfter: must be 1s or longer"
        ]
    );
}
