//! The datacenter of the leader falls silent: its replicas neither answer nor close their connections.

use super::{Bite, Card};
use crate::dev::control::Fault;
use crate::drill::stage::Stage;
use crate::exit::Failure;

/// Writes that are seen to be acknowledged without it.
const WRITES_AFTER: usize = 50;

pub(super) const CARD: Card = Card {
    sentence: "the replicas of the leader's datacenter freeze, with all their connections open, until others serve",
    write_gap_ms_max: 5000,
    staleness_ms_max: 5000,
    ready_ms_max: 30_000,
    sends_runs: false,
    restores: false,
    on_dev: &[
        "find the leader, and the replicas of its datacenter",
        "freeze their processes with SIGSTOP",
        "wait until another replica leads and takes 50 writes",
        "thaw them, and wait until all replicas are ready",
    ],
    on_deployment: &[
        "find the leader's datacenter, and print what you are to do: cut it off from the others",
        "wait until a leader of a later term takes 50 writes",
        "print that you are to undo it, and wait until all replicas are ready",
    ],
    needs: "a member of system:masters; somebody who may cut off a datacenter, and undo it",
};

pub(super) async fn act(stage: &Stage<'_>) -> Result<Bite, Failure> {
    let leader = stage.leader_after(0).await?;
    let (place, term) = (&leader.replica.datacenter, leader.term);
    let inside = stage.group.replicas.iter().filter(|replica| &replica.datacenter == place);
    let inside: Vec<String> = inside.map(|replica| replica.id.clone()).collect();
    if inside.len() * 2 > stage.group.replicas.len() {
        let all = inside.join(", ");
        return Ok(Bite::NotSeen(format!(
            "{place} has most of the replicas ({all}): without it there is no quorum"
        )));
    }
    let all = inside.join(", ");
    let lease = if stage.group.control.is_some() {
        let lease = stage.lease(Fault::Freeze { replicas: inside }).await?;
        stage.say(&format!("froze {all} in {place}, which led term {term}"));
        Some(lease)
    } else {
        stage.ask_person(&format!(
            "cut off {place}, where {all} is, from the other datacenters and from here"
        ));
        None
    };
    let next = stage.leader_after(term).await?;
    stage.say(&format!("{} leads in term {}", next.replica.id, next.term));
    stage.progress(WRITES_AFTER).await?;
    match lease {
        Some(lease) => stage.heal(lease).await?,
        None => stage.ask_person(&format!("undo it: connect {place} again")),
    }
    Ok(Bite::Seen)
}
