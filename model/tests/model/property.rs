//! Properties of any log: random commands, most of them such as a leader would propose.

use crate::approvers::{self, Oracle};
use crate::world::World;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::command::{FanOut, *};
use tallyman_model::record::*;
use tallyman_model::rule::Verdict;
use tallyman_model::*;

/// One random step; the numbers choose among what the state offers.
#[derive(Clone, Debug)]
enum Step {
    Submit { name: u8, attempts: u8, shared: bool, approvals: u8 },
    Approve { run: u8, person: u8, reject: bool, stale: bool },
    Place { run: u8, west: bool },
    Intend { run: u8, object: u8, action: u8 },
    Conclude { run: u8, object: u8, outcome: u8 },
    Observe { run: u8, object: u8, verdict: u8, gone: bool, version: u8, other_uid: bool },
    Diagnose { run: u8, object: u8, reason: u8 },
    Cancel(u8),
    Delete(u8),
    Retry(u8),
    Patch(u8, u8),
    Expire { later_ms: u32 },
    Cordon { west: bool, cordoned: bool },
    Contact { west: bool, reachable: bool },
    WriteOff { west: bool },
    GiveUp { west: bool },
    Confirm { west: bool },
    Drain { west: bool },
    Miss { west: bool, after_s: u8 },
    Reach { west: bool },
    Assess { west: bool },
    Move(u8),
    FanOut,
    NewLeader,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<u8>(), 1..3_u8, any::<bool>(), 0..6_u8)
            .prop_map(|(name, attempts, shared, approvals)| Step::Submit { name, attempts, shared, approvals }),
        6 => (any::<u8>(), any::<u8>(), prop::bool::weighted(0.1), prop::bool::weighted(0.2))
            .prop_map(|(run, person, reject, stale)| Step::Approve { run, person, reject, stale }),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(run, west)| Step::Place { run, west }),
        8 => (any::<u8>(), 0..4_u8, 0..4_u8).prop_map(|(run, object, action)| Step::Intend { run, object, action }),
        8 => (any::<u8>(), 0..4_u8, 0..9_u8).prop_map(|(run, object, outcome)| Step::Conclude { run, object, outcome }),
        8 => (any::<u8>(), 0..4_u8, 0..4_u8, prop::bool::weighted(0.2), any::<u8>(), prop::bool::weighted(0.1))
            .prop_map(|(run, object, verdict, gone, version, other_uid)| Step::Observe { run, object, verdict, gone, version, other_uid }),
        2 => (any::<u8>(), 0..4_u8, 0..3_u8).prop_map(|(run, object, reason)| Step::Diagnose { run, object, reason }),
        1 => any::<u8>().prop_map(Step::Cancel),
        1 => any::<u8>().prop_map(Step::Delete),
        1 => any::<u8>().prop_map(Step::Retry),
        1 => any::<(u8, u8)>().prop_map(|(run, value)| Step::Patch(run, value)),
        2 => (0..100_000_000_u32).prop_map(|later_ms| Step::Expire { later_ms }),
        1 => any::<(bool, bool)>().prop_map(|(west, cordoned)| Step::Cordon { west, cordoned }),
        1 => any::<(bool, bool)>().prop_map(|(west, reachable)| Step::Contact { west, reachable }),
        1 => any::<bool>().prop_map(|west| Step::WriteOff { west }),
        2 => any::<bool>().prop_map(|west| Step::GiveUp { west }),
        1 => any::<bool>().prop_map(|west| Step::Confirm { west }),
        1 => any::<bool>().prop_map(|west| Step::Drain { west }),
        6 => (prop::bool::weighted(0.2), 0..90_u8).prop_map(|(west, after_s)| Step::Miss { west, after_s }),
        1 => any::<bool>().prop_map(|west| Step::Reach { west }),
        4 => any::<bool>().prop_map(|west| Step::Assess { west }),
        2 => any::<u8>().prop_map(Step::Move),
        4 => Just(Step::FanOut),
        1 => Just(Step::NewLeader),
    ]
}

