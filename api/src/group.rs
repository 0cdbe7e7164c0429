//! The replicated group as a [`Backend`].

use crate::backend::{Backend, LedgerEntry, ProposeError, StateHash};
use crate::status::RETRY_AFTER_S;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use std::time::Duration;
use tallyman_model::{Digest, ReplicaId, Revision, View};
use tallyman_raft::{
    self as raft, Backup, BackupError, Change, Committed, FlushTimes, Group, InitError, LedgerError, NotSent,
    Proposal, ReadError, ReadMode, Status, TooOld, TransferError,
};

/// When trying again makes sense where only an operator or time can help.
const RETRY_AFTER_LONG_S: u32 = 10;

// Where a method of the group has the name of the seam's, the group's own is the one that is called.
impl Backend for Group {
    fn propose(&self, proposal: Proposal) -> BoxFuture<'_, Result<Committed, ProposeError>> {
        self.propose(proposal).map_err(proposing).boxed()
    }

    fn read(&self, mode: ReadMode, wait: Duration) -> BoxFuture<'_, Result<(), ReadError>> {
        self.read(mode, wait).boxed()
    }

    fn now(&self, f: &mut dyn FnMut(&dyn View, Revision)) -> Result<(), TooOld> {
        self.reader().beside(f)
    }

    fn at(&self, revision: Revision, f: &mut dyn FnMut(&dyn View)) -> Result<(), TooOld> {
        self.reader().at(revision, f)
    }

    fn revision(&self) -> Revision {
        self.applied().borrow().revision
    }

    fn beyond(&self, revision: Revision) -> BoxFuture<'_, ()> {
        let mut published = self.applied();
        async move {
            if published.wait_for(|published| published.revision > revision).await.is_err() {
                // The replica has stopped: nothing will come any more.
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, TooOld> {
        self.reader().changes(after, limit)
    }

    fn ledger(&self, from: u64, limit: usize) -> Result<Vec<LedgerEntry>, LedgerError> {
        let lines = self.reader().ledger(from, limit)?;
        Ok(lines.into_iter().map(|(seq, bytes, hash)| LedgerEntry { seq, bytes, hash }).collect())
    }

    fn ledger_head(&self) -> (u64, Digest) {
        self.reader().ledger_head()
    }

    fn state_hash(&self) -> StateHash {
        let raft::StateHash { index, revision, hash } = self.reader().state_hash();
        StateHash { index, revision, hash: format!("{hash:032x}") }
    }

    fn status(&self) -> Status {
        self.status().borrow().clone()
    }

    fn lag_ms(&self) -> Option<u64> {
        self.lag().map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX))
    }

    fn flush_times(&self) -> FlushTimes {
        self.flush_times()
    }

    fn has_quorum(&self) -> bool {
        // Read once, and let go: the watch must not be borrowed twice at a time.
        let permit = *self.leadership().borrow();
        if let Some(permit) = permit {
            return self.may_act(&permit);
        }
        let status = self.status();
        let status = status.borrow();
        status.leader.is_some() && status.leader != status.id
    }

    fn init(&self, expect: usize) -> BoxFuture<'_, Result<Vec<ReplicaId>, InitError>> {
        self.init(expect).boxed()
    }

    fn backup(&self) -> BoxFuture<'_, Result<Backup, BackupError>> {
        self.backup().boxed()
    }

    fn transfer_leader(&self, to: Option<ReplicaId>) -> BoxFuture<'_, Result<ReplicaId, TransferError>> {
        self.transfer_leader(to).boxed()
    }
}

fn proposing(error: raft::ProposeError) -> ProposeError {
    match error {
        raft::ProposeError::Unknown { why } => ProposeError::Unknown { why },
        raft::ProposeError::NotSent { why: NotSent::DiskFull { why } } => ProposeError::DiskFull { why },
        raft::ProposeError::NotSent { why } => {
            let (retry_after_s, busy) = match &why {
                NotSent::Busy { retry_after_s } => (*retry_after_s, true),
                NotSent::NoLeader | NotSent::NotReady { .. } => (RETRY_AFTER_S, false),
                NotSent::ClockSkew { .. } | NotSent::TooLong { .. } | NotSent::DiskFull { .. } => {
                    (RETRY_AFTER_LONG_S, false)
                }
            };
            ProposeError::NotSent { why: why.to_string(), retry_after_s, busy }
        }
    }
}
