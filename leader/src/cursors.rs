//! How far watches have come that saw nothing that matters: what all of them say at one beat is one entry of the log.

use crate::limits::{CURSORS_AT_ONCE_MAX, CURSORS_GATHER_MS};
use crate::term::Term;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallyman_model::Command;
use tallyman_model::command::{CursorMove, MoveCursors};
use tokio::sync::{Notify, oneshot};

/// Moves that wait for others: one of each watch at most.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    waiting: Mutex<Vec<Waiting>>,
    bell: Notify,
}

#[derive(Debug)]
struct Waiting {
    moved: CursorMove,
    answer: oneshot::Sender<bool>,
}

impl Cursors {
    /// True when it is in the log; false: it is not, or may not be.
    pub(crate) async fn put(&self, moved: CursorMove) -> bool {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { moved, answer });
        self.bell.notify_one();
        answered.await.unwrap_or(false)
    }

    /// Some of those whose watches still wait.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !one.answer.is_closed());
        let some = waiting.len().min(CURSORS_AT_ONCE_MAX);
        waiting.drain(..some).collect()
    }
}

/// Works until it is dropped.
pub(crate) async fn run(term: Arc<Term>) {
    loop {
        term.cursors.bell.notified().await;
        tokio::time::sleep(Duration::from_millis(CURSORS_GATHER_MS)).await;
        loop {
            let some = term.cursors.take();
            if some.is_empty() {
                break;
            }
            let (moves, answers): (Vec<_>, Vec<_>) =
                some.into_iter().map(|one| (one.moved, one.answer)).unzip();
            let is_taken = term.propose(Command::MoveCursors(MoveCursors { moves })).await.is_ok();
            for answer in answers {
                // Whoever has gone needs no answer.
                let _ = answer.send(is_taken);
            }
        }
    }
}
