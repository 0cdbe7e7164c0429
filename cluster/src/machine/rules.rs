#![expect(clippy::panic, reason = "tests")]

use super::*;
use crate::ObjectKey;
use crate::limits::*;
use std::collections::BTreeSet;
use tallyman_model::command::Observation;
use tallyman_model::record::Kind;

fn item(name: &str, uid: &str, version: u64) -> Observation {
    let object = serde_json::json!({"metadata": {
        "namespace": "n", "name": name, "uid": uid, "resourceVersion": version.to_string(),
    }});
    let Some(item) = tallyman_model::rule::project(&Kind::Job, &object) else {
        panic!("not an object: {object}")
    };
    item
}

/// A machine and its clock.
struct Bench {
    state: State,
    now_ms: u64,
    actions: Vec<Action>,
}

impl Bench {
    fn start(cursor: Option<&str>) -> Self {
        let mut bench = Self { state: State::new(2, 1), now_ms: 0, actions: Vec::new() };
        let stored = cursor.map(|cursor| stored(cursor, 3));
        bench.feed(Input::Start { stored, timeline: 3 });
        bench
    }

    fn feed(&mut self, input: Input) -> &[Action] {
        let (state, actions) = step(self.state.clone(), self.now_ms, input);
        (self.state, self.actions) = (state, actions);
        &self.actions
    }

    fn page(&mut self, listing: u64, names: &[&str], version: &str, token: Option<&str>) -> &[Action] {
        self.feed(Input::Page {
            listing,
            items: names.iter().map(|name| item(name, name, 1)).collect(),
            bytes: 1_000,
            resource_version: version.to_owned(),
            continue_token: token.map(str::to_owned),
        })
    }

    fn commit_all(&mut self) -> &[Action] {
        let (through, cursor) = (self.state.emitted, self.state.delivered.clone());
        self.feed(Input::Committed { through, cursor })
    }

    fn event(&mut self, watch: u64, version: u64) -> &[Action] {
        self.feed(Input::Event { watch, change: Change::Seen(item("a", "a", version)) })
    }

    /// Lets the wait that was asked for pass.
    fn wait(&mut self) -> &[Action] {
        let Some(Action::Wait { until_ms }) = self.actions.last() else {
            panic!("no wait in {:?}", self.actions)
        };
        self.now_ms = *until_ms;
        self.feed(Input::Tick)
    }

    fn waited_ms(&self) -> u64 {
        match self.actions.last() {
            Some(Action::Wait { until_ms }) => until_ms - self.now_ms,
            _ => 0,
        }
    }
}

fn stored(cursor: &str, timeline: u32) -> Stored {
    Stored { cursor: cursor.to_owned(), reached: cursor.to_owned(), timeline }
}

fn watches(actions: &[Action], expected: &str) -> bool {
    matches!(actions.last(), Some(Action::Watch { from, .. }) if from == expected)
}

fn lists(actions: &[Action]) -> Option<(u64, Option<&str>)> {
    match actions.last() {
        Some(Action::List { listing, continue_token, .. }) => Some((*listing, continue_token.as_deref())),
        _ => None,
    }
}

fn emission(actions: &[Action]) -> &Emission {
    let found = actions.iter().find_map(|action| match action {
        Action::Emit(emission) => Some(emission),
        _ => None,
    });
    let Some(found) = found else { panic!("no emission in {actions:?}") };
    found
}

#[test]
fn a_stored_cursor_is_watched_from_without_a_listing() {
    assert!(watches(&Bench::start(Some("7")).actions, "7"));
}

#[test]
fn a_cursor_of_another_timeline_or_none_is_not_watched_from() {
    assert_eq!(lists(&Bench::start(None).actions), Some((1, None)));
    assert_eq!(lists(&Bench::start(Some("")).actions), Some((1, None)));
    assert_eq!(lists(&Bench::start(Some("0")).actions), Some((1, None)));
    let mut other = Bench { state: State::new(2, 1), now_ms: 0, actions: Vec::new() };
    let start = Input::Start { stored: Some(stored("7", 2)), timeline: 3 };
    assert_eq!(lists(other.feed(start)), Some((1, None)));
}

