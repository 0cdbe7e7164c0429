//! The accept loop: deadlines and bounds on every connection, TLS, and an end that lets answers finish.

mod activity;
mod connection;
mod exposure;

pub use exposure::{ExposureError, check_exposure};

use crate::tls::Tls;
use axum::Router;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Bounds of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections_max: usize,
    /// Open connections beyond these: each gets one answer, which for all but health, metrics, discovery and what
    /// operators ask is 429. More wait until one is closed.
    pub spares_max: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake_max: Duration,
    /// From the first byte of a request's head to its last.
    pub head_max: Duration,
    /// Without a request.
    pub idle_max: Duration,
    /// With an answer that the client does not read.
    pub stall_max: Duration,
    /// From the wish to stop to the end, for answers that are under way.
    pub drain_max: Duration,
    /// Bytes of a request's head; more is 431.
    pub head_bytes_max: usize,
    /// HTTP/2 streams of one connection.
    pub streams_max: u32,
}

/// How long a connection beyond those that there may be is given to say what it wants.
const SPARE_MAX: Duration = Duration::from_secs(2);

impl Limits {
    fn of_spare(self) -> Self {
        Self { head_max: self.head_max.min(SPARE_MAX), idle_max: self.idle_max.min(SPARE_MAX), ..self }
    }
}

/// Marks requests of connections beyond those that there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spare;

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            spares_max: 256,
            handshake_max: Duration::from_secs(10),
            head_max: Duration::from_secs(10),
            idle_max: Duration::from_secs(75),
            stall_max: Duration::from_secs(60),
            drain_max: Duration::from_secs(10),
            head_bytes_max: 64 * 1024,
            streams_max: 250,
        }
    }
}

/// How connections are served.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// TLS; `None`: plain HTTP/1.1.
    pub tls: Option<Tls>,
    /// Bounds.
    pub limits: Limits,
}

/// The delay after a failed accept: the process has no file descriptor left, and others must be closed first.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// Connections that the kernel holds until they are accepted. When thousands come at once and find no place, each tries
/// again after seconds, twice as many each time.
const BACKLOG: u32 = 4_096;

/// Listens on `address`.
///
/// # Errors
/// The address is taken, or is not of this machine.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A replica that starts again need not wait for what is left of its old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `router` on `listener` until `drain` says true, and then until the answers that are under way have been
/// given or `drain_max` has passed. If the sender of `drain` is dropped it ends at once.
pub fn serve(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    drain: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(accept(listener, router, options, drain))
}

async fn accept(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    mut drain: watch::Receiver<bool>,
) {
    let limits = options.limits;
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let spares = Arc::new(Semaphore::new(limits.spares_max));
    let options = Arc::new(options);
    let mut stop = drain.clone();
    loop {
        let next = async {
            let (permit, spare) = tokio::select! {
                biased;
                permit = Arc::clone(&permits).acquire_owned() => (permit.ok()?, None),
                permit = Arc::clone(&spares).acquire_owned() => (permit.ok()?, Some(Spare)),
            };
            Some((listener.accept().await, permit, spare))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = stop.wait_for(|draining| *draining) => None,
        };
        match accepted {
            None => break,
            Some((Ok((stream, peer)), permit, spare)) => {
                let options = Arc::clone(&options);
                let serving = connection::serve(stream, peer, router.clone(), options, spare, drain.clone());
                tokio::spawn(async move {
                    serving.await;
                    drop(permit);
                });
            }
            Some((Err(error), ..)) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_DELAY).await;
            }
        }
    }
    drop(listener);
    // Without anybody left who could say true, it is over at once.
    let _ = drain.wait_for(|draining| *draining).await;
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(limits.drain_max, permits.acquire_many(all)).await;
}
