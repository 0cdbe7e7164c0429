//! Pools and what they give out: stories, and properties of any order of commands.

use crate::world::World;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

pub(crate) fn pool_of(world: &mut World, namespace: &str, name: &str, spec: Value) -> AddPool {
    let document =
        json!({"apiVersion": "tallyman.dev/v1", "kind": "Pool", "metadata": {"name": name}, "spec": spec});
    let read = manifest::read_pool(document, namespace).unwrap();
    AddPool {
        uid: world.uid(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        labels: read.titled.labels,
        annotations: read.titled.annotations,
        values: read.values,
        disjoint: read.disjoint,
    }
}

pub(crate) fn add(world: &mut World, name: &str, spec: Value) {
    let pool = pool_of(world, "risk", name, spec);
    world.ok(Command::AddPool(pool));
}

fn change(world: &mut World, name: &str, spec: Value) -> Result<Done, Refusal> {
    let AddPool { labels, annotations, values, disjoint, .. } = pool_of(world, "risk", name, spec);
    let target = Target::named("risk", name);
    world.run(Command::UpdatePool(UpdatePool { target, labels, annotations, values, disjoint }))
}

pub(crate) fn allocate(
    world: &mut World,
    pool: &str,
    key: &str,
    value: Option<&str>,
    ttl_ms: Option<u64>,
) -> Result<Allocation, Refusal> {
    let wanted = WantedValue { value: value.map(str::to_owned), ..WantedValue::default() };
    allocate_as(world, pool, key, wanted, ttl_ms)
}

pub(crate) fn allocate_as(
    world: &mut World,
    pool: &str,
    key: &str,
    wanted: WantedValue,
    ttl_ms: Option<u64>,
) -> Result<Allocation, Refusal> {
    let (uid, namespace, pool, key) = (world.uid(), "risk".to_owned(), pool.to_owned(), key.to_owned());
    let done = world.run(Command::Allocate(Allocate { uid, namespace, pool, key, wanted, ttl_ms }))?;
    match done.record.as_deref() {
        Some(Record::Allocation(one)) => Ok(one.clone()),
        other => panic!("an allocation is answered, not {other:?}"),
    }
}

fn release(world: &mut World, name: &str) -> Result<Done, Refusal> {
    world.run(Command::Deallocate(Deallocate { target: Target::named("risk", name) }))
}

#[test]
fn a_key_gets_the_first_free_value_and_the_same_again() {
    let mut world = World::upgraded();
    add(&mut world, "vlans", json!({"ranges": [{"from": 100, "to": 101}, {"from": 7, "to": 7}]}));
    let one = allocate(&mut world, "vlans", "a", None, None).unwrap();
    assert_eq!((one.value.as_str(), one.head.name.as_str()), ("100", "vlans.a"));
    let again = allocate(&mut world, "vlans", "a", None, None).unwrap();
    assert_eq!((&again.value, again.fence()), (&one.value, one.fence()));
    let two = allocate(&mut world, "vlans", "b", Some("7"), None).unwrap();
    assert!(two.fence() > one.fence());
    assert_eq!(allocate(&mut world, "vlans", "c", None, None).unwrap().value, "101");
    for (key, value, words) in [
        ("d", None, "exhausted"),
        ("d", Some("7"), "allocated for \"b\""),
        ("d", Some("102"), "no value of it"),
        ("a", Some("7"), "has 100 already"),
    ] {
        let refusal = allocate(&mut world, "vlans", key, value, None).unwrap_err();
        assert!(refusal.message.contains(words), "{refusal}");
    }
    release(&mut world, "vlans.a").unwrap();
    let next = allocate(&mut world, "vlans", "d", None, None).unwrap();
    assert!(next.value == "100" && next.fence() > two.fence());
    assert_eq!(release(&mut world, "vlans.a").unwrap_err().kind, RefusalKind::NotFound);
}

#[test]
fn a_pool_grows_and_does_not_shrink_below_what_is_allocated() {
    let mut world = World::upgraded();
    add(&mut world, "vlans", json!({"ranges": [{"from": 100, "to": 199}]}));
    for key in ["a", "b"] {
        allocate(&mut world, "vlans", key, None, None).unwrap();
    }
    let refusal = change(&mut world, "vlans", json!({"ranges": [{"from": 101, "to": 300}]})).unwrap_err();
    assert!(refusal.message.contains("1 of its values are allocated"), "{refusal}");
    assert!(refusal.message.contains("such as 100 for \"a\""), "{refusal}");
    let other = json!({"names": ["a"]});
    assert_eq!(change(&mut world, "vlans", other).unwrap_err().kind, RefusalKind::Conflict);
    change(&mut world, "vlans", json!({"ranges": [{"from": 50, "to": 101}]})).unwrap();
    assert_eq!(allocate(&mut world, "vlans", "c", None, None).unwrap().value, "50");
    let target = Target::named("risk", "vlans");
    let refusal = world.run(Command::RemovePool(RemovePool { target: target.clone() })).unwrap_err();
    assert!(refusal.message.contains("3 values"), "{refusal}");
    for key in ["a", "b", "c"] {
        release(&mut world, &format!("vlans.{key}")).unwrap();
    }
    world.ok(Command::RemovePool(RemovePool { target }));
}

#[test]
fn subnets_addresses_and_names_are_given_out_too() {
    let mut world = World::upgraded();
    add(&mut world, "nets", json!({"cidrs": ["10.0.0.0/16", "10.8.0.0/23"], "prefixLength": 24}));
    add(&mut world, "six", json!({"cidrs": ["2001:db8:0:ff00::/56"], "prefixLength": 64}));
    add(&mut world, "ips", json!({"cidrs": ["2001:db8::a:0/112"]}));
    add(&mut world, "slots", json!({"names": ["leaf-1", "leaf-2"]}));
    for (pool, wanted, next) in [
        ("nets", "10.0.0.0/24", "10.0.1.0/24"),
        ("six", "2001:db8:0:ff00::/64", "2001:db8:0:ff01::/64"),
        ("ips", "2001:db8::a:0", "2001:db8::a:1"),
        ("slots", "leaf-1", "leaf-2"),
    ] {
        assert_eq!(allocate(&mut world, pool, "a", None, None).unwrap().value, wanted);
        assert_eq!(allocate(&mut world, pool, "b", Some(next), None).unwrap().value, next);
        assert!(allocate(&mut world, pool, "c", Some(next), None).is_err());
    }
    assert_eq!(allocate(&mut world, "nets", "c", Some("10.8.1.0/24"), None).unwrap().value, "10.8.1.0/24");
    assert_eq!(
        allocate(&mut world, "nets", "d", Some("10.8.1.0/25"), None).unwrap_err().kind,
        RefusalKind::Invalid
    );
    assert!(allocate(&mut world, "slots", "c", None, None).is_err());
}

#[test]
fn a_pool_that_cannot_be_is_refused_with_every_fault() {
    for (spec, field) in [
        (json!({}), "spec"),
        (json!({"ranges": []}), "spec.ranges"),
        (json!({"ranges": [{"from": 2, "to": 1}]}), "spec.ranges[0]"),
        (json!({"ranges": [{"from": 1, "to": 5}, {"from": 5, "to": 9}]}), "spec.ranges[1]"),
        (json!({"ranges": [{"from": 1, "to": 5_000_000_000_u64}]}), "spec.ranges"),
        (json!({"cidrs": ["10.0.0.1/16"]}), "spec.cidrs[0]"),
        (json!({"cidrs": ["10.0.0.0/16"], "prefixLength": 12}), "spec.prefixLength"),
        (json!({"cidrs": ["10.0.0.0/16", "2001:db8::/48"], "prefixLength": 24}), "spec.prefixLength"),
        (json!({"cidrs": ["2001:db8::/64"]}), "spec.cidrs[0]"),
        (json!({"cidrs": ["2001:db8::/112", "2001:db9::/112"]}), "spec.cidrs[1]"),
        (json!({"names": ["a", "a"]}), "spec.names[1]"),
        (json!({"names": ["a"], "prefixLength": 3}), "spec.prefixLength"),
        (json!({"names": ["a"], "ranges": [{"from": 1, "to": 2}]}), "spec"),
    ] {
        let document =
            json!({"apiVersion": "tallyman.dev/v1", "kind": "Pool", "metadata": {"name": "p"}, "spec": spec});
        let causes = manifest::read_pool(document, "risk").unwrap_err();
        assert!(causes.iter().any(|cause| cause.field == field), "{spec}: {causes:?}");
    }
}

#[test]
fn what_has_a_time_is_released_by_the_logs_time() {
    let mut world = World::upgraded();
    add(&mut world, "ports", json!({"ranges": [{"from": 1, "to": 1}]}));
    let first = allocate(&mut world, "ports", "a", None, Some(10_000)).unwrap();
    world.now_ms += 9_000;
    // Asked again with a time it is prolonged.
    allocate(&mut world, "ports", "a", None, Some(10_000)).unwrap();
    world.now_ms += 9_000;
    world.ok(Command::Expire(Expire {}));
    assert!(allocate(&mut world, "ports", "b", None, None).is_err());
    world.now_ms += 1_000;
    // Who asks for the value itself needs not wait for the leader.
    let second = allocate(&mut world, "ports", "b", Some("1"), Some(10_000)).unwrap();
    assert!(second.fence() > first.fence());
    world.now_ms += 10_000;
    world.ok(Command::Expire(Expire {}));
    assert_eq!(release(&mut world, "ports.b").unwrap_err().kind, RefusalKind::NotFound);
    assert_eq!(allocate(&mut world, "ports", "c", None, None).unwrap().value, "1");
}

#[test]
fn pools_that_are_disjoint_never_overlap() {
    let mut world = World::upgraded();
    let spec =
        |cidr: &str, length: u8| json!({"cidrs": [cidr], "prefixLength": length, "disjoint": "fabric"});
    add(&mut world, "one", spec("10.0.0.0/16", 24));
    let other = pool_of(&mut world, "desk", "two", spec("10.0.128.0/20", 28));
    let refusal = world.run(Command::AddPool(other)).unwrap_err();
    assert!(refusal.message.contains("10.0.128.0 in common with pool risk/one"), "{refusal}");
    let other = pool_of(&mut world, "desk", "two", spec("10.1.0.0/20", 28));
    world.ok(Command::AddPool(other));
    assert!(change(&mut world, "one", spec("10.0.0.0/15", 24)).is_err());
    change(&mut world, "one", json!({"cidrs": ["10.0.0.0/15"], "prefixLength": 24})).unwrap();
}

#[test]
fn allocating_in_a_pool_of_a_million_looks_at_counts_only() {
    let mut world = World::upgraded();
    add(&mut world, "vnis", json!({"ranges": [{"from": 1, "to": 1_000_000}]}));
    let one = allocate(&mut world, "vnis", "first", None, None).unwrap();
    let mut index = Index::default();
    (1..=1_000_000_u64).filter(|slot| *slot != 765_432).for_each(|slot| {
        index.set(Key::lookup(Tag::Slot, one.pool.0 << 6, Ordinal(slot)));
    });
    let counts = std::cell::Cell::new(0);
    let view = Full { rows: &world.view, index: &index, counts: &counts };
    let command = Command::Allocate(Allocate {
        uid: Uid([5; 16]),
        namespace: "risk".to_owned(),
        pool: "vnis".to_owned(),
        key: "last".to_owned(),
        wanted: WantedValue::default(),
        ttl_ms: None,
    });
    let entry = Entry { clock_ms: world.now_ms, by: Principal::default(), key: None, command };
    let applied = apply(&view, &Ctx { index: 99, term: 1, leader: ReplicaId(1) }, entry).unwrap();
    match applied.reply.unwrap().record.as_deref() {
        Some(Record::Allocation(last)) => assert_eq!(last.value, "765432"),
        other => panic!("{other:?}"),
    }
    assert!(counts.get() <= 150, "{} counts", counts.get());
}

/// The rows of one view with the taken values of another.
struct Full<'a> {
    rows: &'a MemoryView,
    index: &'a Index,
    counts: &'a std::cell::Cell<u32>,
}

