//! A group goes on from a backup, and clusters have what it sent after that.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::rule::Verdict;
use tallyman_model::*;

impl World {
    /// The group goes on from what `kept` has, some time later.
    fn restore(&mut self, kept: MemoryView) -> Uid {
        self.view = kept;
        self.now_ms += 60_000;
        let member = AddMember {
            directory: Uid([5; 16]),
            datacenter: "there".to_owned(),
            peer_address: "127.0.0.1:3".to_owned(),
            api_url: "http://127.0.0.1:4".to_owned(),
        };
        let (lineage, source) = (Uid([5; 16]), "a backup".to_owned());
        let begin = BeginLineage { lineage, origin: Origin::Restored, source, member };
        self.ok(Command::BeginLineage(begin));
        lineage
    }

    fn confirm(&mut self, lineage: Uid) {
        let without = vec!["east".to_owned(), "west".to_owned()];
        self.ok(Command::ConfirmLineage(ConfirmLineage { lineage, without }));
    }

    /// Places the run and makes all its objects; gives its Job as its cluster shows it.
    fn send(&mut self, name: &str, cluster: &str) -> Observation {
        let first = self.get(name).objects.len() as u16;
        let placed = self.place(name, cluster).objects.len() as u16;
        (first..placed).for_each(|object| self.create(name, object));
        self.shown(name, placed - 1, Verdict::Running)
    }

    fn shown(&self, name: &str, object: u16, verdict: Verdict) -> Observation {
        self.item(name, object, json!({}), |item| item.verdict = Some(verdict))
    }

    fn adopt(&mut self, name: &str, cluster: &str, item: &Observation) -> Result<Done, Refusal> {
        let on = self.cluster(cluster);
        let (cluster, timeline) = (on.head.ordinal, on.timeline);
        let run = self.get(name).head.ordinal;
        self.run(Command::Adopt(Adopt { run, cluster, timeline, item: Box::new(item.clone()) }))
    }

    fn place_is_due(&self, name: &str) -> bool {
        let far = self.now_ms + 86_400_000;
        let due = query::due(&self.view, Lane::Place, Ordinal(0), far, 100).unwrap();
        due.contains(&self.get(name).head.ordinal)
    }
}

fn attempts(run: &Runnable) -> Vec<(u32, &str, AttemptPhase)> {
    run.attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.cluster_name.as_str(), attempt.phase))
        .collect()
}

#[test]
fn a_run_that_the_backup_has_waiting_is_taken_over_where_it_is_and_not_sent_again() {
    let mut world = World::upgraded();
    world.submit("report", |_| {});
    let kept = world.view.clone();
    let job = world.send("report", "west");
    let lineage = world.restore(kept);
    assert!(world.place_is_due("report"));
    world.adopt("report", "west", &job).unwrap();
    let run = world.get("report");
    assert_eq!(attempts(&run), [(1, "west", AttemptPhase::Running)]);
    assert_eq!((run.phase, run.main_object().unwrap().uid.as_deref()), (Phase::Running, Some("report-1")));
    world.confirm(lineage);
    assert!(!world.place_is_due("report"));
    assert_eq!(world.intend("report", 1, Action::Create).unwrap_err().kind, RefusalKind::Outdated);
    // What it shares its name with is found as it is; if it is gone it is made again.
    assert!(world.get("report").objects[0].create_intended);
    assert_eq!(world.adopt("report", "east", &job).unwrap_err().kind, RefusalKind::Outdated);
    world.observe_verdict("report", 1, Verdict::Succeeded, 200);
    assert_eq!(world.get("report").phase, Phase::Succeeded);
}

#[test]
fn a_run_that_the_backup_has_placed_and_not_sent_is_seen_before_it_is_confirmed() {
    let mut world = World::upgraded();
    world.submit("report", |_| {});
    world.place("report", "east");
    let kept = world.view.clone();
    (0..2).for_each(|object| world.create("report", object));
    let job = world.shown("report", 1, Verdict::Succeeded);
    world.restore(kept);
    assert_eq!(world.adopt("report", "west", &job).unwrap_err().kind, RefusalKind::Outdated);
    world.adopt("report", "east", &job).unwrap();
    assert_eq!(attempts(&world.get("report")), [(1, "east", AttemptPhase::Succeeded)]);
    assert_eq!(world.get("report").phase, Phase::Succeeded);
}

