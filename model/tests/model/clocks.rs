//! Clocks that are wrong: the log has a time of its own.

use crate::approvers::{decide, named};
use crate::locks::{acquire, add, renew};
use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::rule::Verdict;
use tallyman_model::*;

/// What clocks of leaders say, one after the other: 1970, where seconds outgrow 31 and 32 bits, the end of the last
/// year of four digits, a day after 1970.
const CLOCKS_MS: [u64; 5] = [0, 2_147_483_647_000, 4_294_967_296_000, 253_402_300_799_000, 86_400_000];

#[test]
fn the_logs_time_never_goes_back_whatever_the_clocks_of_leaders_say() {
    let mut world = World::upgraded();
    let mut last_ms = world.now_ms;
    for (number, clock_ms) in CLOCKS_MS.into_iter().enumerate() {
        (world.now_ms, world.term) = (clock_ms, world.term + 1);
        last_ms = last_ms.max(clock_ms);
        let name = format!("run-{number}");
        world.submit(&name, |_| {});
        assert_eq!(query::meta(&world.view).unwrap().clock_ms, last_ms);
        world.place(&name, "east");
        world.create(&name, 0);
        world.create(&name, 1);
        world.observe_verdict(&name, 1, Verdict::Succeeded, 110);
        let run = world.get(&name);
        assert_eq!((run.head.created_ms, run.finished_ms), (last_ms, Some(last_ms)));
        assert_eq!(run.phase, Phase::Succeeded);
    }
    let mut again = MemoryView::default();
    for (ctx, entry) in &world.log {
        let applied = apply(&again, ctx, entry.clone()).unwrap();
        again.commit(applied.writes);
    }
    assert!(again == world.view, "the same log gives another state");
}

#[test]
fn what_has_expired_stays_so_under_a_leader_whose_clock_is_behind() {
    let mut world = World::upgraded();
    let run = world.submit("report", |value| {
        value["spec"]["approvals"] = json!({"required": 1, "groups": ["leads"], "expireAfter": "1h"});
    });
    add(&mut world, "lock", 1);
    let token = acquire(&mut world, "lock", "a", 1, 3_600).unwrap();
    world.now_ms += 3_600_000;
    // Whatever it is, it has the time.
    add(&mut world, "other", 1);
    (world.now_ms, world.term) = (world.now_ms - 3_600_000, world.term + 1);
    let late = decide(&mut world, "report", &named("bob"), Decision::Approve, run.digest).unwrap_err();
    assert_eq!(late.kind, RefusalKind::Conflict, "{late}");
    assert!(renew(&mut world, token, 10).unwrap_err().message.contains("released or expired"));
    assert!(acquire(&mut world, "lock", "b", 1, 10).unwrap() > token);
    world.ok(Command::Expire(Expire {}));
    let ended = world.get("report");
    assert_eq!((ended.phase, ended.reason), (Phase::Failed, Reason::ApprovalExpired));
}
