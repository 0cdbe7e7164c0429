//! What a read waits for before it looks.

use super::inner::{Inner, Member};
use crate::ReadError;
use crate::transport::wire::NoReadIndex;
use crate::transport::{Request, Response};
use openraft::ReadPolicy;
use openraft::errors::{LinearizableReadError, RaftError};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::{Revision, query};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// Reads that wait for one question to the leader.
pub(crate) const READS_WAITING_MAX: usize = 16 * 1024;
/// After the leader gave no read index, until it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What a read must include.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// Everything that was acknowledged anywhere before the read began. The leader is asked, and asks a quorum.
    Linearizable,
    /// The state at this revision or a later one. Nobody is asked.
    Token(Revision),
    /// Whatever is here.
    Stale,
}

impl Inner {
    /// See [`Group::read`](crate::Group::read).
    pub(crate) async fn read(&self, mode: ReadMode, wait: Duration) -> Result<(), ReadError> {
        let deadline = Instant::now() + wait;
        match mode {
            ReadMode::Stale => Ok(()),
            ReadMode::Token(token) => {
                self.wait_for_revision(token, deadline).await?;
                self.check_gap(token)
            }
            ReadMode::Linearizable => {
                let (answer, index) = oneshot::channel();
                self.read_indexes.try_send(answer).map_err(|error| match error {
                    mpsc::error::TrySendError::Full(_) => ReadError::Busy,
                    mpsc::error::TrySendError::Closed(_) => ReadError::NoLeader,
                })?;
                let index = timeout_at(deadline, index).await;
                let index =
                    index.unwrap_or(Ok(Err(ReadError::NoLeader))).unwrap_or(Err(ReadError::NoLeader))?;
                self.wait_for_index(index, deadline).await
            }
        }
    }

    async fn wait_for_revision(&self, token: Revision, deadline: Instant) -> Result<(), ReadError> {
        let mut published = self.published.clone();
        if published.borrow().revision >= token {
            return Ok(());
        }
        let reached = timeout_at(deadline, published.wait_for(|published| published.revision >= token)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(ReadError::TooNew { current: self.published.borrow().revision }),
        }
    }

    async fn wait_for_index(&self, index: u64, deadline: Instant) -> Result<(), ReadError> {
        let mut published = self.published.clone();
        if published.borrow().index >= index {
            return Ok(());
        }
        let reached = timeout_at(deadline, published.wait_for(|published| published.index >= index)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(ReadError::TooNew { current: self.published.borrow().revision }),
        }
    }

    fn check_gap(&self, token: Revision) -> Result<(), ReadError> {
        let meta = self.reader.now(|view, _| query::meta(view));
        let meta = meta.map_err(|error| ReadError::Damaged(error.to_string()))?;
        match meta.lineages.iter().find(|gap| gap.last_kept < token && token < gap.base) {
            Some(gap) => Err(ReadError::Gap { token, last_kept: gap.last_kept, base: gap.base }),
            None => Ok(()),
        }
    }

    /// Up to where a linearizable read must have applied, as the leader says.
    async fn read_index(&self) -> Result<u64, ReadError> {
        let member = self.member().ok_or(ReadError::NoLeader)?;
        let give_up = Instant::now() + Duration::from_millis(self.timing().leader_wait_ms_max);
        loop {
            let Some((leader, address)) = self.wait_for_leader(&member, give_up).await else {
                return Err(ReadError::NoLeader);
            };
            let answer = if leader == member.id {
                self.read_index_here(&member).await
            } else {
                self.read_index_there(leader, &address).await
            };
            match answer {
                Ok(index) => return Ok(index),
                Err(NoReadIndex::NoQuorum) => return Err(ReadError::NoQuorum),
                Err(NoReadIndex::NotLeader) if Instant::now() >= give_up => return Err(ReadError::NoLeader),
                Err(NoReadIndex::NotLeader) => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }

    async fn read_index_there(&self, leader: u64, address: &str) -> Result<u64, NoReadIndex> {
        let timing = self.timing();
        // The leader waits for one lease until it says that it does not reach a quorum.
        let wait = Duration::from_millis(2 * timing.election_ms_max + timing.dial_ms_max);
        match self.ask(address, Some(leader), &Request::ReadIndex, wait).await {
            Ok(Response::ReadIndex(answer)) => answer,
            Ok(_) => Err(NoReadIndex::NotLeader),
            Err(error) => {
                tracing::debug!(leader, %error, "the leader gave no read index");
                Err(NoReadIndex::NotLeader)
            }
        }
    }

    /// Confirms with a quorum that this replica leads; never by its lease alone.
    pub(crate) async fn read_index_here(&self, member: &Member) -> Result<u64, NoReadIndex> {
        match member.raft.get_read_linearizer(ReadPolicy::ReadIndex).await {
            Ok(linearizer) => Ok(linearizer.read_log_id().index()),
            Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => Err(NoReadIndex::NoQuorum),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(_)) | RaftError::Fatal(_)) => {
                Err(NoReadIndex::NotLeader)
            }
        }
    }
}

/// Asks the leader for read indexes: one question is under way, and the next one is for all that came meanwhile. A
/// read must not be answered from a question that was asked before it began.
pub(crate) async fn read_indexes(
    inner: Arc<Inner>,
    mut waiting: mpsc::Receiver<oneshot::Sender<Result<u64, ReadError>>>,
) {
    let mut together = Vec::new();
    while waiting.recv_many(&mut together, READS_WAITING_MAX).await > 0 {
        let index = inner.read_index().await;
        for answer in together.drain(..) {
            // Whoever waited may have given up.
            let _ = answer.send(index.clone());
        }
    }
}
