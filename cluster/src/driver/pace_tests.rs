#![expect(clippy::expect_used, reason = "tests")]

use super::*;
use serde_json::json;
use tallyman_model::record::Kind;
use tallyman_model::rule;

const MS: Duration = Duration::from_millis(1);

fn job(status: &serde_json::Value) -> Change {
    let metadata = json!({"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7"});
    let object = json!({"metadata": metadata, "status": status});
    Change::Seen(rule::project(&Kind::Job, &object).expect("it is a Job"))
}

#[tokio::test(start_paused = true)]
async fn the_more_changes_there_are_the_longer_counts_wait_and_when_there_are_few_again_they_do_not() {
    let (tide, begun) = (Tide::default(), Instant::now());
    let told = |from_ms: u32, to_ms: u32, per_ms: u32| {
        for at in (from_ms..to_ms).flat_map(|at| std::iter::repeat_n(at, per_ms as usize)) {
            tide.note(begun + MS * at);
        }
        tide.linger(begun + MS * to_ms)
    };
    assert_eq!(told(0, 500, 1), MS * 4);
    assert!((MS * 400..=MS * 500).contains(&told(500, 1_500, 10)));
    assert_eq!(told(1_500, 2_500, 1), MS * 4);
    assert_eq!(tide.linger(begun + MS * 60_000), MS * 4);
}

#[tokio::test(start_paused = true)]
async fn counts_wait_and_everything_else_does_not() {
    let (mut pace, now, linger) = (Pace::default(), Instant::now(), MS * 100);
    let begun = json!({"active": 4, "ready": 1, "startTime": "2026-01-01T00:00:00Z"});
    let more = json!({"active": 4, "ready": 2, "startTime": "2026-01-01T00:00:00Z"});
    let ended = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    assert!(pace.is_urgent(&job(&begun), now, linger), "it is new");
    assert!(!pace.is_urgent(&job(&more), now + MS * 500, linger));
    assert!(pace.is_urgent(&job(&ended), now + MS * 501, linger), "it ends");
    assert!(!pace.is_urgent(&job(&ended), now + MS * 502, linger));
    let Change::Seen(item) = job(&ended) else { return };
    assert!(pace.is_urgent(&Change::Deleted(item), now + MS * 503, linger));
}

#[tokio::test(start_paused = true)]
async fn what_goes_back_and_forth_is_urgent_once_in_a_while() {
    let (mut pace, begun, linger) = (Pace::default(), Instant::now(), MS * 100);
    let runs = json!({"active": 1, "ready": 1, "startTime": "2026-01-01T00:00:00Z"});
    let waits = json!({"active": 1, "ready": 0, "startTime": "2026-01-01T00:00:00Z"});
    let urgent = |at: &u32| {
        let status = if at.is_multiple_of(2) { &runs } else { &waits };
        pace.is_urgent(&job(status), begun + MS * *at, linger)
    };
    let times = (0..1_000).filter(urgent).count();
    assert!((9..=11).contains(&times), "{times} times");
}
