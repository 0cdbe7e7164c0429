//! Several values of a pool in a row: stories, and properties of blocks of any sizes.

use crate::pools::{add, allocate, allocate_as};
use crate::world::World;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

fn sized(size: u64, align: u64) -> WantedValue {
    WantedValue { size: Some(size), align: Some(align), ..WantedValue::default() }
}

fn prefix(length: u8) -> WantedValue {
    WantedValue { prefix_length: Some(length), ..WantedValue::default() }
}

fn exactly(value: &str) -> WantedValue {
    WantedValue::exactly(value.to_owned())
}

fn release(world: &mut World, name: &str) {
    world.ok(Command::Deallocate(Deallocate { target: Target::named("risk", name) }));
}

fn allocated(world: &World, name: &str) -> u64 {
    match query::named(&world.view, Resource::Pool, "risk", name).unwrap() {
        Some(Record::Pool(pool)) => query::allocated(&world.view, pool.head.ordinal).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn integers_are_given_out_in_a_row_and_from_a_multiple_on() {
    let mut world = World::upgraded();
    add(&mut world, "ports", json!({"ranges": [{"from": 8001, "to": 8099}]}));
    let mut given = |key: &str, wanted| allocate_as(&mut world, "ports", key, wanted, None);
    assert_eq!(given("a", sized(10, 1)).unwrap().value, "8001-8010");
    assert_eq!(given("b", sized(16, 16)).unwrap().value, "8016-8031");
    assert_eq!(given("c", sized(5, 1)).unwrap().value, "8011-8015", "the gap is used");
    assert_eq!(given("d", WantedValue::default()).unwrap().value, "8032");
    assert_eq!(given("e", exactly("8050-8059")).unwrap().value, "8050-8059");
    assert_eq!(given("a", sized(10, 1)).unwrap().value, "8001-8010", "the same again");
    assert_eq!(given("a", WantedValue::default()).unwrap().value, "8001-8010");
    let start = WantedValue { value: Some("8060".to_owned()), ..sized(4, 4) };
    assert_eq!(given("f", start).unwrap().value, "8060-8063");
    for (key, wanted, kind, words) in [
        ("a", sized(11, 1), RefusalKind::Conflict, "has 8001-8010 already"),
        ("g", sized(41, 1), RefusalKind::Conflict, "no 41 of its 99 values in a row are free"),
        ("g", sized(16, 4_096), RefusalKind::Conflict, "from a multiple of 4096 on"),
        ("g", exactly("8055"), RefusalKind::Conflict, "8050-8059 of pool \"ports\" is allocated for \"e\""),
        ("g", exactly("8040-8050"), RefusalKind::Conflict, "allocated for \"e\""),
        ("g", exactly("8098-8100"), RefusalKind::Invalid, "no value of it"),
        ("g", exactly("8070-8060"), RefusalKind::Invalid, "no value of it"),
        (
            "g",
            WantedValue { value: Some("8070-8071".to_owned()), ..sized(3, 1) },
            RefusalKind::Invalid,
            "size",
        ),
        (
            "g",
            WantedValue { value: Some("8071".to_owned()), ..sized(2, 2) },
            RefusalKind::Invalid,
            "multiple",
        ),
        ("g", prefix(24), RefusalKind::Invalid, "for pools of cidrs"),
    ] {
        let refusal = given(key, wanted.clone()).unwrap_err();
        assert!(refusal.kind == kind && refusal.message.contains(words), "{wanted:?}: {refusal}");
    }
    assert_eq!(allocated(&world, "ports"), 10 + 16 + 5 + 1 + 10 + 4);
    release(&mut world, "ports.b");
    assert_eq!(allocate(&mut world, "ports", "h", None, None).unwrap().value, "8016");
}

#[test]
fn blocks_of_addresses_start_where_their_prefix_does() {
    let mut world = World::upgraded();
    add(&mut world, "nets", json!({"cidrs": ["10.0.0.0/16", "10.8.0.0/23"], "prefixLength": 24}));
    add(&mut world, "six", json!({"cidrs": ["2001:db8::/40"], "prefixLength": 64}));
    for (pool, key, wanted, value) in [
        ("nets", "a", WantedValue::default(), "10.0.0.0/24"),
        ("nets", "b", prefix(20), "10.0.16.0/20"),
        ("nets", "c", prefix(23), "10.0.2.0/23"),
        ("nets", "d", exactly("10.8.0.0/23"), "10.8.0.0/23"),
        ("nets", "e", prefix(17), "10.0.128.0/17"),
        ("six", "a", WantedValue::default(), "2001:db8::/64"),
        ("six", "b", prefix(48), "2001:db8:1::/48"),
        ("six", "c", prefix(56), "2001:db8:0:100::/56"),
    ] {
        assert_eq!(allocate_as(&mut world, pool, key, wanted, None).unwrap().value, value);
    }
    for (wanted, kind) in [
        (prefix(25), RefusalKind::Invalid),
        (prefix(17), RefusalKind::Conflict),
        (exactly("10.0.17.0/24"), RefusalKind::Conflict),
        (exactly("10.0.40.0/20"), RefusalKind::Invalid),
        (exactly("10.8.0.0/22"), RefusalKind::Invalid),
        (sized(2, 1), RefusalKind::Invalid),
        (WantedValue { prefix_length: Some(24), ..exactly("10.0.64.0/20") }, RefusalKind::Invalid),
    ] {
        let refusal = allocate_as(&mut world, "nets", "z", wanted.clone(), None).unwrap_err();
        assert_eq!(refusal.kind, kind, "{wanted:?}: {refusal}");
    }
    add(&mut world, "slots", json!({"names": ["leaf-1", "leaf-2"]}));
    let refusal = allocate_as(&mut world, "slots", "a", sized(2, 1), None).unwrap_err();
    assert!(refusal.message.contains("names are given out one by one"), "{refusal}");
}

#[test]
fn what_is_asked_for_by_its_value_takes_over_all_in_it_whose_time_is_over() {
    let mut world = World::upgraded();
    add(&mut world, "ports", json!({"ranges": [{"from": 1, "to": 8}]}));
    for key in ["a", "b", "c"] {
        allocate(&mut world, "ports", key, None, Some(10_000)).unwrap();
    }
    allocate(&mut world, "ports", "stays", None, None).unwrap();
    world.now_ms += 10_000;
    assert_eq!(allocate_as(&mut world, "ports", "d", exactly("1-3"), None).unwrap().value, "1-3");
    assert!(allocate_as(&mut world, "ports", "e", exactly("3-5"), None).is_err());
}

#[test]
fn the_greatest_pools_give_out_blocks_by_counting() {
    let mut world = World::upgraded();
    add(&mut world, "vnis", json!({"ranges": [{"from": 0, "to": 4_294_967_295_u64}]}));
    add(&mut world, "ten", json!({"cidrs": ["10.0.0.0/8"]}));
    // Every other value is taken at first, then a million in a row.
    for n in 0..40 {
        let value = (2 * n + 1).to_string();
        allocate(&mut world, "vnis", &format!("odd-{n}"), Some(&value), None).unwrap();
    }
    assert_eq!(allocate(&mut world, "vnis", "one", None, None).unwrap().value, "0");
    assert_eq!(allocate_as(&mut world, "vnis", "two", sized(2, 1), None).unwrap().value, "80-81");
    assert_eq!(
        allocate_as(&mut world, "vnis", "many", sized(1_000_003, 1), None).unwrap().value,
        "82-1000084"
    );
    let next = allocate_as(&mut world, "vnis", "next", sized(4_096, 4_096), None).unwrap();
    assert_eq!(next.value, "1003520-1007615");
    assert_eq!(allocated(&world, "vnis"), 40 + 1 + 2 + 1_000_003 + 4_096);
    let whole = allocate_as(&mut world, "vnis", "whole", sized(1 << 32, 1), None).unwrap_err();
    assert_eq!(whole.kind, RefusalKind::Conflict);
    for (key, wanted, value) in [
        ("a", WantedValue::default(), "10.0.0.0"),
        ("b", prefix(16), "10.1.0.0/16"),
        ("c", prefix(9), "10.128.0.0/9"),
        ("d", prefix(30), "10.0.0.4/30"),
    ] {
        assert_eq!(allocate_as(&mut world, "ten", key, wanted, None).unwrap().value, value);
    }
}

#[test]
fn a_pool_in_very_many_pieces_gives_what_is_behind_them_or_says_so() {
    let mut world = World::upgraded();
    let many = limits::POOL_STRETCHES_MAX as u64 + 20;
    add(&mut world, "holes", json!({"ranges": [{"from": 0, "to": 2 * many + 9}]}));
    for n in 0..many {
        allocate(&mut world, "holes", &format!("k{n}"), Some(&(2 * n + 1).to_string()), None).unwrap();
    }
    let behind = allocate_as(&mut world, "holes", "behind", sized(10, 1), None).unwrap();
    assert_eq!(behind.slots.first, 2 * many);
    let refusal = allocate_as(&mut world, "holes", "more", sized(2, 1), None).unwrap_err();
    assert!(refusal.message.contains("in its first 256 gaps"), "{refusal}");
}

#[derive(Clone, Debug)]
enum Step {
    Sized { key: u8, size: u8, align: u8 },
    Exactly { key: u8, first: u8, size: u8 },
    Release(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..16_u8, 1..40_u8, 1..20_u8).prop_map(|(key, size, align)| Step::Sized { key, size, align }),
        2 => (0..16_u8, 0..255_u8, 1..40_u8).prop_map(|(key, first, size)| Step::Exactly { key, first, size }),
        3 => (0..16_u8).prop_map(Step::Release),
    ]
}

/// Where a block goes, found by trying each place.
fn first_fit(ranges: &[(u64, u64)], held: &BTreeMap<u8, Span>, size: u64, align: u64) -> Option<u64> {
    let is_free =
        |first: u64| held.values().all(|other| !other.meets(Span { first, last: first + size - 1 }));
    let places =
        ranges.iter().flat_map(|(from, to)| (*from..=*to).filter(move |first| first + size - 1 <= *to));
    places.into_iter().find(|first| first % align == 0 && is_free(*first))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn blocks_of_any_size_never_overlap_and_the_first_place_is_found(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::upgraded();
        let ranges = [(100, 180), (5, 60), (200, 255)];
        let list: Vec<_> = ranges.iter().map(|(from, to)| json!({"from": from, "to": to})).collect();
        add(&mut world, "pool", json!({"ranges": list}));
        let mut held: BTreeMap<u8, Span> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Sized { key, size, align } if !held.contains_key(&key) => {
                    let (size, align) = (u64::from(size), u64::from(align));
                    let given = allocate_as(&mut world, "pool", &format!("k{key}"), sized(size, align), None);
                    let wanted = first_fit(&ranges, &held, size, align);
                    prop_assert_eq!(given.as_ref().ok().map(|one| one.slots.first), wanted);
                    held.extend(given.ok().map(|one| (key, one.slots)));
                }
                Step::Exactly { key, first, size } if !held.contains_key(&key) => {
                    let block = Span { first: u64::from(first), last: u64::from(first) + u64::from(size) - 1 };
                    let text = format!("{}-{}", block.first, block.last);
                    let given = allocate_as(&mut world, "pool", &format!("k{key}"), exactly(&text), None);
                    let is_in = ranges.iter().any(|(from, to)| *from <= block.first && block.last <= *to);
                    prop_assert_eq!(given.is_ok(), is_in && held.values().all(|other| !other.meets(block)));
                    held.extend(given.ok().map(|one| (key, one.slots)));
                }
                Step::Release(key) if held.remove(&key).is_some() => {
                    release(&mut world, &format!("pool.k{key}"));
                }
                _ => {}
            }
            let spans: Vec<Span> = held.values().copied().collect();
            for (at, one) in spans.iter().enumerate() {
                prop_assert!(spans.iter().skip(at + 1).all(|other| !one.meets(*other)));
            }
            prop_assert_eq!(allocated(&world, "pool"), spans.iter().map(|span| span.count()).sum::<u64>());
        }
    }

    #[test]
    fn pieces_make_up_their_block(first in 0..5_000_000_u64, count in 1..3_000_000_u64) {
        let block = Span { first, last: first + count - 1 };
        let mut at = first;
        let pieces = block.pieces();
        prop_assert!(pieces.len() <= 2 * 22);
        for piece in pieces {
            prop_assert_eq!(piece.index << piece.level, at);
            at += 1 << piece.level;
        }
        prop_assert_eq!(at, first + count);
    }
}
