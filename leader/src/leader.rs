//! Work while this process leads, and only then.

use crate::factory::ClusterFactory;
use crate::log::Log;
use crate::options::Options;
use crate::term::{self, Term};
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// The leader's work. Dropping it stops all of it at once.
#[derive(Debug)]
pub struct Leader {
    task: AbortOnDropHandle<()>,
}

impl Leader {
    /// Waits for the leadership in the background, works while it lasts, and waits again.
    ///
    /// Must be called in a Tokio runtime.
    #[must_use]
    pub fn start(log: Arc<dyn Log>, clusters: Arc<dyn ClusterFactory>, options: Options) -> Self {
        Self { task: AbortOnDropHandle::new(tokio::spawn(run(log, clusters, options))) }
    }

    /// True when nothing will be done any more: the log is gone.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Stops all work. Calls that are under way are dropped: whoever leads next reads what came of them.
    pub async fn shutdown(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn run(log: Arc<dyn Log>, clusters: Arc<dyn ClusterFactory>, options: Options) {
    let mut leadership = log.leadership();
    loop {
        let Some(permit) = *leadership.borrow_and_update() else {
            if leadership.changed().await.is_err() {
                return;
            }
            continue;
        };
        let term = Term::new(Arc::clone(&log), options.clone(), permit);
        tracing::info!(term = permit.term, leader = %permit.leader, "leads now and takes up all due work");
        let ended = tokio::select! {
            () = term::run(Arc::new(term), Arc::clone(&clusters)) => Ok(()),
            ended = leadership.wait_for(|now| *now != Some(permit)) => ended.map(drop),
        };
        tracing::info!(term = permit.term, "does not lead any more");
        if ended.is_err() {
            return;
        }
    }
}