#[test]
fn only_a_complete_listing_says_what_is_there_and_moves_the_cursor() {
    let mut bench = Bench::start(None);
    let first = bench.page(1, &["a", "b"], "9", Some("t"));
    assert_eq!((emission(first).cursor.as_deref(), &emission(first).listed), (Some(""), &None));
    assert_eq!(lists(first), Some((1, Some("t"))), "the next page is read while this one is committed");
    assert_eq!(emission(bench.page(1, &["c"], "9", Some("u"))).cursor, None);
    let last = bench.page(1, &["d"], "9", None);
    let names = ["a", "b", "c", "d"].map(|name| ObjectKey::of(&item(name, name, 1)));
    assert_eq!(emission(last).cursor.as_deref(), Some("9"));
    assert_eq!(emission(last).listed, Some(BTreeSet::from(names)));
    assert_eq!(last.len(), 1, "the watch waits for the commit");
    assert!(watches(bench.commit_all(), "9"));
}

#[test]
fn a_listing_is_as_old_as_its_first_page() {
    let mut bench = Bench::start(None);
    bench.page(1, &["a"], "9", Some("t"));
    assert_eq!(emission(bench.page(1, &["b"], "12", None)).cursor.as_deref(), Some("9"));
}

#[test]
fn the_log_has_no_cursor_while_it_has_part_of_a_listing() {
    let mut bench = Bench::start(Some("7"));
    bench.feed(Input::WatchFailed { watch: 1, failure: Failure::Expired });
    bench.page(1, &["a"], "9", Some("t"));
    bench.feed(Input::Committed { through: 1, cursor: Some(String::new()) });
    assert_eq!(bench.state.committed(), None);
}

#[test]
fn a_continue_that_is_no_longer_known_starts_over_under_a_new_generation() {
    let mut bench = Bench::start(None);
    bench.page(1, &["a"], "9", Some("t"));
    bench.feed(Input::ListFailed { listing: 1, failure: Failure::Expired });
    assert_eq!(lists(bench.wait()), Some((2, None)));
    assert!(
        bench.page(1, &["z"], "9", None).is_empty(),
        "a late page of the old generation counts for nothing"
    );
    let last = bench.page(2, &["b"], "10", None);
    assert_eq!(emission(last).listed.as_ref().map(BTreeSet::len), Some(1));
}

#[test]
fn a_page_that_fails_for_a_while_is_asked_for_again() {
    let mut bench = Bench::start(None);
    bench.page(1, &["a"], "9", Some("t"));
    bench.feed(Input::ListFailed { listing: 1, failure: Failure::Transient });
    assert_eq!(lists(bench.wait()), Some((1, Some("t"))));
}

#[test]
fn a_page_that_is_too_long_is_asked_for_with_fewer_objects() {
    let mut bench = Bench::start(None);
    let actions = bench.feed(Input::ListFailed { listing: 1, failure: Failure::TooLong }).to_vec();
    assert_eq!(actions, [Action::List { listing: 1, continue_token: None, limit: 1 }]);
    bench.feed(Input::ListFailed { listing: 1, failure: Failure::TooLong });
    assert!(bench.waited_ms() > 0);
}

#[test]
fn pages_of_large_objects_have_fewer() {
    let mut bench = Bench { state: State::new(500, 1), now_ms: 0, actions: Vec::new() };
    bench.feed(Input::Start { stored: None, timeline: 3 });
    let items = ["a", "b", "c", "d"].map(|name| item(name, name, 1)).to_vec();
    let (resource_version, continue_token) = ("9".to_owned(), Some("t".to_owned()));
    let bytes = PAGE_BYTES_TARGET;
    let actions = bench.feed(Input::Page { listing: 1, items, bytes, resource_version, continue_token });
    assert!(matches!(actions.last(), Some(Action::List { limit: 4, .. })), "{actions:?}");
}