fn names(world: &World) -> Vec<String> {
    let page = query::list(&world.view, &query::Filter::all(Resource::Runnable), Ordinal(0), 1000).unwrap();
    page.records.iter().map(|record| record.head().unwrap().name.clone()).collect()
}

fn pick(world: &World, run: u8) -> Option<String> {
    let names = names(world);
    names.get(usize::from(run) % names.len().max(1)).cloned()
}

fn take(world: &mut World, oracle: &mut Oracle, step: &Step) {
    let named = |world: &World, run: u8| pick(world, run).unwrap_or_default();
    match step {
        Step::Submit { name, attempts, shared, approvals } => {
            let submit = world.submission(&format!("run-{}", name % 8), |value| {
                value["spec"]["attempts"] = json!({"max": attempts});
                let on_loss = OnLoss::ALL[usize::from(*name) % 3].as_str();
                value["spec"]["placement"] = json!({"onLoss": on_loss, "lossAfter": "1m"});
                if name % 8 > 5 {
                    value["spec"]["placement"] = json!({"fanOut": true, "lossAfter": "1m"});
                }
                value["spec"]["manifests"][1]["spec"]["activeDeadlineSeconds"] = json!(60);
                if *approvals > 2 {
                    value["spec"]["approvals"] =
                        json!({"required": approvals - 2, "groups": ["leads", "desk"]});
                }
                if *shared {
                    value["spec"]["manifests"][0]["metadata"]["name"] = json!("shared");
                }
            });
            let _ = world.keyed(&format!("key-{}", name % 16), &[*name], Command::Submit(Box::new(submit)));
        }
        Step::Place { run, west } => {
            let Some(name) = pick(world, *run) else { return };
            let record = world.get(&name);
            let cluster = world.cluster(if *west { "west" } else { "east" }).head.ordinal;
            let attempt = record.attempts.len() as u32 + 1;
            let (run, why) = (record.head.ordinal, String::new());
            let _ = world.run(Command::Place(Place { run, attempt, choice: Choice::On(cluster), why }));
        }
        Step::Intend { run, object, action } => {
            let Some(name) = pick(world, *run) else { return };
            let action =
                [Action::Create, Action::Delete, Action::Release, Action::Relabel][usize::from(*action)];
            let _ = world.intend(&name, u16::from(*object), action);
        }
        Step::Conclude { run, object, outcome } => conclude(world, *run, *object, *outcome),
        Step::Observe { run, object, verdict, gone, version, other_uid } => {
            let Some(name) = pick(world, *run) else { return };
            let record = world.get(&name);
            let Some(sent) = record.objects.get(usize::from(*object)) else { return };
            let verdicts = [Verdict::Pending, Verdict::Running, Verdict::Succeeded, Verdict::Failed];
            let item = world.item(&name, u16::from(*object), json!({}), |item| {
                item.verdict = Some(verdicts[usize::from(*verdict)]);
                item.gone = *gone;
                item.seen.resource_version = format!("{}", 100 + u32::from(*version));
                item.resource_version.clone_from(&item.seen.resource_version);
                if *other_uid {
                    item.uid.push('x');
                }
            });
            let (cluster, timeline) = (sent.cluster, 1);
            let cursor = Some(version.to_string());
            let _ = world.run(Command::Observe(Observe {
                namespace: String::new(),
                plural: String::new(),
                cluster,
                kind: item.kind.clone(),
                timeline,
                is_watch: true,
                cursor,
                rule: None,
                items: vec![item],
            }));
        }
        Step::Diagnose { run, object, reason } => {
            let Some(name) = pick(world, *run) else { return };
            let record = world.get(&name);
            let Some(object) = record.objects.get(usize::from(*object)) else { return };
            let reason = ["", "Unschedulable", "OOMKilled"][usize::from(*reason)].to_owned();
            let finding = Finding { message: reason.clone(), reason, pods: Vec::new() };
            let (run, attempt) = (record.head.ordinal, object.attempt);
            let uid = object.uid.clone().unwrap_or_default();
            let _ = world.run(Command::Diagnose(Diagnose { run, attempt, uid, finding }));
        }
        Step::Cancel(run) => {
            let name = named(world, *run);
            let cancel = Cancel { target: Target::named("risk", &name), why: String::new() };
            let _ = world.run(Command::Cancel(cancel));
        }
        Step::Delete(run) => {
            let name = named(world, *run);
            let _ = world.run(Command::Delete(Delete { target: Target::named("risk", &name) }));
        }
        Step::Retry(run) => {
            let name = named(world, *run);
            let retry = Retry { target: Target::named("risk", &name), why: String::new() };
            if world.run(Command::Retry(retry)).is_ok() {
                let ann = Principal { user: "ann".to_owned(), ..Principal::default() };
                oracle.saw_retry(world.get(&name).head.uid, &ann);
            }
        }
        Step::Approve { run, person, reject, stale } => {
            let Some(name) = pick(world, *run) else { return };
            let decision = if *reject { Decision::Reject } else { Decision::Approve };
            let digest = if *stale { Digest::of(b"other") } else { world.get(&name).digest };
            let by = approvers::person(*person);
            let done = approvers::decide(world, &name, &by, decision, digest).is_ok();
            oracle.saw(&world.get(&name), &by, decision, digest, done);
        }
        Step::Patch(run, value) => {
            let name = named(world, *run);
            let labels =
                BTreeMap::from([("l".to_owned(), (value % 2 == 0).then(|| (value % 3).to_string()))]);
            let annotations = BTreeMap::new();
            let patch = Patch { target: Target::named("risk", &name), labels, annotations };
            let _ = world.run(Command::Patch(patch));
        }
        Step::Expire { later_ms } => {
            world.now_ms += u64::from(*later_ms);
            world.ok(Command::Expire(Expire {}));
        }
        Step::Cordon { west, cordoned } => {
            let name = if *west { "west" } else { "east" }.to_owned();
            let cordoned = Some(*cordoned);
            world.ok(Command::UpdateCluster(UpdateCluster { name, cordoned, ..UpdateCluster::default() }));
        }
        Step::Contact { .. } | Step::WriteOff { .. } | Step::GiveUp { .. } | Step::Confirm { .. } => {
            let _ = world.run(of_cluster(world, step));
        }
        Step::Drain { west } => {
            let (name, revision, why) = (side(*west).to_owned(), None, String::new());
            world.ok(Command::Drain(Drain { name, revision, why }));
        }
        Step::Miss { west, after_s } => {
            world.now_ms += u64::from(*after_s) * 1_000;
            world.miss(side(*west));
        }
        Step::Reach { west } => {
            let cluster = world.cluster(side(*west)).head.ordinal;
            world.contact(cluster, &format!("{}-identity", side(*west)));
        }
        Step::Assess { west } => {
            let _ = world.assess(side(*west));
        }
        Step::Move(run) => {
            let target = Target::named("risk", &named(world, *run));
            let _ = world.run(Command::Move(Move { target, why: String::new() }));
        }
        Step::FanOut => {
            if let Some(run) = world.due(Lane::FanOut, Ordinal(0)).first().copied() {
                world.ok(Command::FanOut(FanOut { run }));
            }
        }
        Step::NewLeader => world.term += 1,
    }
}

