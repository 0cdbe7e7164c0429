//! Replicas that are far apart.

use crate::dev::{path, until};
use crate::servers::Servers;
use crate::writers::Writers;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between any two replicas that are far apart.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(100);
/// With the usual times the leader would be lost many times over meanwhile.
const WATCHED: Duration = Duration::from_secs(5);
/// From the last acknowledged write before a kill to the next; twice what is seen on a machine that is idle.
const GAP_MAX: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_with_100_ms_between_its_replicas_keeps_its_leader_and_goes_on_when_that_is_killed() {
    let mut servers = Servers::founded(Some(ROUND_TRIP)).await;
    for i in 0..3 {
        let status = servers.status(i).await.unwrap();
        let percent = status["stretchPercent"].as_u64().unwrap();
        assert!((200..400).contains(&percent), "measured before it was founded: {status}");
    }
    let writers = Writers::start(&servers.urls, 2, "far");
    writers.progress(10).await;
    let term = servers.term().await;
    sleep(WATCHED).await;
    assert_eq!(servers.term().await, term, "the leader was lost without a reason");
    until("a linearizable read is answered by a follower", async || {
        let follower = (servers.leader().await + 1) % 3;
        (servers.get(follower, &path("namespaces/failover/runnables?limit=1")).await? == 200).then_some(())
    })
    .await;

    let leader = servers.leader().await;
    let since = Instant::now();
    servers.end(leader, Signal::KILL).await;
    writers.progress(10).await;
    let gap = writers.gap(since);
    assert!(gap < GAP_MAX, "{gap:?}");
    servers.start(leader);
    servers.ready().await;
    until("the one that was killed measured anew and follows", async || {
        for i in 0..3 {
            let status = servers.status(i).await?;
            let is_far =
                status["roundTripMs"].as_f64()? >= 100.0 && status["stretchPercent"].as_u64()? >= 200;
            (is_far && status["waitingFor"] == json!(null)).then_some(())?;
        }
        Some(())
    })
    .await;
}
