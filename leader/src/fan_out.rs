//! Makes the runs of fan-outs, and passes on to them what was asked of all.

use crate::limits::{FAN_OUTS_PAGE_MAX, REST_MS};
use crate::term::{Stuck, Term};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::FanOut;
use tallyman_model::{Command, Lane, Ordinal, query};
use tokio::sync::Notify;

pub(crate) async fn run(term: Arc<Term>, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        // A step of each in turn, so that a large one does not keep the others waiting.
        while let Some(due) = due(&term).filter(|due| !due.is_empty()) {
            for run in due {
                if let Err(Stuck::Untaken) = term.propose(Command::FanOut(FanOut { run })).await {
                    tokio::time::sleep(Duration::from_millis(REST_MS)).await;
                }
            }
        }
    }
}

fn due(term: &Term) -> Option<Vec<Ordinal>> {
    let now_ms = term.now_ms();
    term.look(|view| query::due(view, Lane::FanOut, Ordinal(0), now_ms, FAN_OUTS_PAGE_MAX))
}
