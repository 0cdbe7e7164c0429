//! Handing the leadership over.

use super::inner::{Inner, Member};
use crate::TransferError;
use crate::transport::{Request, Response};
use crate::types::{heard_within, matched};
use openraft::async_runtime::watch::WatchReceiver as _;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tallyman_model::ReplicaId;
use tokio::time::{Instant, timeout_at};

impl Inner {
    /// See [`Group::transfer_leader`](crate::Group::transfer_leader).
    pub(crate) async fn transfer_leader(&self, to: Option<ReplicaId>) -> Result<ReplicaId, TransferError> {
        let member = self.member().ok_or(TransferError::NoLeader)?;
        let (leader, address) = member.leader().ok_or(TransferError::NoLeader)?;
        if leader == member.id {
            return self.transfer_here(&member, to.map(|id| id.0)).await.map(ReplicaId);
        }
        let wait = Duration::from_millis(self.timing().handover_ms_max + self.timing().dial_ms_max);
        match self.ask(&address, Some(leader), &Request::HandOver(to.map(|id| id.0)), wait).await {
            Ok(Response::HandOver(Some(leader))) => Ok(ReplicaId(leader)),
            Ok(Response::HandOver(None)) => Err(TransferError::NoTarget),
            _ => Err(TransferError::Unknown),
        }
    }

    /// Hands over to `to` or to the voter that has most of the log, and waits until somebody else leads.
    pub(crate) async fn transfer_here(&self, member: &Member, to: Option<u64>) -> Result<u64, TransferError> {
        let deadline = Instant::now() + Duration::from_millis(self.timing().handover_ms_max);
        let mut metrics = member.raft.metrics();
        let now = metrics.borrow_and_update().clone();
        if now.current_leader != Some(member.id) {
            return Err(TransferError::NoLeader);
        }
        let answers = |id: &u64| heard_within(&now, *id, self.lease());
        let others = now.membership_config.membership().voter_ids().filter(|id| *id != member.id);
        let target = match to {
            Some(to) => others.into_iter().find(|id| *id == to),
            None => others.max_by_key(|id| (answers(id), matched(&now, *id))),
        };
        let target = target.ok_or(TransferError::NoTarget)?;
        // The others are asked to elect somebody before this lease is over: from here on it is good for nothing, and this
        // leader proposes nothing more in its term either.
        self.handed_over_term.fetch_max(now.current_term, Ordering::SeqCst);
        member.raft.trigger().transfer_leader(target).await.map_err(|_| TransferError::NoLeader)?;
        loop {
            let leader = metrics.borrow_and_update().current_leader;
            if let Some(leader) = leader.filter(|leader| *leader != member.id) {
                return Ok(leader);
            }
            if !matches!(timeout_at(deadline, metrics.changed()).await, Ok(Ok(()))) {
                return Err(TransferError::Unknown);
            }
        }
    }

    /// Hands over if this replica leads; it stops afterwards in any case.
    pub(crate) async fn hand_over(&self) {
        let Some(member) = self.member() else { return };
        if member.leader().is_none_or(|(leader, _)| leader != member.id) {
            return;
        }
        match self.transfer_here(&member, None).await {
            Ok(leader) => tracing::info!(leader, "the leadership is handed over"),
            Err(TransferError::NoTarget) => {}
            Err(error) => tracing::warn!(%error, "the replica stops as leader"),
        }
    }
}
