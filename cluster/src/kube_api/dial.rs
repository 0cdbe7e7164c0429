//! The seam to the way on which a kube-apiserver is reached.

use futures::future::BoxFuture;
use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tallyman_model::ReplicaId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower::Service;

/// Bytes to and from a kube-apiserver.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Another way to a kube-apiserver than a TCP connection from here. TLS is on top of it.
pub trait Dial: Send + Sync + 'static {
    /// Connects to a host (an IPv6 address in brackets) and a port. Dropping the stream closes it.
    ///
    /// # Errors
    /// There is no connection. Nothing was sent.
    fn dial(self: Arc<Self>, host: String, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>>;

    /// The replica that the last connection goes through; `None` before the first.
    fn relayed_by(&self) -> Option<ReplicaId>;
}

/// Host (an IPv6 address in brackets) and port that a URL of a kube-apiserver names; `None`: it names none.
#[must_use]
pub fn address(url: &str) -> Option<(String, u16)> {
    url.parse().ok().map(|url| address_of(&url)).filter(|(host, _)| !host.is_empty())
}

pub(super) fn address_of(server: &Uri) -> (String, u16) {
    let usual = if server.scheme_str() == Some("http") { 80 } else { 443 };
    (server.host().unwrap_or_default().to_owned(), server.port_u16().unwrap_or(usual))
}

/// A [`Dial`] as hyper asks for connections.
#[derive(Clone)]
pub(super) struct Dialler(pub(super) Arc<dyn Dial>);

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialler").field(&self.0.relayed_by()).finish()
    }
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<Dialled>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let (host, port) = address_of(&server);
        let dialling = Arc::clone(&self.0).dial(host, port);
        Box::pin(async move { Ok(TokioIo::new(Dialled(dialling.await?))) })
    }
}

/// A connection that was dialled.
pub(super) struct Dialled(Box<dyn Stream>);

impl Connection for Dialled {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_servers_address_is_what_its_url_names() {
        let address = |url: &str| address(url).unwrap();
        assert_eq!(address("https://kube.example.com/api"), ("kube.example.com".to_owned(), 443));
        assert_eq!(address("https://10.0.0.1:6443"), ("10.0.0.1".to_owned(), 6443));
        assert_eq!(address("https://[::1]:6443"), ("[::1]".to_owned(), 6443));
        assert_eq!(address("http://localhost"), ("localhost".to_owned(), 80));
        assert_eq!(super::address("/api"), None);
    }
}
