//! Nothing that needs approval is placed, and nothing of it created, before enough people approved it.

use crate::approvers::{Oracle, decide, named, person};
use crate::world::World;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

fn held(world: &mut World, required: u32) -> Runnable {
    world.submit("report", |value| {
        value["spec"]["approvals"] =
            json!({"required": required, "groups": ["leads", "desk"], "expireAfter": "1h"});
        value["spec"]["startBy"] = json!("10m");
    })
}

fn kind(reply: Result<Done, Refusal>) -> RefusalKind {
    reply.unwrap_err().kind
}

fn try_to_place(world: &mut World) -> Result<Done, Refusal> {
    let run = world.get("report");
    let choice = Choice::On(world.cluster("east").head.ordinal);
    let attempt = run.attempts.len() as u32 + 1;
    world.run(Command::Place(Place { run: run.head.ordinal, attempt, choice, why: String::new() }))
}

#[test]
fn a_held_run_is_placed_only_after_enough_people_approved_what_it_is() {
    let mut world = World::new();
    let run = held(&mut world, 2);
    assert_eq!((run.phase, run.reason), (Phase::Held, Reason::AwaitingApproval));
    assert!(
        run.message.starts_with("0 of 2 approvals; members of leads, desk decide, not ann"),
        "{}",
        run.message
    );
    assert!(run.message.contains(&run.digest.to_string()), "{}", run.message);
    assert_eq!(kind(try_to_place(&mut world)), RefusalKind::Outdated);

    world.now_ms += 1_800_000;
    decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap();
    let once = world.get("report");
    assert!(once.message.starts_with("1 of 2 approvals, by bob;"), "{}", once.message);
    assert_eq!(kind(try_to_place(&mut world)), RefusalKind::Outdated);
    // The same person, also as somebody else, counts once.
    for again in ["bob", "flo"] {
        let done = decide(&mut world, "report", &named(again), Decision::Approve, run.digest).unwrap();
        assert!(done.unchanged, "{again}");
    }
    decide(&mut world, "report", &named("cat"), Decision::Approve, run.digest).unwrap();
    let run = world.get("report");
    assert_eq!((run.phase, run.reason), (Phase::Accepted, Reason::None));
    assert_eq!(run.start_deadline_ms, world.now_ms + 600_000, "startBy counts from approval");
    let given = &run.approvals.as_ref().unwrap().given;
    assert_eq!(given[0].groups, ["leads", "desk"]);
    try_to_place(&mut world).unwrap();
    assert_eq!(world.get("report").phase, Phase::Placed);
    // A lost answer may be asked for again; whoever comes late is told.
    assert!(decide(&mut world, "report", &named("cat"), Decision::Approve, run.digest).unwrap().unchanged);
    let late = decide(&mut world, "report", &named("dan"), Decision::Approve, run.digest).unwrap_err();
    assert_eq!(late.kind, RefusalKind::Conflict);
    assert!(late.message.contains("approved already"), "{late}");
}

#[test]
fn who_may_not_decide_is_refused_and_so_is_another_digest() {
    let mut world = World::new();
    let run = held(&mut world, 1);
    for user in ["ann", "gus", "eve"] {
        for decision in [Decision::Approve, Decision::Reject] {
            let refused = decide(&mut world, "report", &named(user), decision, run.digest);
            assert_eq!(kind(refused), RefusalKind::Forbidden, "{user}");
        }
    }
    let stale = decide(&mut world, "report", &named("bob"), Decision::Approve, Digest::of(b"x")).unwrap_err();
    assert_eq!(stale.kind, RefusalKind::Conflict);
    assert!(stale.message.contains(&run.digest.to_string()), "{stale}");
    assert_eq!(world.get("report").head.revision, run.head.revision);
    world.submit("free", |_| {});
    let digest = world.get("free").digest;
    assert_eq!(
        kind(decide(&mut world, "free", &named("bob"), Decision::Approve, digest)),
        RefusalKind::Conflict
    );
    assert_eq!(
        kind(decide(&mut world, "none", &named("bob"), Decision::Approve, digest)),
        RefusalKind::NotFound
    );
}

