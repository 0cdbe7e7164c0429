//! Ways between replicas on which everything takes a while: a proxy before each peer listener.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that are on their way in one direction of a connection.
const PIECES_MAX: usize = 4096;

/// A proxy; it ends when it is dropped.
pub(crate) struct Way(JoinHandle<()>);

impl Drop for Way {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Way {
    /// From `at` to `to`; each byte takes half of `round_trip`, and making a connection all of it.
    pub(crate) async fn open(at: SocketAddr, to: SocketAddr, round_trip: Duration) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        Self(tokio::spawn(async move {
            loop {
                let Ok((from, _)) = listener.accept().await else { continue };
                tokio::spawn(carry(from, to, round_trip));
            }
        }))
    }
}

async fn carry(from: TcpStream, to: SocketAddr, round_trip: Duration) {
    // The kernel has made the connection already: what it would have taken comes on top of the first bytes.
    sleep(round_trip).await;
    let Ok(to) = TcpStream::connect(to).await else { return };
    if from.set_nodelay(true).is_err() || to.set_nodelay(true).is_err() {
        return;
    }
    let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
    tokio::join!(one_way(from_read, to_write, round_trip / 2), one_way(to_read, from_write, round_trip / 2));
}

/// Carries bytes, and at last their end.
async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, takes: Duration) {
    let (sent, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let reading = async move {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let read = from.read(&mut piece).await.unwrap_or(0);
            piece.truncate(read);
            if sent.send((Instant::now() + takes, piece)).await.is_err() || read == 0 {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, piece)) = arriving.recv().await {
            sleep_until(due).await;
            if piece.is_empty() || to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    // Who cannot write any more takes nothing from the other end, which then sees the connection end.
    tokio::join!(reading, writing);
}