#[test]
fn both_forms_of_410_list_anew_and_a_server_that_always_says_so_is_not_asked_in_a_loop() {
    let mut bench = Bench::start(Some("7"));
    let actions = bench.feed(Input::WatchFailed { watch: 1, failure: Failure::Expired });
    assert_eq!(lists(actions), Some((1, None)), "the first time at once");
    for _ in 0..19 {
        while matches!(bench.actions.last(), Some(Action::Wait { .. })) {
            bench.wait();
        }
        let (listing, watch) = (bench.state.listings, bench.state.watches + 1);
        bench.page(listing, &[], "9", None);
        assert!(watches(bench.commit_all(), "9"));
        bench.feed(Input::WatchFailed { watch, failure: Failure::Expired });
    }
    assert!(bench.now_ms > 5 * WATCH_DELAY_MS_MAX, "19 rounds in {} ms", bench.now_ms);
}

#[test]
fn an_end_resumes_after_the_last_event_without_penalty() {
    let mut bench = Bench::start(Some("7"));
    assert_eq!(emission(bench.event(1, 8)).cursor.as_deref(), Some("8"));
    bench.now_ms = 200_000;
    assert!(watches(bench.feed(Input::WatchEnded { watch: 1 }), "8"));
    assert_eq!(bench.state.failures, 0);
}

#[test]
fn a_server_that_ends_every_watch_at_once_is_asked_once_a_second() {
    let mut bench = Bench::start(Some("7"));
    for watch in 1..100 {
        bench.feed(Input::WatchEnded { watch });
        assert!(watches(bench.wait(), "7"));
    }
    assert_eq!(bench.now_ms, 99 * REOPEN_MS_MIN);
}

#[test]
fn delays_grow_until_a_bookmark_or_a_healthy_minute() {
    let mut bench = Bench::start(Some("7"));
    for watch in 1..=8 {
        bench.feed(Input::WatchFailed { watch, failure: Failure::Transient });
        bench.wait();
    }
    let grown = bench.state.failures;
    bench.event(9, 8);
    assert_eq!(bench.state.failures, grown, "opening and hearing something is not health");
    bench.feed(Input::Passed { watch: 9, resource_version: "9".to_owned(), bookmark: true });
    assert_eq!(bench.state.failures, 0);
    bench.feed(Input::WatchFailed { watch: 9, failure: Failure::Transient });
    bench.wait();
    bench.now_ms += HEALTHY_MS;
    bench.event(10, 10);
    assert_eq!(bench.state.failures, 0);
}

#[test]
fn a_server_that_is_behind_is_waited_for_and_listed_only_after_several_answers() {
    let mut bench = Bench::start(Some("7"));
    for watch in 1..u64::from(BEHIND_MAX) {
        bench.feed(Input::WatchFailed { watch, failure: Failure::Behind });
        assert!(watches(bench.wait(), "7"));
    }
    bench.feed(Input::WatchFailed { watch: u64::from(BEHIND_MAX), failure: Failure::Behind });
    assert!(lists(bench.wait()).is_some());
}

#[test]
fn a_cluster_that_asks_for_patience_gets_it() {
    let mut bench = Bench::start(Some("7"));
    bench.feed(Input::WatchFailed { watch: 1, failure: Failure::TooMany { wait_ms: 90_000 } });
    assert_eq!(bench.waited_ms(), 90_000);
}

#[test]
fn what_was_never_sent_is_no_failure() {
    let mut bench = Bench::start(Some("7"));
    for watch in 1..50 {
        bench.feed(Input::WatchFailed { watch, failure: Failure::HeldBack });
        assert_eq!(bench.waited_ms(), REOPEN_MS_MIN);
        assert!(watches(bench.wait(), "7"));
    }
    assert_eq!(bench.state.failures, 0);
}