fn of_cluster(world: &World, step: &Step) -> Command {
    let name = |west: bool| if west { "west" } else { "east" }.to_owned();
    let ordinal = |west: bool| world.cluster(&name(west)).head.ordinal;
    match *step {
        Step::Contact { west, reachable } => Command::Contact(Contact {
            cluster: ordinal(west),
            reachable,
            kube_system_uid: reachable.then(|| format!("{}-identity", name(west))),
            version: String::new(),
            rewound: false,
            relayed_by: None,
            unwatched: Vec::new(),
            message: String::new(),
        }),
        Step::WriteOff { west } => {
            Command::WriteOffCluster(WriteOffCluster { name: name(west), revision: None, why: String::new() })
        }
        Step::Confirm { west } => Command::UpdateCluster(UpdateCluster {
            name: name(west),
            confirm_identity: Some(format!("{}-identity", name(west))),
            ..UpdateCluster::default()
        }),
        Step::GiveUp { west } => Command::GiveUp(GiveUp { cluster: ordinal(west) }),
        _ => Command::Expire(Expire {}),
    }
}

fn side(west: bool) -> &'static str {
    if west { "west" } else { "east" }
}

fn conclude(world: &mut World, run: u8, object: u8, outcome: u8) {
    let Some(name) = pick(world, run) else { return };
    let record = world.get(&name);
    let Some(sent) = record.objects.get(usize::from(object)) else { return };
    let intent = sent.pending.map_or(0, |intent| intent.index);
    let message = "words".to_owned();
    let refused = |permanent| Outcome::Refused {
        reason: Reason::Refused,
        message: "words".to_owned(),
        permanent,
        retry_after_ms: Some(1000),
    };
    let outcome = match outcome {
        0..3 => Outcome::Done(Box::new(world.item(&name, u16::from(object), json!({}), |_| {}))),
        3 => Outcome::Gone,
        4 => Outcome::Absent,
        5 => Outcome::Taken { uid: "foreign".to_owned() },
        6 => Outcome::NotSent { message },
        7 => refused(intent % 2 == 0),
        _ => Outcome::Unknown { message },
    };
    let _ = world.conclude(&name, u16::from(object), intent, outcome);
}

