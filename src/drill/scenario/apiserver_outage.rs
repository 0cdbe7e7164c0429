//! The kube-apiserver of a cluster answers 503 to everything.

use super::{Bite, Card, away};
use crate::dev::control::Fault;
use crate::drill::stage::Stage;
use crate::exit::Failure;

pub(super) const CARD: Card = Card {
    sentence: "the kube-apiserver of a simulated cluster answers 503 while runs are submitted to it",
    write_gap_ms_max: 1000,
    staleness_ms_max: 1000,
    ready_ms_max: 10_000,
    sends_runs: true,
    restores: false,
    on_dev: &[
        "have the kube-apiserver of a simulated cluster answer 503 to everything",
        "submit Jobs to it; wait until 100 other writes are acknowledged, and see that none of the Jobs is there",
        "let it serve again, wait until all of them have succeeded, and count them on the cluster",
    ],
    on_deployment: &[],
    needs: "a simulated cluster",
};

pub(super) async fn act(stage: &Stage<'_>) -> Result<Bite, Failure> {
    away::act(stage, "answers 503", |clusters| Fault::Refuse { clusters }).await
}
