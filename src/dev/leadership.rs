//! Who leads, and whether the group takes writes.

use super::World;
use crate::client::{Request, request, text};
use crate::exit::Failure;
use crate::verb::operator;
use futures::future::{join_all, select_ok};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the replicas are asked how they are.
const LOOK_MS: u64 = 250;
/// How long one is given to say so.
const STATUS_MS_MAX: u64 = 1000;
/// How long a quorum is waited for at a time.
const QUORUM_S_MAX: u64 = 10;

/// What a replica says about itself, by slot; none if it does not answer.
pub(super) async fn statuses(world: &World) -> Vec<Option<Value>> {
    let ask = world.urls.iter().map(async |url| {
        let one = world.client.at(url).within(Duration::from_millis(STATUS_MS_MAX));
        one.read(&Request::get(operator::STATUS)).await.ok().map(|answer| answer.body)
    });
    let statuses = join_all(ask).await;
    for (slot, status) in statuses.iter().enumerate() {
        let id = status.as_ref().map_or("", |status| text(status, "/id"));
        if !id.is_empty() {
            world.state.set_id(slot, id);
        }
    }
    let term = |status: &&Value| status.pointer("/term").and_then(Value::as_u64).unwrap_or_default();
    let newest =
        statuses.iter().flatten().filter(|status| !text(status, "/leader").is_empty()).max_by_key(term);
    if let Some(newest) = newest {
        world.state.set_leader(text(newest, "/leader"));
    }
    statuses
}

/// Keeps the state's leader and ids up to date.
pub(super) async fn look(world: &World) {
    let mut ticks = interval(Duration::from_millis(LOOK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        statuses(world).await;
    }
}

/// Id and process of the leader.
pub(super) async fn leader(world: &World) -> Option<(String, u32)> {
    statuses(world).await;
    let id = world.state.leader()?;
    let pid = world.state.replica(world.state.slot_of(&id)?).pid;
    Some((id, pid))
}

/// The replica that says that it leads, in the newest term in which one does.
pub(super) async fn leads_now(world: &World) -> Option<String> {
    let statuses = statuses(world).await;
    let term = |status: &&Value| status.pointer("/term").and_then(Value::as_u64).unwrap_or_default();
    let leader =
        statuses.iter().flatten().filter(|status| text(status, "/role") == "leader").max_by_key(term)?;
    Some(text(leader, "/id").to_owned())
}

/// Waits until a quorum confirms what is newest, and answers that revision: writes go through then too.
///
/// # Errors
/// There was no quorum for some seconds.
pub(super) async fn quorum(world: &World, except: Option<usize>) -> Result<u64, Failure> {
    let others = world.urls.iter().enumerate().filter(|(slot, _)| Some(*slot) != except);
    let ask = others.map(|(_, url)| {
        let one = world.client.at(url).within(Duration::from_secs(QUORUM_S_MAX));
        Box::pin(async move { Ok(one.read(&newest()).await?.revision()) })
    });
    let ask: Vec<_> = ask.collect();
    if ask.is_empty() {
        return std::future::pending().await;
    }
    let (revision, _) = select_ok(ask).await?;
    Ok(revision)
}

/// A small linearizable read.
fn newest() -> Request {
    Request::get(format!("{}/clusters", request::API)).query("limit", 1)
}

/// Waits until a replica shows a revision.
///
/// # Errors
/// It did not in the time that reads are tried.
pub(super) async fn caught_up(world: &World, slot: usize, revision: u64) -> Result<(), Failure> {
    let url = world.urls.get(slot).map(String::as_str).unwrap_or_default();
    let token = newest().query("resourceVersion", revision).query("resourceVersionMatch", "NotOlderThan");
    world.client.at(url).read(&token).await.map(drop)
}
