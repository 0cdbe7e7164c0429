//! What all parts of a replica share.

use super::agree::Hashes;
use super::disk::Disk;
use super::distance::Distance;
use super::relay::Relays;
use super::version::Understood;
use super::who::{Fatal, Who};
use crate::lag::Lag;
use crate::log_adapter::LogStore;
use crate::permit::SuspendClock;
use crate::standing::Standing;
use crate::state_adapter::{CLOSE_WAIT, InventoryThread, StateStore};
use crate::transport::incoming::Incoming;
use crate::transport::{CallError, Lane, Peers, Request, Response};
use crate::types::{Metrics, Raft};
use crate::{GroupOptions, Permit, Published, ReadError, Reader, Status};
use openraft::async_runtime::watch::WatchReceiver as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallyman_store::identity::Home;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The replica as a member: it has an id and a running Raft.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) id: u64,
    pub(crate) raft: Raft,
}

impl Member {
    /// openraft's view of the group, copied: holding it would stop openraft.
    pub(crate) fn metrics(&self) -> Metrics {
        self.raft.metrics().borrow_watched().clone()
    }

    /// Id and address of the leader, as far as this replica knows.
    pub(crate) fn leader(&self) -> Option<(u64, String)> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let id = metrics.current_leader?;
        let node = metrics.membership_config.membership().get_node(&id)?;
        Some((id, node.peer.clone()))
    }
}

/// The open files; gone when the replica has stopped.
pub(crate) struct Open {
    pub(crate) home: Home,
    pub(crate) log: LogStore,
    pub(crate) log_closed: mpsc::Receiver<()>,
    pub(crate) state: StateStore,
    pub(crate) inventory: InventoryThread,
}

/// What all parts of a replica share.
pub(crate) struct Inner {
    pub(crate) options: GroupOptions,
    pub(crate) who: Arc<Who>,
    pub(crate) fatal: Arc<Fatal>,
    pub(crate) incarnation: u64,
    pub(crate) listening: SocketAddr,
    pub(crate) open: Mutex<Option<Open>>,
    pub(crate) reader: Reader,
    pub(crate) published: watch::Receiver<Published>,
    pub(crate) member: watch::Sender<Option<Member>>,
    /// Held while this replica becomes a member.
    pub(crate) becoming: tokio::sync::Mutex<()>,
    /// Held while this replica founds a group.
    pub(crate) founding: tokio::sync::Mutex<()>,
    /// Held while this leader lets a replica in.
    pub(crate) joining: tokio::sync::Mutex<()>,
    /// Held while a backup is taken from this replica.
    pub(crate) backup: Arc<tokio::sync::Mutex<()>>,
    /// The founding entry is applied.
    pub(crate) founded: AtomicBool,
    pub(crate) leadership: watch::Sender<Option<Permit>>,
    /// The last term whose leadership this replica has handed over, whether or not somebody took it.
    pub(crate) handed_over_term: AtomicU64,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) clock: SuspendClock,
    pub(crate) disk: Disk,
    pub(crate) distance: Distance,
    pub(crate) standing: Arc<Standing>,
    pub(crate) lag: Lag,
    pub(crate) understood: Understood,
    pub(crate) hashes: Arc<Hashes>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) relays: Arc<Relays>,
    pub(crate) incoming: Incoming,
    /// The full segment of the ledger that is being received: its first record, and its bytes so far.
    pub(crate) segment: Mutex<(u64, Vec<u8>)>,
    pub(crate) in_flight: Arc<Semaphore>,
    /// How far the clock is ahead of the group's, in ms; while this replica leads.
    pub(crate) skew_ms: AtomicI64,
    pub(crate) read_indexes: mpsc::Sender<oneshot::Sender<Result<u64, ReadError>>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Inner {
    /// The replica as a member, if it is one.
    pub(crate) fn member(&self) -> Option<Member> {
        self.member.borrow().clone()
    }

    /// The other voters and their addresses.
    pub(crate) fn other_voters(&self, member: &Member) -> Vec<(u64, String)> {
        let metrics = member.metrics();
        let membership = metrics.membership_config.membership();
        let others = membership.voter_ids().filter(|id| *id != member.id);
        others.filter_map(|id| Some((id, membership.get_node(&id)?.peer.clone()))).collect()
    }

    /// Runs `task` until it ends or the replica stops.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Something with the open files; `None` when the replica has stopped.
    pub(crate) fn with_open<T>(&self, f: impl FnOnce(&mut Open) -> T) -> Option<T> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(f)
    }

    /// How long this replica gives nobody else its vote after it heard from a leader, and how long it leads without
    /// hearing from a quorum.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.timing().election_ms_max)
    }

    /// Asks the replica `target` at `address`, or whoever is there.
    pub(crate) async fn ask(
        &self,
        address: &str,
        target: Option<u64>,
        request: &Request,
        wait: Duration,
    ) -> Result<Response, CallError> {
        // Many proposals that wait for a slow disk do not hold up a question that is answered at once.
        let lane = if matches!(request, Request::Propose(_)) { Lane::Proposals } else { Lane::Control };
        let peer = self.peers.get(address, target, lane);
        self.peers.call(&peer, request, wait).await
    }

    /// How long ago the leader had committed what this replica has applied.
    pub(crate) fn lag(&self) -> Option<Duration> {
        if self.leadership.borrow().is_some() {
            return Some(Duration::ZERO);
        }
        self.lag.behind(self.published.borrow().index)
    }

    /// Stops everything and closes the directory.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.leadership.send_replace(None);
        if let Some(member) = self.member.send_replace(None)
            && let Err(error) = member.raft.shutdown().await
        {
            tracing::error!(%error, "openraft did not stop in good order");
        }
        self.peers.clear();
        self.tasks.wait().await;
        self.who.close();
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Open { home, log, mut log_closed, state, inventory }) = open else { return };
        drop((log, state));
        // openraft's tasks drop their handles when they notice that they are to end.
        let closed = async {
            log_closed.recv().await;
            inventory.ended().await;
        };
        if tokio::time::timeout(CLOSE_WAIT, closed).await.is_err() {
            tracing::error!("log and inventory were not closed in time");
        }
        // Last, so that nobody else opens the directory before it is closed.
        drop(home);
    }
}
