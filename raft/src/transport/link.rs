//! One connection's two directions, plain or in TLS, and the task that writes.

use super::tls::Tls;
use rustls::pki_types::ServerName;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Frames that wait to be written to one connection.
pub(crate) const FRAMES_WAITING_MAX: usize = 128;
/// Bytes that are gathered before they are written.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

/// A connection.
pub(crate) struct Link {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Link {
    /// Connects to `address`, a `host:port`.
    pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Agrees with the peer at `address` on how to talk on `stream`.
    pub(crate) async fn secure(stream: TcpStream, address: &str, tls: Option<&Tls>) -> io::Result<Self> {
        let Some(tls) = tls else { return Ok(Self::plain(stream)) };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name =
            ServerName::try_from(host).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let stream = TlsConnector::from(std::sync::Arc::clone(&tls.client)).connect(name, stream).await?;
        Ok(Self::split(stream))
    }

    /// Takes over an accepted connection.
    pub(crate) async fn accept(stream: TcpStream, tls: Option<&Tls>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let Some(tls) = tls else { return Ok(Self::plain(stream)) };
        Ok(Self::split(TlsAcceptor::from(std::sync::Arc::clone(&tls.server)).accept(stream).await?))
    }

    fn plain(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: Box::new(reader), writer: Box::new(writer) }
    }

    fn split(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self { reader: Box::new(reader), writer: Box::new(writer) }
    }
}

/// Writes what is queued, and flushes when the queue is empty. Ends when nobody can queue any more.
pub(crate) async fn write_all(
    to: Box<dyn AsyncWrite + Send + Unpin>,
    mut frames: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(WRITE_BUFFER_BYTES, to);
    while let Some(frame) = frames.recv().await {
        to.write_all(&frame).await?;
        while let Ok(frame) = frames.try_recv() {
            to.write_all(&frame).await?;
        }
        to.flush().await?;
    }
    to.shutdown().await
}
