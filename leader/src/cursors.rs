//! How far watches have come that saw nothing that matters: what all of them say at one beat is one entry of the log.

use crate::limits::{CURSOR_MS_MAX, CURSORS_AT_ONCE_MAX, CURSORS_GATHER_MS, REST_MS};
use crate::term::Term;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallyman_cluster::driver::SinkError;
use tallyman_model::Command;
use tallyman_model::command::{CursorMove, MoveCursors};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

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
    /// Waits until it is in the log.
    ///
    /// # Errors
    /// [`SinkError::Refused`]: it is not there, or may not be.
    pub(crate) async fn put(&self, moved: CursorMove) -> Result<(), SinkError> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { moved, answer });
        self.bell.notify_one();
        if answered.await.unwrap_or(false) {
            return Ok(());
        }
        let message = "the log did not take how far it has come".to_owned();
        Err(SinkError::Refused { wait_ms: REST_MS, message })
    }

    /// Some of those whose watches still wait.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !one.answer.is_closed());
        let some = waiting.len().min(CURSORS_AT_ONCE_MAX);
        waiting.drain(..some).collect()
    }
}

/// When the cursor of one watch was committed last.
#[derive(Debug, Default)]
pub(crate) struct LastMove(Mutex<Option<Instant>>);

impl LastMove {
    /// It was just now.
    pub(crate) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// True if another move can wait for the next batch or bookmark.
    pub(crate) fn is_recent(&self) -> bool {
        let moved = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.is_some_and(|moved| moved.elapsed() < Duration::from_millis(CURSOR_MS_MAX))
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
