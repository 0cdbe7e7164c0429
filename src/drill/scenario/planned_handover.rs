//! The leader hands over to another replica, as before maintenance.

use super::{Bite, Card};
use crate::client::{Request, text};
use crate::drill::stage::Stage;
use crate::exit::Failure;
use crate::verb::operator::TRANSFER;
use reqwest::Method;
use serde_json::json;

/// Writes that are seen to be acknowledged by the next leader.
const WRITES_AFTER: usize = 50;

pub(super) const CARD: Card = Card {
    sentence: "the leader hands over to the replica that is furthest, as before maintenance",
    write_gap_ms_max: 200,
    staleness_ms_max: 1000,
    ready_ms_max: 10_000,
    sends_runs: false,
    restores: false,
    on_dev: STEPS,
    on_deployment: STEPS,
    needs: "a member of system:masters",
};

const STEPS: &[&str] = &[
    "find the leader",
    "ask it to hand over: tallyman operator transfer-leader",
    "wait until another replica leads and takes 50 writes",
];

pub(super) async fn act(stage: &Stage<'_>) -> Result<Bite, Failure> {
    let leader = stage.leader_after(0).await?;
    stage.begin();
    let request = Request::send(Method::POST, TRANSFER, &json!({"to": null}));
    let answer = stage.client.change(request, "tallyman operator transfer-leader").await?;
    let to = text(&answer.body, "/leader");
    stage.say(&format!("{} handed over to {to}", leader.replica.id));
    stage.progress(WRITES_AFTER).await?;
    Ok(if to == leader.replica.id { Bite::NotSeen(format!("{to} leads as before")) } else { Bite::Seen })
}
