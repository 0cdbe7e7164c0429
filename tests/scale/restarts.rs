//! How long a follower takes to be ready again.

use crate::dev::{Replica, signal, until_within};
use crate::group::Group;
use rustix::process::Signal;
use std::fs;
use std::time::Duration;
use tokio::time::Instant;

/// How long a replica is waited for.
const READY_S_MAX: u64 = 600;

/// Ends a follower by `with` and waits until the process that `dev` starts in its place is ready; the seconds.
async fn again(group: &Group, victim: &Replica, with: Signal) -> f64 {
    let start = Instant::now();
    signal(victim.pid, with);
    until_within(Duration::from_secs(READY_S_MAX), "it is ready again", async || {
        let mut replicas = group.dev.replicas().into_iter();
        let now = replicas.find(|replica| replica.url == victim.url && replica.pid != victim.pid)?;
        let answer = group.dev.http.get(format!("{}/readyz", now.url)).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    start.elapsed().as_secs_f64()
}

async fn follower(group: &Group) -> Replica {
    group.dev.followers().await.remove(0)
}

/// After a kill.
pub(crate) async fn killed(group: &Group) -> f64 {
    again(group, &follower(group).await, Signal::KILL).await
}

/// After it was stopped in good order.
pub(crate) async fn stopped(group: &Group) -> f64 {
    again(group, &follower(group).await, Signal::TERM).await
}

/// After its rows were lost: they are made again from snapshot and log.
pub(crate) async fn without_rows(group: &Group) -> f64 {
    let victim = follower(group).await;
    // While it runs, because `dev` starts it again at once; the rows that it has open are nobody else's any more.
    fs::remove_dir_all(victim.dir.join("inventory")).unwrap();
    again(group, &victim, Signal::KILL).await
}
