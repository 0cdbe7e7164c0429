//! Lets deadlines pass and old rows go.

use crate::limits::REST_MS;
use crate::term::Term;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::Expire;
use tallyman_model::{Command, Lane, Ordinal, Revision, query};
use tokio::sync::Notify;

pub(crate) async fn run(term: Arc<Term>, bell: Arc<Notify>) {
    loop {
        bell.notified().await;
        while let Some(revision) = due_at(&term) {
            match term.propose(Command::Expire(Expire {})).await {
                Ok(done) if done.revision > revision => {}
                // Not taken, or the log's clock is behind ours.
                _ => tokio::time::sleep(Duration::from_millis(REST_MS)).await,
            }
        }
    }
}

/// The revision now, if something is due.
fn due_at(term: &Term) -> Option<Revision> {
    if term.is_unconfirmed() {
        return None;
    }
    let now_ms = term.now_ms();
    let (due_ms, revision) = term.look(|view| {
        let due_ms = query::next_due(view, Lane::Expire, Ordinal(0))?;
        Ok((due_ms, query::meta(view)?.revision))
    })?;
    (due_ms? <= now_ms).then_some(revision)
}