#[test]
fn one_rejection_ends_a_run_and_a_decision_stands() {
    let mut world = World::new();
    let run = held(&mut world, 2);
    decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap();
    assert_eq!(
        kind(decide(&mut world, "report", &named("bob"), Decision::Reject, run.digest)),
        RefusalKind::Conflict
    );
    decide(&mut world, "report", &named("cat"), Decision::Reject, run.digest).unwrap();
    let ended = world.get("report");
    assert_eq!((ended.phase, ended.reason), (Phase::Failed, Reason::Rejected));
    assert_eq!(ended.message, "cat rejected it: words");
    assert!(decide(&mut world, "report", &named("cat"), Decision::Reject, run.digest).unwrap().unchanged);
    for user in ["cat", "dan"] {
        let late = decide(&mut world, "report", &named(user), Decision::Approve, run.digest);
        assert_eq!(kind(late), RefusalKind::Conflict, "{user}");
    }
    assert_eq!(kind(try_to_place(&mut world)), RefusalKind::Outdated);
}

#[test]
fn a_run_that_is_not_approved_in_time_ends_and_startby_does_not_count_before() {
    let mut world = World::new();
    let run = held(&mut world, 2);
    decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap();
    world.now_ms += 3_599_999;
    assert!(world.due(Lane::Expire, Ordinal(0)).is_empty(), "nothing is to be done about it before");
    world.ok(Command::Expire(Expire {}));
    assert_eq!(world.get("report").phase, Phase::Held, "startBy has passed, and counts from approval only");
    world.now_ms += 1;
    let late = decide(&mut world, "report", &named("cat"), Decision::Approve, run.digest);
    assert_eq!(kind(late), RefusalKind::Conflict, "its time is over also before the leader says so");
    world.ok(Command::Expire(Expire {}));
    let ended = world.get("report");
    assert_eq!((ended.phase, ended.reason), (Phase::Failed, Reason::ApprovalExpired));
    assert_eq!(ended.message, "it was not approved within 1h: 1 of 2 approvals, by bob");
}

#[test]
fn a_cancelled_run_cannot_be_approved_and_a_retry_asks_everybody_again() {
    let mut world = World::new();
    let run = held(&mut world, 1);
    let target = || Target::named("risk", "report");
    world.ok(Command::Cancel(Cancel { target: target(), why: String::new() }));
    assert_eq!(world.get("report").phase, Phase::Cancelled);
    assert_eq!(
        kind(decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest)),
        RefusalKind::Conflict
    );
    let retry = Command::Retry(Retry { target: target(), why: String::new() });
    world.ok(retry.clone());
    decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap();
    try_to_place(&mut world).unwrap();
    world.ok(Command::Cancel(Cancel { target: target(), why: String::new() }));
    assert_eq!(world.get("report").phase, Phase::Cancelled);
    world.ok(retry);
    let again = world.get("report");
    assert_eq!((again.phase, again.approvals.as_ref().unwrap().given[0].void), (Phase::Held, true));
    assert!(again.message.contains("0 of 1 approvals"), "{}", again.message);
    assert_eq!(kind(try_to_place(&mut world)), RefusalKind::Outdated);
    decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap();
    assert_eq!(
        try_to_place(&mut world).unwrap().record.unwrap().revision(),
        world.get("report").head.revision
    );
}

#[test]
fn neither_who_submitted_a_run_nor_who_retried_it_may_approve_it() {
    let mut world = World::new();
    let run = held(&mut world, 1);
    let target = || Target::named("risk", "report");
    world.ok(Command::Cancel(Cancel { target: target(), why: String::new() }));
    let retry = Command::Retry(Retry { target: target(), why: String::new() });
    world.run_as(&named("bob"), retry.clone()).unwrap();
    let asked = world.get("report");
    assert!(asked.message.contains("leads, desk decide, not ann or bob, on"), "{}", asked.message);
    // Flo is bob, who acts as her.
    for user in ["ann", "bob", "flo"] {
        for decision in [Decision::Approve, Decision::Reject] {
            let refused = decide(&mut world, "report", &named(user), decision, run.digest).unwrap_err();
            assert_eq!(refused.kind, RefusalKind::Forbidden, "{user}");
            let why = if user == "ann" { "ann submitted report" } else { "asked for this retry of report" };
            assert!(refused.message.contains(why), "{refused}");
        }
    }
    assert_eq!(kind(try_to_place(&mut world)), RefusalKind::Outdated);
    decide(&mut world, "report", &named("cat"), Decision::Approve, run.digest).unwrap();
    try_to_place(&mut world).unwrap();
    // Who asked for an earlier retry may decide on a later one of somebody else's.
    world.ok(Command::Cancel(Cancel { target: target(), why: String::new() }));
    world.run_as(&named("cat"), retry).unwrap();
    assert_eq!(
        kind(decide(&mut world, "report", &named("cat"), Decision::Approve, run.digest)),
        RefusalKind::Forbidden
    );
    decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap();
    try_to_place(&mut world).unwrap();
}

