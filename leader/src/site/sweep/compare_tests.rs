#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::testing::{Fixture, GROUP};
use serde_json::json;
use tallyman_model::Uid;
use tallyman_model::command::Observe;
use tallyman_model::record::Kind;
use tallyman_model::{Command, manifest::marks};

fn findings(fixture: &Fixture, item: &Observation) -> Vec<Finding> {
    listed(&fixture.view, fixture.cluster(), GROUP, std::slice::from_ref(item)).unwrap()
}

fn is_stray(found: &[Finding]) -> bool {
    matches!(found, [Finding::Stray(_)])
}

fn is_news(found: &[Finding]) -> bool {
    matches!(found, [Finding::News(_)])
}

fn suspects(fixture: &Fixture, kind: Kind, listed: &[&str]) -> Vec<Suspect> {
    let listed = listed.iter().map(|uid| (*uid).to_owned()).collect();
    let runs = [fixture.run().head.ordinal];
    missing(&fixture.view, fixture.cluster(), &[Extent::everywhere(kind)], fixture.now_ms + 1, &listed, &runs)
        .unwrap()
}

#[test]
fn what_both_sides_know_is_no_finding() {
    let mut fixture = Fixture::placed();
    let item = fixture.create(0);
    assert_eq!(findings(&fixture, &item), []);
    assert_eq!(suspects(&fixture, Kind::ConfigMap, &["uid-0"]), []);
}

#[test]
fn an_object_of_a_committed_create_is_news_and_one_without_is_a_stray() {
    let mut fixture = Fixture::placed();
    let item = fixture.item(0, "somebody", |_| {});
    assert!(is_stray(&findings(&fixture, &item)), "nothing has been sent yet");
    fixture.intend(0, tallyman_model::record::Action::Create);
    assert!(is_news(&findings(&fixture, &item)));
}

#[test]
fn one_mark_that_differs_makes_a_stray() {
    let mut fixture = Fixture::placed();
    fixture.create(0);
    fixture.intend(1, tallyman_model::record::Action::Create);
    let change = |field: &'static str, key: &'static str, value: &'static str| {
        fixture.item(1, "u", |object| object["metadata"][field][key] = json!(value))
    };
    let other = Uid([3; 16]).to_string().leak();
    for item in [
        change("labels", marks::SUBMISSION_UID, other),
        change("labels", marks::GROUP, other),
        change("annotations", marks::ATTEMPT, "2"),
        change("annotations", marks::DIGEST, "sha256:00"),
    ] {
        assert!(is_stray(&findings(&fixture, &item)), "{item:?}");
    }
    assert!(is_news(&findings(&fixture, &fixture.item(1, "u", |_| {}))));
}

#[test]
fn a_second_object_beside_a_living_one_is_a_stray_and_after_a_gone_one_is_news() {
    let mut fixture = Fixture::placed();
    let first = fixture.create(0);
    let second = fixture.item(0, "second", |_| {});
    assert!(is_stray(&findings(&fixture, &second)));
    let (cluster, kind) = (fixture.cluster(), Kind::ConfigMap);
    let items = vec![Observation { gone: true, ..first }];
    fixture.take(Command::Observe(Observe {
        cluster,
        kind,
        namespace: String::new(),
        plural: String::new(),
        timeline: 1,
        is_watch: true,
        cursor: None,
        rule: None,
        items,
    }));
    assert!(is_news(&findings(&fixture, &second)));
}

#[test]
fn an_end_that_no_watch_told_is_news() {
    let mut fixture = Fixture::placed();
    fixture.create(0);
    fixture.create(1);
    let ended = fixture.item(1, "uid-1", |object| {
        object["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    });
    assert!(is_news(&findings(&fixture, &ended)));
}

#[test]
fn a_living_object_that_was_not_listed_is_a_suspect_unless_it_is_younger_than_the_listing() {
    let mut fixture = Fixture::placed();
    fixture.create(0);
    let found = suspects(&fixture, Kind::ConfigMap, &[]);
    assert_eq!(found.len(), 1);
    assert!(found[0].gone.gone && found[0].gone.uid == "uid-0");
    assert_eq!(suspects(&fixture, Kind::Job, &[]), []);
    let runs = [fixture.run().head.ordinal];
    let young = missing(
        &fixture.view,
        fixture.cluster(),
        &[Extent::everywhere(Kind::ConfigMap)],
        fixture.now_ms,
        &BTreeSet::new(),
        &runs,
    );
    assert_eq!(young.unwrap(), []);
}

#[test]
fn active_runs_are_found_in_pages() {
    let fixture = Fixture::placed();
    let active = page_all(&fixture.view, Tag::Active, fixture.cluster()).unwrap();
    assert_eq!(active, [fixture.run().head.ordinal]);
}

#[test]
fn a_listing_of_one_namespace_says_nothing_of_objects_in_another() {
    let mut fixture = Fixture::placed();
    fixture.create(0);
    let runs = [fixture.run().head.ordinal];
    let of = |namespace: &str| {
        let swept = [Extent { kind: Kind::ConfigMap, namespace: namespace.to_owned() }];
        missing(&fixture.view, fixture.cluster(), &swept, fixture.now_ms + 1, &BTreeSet::new(), &runs)
            .unwrap()
    };
    assert_eq!((of("desk").len(), of("risk").len()), (0, 1));
}