/// What must hold of every state.
fn check(world: &World) {
    let mut rebuilt = BTreeSet::new();
    let mut kept = BTreeSet::new();
    let mut index = Index::default();
    let mut mains: BTreeMap<(Ordinal, String), Ordinal> = BTreeMap::new();
    for (key, row) in world.view.iter() {
        if !key.is_row() {
            kept.insert(*key);
            continue;
        }
        let Row::Record(record) = row else { continue };
        rebuilt.extend(tallyman_model::index(record));
        tallyman_model::index(record).into_iter().for_each(|key| index.set(key));
        let Record::Runnable(run) = record.as_ref() else { continue };
        assert_eq!(run.phase.is_terminal(), run.finished_ms.is_some(), "{run:?}");
        check_parent(world, run);
        if run.phase.is_terminal() {
            assert!(run.attempts.iter().all(|attempt| attempt.phase.is_terminal()), "{run:?}");
            let doubt = |object: &Object| object.wanted && object.state == ObjectState::Absent;
            assert!(!run.objects.iter().any(doubt), "an ended run still wants an object: {run:?}");
        }
        let kept = |object: &&Object| object.given_up && (object.claims() || object.wanted);
        assert_eq!(run.objects.iter().find(kept), None, "what was given up is not claimed any more");
        for attempt in &run.attempts {
            let given_up = matches!(attempt.phase, AttemptPhase::Lost | AttemptPhase::Moved);
            let mut mains = run.objects.iter().filter(|object| run.is_main(object));
            let wanted = mains.any(|object| object.attempt == attempt.number && object.wanted);
            assert!(!(given_up && wanted), "what was given up is wanted: {run:?}");
            let is_last = Some(attempt) == run.attempt();
            assert!(is_last || attempt.phase.is_terminal(), "two attempts are under way: {run:?}");
        }
        for object in run.objects.iter().filter(|object| object.claims() && run.is_main(object)) {
            let name = (object.cluster, object.name.clone());
            assert_eq!(mains.insert(name, run.head.ordinal), None, "two main objects claim one name");
        }
    }
    assert_eq!(rebuilt, kept, "an index rebuilt from rows differs from the one that was kept");
    let (from, to) = (
        Key::lookup(Tag::Name, 0, Ordinal(0)),
        Key { tag: Tag::Lane, a: u64::MAX, b: u64::MAX, c: u64::MAX },
    );
    assert_eq!(index.page(from, to, usize::MAX), kept.iter().copied().collect::<Vec<_>>());
}