#[test]
fn a_decision_repeated_under_another_key_leaves_a_receipt_and_no_ledger_record() {
    let mut world = World::new();
    let run = held(&mut world, 2);
    let approve = Command::Approve(Approve {
        target: Target::named("risk", "report"),
        decision: Decision::Approve,
        digest: run.digest,
        why: String::new(),
    });
    let decided = |world: &mut World, key: &str| {
        let before = query::meta(&world.view).unwrap();
        let done = world.keyed_as(&named("bob"), key, b"{}", approve.clone()).unwrap();
        let after = query::meta(&world.view).unwrap();
        (done, after.ledger_len - before.ledger_len, after.revision.0 - before.revision.0)
    };
    let (first, records, _) = decided(&mut world, "k1");
    assert_eq!((first.unchanged, records), (false, 1));
    let (second, records, revisions) = decided(&mut world, "k2");
    assert_eq!((second.unchanged, second.replayed, records, revisions), (true, false, 0, 1));
    let (again, records, revisions) = decided(&mut world, "k2");
    assert_eq!((again.replayed, again.revision, records, revisions), (true, second.revision, 0, 0));
    // Both receipts are forgotten, which is no news of anything either.
    let ledger_len = |world: &World| query::meta(&world.view).unwrap().ledger_len;
    let told = ledger_len(&world);
    world.now_ms += 3_600_000;
    world.ok(Command::Expire(Expire {}));
    assert_eq!(ledger_len(&world), told + 1, "it was not approved in time");
    world.now_ms += limits::RECEIPT_MS;
    world.ok(Command::Expire(Expire {}));
    assert_eq!(ledger_len(&world), told + 1);
}

#[test]
fn a_retry_of_a_failed_run_ends_as_it_was_decided_and_not_as_its_last_attempt() {
    for ending in ["rejected", "expired", "cancelled"] {
        let mut world = World::new();
        let run = held(&mut world, 1);
        decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap();
        world.place("report", "east");
        world.create("report", 0);
        world.create("report", 1);
        world.observe_verdict("report", 1, rule::Verdict::Failed, 110);
        let target = Target::named("risk", "report");
        world.ok(Command::Retry(Retry { target: target.clone(), why: String::new() }));
        assert_eq!(world.get("report").phase, Phase::Held);
        let expected = match ending {
            "rejected" => {
                decide(&mut world, "report", &named("bob"), Decision::Reject, run.digest).unwrap();
                (Phase::Failed, Reason::Rejected)
            }
            "expired" => {
                world.now_ms += 3_600_000;
                world.ok(Command::Expire(Expire {}));
                (Phase::Failed, Reason::ApprovalExpired)
            }
            _ => {
                world.ok(Command::Cancel(Cancel { target, why: String::new() }));
                (Phase::Cancelled, Reason::CancelRequested)
            }
        };
        let run = world.get("report");
        assert_eq!((run.phase, run.reason), expected, "{ending}");
        assert_eq!(run.attempts.len(), 1);
    }
}

#[test]
fn a_change_of_labels_leaves_approvals_as_they_are() {
    let mut world = World::new();
    let run = held(&mut world, 2);
    decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap();
    let labels = BTreeMap::from([("desk".to_owned(), Some("fx".to_owned()))]);
    let target = Target::named("risk", "report");
    world.ok(Command::Patch(Patch { target, labels, annotations: BTreeMap::new() }));
    decide(&mut world, "report", &named("cat"), Decision::Approve, run.digest).unwrap();
    assert_eq!(world.get("report").phase, Phase::Accepted);
}

#[test]
fn a_run_needs_no_new_approval_for_another_attempt_that_it_was_submitted_with() {
    let mut world = World::new();
    world.submit("report", |value| {
        value["spec"]["approvals"] = json!({"required": 1, "groups": ["leads"]});
        value["spec"]["attempts"] = json!({"max": 2, "backoff": "1s"});
    });
    let digest = world.get("report").digest;
    decide(&mut world, "report", &named("bob"), Decision::Approve, digest).unwrap();
    world.place("report", "east");
    world.create("report", 0);
    world.create("report", 1);
    world.observe_verdict("report", 1, rule::Verdict::Failed, 110);
    assert_eq!(world.get("report").phase, Phase::Accepted);
    world.now_ms += 1000;
    try_to_place(&mut world).unwrap();
}

