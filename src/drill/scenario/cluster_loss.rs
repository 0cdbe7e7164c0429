//! A cluster is not reached: no connection to it is made or kept.

use super::{Bite, Card, away};
use crate::dev::control::Fault;
use crate::drill::stage::Stage;
use crate::exit::Failure;

pub(super) const CARD: Card = Card {
    sentence: "a simulated cluster is cut off while runs are submitted to it; they get there once it is back",
    write_gap_ms_max: 1000,
    staleness_ms_max: 1000,
    ready_ms_max: 10_000,
    sends_runs: true,
    restores: false,
    on_dev: &[
        "close all connections to a simulated cluster, and refuse new ones",
        "submit Jobs to it; wait until 100 other writes are acknowledged, and see that none of the Jobs is there",
        "let it be reached again, wait until all of them have succeeded, and count them on the cluster",
    ],
    on_deployment: &[],
    needs: "a simulated cluster",
};

pub(super) async fn act(stage: &Stage<'_>) -> Result<Bite, Failure> {
    away::act(stage, "is cut off", |clusters| Fault::CutOff { clusters }).await
}
