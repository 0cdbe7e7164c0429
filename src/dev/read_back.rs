//! What was promised, looked at: the end is read on a follower without asking a kube-apiserver, and the ledger holds.

use super::World;
use crate::chain;
use crate::client::{Answer, Request, request, text};
use crate::exit::Failure;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Reads that are tried: what the leader asks its clusters of its own accord may fall into one of them.
const READS_MAX: usize = 3;

/// Reads a run, as it was at the revision `token` or later, on a follower that was not asked for it, and tells what
/// that cost.
///
/// # Errors
/// No answer.
pub(super) async fn tell(world: &World, run: &Value, token: u64, asked: usize) -> Result<(), Failure> {
    let slot = follower(world, asked);
    let heading = &crate::runnable::reference(run);
    let (answer, took, requests) = read(world, slot, run, token).await?;
    let role = if world.state.leader().is_some_and(|leader| leader == world.state.id(slot)) {
        "leader"
    } else {
        "follower"
    };
    let phase = world.board.screen.phase(text(&answer.body, "/status/phase"), 0);
    let (by, revision) =
        (answer.header("tallyman-served-by"), text(&answer.body, "/metadata/resourceVersion"));
    let ms = took.as_secs_f64() * 1000.0;
    let line = format!("\nread back  from {role} {by}, token {token}: {phase}, rev {revision}, {ms:.1} ms");
    world.board.line(Some(heading), &line);
    let requests =
        requests.map_or("not counted on real clusters".to_owned(), |count| format!("{count} (counted)"));
    world.board.line(Some(heading), &format!("           kube-apiserver requests for this read: {requests}"));
    Ok(())
}

/// The last replica that neither leads nor was asked, or else the last that does not lead.
fn follower(world: &World, asked: usize) -> usize {
    let leader = world.state.leader().and_then(|id| world.state.slot_of(&id));
    let slots = || (0..world.urls.len()).rev().filter(|slot| Some(*slot) != leader);
    slots().find(|slot| *slot != asked).or_else(|| slots().next()).unwrap_or(0)
}

/// The answer, how long it took, and the requests to clusters meanwhile.
async fn read(
    world: &World,
    slot: usize,
    run: &Value,
    token: u64,
) -> Result<(Answer, Duration, Option<u64>), Failure> {
    let client = world.client.at(world.urls.get(slot).map(String::as_str).unwrap_or_default());
    let path = request::runnable(text(run, "/metadata/namespace"), text(run, "/metadata/name"));
    let request =
        Request::get(path).query("resourceVersion", token).query("resourceVersionMatch", "NotOlderThan");
    // A connection is made before time is taken.
    let _ = client.read(&Request::get("/livez")).await;
    let mut tries = 0;
    loop {
        tries += 1;
        let before = world.clusters.requests();
        let begun = Instant::now();
        let answer = client.read(&request).await?;
        let took = begun.elapsed();
        let requests = world.clusters.requests().zip(before).map(|(after, before)| after - before);
        if requests.is_none_or(|requests| requests == 0) || tries == READS_MAX {
            return Ok((answer, took, requests));
        }
    }
}

/// Verifies the ledger and tells its length.
///
/// # Errors
/// The chain is broken, or no answer.
pub(super) async fn ledger(world: &World) -> Result<(), Failure> {
    let chain = chain::verify(&world.client, |_| Ok(())).await?;
    let verified = world.board.screen.green("chain verified");
    world.board.line(None, &format!("ledger     {} records, {verified}", chain.len));
    Ok(())
}