/// A run of a fan-out is counted there as it is, and has it.
fn check_parent(world: &World, run: &Runnable) {
    let Some(parent) = &run.parent else { return };
    let found = query::record(&world.view, parent.ordinal).unwrap();
    let Some(Record::Runnable(of)) = found else { panic!("a run is left alone: {run:?}") };
    let counted = of.fan_out.as_ref().unwrap().runs.get(&run.phase);
    assert!(counted.is_some_and(|count| *count > 0), "{run:?} is not counted in {of:?}");
    let has_ended = of.phase.is_terminal() && !run.phase.is_terminal();
    assert!(!has_ended, "{of:?} has ended before {run:?}");
}

/// How many records there are, and their newest revision; receipts, of which the ledger does not tell, apart.
fn shown(view: &MemoryView) -> (usize, Option<Revision>) {
    let records = view.iter().filter_map(|(_, row)| match row {
        Row::Record(record) if record.resource() != Resource::Receipt => Some(record.revision()),
        _ => None,
    });
    records.fold((0, None), |(count, newest), revision| (count + 1, newest.max(Some(revision))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_log_keeps_the_rules_and_gives_the_same_state_in_any_batches(
        steps in prop::collection::vec(step(), 1..120),
        batch in 1..20_usize,
    ) {
        let mut world = World::upgraded();
        let mut oracle = Oracle::default();
        for step in &steps {
            let (before, shown) = (query::meta(&world.view).unwrap(), shown(&world.view));
            take(&mut world, &mut oracle, step);
            oracle.check(&world);
            let after = query::meta(&world.view).unwrap();
            prop_assert!(after.revision >= before.revision && after.clock_ms >= before.clock_ms);
            prop_assert!(after.ledger_len - before.ledger_len <= 1);
            prop_assert!(after.ledger_len == before.ledger_len || after.revision > before.revision);
            let is_told = after.ledger_len > before.ledger_len;
            prop_assert!(is_told || shown == self::shown(&world.view), "a change is not in the ledger");
            check(&world);
        }
        // The same log, several entries in one layer, as the store applies them.
        let mut batched = MemoryView::default();
        let mut head = Digest::default();
        for entries in world.log.chunks(batch) {
            let mut layer = Layer::over(&batched);
            for (ctx, entry) in entries {
                let applied = apply(&layer, ctx, entry.clone()).unwrap();
                if let Some(chained) = &applied.ledger {
                    head = ledger::next_hash(&head, &chained.bytes);
                    prop_assert_eq!(head, chained.hash);
                }
                layer.absorb(applied.writes);
            }
            let writes = layer.into_writes();
            batched.commit(writes);
        }
        prop_assert!(batched == world.view, "batches change the state");
        prop_assert_eq!(head, query::meta(&world.view).unwrap().ledger_head);
    }

    #[test]
    fn pages_of_the_memory_index_are_those_of_an_ordered_set(
        keys in prop::collection::btree_set((1..14_u8, 0..4_u64, 0..6_u64, 0..3_u64), 0..80),
        from in (1..14_u8, 0..4_u64, 0..6_u64, 0..3_u64),
        to in (1..14_u8, 0..4_u64, 0..6_u64, 0..3_u64),
        limit in 0..20_usize,
    ) {
        let tags = [Tag::Name, Tag::Uid, Tag::Receipt, Tag::Receipts, Tag::Claim, Tag::Resource, Tag::Tenant,
            Tag::Phase, Tag::Cluster, Tag::Active, Tag::Objects, Tag::Label, Tag::LabelKey, Tag::Lane];
        let key = |(tag, a, b, c): (u8, u64, u64, u64)| {
            let tag = tags[usize::from(tag)];
            Key { tag, a, b, c: if tag == Tag::Lane { c } else { 0 } }
        };
        let set: BTreeSet<Key> = keys.into_iter().map(key).collect();
        let mut index = Index::default();
        set.iter().for_each(|key| index.set(*key));
        let (from, to) = (key(from), key(to));
        let expected: Vec<Key> = if from < to { set.range(from..to).copied().collect() } else { Vec::new() };
        prop_assert_eq!(index.page(from, to, limit), expected.iter().take(limit).copied().collect::<Vec<_>>());
        prop_assert_eq!(index.count(from, to, 1000), expected.len());
        set.iter().for_each(|key| index.unset(*key));
        prop_assert_eq!(index, Index::default());
    }
}
