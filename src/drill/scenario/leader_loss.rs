//! The leader is killed, and stays away until another one serves.

use super::{Bite, Card};
use crate::dev::control::Fault;
use crate::drill::stage::Stage;
use crate::exit::Failure;

/// Writes that are seen to be acknowledged without it.
const WRITES_AFTER: usize = 50;

pub(super) const CARD: Card = Card {
    sentence: "the leader is killed by SIGKILL, and is away until another one serves",
    write_gap_ms_max: 2500,
    staleness_ms_max: 5000,
    ready_ms_max: 30_000,
    sends_runs: false,
    restores: false,
    on_dev: &[
        "find the leader",
        "kill its process with SIGKILL and keep it down",
        "wait until another replica leads and takes 50 writes",
        "have it started again, and wait until all replicas are ready",
    ],
    on_deployment: &[
        "find the leader, and print what you are to do: kubectl delete pod POD --grace-period=0 --force",
        "wait until a leader of a later term takes 50 writes",
        "wait until all replicas are ready: what restarts its process is yours",
    ],
    needs: "a member of system:masters; somebody who may kill the leader's process",
};

pub(super) async fn act(stage: &Stage<'_>) -> Result<Bite, Failure> {
    let leader = stage.leader_after(0).await?;
    let (id, term) = (&leader.replica.id, leader.term);
    let lease = if stage.group.control.is_some() {
        let lease = stage.lease(Fault::Kill { replicas: vec![id.clone()] }).await?;
        stage.say(&format!("killed {id}, the leader of term {term}"));
        Some(lease)
    } else {
        let url = &leader.replica.url;
        stage.ask_person(&format!(
            "kill {id} ({url}), the leader: kubectl delete pod POD --grace-period=0 --force, or kill -9 its process"
        ));
        None
    };
    let next = stage.leader_after(term).await?;
    stage.say(&format!("{} leads in term {}", next.replica.id, next.term));
    stage.progress(WRITES_AFTER).await?;
    if let Some(lease) = lease {
        stage.heal(lease).await?;
    }
    Ok(Bite::Seen)
}
