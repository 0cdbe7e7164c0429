//! Each replica is stopped and started again, one after the other, the leader last: as an upgrade does it.

use super::{Bite, Card};
use crate::client::Request;
use crate::dev::control::Fault;
use crate::drill::stage::Stage;
use crate::exit::Failure;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Writes that are seen to be acknowledged between two of them.
const WRITES_BETWEEN: usize = 20;
/// How long a replica is given to say whether it is ready.
const READY_ANSWER_MAX: Duration = Duration::from_secs(2);

pub(super) const CARD: Card = Card {
    sentence: "each replica is stopped by SIGTERM and started again, one after the other, the leader last",
    write_gap_ms_max: 1000,
    staleness_ms_max: 5000,
    ready_ms_max: 30_000,
    sends_runs: false,
    restores: false,
    on_dev: &[
        "stop a follower with SIGTERM, start it again, and wait until all replicas are ready",
        "the same with each other follower, and then with the leader",
    ],
    on_deployment: &[
        "print what you are to do: kubectl rollout restart statefulset/NAME",
        "wait until each replica was seen not to be ready and is ready again",
    ],
    needs: "a member of system:masters; somebody who may restart the replicas",
};

pub(super) async fn act(stage: &Stage<'_>) -> Result<Bite, Failure> {
    if stage.group.control.is_none() {
        stage.ask_person(
            "restart each replica, one after the other: kubectl rollout restart statefulset/NAME",
        );
        restarted(stage).await?;
        return Ok(Bite::Seen);
    }
    let leader = stage.leader_after(0).await?.replica.id;
    let mut order: Vec<&String> = stage.group.replicas.iter().map(|replica| &replica.id).collect();
    order.sort_by_key(|id| **id == leader);
    for id in order {
        let lease = stage.lease(Fault::Stop { replicas: vec![id.clone()] }).await?;
        stage.say(&format!("{id} is stopped"));
        stage.heal(lease).await?;
        let ready_ms = stage.all_ready().await?;
        stage.say(&format!("all replicas are ready, {ready_ms} ms after {id} was started again"));
        stage.progress(WRITES_BETWEEN).await?;
    }
    Ok(Bite::Seen)
}

/// Waits until each replica was seen away, and all are ready.
async fn restarted(stage: &Stage<'_>) -> Result<(), Failure> {
    let away = Mutex::new(BTreeSet::new());
    stage
        .until("each replica was restarted", async || {
            for replica in &stage.group.replicas {
                let one = stage.client.at(&replica.url);
                let answer = one.once(&Request::get("/readyz"), READY_ANSWER_MAX).await;
                let mut away = away.lock().unwrap_or_else(PoisonError::into_inner);
                if answer.is_none_or(|answer| answer.status != 200) && away.insert(replica.id.clone()) {
                    stage.say(&format!("{} is away", replica.id));
                }
            }
            let seen = away.lock().unwrap_or_else(PoisonError::into_inner).len();
            (seen == stage.group.replicas.len()).then_some(())
        })
        .await
}
