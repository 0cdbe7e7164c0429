//! One connection of one client.
//!
//! The connection is driven by the task that waits for the answer, not by one of its own: a load generator that
//! shares a machine with what it measures should wake as few tasks as it can.

use super::{Answer, Target};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub(super) type Body = Full<Bytes>;

/// The header with the revision that an answer shows.
const REVISION: &str = "tallyman-revision";

pub(super) struct Connection {
    sender: SendRequest<Body>,
    driver: BoxFuture<'static, hyper::Result<()>>,
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Self, String> {
        let failed = |error: io::Error| format!("failed to connect: {error}");
        let tcp = TcpStream::connect(&target.address).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        match &target.tls {
            Some((connector, name)) => {
                Self::over(connector.connect(name.clone(), tcp).await.map_err(failed)?).await
            }
            None => Self::over(tcp).await,
        }
    }

    async fn over<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: T) -> Result<Self, String> {
        let opened = http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = opened.map_err(|error| error.to_string())?;
        Ok(Self { sender, driver: driver.boxed() })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn begin(&mut self, request: Request<Body>) -> Result<Response<Incoming>, String> {
        let (sender, driver) = (&mut self.sender, &mut self.driver);
        let exchange = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        tokio::select! {
            biased;
            response = exchange => response.map_err(|error| error.to_string()),
            ended = driver => Err(closed(ended)),
        }
    }

    /// The next piece of an answer's body; `None`: that was all.
    pub(super) async fn piece(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, String> {
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                ended = &mut self.driver => return Err(closed(ended)),
            };
            match frame {
                None => return Ok(None),
                // Trailers are of no interest.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => return Ok(Some(piece)),
                    Err(_) => continue,
                },
                Some(Err(error)) => return Err(error.to_string()),
            }
        }
    }

    /// Sends a request and reads all of its answer.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Answer, String> {
        let (head, mut body) = self.begin(request).await?.into_parts();
        let mut bytes = 0;
        while let Some(piece) = self.piece(&mut body).await? {
            bytes += piece.len() as u64;
        }
        let revision = head.headers.get(REVISION).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Answer { status: head.status.as_u16(), revision, bytes })
    }
}

fn closed(ended: hyper::Result<()>) -> String {
    ended.map_or_else(|error| error.to_string(), |()| "the connection was closed".to_owned())
}
