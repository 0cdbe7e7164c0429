//! The replicated group as a [`Backend`].

use crate::backend::{
    Backend, Change, Committed, LedgerEntry, OperatorError, Proposal, ProposeError, ReadError, ReadMode,
    Role, StateError, StateHash, Status, TooOld,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::{Digest, ReplicaId, Revision, View};
use tallyman_raft as raft;
use tokio::sync::watch;

/// One replica of the group, as the API sees it.
pub struct Replica {
    group: raft::Group,
    reader: raft::Reader,
    published: watch::Receiver<raft::Published>,
    status: watch::Receiver<Arc<Status>>,
}

impl Replica {
    /// The API's side of `group`. To be called inside a tokio runtime: a task follows the group's status.
    #[must_use]
    pub fn new(group: raft::Group) -> Self {
        let mut follows = group.status();
        let (sender, status) = watch::channel(Arc::new(status_of(&follows.borrow_and_update())));
        tokio::spawn(async move {
            while follows.changed().await.is_ok() {
                let status = status_of(&follows.borrow_and_update());
                if sender.send(Arc::new(status)).is_err() {
                    break;
                }
            }
        });
        Self { reader: group.reader(), published: group.applied(), status, group }
    }
}

impl Backend for Replica {
    fn propose(&self, proposal: Proposal) -> BoxFuture<'_, Result<Committed, ProposeError>> {
        let Proposal { by, key, command } = proposal;
        let proposed = self.group.propose(raft::Proposal { by, key, command });
        async move {
            let raft::Committed { index, reply, led_by, on_disk, voters } =
                proposed.await.map_err(proposing)?;
            Ok(Committed { index, reply, led_by, on_disk, voters })
        }
        .boxed()
    }

    fn read(&self, mode: ReadMode, wait: Duration) -> BoxFuture<'_, Result<(), ReadError>> {
        let mode = match mode {
            ReadMode::Linearizable => raft::ReadMode::Linearizable,
            ReadMode::Token(revision) => raft::ReadMode::Token(revision),
            ReadMode::Stale => raft::ReadMode::Stale,
        };
        async move { self.group.read(mode, wait).await.map_err(reading) }.boxed()
    }

    fn now(&self, f: &mut dyn FnMut(&dyn View, Revision)) {
        self.reader.now(f);
    }

    fn at(&self, revision: Revision, f: &mut dyn FnMut(&dyn View)) -> Result<(), StateError> {
        self.reader.at(revision, f).map_err(too_old)
    }

    fn revision(&self) -> Revision {
        self.published.borrow().revision
    }

    fn beyond(&self, revision: Revision) -> BoxFuture<'_, ()> {
        let mut published = self.published.clone();
        async move {
            if published.wait_for(|published| published.revision > revision).await.is_err() {
                // The replica has stopped: nothing will come any more.
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, StateError> {
        let changes = self.reader.changes(after, limit).map_err(too_old)?;
        let ours = |raft::Change { revision, before, after }| Change { revision, before, after };
        Ok(changes.into_iter().map(ours).collect())
    }

    fn ledger(&self, from: u64, limit: usize) -> Result<Vec<LedgerEntry>, StateError> {
        let lines = self.reader.ledger(from, limit).map_err(|error| StateError::Io(error.to_string()))?;
        Ok(lines.into_iter().map(|(seq, bytes, hash)| LedgerEntry { seq, bytes, hash }).collect())
    }

    fn ledger_head(&self) -> (u64, Digest) {
        self.reader.ledger_head()
    }

    fn state_hash(&self) -> StateHash {
        let raft::StateHash { index, revision, hash } = self.reader.state_hash();
        StateHash { index, revision, hash: format!("{hash:032x}") }
    }

    fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.borrow())
    }

    fn lag_ms(&self) -> Option<u64> {
        self.group.lag().map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX))
    }

    fn init(&self, expect: usize) -> BoxFuture<'_, Result<Vec<ReplicaId>, OperatorError>> {
        async move {
            self.group.init(expect).await.map_err(|error| {
                let unknown = matches!(error, raft::InitError::NoLeader);
                OperatorError { message: error.to_string(), unknown }
            })
        }
        .boxed()
    }

    fn transfer_leader(&self, to: Option<ReplicaId>) -> BoxFuture<'_, Result<ReplicaId, OperatorError>> {
        async move {
            self.group.transfer_leader(to).await.map_err(|error| {
                let unknown = matches!(error, raft::TransferError::Unknown);
                OperatorError { message: error.to_string(), unknown }
            })
        }
        .boxed()
    }
}

/// When trying again makes sense after a leader was lost: elections take less.
const RETRY_AFTER_S: u32 = 1;
/// As above, when only an operator or time can help.
const RETRY_AFTER_LONG_S: u32 = 10;

fn proposing(error: raft::ProposeError) -> ProposeError {
    match error {
        raft::ProposeError::Unknown { why } => ProposeError::Unknown { why },
        raft::ProposeError::NotSent { why } => {
            let (retry_after_s, busy) = match &why {
                raft::NotSent::Busy { retry_after_s } => (*retry_after_s, true),
                raft::NotSent::NoLeader | raft::NotSent::NotReady { .. } => (RETRY_AFTER_S, false),
                raft::NotSent::ClockSkew { .. } | raft::NotSent::TooLong { .. } => {
                    (RETRY_AFTER_LONG_S, false)
                }
            };
            ProposeError::NotSent { why: why.to_string(), retry_after_s, busy }
        }
    }
}

fn reading(error: raft::ReadError) -> ReadError {
    match error {
        raft::ReadError::TooNew { current } => ReadError::TooNew { current },
        raft::ReadError::Gap { .. } => ReadError::Gap,
        other => ReadError::Unavailable { why: other.to_string(), retry_after_s: RETRY_AFTER_S },
    }
}

fn too_old(error: raft::TooOld) -> StateError {
    TooOld { floor: error.floor }.into()
}

fn status_of(status: &raft::Status) -> Status {
    Status {
        id: status.id,
        role: match status.role {
            raft::Role::Blank => Role::Blank,
            raft::Role::Learner => Role::Learner,
            raft::Role::Follower => Role::Follower,
            raft::Role::Candidate => Role::Candidate,
            raft::Role::Leader => Role::Leader,
        },
        term: status.term,
        leader: status.leader,
        last_log: status.last_log,
        committed: status.committed,
        applied: status.applied,
        voters: status.voters.clone(),
        learners: status.learners.clone(),
        waiting_for: status.waiting_for.clone(),
        refused_by_peer: status.refused_by_peer.clone(),
        fatal: status.fatal.clone(),
    }
}
