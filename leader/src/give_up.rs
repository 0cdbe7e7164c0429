//! Gives up what runs have on clusters that were written off.

use crate::limits::REST_MS;
use crate::term::Term;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::GiveUp;
use tallyman_model::record::{Cluster, Record};
use tallyman_model::{Command, Ordinal};

pub(crate) async fn run(term: Arc<Term>) {
    let mut clusters = term.clusters.subscribe();
    loop {
        let known = clusters.borrow_and_update().clone();
        for cluster in known.iter().flat_map(|known| known.iter()).filter(|cluster| is_due(cluster)) {
            give_up(&term, cluster.head.ordinal).await;
        }
        tokio::select! {
            // The term holds its sender.
            _ = clusters.changed() => {}
            // What the log did not take is proposed again.
            () = tokio::time::sleep(Duration::from_millis(REST_MS)) => {}
        }
    }
}

fn is_due(cluster: &Cluster) -> bool {
    cluster.written_off.as_ref().is_some_and(|off| !off.done)
}

/// Some runs at a time, until all are given up or the log does not take it.
async fn give_up(term: &Term, cluster: Ordinal) {
    while let Ok(done) = term.propose(Command::GiveUp(GiveUp { cluster })).await {
        match done.record.as_deref() {
            Some(Record::Cluster(cluster)) if is_due(cluster) => {}
            _ => return,
        }
    }
}