impl View for Full<'_> {
    fn get(&self, key: Key) -> Result<Option<Row>, Damaged> {
        self.rows.get(key)
    }

    fn page(&self, from: Key, to: Key, limit: usize) -> Result<Vec<(Key, Row)>, Damaged> {
        assert!(from.tag != Tag::Slot, "taken values are counted, not walked over");
        self.rows.page(from, to, limit)
    }

    fn count(&self, from: Key, to: Key, max: usize) -> Result<usize, Damaged> {
        self.counts.set(self.counts.get() + 1);
        Ok(self.index.count(from, to, max))
    }
}

#[derive(Clone, Debug)]
enum Step {
    Allocate { key: u8, value: Option<u8>, ttl_s: Option<u8> },
    Release(u8),
    Resize { from: u8, to: u8 },
    Later(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..12_u8, prop::option::weighted(0.3, 0..24_u8), prop::option::weighted(0.3, 1..20_u8))
            .prop_map(|(key, value, ttl_s)| Step::Allocate { key, value, ttl_s }),
        3 => (0..12_u8).prop_map(Step::Release),
        1 => (0..8_u8, 8..24_u8).prop_map(|(from, to)| Step::Resize { from, to }),
        2 => (0..10_u8).prop_map(Step::Later),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn no_value_has_two_owners_fences_grow_and_the_index_is_that_of_the_records(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::upgraded();
        add(&mut world, "pool", json!({"ranges": [{"from": 4, "to": 12}]}));
        let mut newest = Revision(0);
        for step in steps {
            match step {
                Step::Allocate { key, value, ttl_s } => {
                    let value = value.map(|value| value.to_string());
                    let before = held(&world);
                    let ttl_ms = ttl_s.map(|ttl_s| u64::from(ttl_s) * 1_000);
                    if let Ok(one) = allocate(&mut world, "pool", &format!("k{key}"), value.as_deref(), ttl_ms) {
                        let is_new = before.get(&one.key).is_none_or(|was| was.fence() != one.fence());
                        prop_assert!(!is_new || one.fence() > newest);
                        newest = newest.max(one.fence());
                        // Only what had expired was taken over.
                        for was in before.values().filter(|was| was.slots == one.slots && was.key != one.key) {
                            prop_assert!(was.is_expired(world.now_ms));
                        }
                    } else if value.is_none() {
                        prop_assert!(before.len() as u64 >= pool(&world).values.count());
                    }
                }
                Step::Release(key) => {
                    let _ = release(&mut world, &format!("pool.k{key}"));
                }
                Step::Resize { from, to } => {
                    let _ = change(&mut world, "pool", json!({"ranges": [{"from": from, "to": to}]}));
                }
                Step::Later(seconds) => {
                    world.now_ms += u64::from(seconds) * 1_000;
                    world.ok(Command::Expire(Expire {}));
                }
            }
            check(&world)?;
        }
        for key in held(&world).into_keys() {
            release(&mut world, &format!("pool.{key}")).unwrap();
        }
        prop_assert_eq!(query::allocated(&world.view, pool(&world).head.ordinal).unwrap(), 0);
        world.ok(Command::RemovePool(RemovePool { target: Target::named("risk", "pool") }));
    }
}

