//! What a replica is started with.

use crate::{Backend, FlushGate, PeerTls, StartError, Timing};
use std::net::SocketAddr;
use std::sync::Arc;
use tallyman_model::Env;
use tallyman_store::files::DiskPath;
use tallyman_store::inventory::InventoryOptions;

/// Why a replica ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It cannot go on: a failed write, a damaged state.
    Broken(String),
    /// It is no longer of the group, and has nothing left to do.
    Removed(String),
}

/// Called once with what ends the replica.
pub type OnFatal = Arc<dyn Fn(&Fate) + Send + Sync>;

/// What a replica is started with.
#[derive(Clone)]
pub struct GroupOptions {
    /// Its data directory; made when it is not there.
    pub dir: DiskPath,
    /// The group's name in the configuration, the same on all replicas.
    pub group: String,
    /// Its place.
    pub datacenter: String,
    /// Where it listens for peers.
    pub peer_listen: SocketAddr,
    /// `host:port` under which its peers reach it.
    pub advertise_peer: String,
    /// URL of its API.
    pub advertise_api: String,
    /// `host:port` of all first replicas, itself included; in any order.
    pub peers: Vec<String>,
    /// TLS between peers. Without it only loopback addresses are listened on.
    pub tls: Option<PeerTls>,
    /// Wall time and entropy.
    pub env: Arc<dyn Env>,
    /// What the inventory is kept in.
    pub backend: Backend,
    /// Times and sizes.
    pub timing: Timing,
    /// What ends the process when the replica cannot go on. It may be called on any thread.
    pub on_fatal: Option<OnFatal>,
    /// Up to which version of the group it takes part: [`GROUP_VERSION`](tallyman_model::GROUP_VERSION), but for tests
    /// of older builds.
    pub understands: u32,
    /// A gate before the log's disk, for tests of late and lost flushes.
    pub flush_gate: Option<Arc<FlushGate>>,
}

impl GroupOptions {
    /// The configured peers in the order of which the first replicas get their ids.
    pub(crate) fn sorted_peers(&self) -> Vec<String> {
        let mut peers = self.peers.clone();
        peers.sort_unstable();
        peers
    }

    /// The group's name, and the address that its peers know this replica by.
    pub(crate) fn name(&self) -> (&str, &str) {
        (&self.group, &self.advertise_peer)
    }

    /// How an inventory in `dir` is opened.
    pub(crate) fn inventory(&self, dir: &DiskPath) -> InventoryOptions {
        InventoryOptions {
            backend: self.backend,
            ledger_segment_records: self.timing.ledger_segment_records,
            ..InventoryOptions::new(dir)
        }
    }

    pub(crate) fn check(&self) -> Result<(), StartError> {
        if self.tls.is_none() && !self.peer_listen.ip().is_loopback() {
            return Err(StartError::Plain { listen: self.peer_listen });
        }
        let mut peers = self.sorted_peers();
        peers.dedup();
        if peers.len() != self.peers.len() || !peers.contains(&self.advertise_peer) {
            return Err(StartError::Peers { advertised: self.advertise_peer.clone() });
        }
        Ok(())
    }
}