#[test]
fn a_later_attempt_is_taken_over_and_those_before_it_had_ended() {
    for was_sent in [false, true] {
        let mut world = World::upgraded();
        world.submit("report", |value| value["spec"]["attempts"] = json!({"max": 3, "backoff": "1s"}));
        let mut kept = world.view.clone();
        world.send("report", "east");
        if was_sent {
            kept = world.view.clone();
        }
        world.observe_verdict("report", 1, Verdict::Failed, 200);
        world.now_ms += 60_000;
        let second = world.send("report", "west");
        world.restore(kept);
        world.adopt("report", "west", &second).unwrap();
        let run = world.get("report");
        let first = if was_sent { "east" } else { "" };
        let expected = [(1, first, AttemptPhase::Failed), (2, "west", AttemptPhase::Running)];
        assert_eq!(attempts(&run), expected, "{was_sent}");
        assert!(run.attempts[0].message.contains("not in the backup"), "{:?}", run.attempts[0]);
        assert!(!world.place_is_due("report"));
        let mut failed = Observation { verdict: Some(Verdict::Failed), ..second };
        (failed.resource_version, failed.seen.resource_version) = ("300".to_owned(), "300".to_owned());
        world.observe("west", vec![failed]);
        assert!(world.place_is_due("report"), "the third attempt is its own");
    }
}

#[test]
fn a_run_that_was_approved_after_the_backup_is_taken_over_and_its_next_attempt_needs_new_approvals() {
    let mut world = World::upgraded();
    world.submit("report", |value| {
        value["spec"]["attempts"] = json!({"max": 2, "backoff": "1s"});
        value["spec"]["approvals"] = json!({"required": 1, "groups": ["leads"]});
    });
    let kept = world.view.clone();
    let run = world.get("report");
    let leads = Principal { user: "eve".to_owned(), groups: vec!["leads".to_owned()], through: None };
    let approve = Approve {
        target: Target { namespace: "risk".to_owned(), name: "report".to_owned(), uid: None, revision: None },
        decision: Decision::Approve,
        digest: run.digest,
        why: String::new(),
    };
    world.run_as(&leads, Command::Approve(approve)).unwrap();
    let job = world.send("report", "east");
    world.restore(kept);
    assert_eq!(world.get("report").phase, Phase::Held);
    world.adopt("report", "east", &job).unwrap();
    assert_eq!(world.get("report").phase, Phase::Running);
    world.observe_verdict("report", 1, Verdict::Failed, 200);
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Held, Reason::AwaitingApproval));
    assert!(!world.place_is_due("report"));
}

#[test]
fn what_is_not_exactly_an_attempt_that_the_run_waits_for_is_not_taken_over() {
    let mut world = World::new();
    for name in ["report", "ended"] {
        world.submit(name, |_| {});
    }
    let kept = world.view.clone();
    let job = world.send("report", "east");
    let ended = world.send("ended", "east");
    assert_eq!(world.adopt("report", "east", &job).unwrap_err().kind, RefusalKind::Conflict, "some are old");
    world.raise();
    world.view = kept.clone();
    world.raise();
    assert_eq!(world.adopt("report", "east", &job).unwrap_err().kind, RefusalKind::Outdated, "no backup");
    world.restore(kept);
    world.raise();
    let cancel = Cancel {
        target: Target { namespace: "risk".to_owned(), name: "ended".to_owned(), uid: None, revision: None },
        why: String::new(),
    };
    world.ok(Command::Cancel(cancel));
    assert_eq!(world.adopt("ended", "east", &ended).unwrap_err().kind, RefusalKind::Outdated);
    world.now_ms += 1;
    world.submit("new", |_| {});
    let like_new = Observation {
        name: "new".to_owned(),
        submission: Some(world.get("new").head.uid),
        digest: Some(world.get("new").planned[1].digest.to_string()),
        ..job.clone()
    };
    assert_eq!(
        world.adopt("new", "east", &like_new).unwrap_err().kind,
        RefusalKind::Outdated,
        "it was not there"
    );
    for change in [
        |item: &mut Observation| item.group = Some(Uid([1; 16])),
        |item: &mut Observation| item.submission = None,
        |item: &mut Observation| item.attempt = None,
        |item: &mut Observation| item.attempt = Some(2),
        |item: &mut Observation| item.attempt = Some(1_000_000),
        |item: &mut Observation| item.digest = Some("sha256:00".to_owned()),
        |item: &mut Observation| item.name = "other".to_owned(),
        |item: &mut Observation| item.namespace = "other".to_owned(),
        |item: &mut Observation| item.kind = Kind::ConfigMap,
        |item: &mut Observation| item.gone = true,
    ] {
        let mut item = job.clone();
        change(&mut item);
        let refused = world.adopt("report", "east", &item).unwrap_err();
        assert_eq!(refused.kind, RefusalKind::Outdated, "{item:?}");
    }
    assert_eq!(world.get("report").attempts, []);
    world.adopt("report", "east", &job).unwrap();
}