#[test]
fn what_is_denied_is_soon_tried_again_and_then_ever_more_slowly() {
    for failure in [Failure::Denied, Failure::Absent] {
        let mut bench = Bench::start(Some("7"));
        let mut waits = Vec::new();
        for watch in 1..=12 {
            bench.feed(Input::WatchFailed { watch, failure });
            waits.push(bench.waited_ms());
            assert_eq!(bench.state.phase(), "denied");
            assert!(watches(bench.wait(), "7"));
        }
        assert!(waits[0] <= WATCH_DELAY_MS_MIN && waits[11] >= WATCH_DELAY_MS_MAX / 2, "{waits:?}");
    }
}

#[test]
fn who_is_denied_asks_at_once_when_another_watch_of_the_cluster_is_let_in() {
    let mut bench = Bench::start(Some("7"));
    assert!(bench.feed(Input::LetIn).is_empty(), "who watches goes on");
    bench.feed(Input::WatchFailed { watch: 1, failure: Failure::Denied });
    assert!(watches(bench.feed(Input::LetIn), "7"));
    bench.feed(Input::WatchFailed { watch: 2, failure: Failure::TooMany { wait_ms: 9_000 } });
    assert!(bench.feed(Input::LetIn).is_empty(), "who was asked to wait waits");
}

#[test]
fn a_resource_version_that_goes_backwards_begins_a_new_timeline() {
    let passed =
        |version: &str| Input::Passed { watch: 1, resource_version: version.to_owned(), bookmark: true };
    let probed = |version: &str| Input::Probed { watch: 1, resource_version: version.to_owned() };
    let event = |version| Input::Event { watch: 1, change: Change::Seen(item("a", "a", version)) };
    for input in [passed("6"), probed("6"), event(6)] {
        let mut bench = Bench::start(Some("7"));
        let actions = bench.feed(input).to_vec();
        assert!(actions.contains(&Action::Rewound { timeline: 4 }), "{actions:?}");
        assert!(actions.contains(&Action::CloseWatch) && actions.contains(&Action::DropPending));
        assert_eq!(lists(&actions), Some((1, None)));
        assert_eq!(bench.state.committed(), None);
        assert_eq!(
            (emission(&actions).timeline, emission(&actions).cursor.as_deref()),
            (4, Some("")),
            "at once"
        );
        let page = bench.page(1, &["a"], "5", None).to_vec();
        assert_eq!((emission(&page).timeline, emission(&page).cursor.as_deref()), (4, Some("5")));
    }
    for input in [passed("7"), probed("7"), probed("100"), event(7)] {
        let mut bench = Bench::start(Some("7"));
        bench.feed(input);
        assert_eq!(bench.state.timeline(), 3);
    }
}

#[test]
fn a_listing_that_is_older_than_what_was_seen_is_taken_as_the_first_of_a_new_timeline() {
    let mut bench = Bench::start(Some("7"));
    bench.feed(Input::WatchFailed { watch: 1, failure: Failure::Expired });
    let page = bench.page(1, &["a"], "5", None).to_vec();
    assert!(page.contains(&Action::Rewound { timeline: 4 }));
    assert_eq!(emission(&page).timeline, 4);
    assert!(watches(bench.commit_all(), "5"));
}

#[test]
fn a_server_that_has_not_come_as_far_as_the_log_knows_part_of_begins_a_new_timeline() {
    for (cursor, input) in
        [("7", Input::Probed { watch: 1, resource_version: "8".to_owned() }), ("", page("8"))]
    {
        let mut bench = Bench { state: State::new(2, 1), now_ms: 0, actions: Vec::new() };
        let stored = Stored { reached: "9".to_owned(), ..stored(cursor, 3) };
        bench.feed(Input::Start { stored: Some(stored), timeline: 3 });
        assert!(bench.feed(input).contains(&Action::Rewound { timeline: 4 }), "{cursor}");
    }
}

