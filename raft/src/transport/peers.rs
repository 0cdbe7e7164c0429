//! The connections to the peers: one for each address, replica and lane, opened when it is used.

use super::client::{CallError, Connection, Greeted, Relayed};
use super::link::Link;
use super::tls::Tls;
use super::wire::{Hello, Lane, Refused, Relay, Request, Response, Welcome};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

/// A peer that could not be reached is not dialled again for this long.
const REDIAL_DELAY: Duration = Duration::from_millis(50);
/// Connections that are kept.
const PEERS_MAX: usize = 256;

/// What this replica says when it dials, and what it learns from being refused.
pub(crate) trait Identify: Send + Sync {
    /// Who dials.
    fn hello(&self, target: Option<u64>, lane: Lane) -> Hello;
    /// Decides whether to talk to who answered.
    fn accept(&self, address: &str, welcome: &Welcome) -> Result<(), Refused>;
    /// A peer refused to talk.
    fn refused(&self, address: &str, why: &Refused);
}

type Key = (String, Option<u64>, Lane);

/// The peers.
pub(crate) struct Peers {
    identity: Arc<dyn Identify>,
    tls: Option<Tls>,
    dial_deadline_ms: AtomicU64,
    peers: Mutex<BTreeMap<Key, Arc<Peer>>>,
}

/// One peer on one lane.
pub(crate) struct Peer {
    key: Key,
    state: Arc<tokio::sync::Mutex<PeerState>>,
}

#[derive(Default)]
struct PeerState {
    open: Option<Arc<Connection>>,
    failed: Option<(Instant, CallError)>,
}

impl Peers {
    /// No connections yet. Dialling and saying hello may take `dial_deadline` together.
    pub(crate) fn new(identity: Arc<dyn Identify>, tls: Option<Tls>, dial_deadline: Duration) -> Self {
        let peers = Self { identity, tls, dial_deadline_ms: 0.into(), peers: Mutex::default() };
        peers.set_dial_deadline(dial_deadline);
        peers
    }

    /// Dialling and saying hello may take `dial_deadline` together from now on.
    pub(crate) fn set_dial_deadline(&self, dial_deadline: Duration) {
        let ms = u64::try_from(dial_deadline.as_millis()).unwrap_or(u64::MAX);
        self.dial_deadline_ms.store(ms, Ordering::Relaxed);
    }

    /// The peer at `address`, which must be the replica `target` if that is given.
    pub(crate) fn get(&self, address: &str, target: Option<u64>, lane: Lane) -> Arc<Peer> {
        let key = (address.to_owned(), target, lane);
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= PEERS_MAX && !peers.contains_key(&key) {
            // Those of replicas that have left; the others are dialled again.
            peers.clear();
        }
        let new = || Arc::new(Peer { key: key.clone(), state: Arc::default() });
        Arc::clone(peers.entry(key.clone()).or_insert_with(new))
    }

    /// Closes one connection, so that it is dialled anew.
    pub(crate) fn forget(&self, address: &str, target: Option<u64>, lane: Lane) {
        let key = (address.to_owned(), target, lane);
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    /// Closes all connections.
    pub(crate) fn clear(&self) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The open connection to `peer`, dialled if there is none.
    pub(crate) async fn connection(
        &self,
        peer: &Peer,
        deadline: Instant,
    ) -> Result<Arc<Connection>, CallError> {
        let asked = Instant::now();
        let state = timeout_at(deadline, Arc::clone(&peer.state).lock_owned()).await.map_err(|_| late())?;
        if let Some(open) = &state.open
            && !open.is_closed()
        {
            return Ok(Arc::clone(open));
        }
        if let Some((at, error)) = &state.failed {
            if *at >= asked {
                // It was dialled in vain while this waited.
                return Err(error.clone());
            }
            tokio::time::sleep_until((*at + REDIAL_DELAY).min(deadline)).await;
        }
        let dial_ms_max = self.dial_deadline_ms.load(Ordering::Relaxed);
        let dial_deadline = Instant::now() + Duration::from_millis(dial_ms_max);
        let connect_deadline = deadline.min(dial_deadline);
        let dial =
            Dial { key: peer.key.clone(), identity: Arc::clone(&self.identity), tls: self.tls.clone() };
        let stream = match timeout_at(connect_deadline, Link::connect(&peer.key.0)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return dial.end(state, Err(not_sent(error))),
            Err(_) => return dial.end(state, Err(late())),
        };
        // Two busy replicas may take longer to greet each other than an election's question waits: it goes on
        // without whoever asked, so that the next question finds it done.
        let greeting = tokio::spawn(async move {
            let greeted = timeout_at(dial_deadline, dial.greet(stream)).await.unwrap_or_else(|_| Err(late()));
            dial.end(state, greeted.map(Connection::start))
        });
        match timeout_at(deadline, greeting).await {
            Ok(Ok(dialled)) => dialled,
            Ok(Err(stopped)) => Err(CallError::NotSent(stopped.to_string())),
            Err(_) => Err(late()),
        }
    }

    /// Asks `peer`.
    pub(crate) async fn call(
        &self,
        peer: &Peer,
        request: &Request,
        wait: Duration,
    ) -> Result<Response, CallError> {
        let deadline = Instant::now() + wait;
        let connection = self.connection(peer, deadline).await?;
        connection.call(request, deadline).await
    }
}

impl Peers {
    /// Has the replica `target` at `address` relay a connection to a cluster, on a connection of its own.
    pub(crate) async fn relay(&self, address: &str, target: u64, relay: Relay) -> Result<Relayed, CallError> {
        let deadline = Instant::now() + Duration::from_millis(relay.wait_ms);
        let key = (address.to_owned(), Some(target), Lane::Control);
        let dial = Dial { key, identity: Arc::clone(&self.identity), tls: self.tls.clone() };
        let opening = async {
            let stream = Link::connect(address).await.map_err(not_sent)?;
            dial.greet(stream).await?.relay(relay).await
        };
        timeout_at(deadline, opening).await.unwrap_or_else(|_| Err(late()))
    }
}

/// One dialling of a peer.
struct Dial {
    key: Key,
    identity: Arc<dyn Identify>,
    tls: Option<Tls>,
}

impl Dial {
    async fn greet(&self, stream: TcpStream) -> Result<Greeted, CallError> {
        let (address, target, lane) = &self.key;
        let link = Link::secure(stream, address, self.tls.as_ref()).await.map_err(not_sent)?;
        let accept = |welcome: &Welcome| self.identity.accept(address, welcome);
        Greeted::open(link, &self.identity.hello(*target, *lane), accept).await
    }

    /// Keeps what came of it for the next who asks.
    fn end(
        &self,
        mut state: OwnedMutexGuard<PeerState>,
        dialled: Result<Arc<Connection>, CallError>,
    ) -> Result<Arc<Connection>, CallError> {
        let (address, _, lane) = &self.key;
        if let Err(error) = &dialled {
            tracing::debug!(%address, ?lane, %error, "a peer cannot be reached");
            if let CallError::Refused(why) = error {
                self.identity.refused(address, why);
            }
        }
        state.open = dialled.as_ref().ok().map(Arc::clone);
        state.failed = dialled.as_ref().err().map(|error| (Instant::now(), error.clone()));
        dialled
    }
}

fn late() -> CallError {
    CallError::NotSent("no connection in time".to_owned())
}

fn not_sent(error: io::Error) -> CallError {
    CallError::NotSent(error.to_string())
}