#[test]
fn a_rule_that_cannot_be_met_or_read_is_refused() {
    let faults = |approvals: serde_json::Value| {
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "a"},
            "spec": {"approvals": approvals, "manifests": [
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {}}},
            ]},
        });
        let causes = manifest::accept(value, "risk", Uid([1; 16])).err().unwrap_or_default();
        causes.into_iter().map(|cause| cause.field).collect::<Vec<_>>()
    };
    assert_eq!(
        faults(json!({"required": 20, "groups": ["a", "b"], "expireAfter": "30d"})),
        Vec::<String>::new()
    );
    for (wrong, field) in [
        (json!({"groups": ["a"]}), "spec.approvals.required"),
        (json!({"required": 0, "groups": ["a"]}), "spec.approvals.required"),
        (json!({"required": 21, "groups": ["a"]}), "spec.approvals.required"),
        (json!({"required": "2", "groups": ["a"]}), "spec.approvals.required"),
        (json!({"required": 2}), "spec.approvals.groups"),
        (json!({"required": 2, "groups": []}), "spec.approvals.groups"),
        (json!({"required": 2, "groups": [""]}), "spec.approvals.groups[0]"),
        (json!({"required": 2, "groups": ["a", "a"]}), "spec.approvals.groups[1]"),
        (json!({"required": 2, "groups": ["a"], "expireAfter": "0s"}), "spec.approvals.expireAfter"),
        (json!({"required": 2, "groups": ["a"], "expireAfter": "31d"}), "spec.approvals.expireAfter"),
        (json!({"required": 2, "groups": ["a"], "level": 1}), "spec.approvals.level"),
        (json!(2), "spec.approvals"),
    ] {
        let found = faults(wrong.clone());
        assert!(found.iter().any(|one| one == field), "{wrong} gives {found:?}");
    }
}

/// One step that somebody takes on one run while others take theirs.
#[derive(Clone, Debug)]
enum Step {
    Decide { person: u8, reject: bool, stale: bool },
    Place,
    Create(u8),
    Cancel,
    Retry(u8),
    Expire(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<u8>(), prop::bool::weighted(0.05), prop::bool::weighted(0.1))
            .prop_map(|(person, reject, stale)| Step::Decide { person, reject, stale }),
        4 => Just(Step::Place),
        4 => (0..2_u8).prop_map(Step::Create),
        1 => Just(Step::Cancel),
        2 => any::<u8>().prop_map(Step::Retry),
        1 => (0..7_200_000_u32).prop_map(Step::Expire),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_nothing_is_sent_that_too_few_approved(
        steps in prop::collection::vec(step(), 1..60),
        required in 1..4_u32,
    ) {
        let (mut world, mut oracle) = (World::new(), Oracle::default());
        let run = held(&mut world, required);
        let target = Target::named("risk", "report");
        for step in steps {
            match step {
                Step::Decide { person: number, reject, stale } => {
                    let decision = if reject { Decision::Reject } else { Decision::Approve };
                    let digest = if stale { Digest::of(b"other") } else { run.digest };
                    let done = decide(&mut world, "report", &person(number), decision, digest).is_ok();
                    oracle.saw(&world.get("report"), &person(number), decision, digest, done);
                }
                Step::Place => {
                    let _ = try_to_place(&mut world);
                }
                Step::Create(object) => {
                    let _ = world.intend("report", u16::from(object), Action::Create);
                }
                Step::Cancel => {
                    let cancel = Cancel { target: target.clone(), why: String::new() };
                    let _ = world.run(Command::Cancel(cancel));
                }
                Step::Retry(number) => {
                    let retry = Retry { target: target.clone(), why: String::new() };
                    if world.run_as(&person(number), Command::Retry(retry)).is_ok() {
                        oracle.saw_retry(run.head.uid, &person(number));
                    }
                }
                Step::Expire(later_ms) => {
                    world.now_ms += u64::from(later_ms);
                    world.ok(Command::Expire(Expire {}));
                }
            }
            if query::runnable(&world.view, "risk", "report").unwrap().is_none() {
                break;
            }
            oracle.check(&world);
        }
    }
}