fn pool(world: &World) -> Pool {
    match query::named(&world.view, Resource::Pool, "risk", "pool").unwrap() {
        Some(Record::Pool(pool)) => pool,
        other => panic!("{other:?}"),
    }
}

fn held(world: &World) -> BTreeMap<String, Allocation> {
    let filter = query::Filter::all(Resource::Allocation);
    let page = query::list(&world.view, &filter, Ordinal(0), 1_000).unwrap();
    let allocations = page.records.into_iter().map(|record| match record {
        Record::Allocation(one) => (one.key.clone(), one),
        other => panic!("{other:?}"),
    });
    allocations.collect()
}

fn check(world: &World) -> Result<(), TestCaseError> {
    let (pool, held) = (pool(world), held(world));
    let mut slots: Vec<u64> = held.values().map(|one| one.slots.first).collect();
    slots.sort_unstable();
    for pair in slots.windows(2) {
        prop_assert!(pair[0] != pair[1], "a value has two owners");
    }
    for one in held.values() {
        prop_assert_eq!(pool.values.text(one.slots), Some(one.value.clone()));
    }
    let taken: Vec<u64> = lookups(&world.view, Tag::Slot).into_iter().map(|key| key.b).collect();
    prop_assert_eq!(taken, slots);
    let derived: std::collections::BTreeSet<Key> = world
        .view
        .iter()
        .filter_map(|(_, row)| match row {
            Row::Record(record) => Some(index(record)),
            _ => None,
        })
        .flatten()
        .collect();
    let kept: std::collections::BTreeSet<Key> =
        world.view.iter().map(|(key, _)| *key).filter(|key| !key.is_row()).collect();
    prop_assert_eq!(kept, derived);
    Ok(())
}

fn lookups(view: &MemoryView, tag: Tag) -> Vec<Key> {
    view.iter().map(|(key, _)| *key).filter(|key| key.tag == tag).collect()
}
