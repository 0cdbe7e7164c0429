//! Connections to clusters that are relayed: a replica opens one for another, and passes on what either side says.
//!
//! ```text
//!  leader                                  relay                          kube-apiserver
//!  Hello ──► ◄── Welcome
//!  Request::Relay(cluster, host, port) ──►
//!                                          TCP to host:port            ──►
//!                     ◄── Response::Relay
//!  bytes                               ◄──────────────────────────►    bytes
//! ```
//! Each has a connection of its own, so it holds up nothing else, and nothing of it is buffered but what is being
//! passed on: who does not read is not written to. TLS to the cluster ends at the leader.

use super::frame::{self, Frame, FrameKind};
use super::wire::{self, Relay, Request, Response};
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes that are held of each direction.
const BUFFER_BYTES: usize = 16 * 1024;
/// A relayed connection on which nothing comes from either side is closed. Watches are silent for less, and take up
/// where they were.
const IDLE_DEADLINE: Duration = Duration::from_secs(300);
/// How long a cluster may not take what it is sent. What is older must not arrive any more: whoever sent it draws
/// conclusions from the time that has passed.
const STALL_DEADLINE: Duration = Duration::from_secs(10);

/// The question that a connection begins with, if it asks for a relay.
pub(crate) fn asked(first: &Frame) -> io::Result<Option<Relay>> {
    if first.kind != FrameKind::Request {
        return Ok(None);
    }
    Ok(match wire::decode_request(&first.body)? {
        Some(Request::Relay(relay)) => Some(relay),
        _ => None,
    })
}

/// Says what came of the question `id`.
pub(crate) async fn tell(
    to: &mut (impl AsyncWrite + Unpin),
    id: u64,
    answer: Result<(), String>,
) -> io::Result<()> {
    let body = wire::encode(&Response::Relay(answer))?;
    to.write_all(&frame::frame(FrameKind::Response, 0, id, &body)?).await?;
    to.flush().await
}

/// When something was last passed on.
struct Moved(Mutex<Instant>);

impl Moved {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn idle(&self) {
        loop {
            let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + IDLE_DEADLINE;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// Passes on what `reader` and the cluster say until both have ended, or the connection is idle. `may_pass` is asked
/// before anything is written to the cluster. `count` is told of bytes to the cluster and bytes from it.
///
/// # Errors
/// How it broke: both sides are closed then.
pub(crate) async fn carry(
    (reader, writer): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    mut cluster: TcpStream,
    may_pass: impl Fn() -> bool,
    count: impl Fn(u64, u64),
) -> io::Result<()> {
    let (from_cluster, to_cluster) = cluster.split();
    let moved = Moved(Instant::now().into());
    let sent = |bytes| {
        moved.now();
        count(bytes, 0);
    };
    let received = |bytes| {
        moved.now();
        count(0, bytes);
    };
    let both = async {
        tokio::try_join!(
            pass(reader, to_cluster, Some(STALL_DEADLINE), &may_pass, sent),
            pass(from_cluster, writer, None, &|| true, received),
        )
    };
    tokio::select! {
        result = both => result.map(drop),
        () = moved.idle() => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came from either side")),
    }
}

/// One direction, to its end, which is passed on too.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    stall: Option<Duration>,
    may_pass: &impl Fn() -> bool,
    moved: impl Fn(u64),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        if !may_pass() {
            return Err(io::Error::other("what came is not passed on any more"));
        }
        let write = async {
            to.write_all(&buffer[..count]).await?;
            to.flush().await
        };
        match stall {
            None => write.await?,
            Some(stall) => timeout(stall, write).await.map_err(|_| io::ErrorKind::TimedOut)??,
        }
        moved(count as u64);
    }
}

#[cfg(test)]
mod tests;
