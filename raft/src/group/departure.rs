//! A replica that was removed finds out, and stops: it reads so in its own state, or its peers tell it when it asks why
//! it hears from no leader.

use super::inner::{Inner, Member};
use crate::transport::{Lane, Request};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// After this many leases without a word from a leader, a peer is asked.
const SILENT_LEASES: u32 = 4;

/// Looks until the replica stops or is removed.
pub(crate) async fn watch(inner: Arc<Inner>, member: Member) {
    let timing = inner.options.timing;
    let look = Duration::from_millis(timing.look_ms);
    let patience = inner.lease() * SILENT_LEASES;
    let (mut asked, mut turn) = (Instant::now(), 0);
    loop {
        tokio::time::sleep(look).await;
        if let Err(removed) = inner.check_member(member.id) {
            return inner.fatal.removed(&removed.to_string());
        }
        // A learner never stands for election: without this it would wait for ever.
        let hears =
            inner.leadership.borrow().is_some() || inner.lag.silence().is_some_and(|age| age < patience);
        if !hears && asked.elapsed() >= patience {
            inner.ask_a_peer(&member, turn).await;
            (asked, turn) = (Instant::now(), turn + 1);
        }
    }
}

impl Inner {
    /// Says hello anew to one of the others, each in its turn. If it refuses because this replica was removed, that
    /// ends it.
    async fn ask_a_peer(&self, member: &Member, turn: usize) {
        let nodes: Vec<String> =
            member.metrics().membership_config.nodes().map(|(_, node)| node.peer.clone()).collect();
        let all: BTreeSet<String> = self.known_addresses().into_iter().chain(nodes).collect();
        let others = all.into_iter().filter(|address| *address != self.options.advertise_peer);
        let others: Vec<String> = others.collect();
        let Some(address) = others.get(turn % others.len().max(1)) else { return };
        // A connection from before says nothing of now.
        self.peers.forget(address, None, Lane::Control);
        let wait = Duration::from_millis(self.timing().dial_ms_max);
        if let Err(error) = self.ask(address, None, &Request::Probe, wait).await {
            tracing::debug!(address, %error, "a peer that was asked for the leader does not answer");
        }
    }
}