fn page(version: &str) -> Input {
    let (items, resource_version, continue_token) = (Vec::new(), version.to_owned(), None);
    Input::Page { listing: 1, items, bytes: 100, resource_version, continue_token }
}

#[test]
fn a_commit_from_before_the_rewind_does_not_bring_its_cursor_back() {
    let mut bench = Bench::start(Some("7"));
    bench.event(1, 8);
    bench.feed(Input::Probed { watch: 1, resource_version: "3".to_owned() });
    bench.feed(Input::Committed { through: 1, cursor: Some("8".to_owned()) });
    assert_eq!(bench.state.committed(), None);
}

#[test]
fn a_new_timeline_in_the_log_voids_the_cursor_and_an_old_one_does_nothing() {
    let mut bench = Bench::start(Some("7"));
    assert!(bench.feed(Input::TimelineChanged { timeline: 3 }).is_empty());
    assert_eq!(lists(bench.feed(Input::TimelineChanged { timeline: 4 })), Some((1, None)));
    assert_eq!(bench.state.timeline(), 4);
}

#[test]
fn what_the_log_did_not_take_is_watched_again_from_the_last_cursor_that_it_took() {
    let mut bench = Bench::start(Some("7"));
    bench.event(1, 8);
    bench.commit_all();
    bench.event(1, 9);
    let actions = bench.feed(Input::CommitRefused { wait_ms: 0 });
    assert!(actions.contains(&Action::DropPending) && actions.contains(&Action::CloseWatch));
    assert!(watches(bench.wait(), "8"));
}

#[test]
fn a_listing_of_which_a_page_was_not_taken_starts_over() {
    let mut bench = Bench::start(None);
    bench.page(1, &["a"], "9", Some("t"));
    bench.feed(Input::CommitRefused { wait_ms: 0 });
    assert_eq!(lists(bench.wait()), Some((2, None)));
    bench.page(2, &["a"], "9", None);
    bench.feed(Input::CommitRefused { wait_ms: 0 });
    assert_eq!(lists(bench.wait()), Some((3, None)));
}

#[test]
fn an_earlier_commit_at_the_same_version_does_not_pass_for_the_listing() {
    let mut bench = Bench::start(Some("7"));
    bench.event(1, 8);
    bench.feed(Input::WatchFailed { watch: 1, failure: Failure::Expired });
    bench.page(1, &["a"], "8", None);
    assert!(bench.feed(Input::Committed { through: 1, cursor: Some("8".to_owned()) }).is_empty());
    assert!(watches(bench.feed(Input::Committed { through: 2, cursor: Some("8".to_owned()) }), "8"));
}

#[test]
fn a_watch_is_never_opened_from_an_empty_version() {
    let mut bench = Bench::start(None);
    for version in ["", "0"] {
        bench.page(1, &["a"], version, None);
        assert!(bench.waited_ms() > 0);
        bench.wait();
    }
}

#[test]
fn what_belongs_to_an_older_request_is_ignored() {
    let mut bench = Bench::start(Some("7"));
    bench.now_ms = 2_000;
    bench.feed(Input::WatchEnded { watch: 1 });
    let before = bench.state.clone();
    for input in [
        Input::Event { watch: 1, change: Change::Seen(item("a", "a", 3)) },
        Input::Passed { watch: 1, resource_version: "3".to_owned(), bookmark: true },
        Input::WatchFailed { watch: 1, failure: Failure::Expired },
        Input::WatchEnded { watch: 1 },
        Input::Probed { watch: 1, resource_version: "3".to_owned() },
        Input::ListFailed { listing: 0, failure: Failure::Expired },
        Input::Tick,
    ] {
        assert!(bench.feed(input).is_empty());
        assert_eq!(bench.state, before);
    }
}
