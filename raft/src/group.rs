//! One replica of the group.

pub(crate) mod agree;
pub(crate) mod backup;
pub(crate) mod bootstrap;
pub(crate) mod clock;
pub(crate) mod core;
pub(crate) mod departure;
pub(crate) mod disk;
pub(crate) mod distance;
pub(crate) mod handover;
pub(crate) mod inner;
pub(crate) mod membership;
pub(crate) mod observe;
pub(crate) mod options;
pub(crate) mod propose;
pub(crate) mod read;
pub(crate) mod relay;
pub(crate) mod scrub;
pub(crate) mod service;
pub(crate) mod snapshots;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod version;
pub(crate) mod who;

use crate::{
    Backup, BackupError, Committed, FlushTimes, GroupOptions, InitError, Permit, Proposal, ProposeError,
    Published, ReadError, ReadMode, Reader, Relayed, Servers, StartError, Status, TransferError,
};
use inner::Inner;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::{GroupId, Ordinal, ReplicaId, Uid};
use tokio::sync::watch;

/// A handle to this process's replica; clones are the same replica. It runs until [`shutdown`](Self::shutdown) or
/// [`abort`](Self::abort), also when no handle is left.
#[derive(Clone)]
pub struct Group {
    inner: Arc<Inner>,
}

impl Group {
    /// Starts the replica whose directory is in `options`: listens for peers, and goes on where it stopped. A blank
    /// one waits until it is founded, or asks a founded group among its peers to let it in.
    ///
    /// # Errors
    /// A [`StartError`]; nothing runs.
    pub async fn start(options: GroupOptions) -> Result<Self, StartError> {
        let inner = Box::pin(start::start(options)).await?;
        Ok(Self { inner })
    }

    /// Moves what is in a damaged data directory aside, inside it, so that a blank replica can start there. Gives the
    /// directory that it was moved to. Nothing is deleted.
    ///
    /// # Errors
    /// Another process uses it; or the file system refused, and what is left is refused as damage.
    pub fn set_aside(dir: &Path) -> Result<PathBuf, StartError> {
        Ok(tallyman_store::identity::set_aside(dir)?)
    }

    /// Reads of this replica's state, as far as it has applied. [`read`](Self::read) first, for a promise.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.inner.reader.clone()
    }

    /// Has the group decide on `proposal`. From any replica: the leader is asked over the peer transport, in at most
    /// one hop. The answer comes when a quorum has it on disk and the leader has applied it; a refusal is an answer,
    /// and is in the log like any other.
    ///
    /// # Errors
    /// [`ProposeError::NotSent`]: certainly nothing happened. [`ProposeError::Unknown`]: it may have been committed,
    /// or may still be.
    pub async fn propose(&self, proposal: Proposal) -> Result<Committed, ProposeError> {
        self.inner.propose(proposal).await
    }

    /// Waits, at most `wait`, until [`reader`](Self::reader) includes what `mode` promises.
    ///
    /// # Errors
    /// A [`ReadError`]: the promise cannot be kept now; for [`ReadError::Gap`] never.
    pub async fn read(&self, mode: ReadMode, wait: Duration) -> Result<(), ReadError> {
        self.inner.read(mode, wait).await
    }

    /// How far the readers see; changes with every batch.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<Published> {
        self.inner.published.clone()
    }

    /// Some while this process leads and has applied all that was decided before it did.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Option<Permit>> {
        self.inner.leadership.subscribe()
    }

    /// Whether something may be done to the outside under `permit`, to be asked right before it is sent: this process
    /// still leads the same term, has not begun to hand it over, and a quorum has confirmed that within the lease less a
    /// margin, on a clock that counts suspension. It is no fence at the far side.
    #[must_use]
    pub fn may_act(&self, permit: &Permit) -> bool {
        self.inner.may_act(permit)
    }

    /// What this replica says about itself; it is some milliseconds behind.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// How old this replica's state is: it includes everything that the leader had committed that long ago. `None`:
    /// no leader was heard yet.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        self.inner.lag()
    }

    /// How long the flushes of this replica's log take.
    #[must_use]
    pub fn flush_times(&self) -> FlushTimes {
        self.inner.with_open(|open| open.log.log().flush_times()).unwrap_or_default()
    }

    /// The group's id; `None` while this replica is blank.
    #[must_use]
    pub fn id(&self) -> Option<GroupId> {
        self.inner.who.ids().group
    }

    /// The random number that this replica's data directory was made with.
    #[must_use]
    pub fn directory(&self) -> Uid {
        self.inner.who.directory()
    }

    /// Where this replica listens for peers; the port is the real one when it was asked for as 0.
    #[must_use]
    pub fn peer_address(&self) -> SocketAddr {
        self.inner.listening
    }

    /// Where this replica is.
    #[must_use]
    pub fn datacenter(&self) -> &str {
        &self.inner.options.datacenter
    }

    /// Has this replica relay connections to the clusters that are to be reached through its datacenter, at most
    /// `connections_max` at a time, from now on. `servers` says where they are.
    pub fn relay_to(&self, servers: Arc<dyn Servers>, connections_max: usize) {
        self.inner.relays.serve(servers, connections_max);
    }

    /// Connects to the server of a cluster, a host and a port, through a replica in `datacenter`: those there are asked
    /// in turn, `first` before the others. Answers who relays, and the connection: bytes as the server says them.
    ///
    /// # Errors
    /// No replica there connects to it, and what each met. Nothing was sent to the cluster.
    pub async fn connect_via(
        &self,
        cluster: Ordinal,
        server: (&str, u16),
        datacenter: &str,
        first: Option<ReplicaId>,
    ) -> std::io::Result<(ReplicaId, Relayed)> {
        self.inner.connect_via(cluster, server, datacenter, first).await
    }

    /// Founds the group, once: the replicas of all configured peers, of which there must be `expect`. Every one must
    /// answer that it is empty. Answers with their ids, in the order of the sorted peers.
    ///
    /// # Errors
    /// An [`InitError`]. But for [`InitError::NoLeader`] nothing was founded and it can be tried again.
    pub async fn init(&self, expect: usize) -> Result<Vec<ReplicaId>, InitError> {
        Arc::clone(&self.inner).init(expect).await
    }

    /// Has the leader hand over to `to`, or to the voter that has most of the log. Answers who leads then.
    ///
    /// # Errors
    /// A [`TransferError`].
    pub async fn transfer_leader(&self, to: Option<ReplicaId>) -> Result<ReplicaId, TransferError> {
        self.inner.transfer_leader(to).await
    }

    /// Takes a backup of this replica's state now, beside everything else; one at a time.
    ///
    /// # Errors
    /// A [`BackupError`]; nothing is left of it.
    pub async fn backup(&self) -> Result<Backup, BackupError> {
        self.inner.backup().await
    }

    /// Takes a snapshot of this replica's state now, and drops the log that it covers. It is ready some time later.
    pub async fn take_snapshot(&self) {
        self.inner.take_snapshot().await;
    }

    /// Hands the leadership over if this replica has it, stops, and closes the directory. Bounded by
    /// [`Timing::handover_ms_max`](crate::Timing::handover_ms_max) and the time that closing takes.
    pub async fn shutdown(self) {
        self.inner.hand_over().await;
        self.inner.stop().await;
    }

    /// Stops without handing over, as a crash does: the others find out by themselves. For fatal errors and tests.
    pub async fn abort(self) {
        self.inner.stop().await;
    }
}
