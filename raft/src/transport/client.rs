//! The dialling side: one connection to one peer for one lane.

use super::frame::{self, FrameKind};
use super::link::{self, Link};
use super::wire::{self, Refused, Request, Response, Welcome};
use super::{append, frame::FrameBuilder};
use crate::types::Types;
use openraft::raft::AppendEntriesRequest;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Join};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Questions that wait for an answer on one connection.
const WAITING_MAX: usize = 4096;
/// A connection on which a question was in vain, and nothing came for this long, is given up.
const SILENT_MAX: Duration = Duration::from_secs(1);

/// Why a question has no answer, and what may be concluded.
#[derive(Clone, Debug, Error)]
pub(crate) enum CallError {
    /// The peer certainly has not seen the question.
    #[error("{0}")]
    NotSent(String),
    /// Too many questions wait for an answer; the peer has not seen this one.
    #[error("too many questions wait for an answer")]
    Busy,
    /// The peer does not talk to us; it has not seen the question.
    #[error("{0}")]
    Refused(Refused),
    /// The peer may or may not have acted on it.
    #[error("{0}")]
    Unknown(String),
}

type Waiting = Mutex<BTreeMap<u64, oneshot::Sender<Vec<u8>>>>;

/// An open connection.
pub(crate) struct Connection {
    out: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Waiting>,
    next_id: AtomicU64,
    next_session: AtomicU32,
    heard: Arc<Heard>,
    closed: CancellationToken,
    _close: DropGuard,
}

/// A question that was handed to the connection.
pub(crate) struct Pending {
    id: u64,
    answer: oneshot::Receiver<Vec<u8>>,
    waiting: Arc<Waiting>,
    heard: Arc<Heard>,
    closed: CancellationToken,
}

impl Drop for Pending {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.id);
    }
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Vec<u8>>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When something was last heard on a connection.
struct Heard(Mutex<Instant>);

impl Default for Heard {
    fn default() -> Self {
        Self(Instant::now().into())
    }
}

impl Heard {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn silent_for(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

impl Pending {
    /// Waits for the answer's bytes.
    pub(crate) async fn answer(mut self, deadline: Instant) -> Result<Vec<u8>, CallError> {
        match timeout_at(deadline, &mut self.answer).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err(CallError::Unknown("the connection was lost".to_owned())),
            Err(_) => {
                // The other end may be gone without a word. The next question dials anew.
                if self.heard.silent_for() >= SILENT_MAX {
                    self.closed.cancel();
                }
                Err(CallError::Unknown("no answer in time".to_owned()))
            }
        }
    }
}

/// A connection after the hello.
pub(crate) struct Greeted {
    reader: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// A relayed connection to a cluster, as bytes.
pub type Relayed = Join<BufReader<Box<dyn AsyncRead + Send + Unpin>>, Box<dyn AsyncWrite + Send + Unpin>>;

impl Greeted {
    /// Says hello on `link`, and hears who is there.
    pub(crate) async fn open(
        link: Link,
        hello: &wire::Hello,
        accept: impl FnOnce(&Welcome) -> Result<(), Refused>,
    ) -> Result<Self, CallError> {
        let Link { reader, mut writer } = link;
        let mut reader = BufReader::with_capacity(64 * 1024, reader);
        let bytes = wire::encode(hello)
            .and_then(|body| frame::frame(FrameKind::Hello, 0, 0, &body))
            .map_err(not_sent)?;
        writer.write_all(&bytes).await.map_err(not_sent)?;
        writer.flush().await.map_err(not_sent)?;
        let answer = frame::read(&mut reader, frame::HELLO_BYTES_MAX).await.map_err(not_sent)?;
        let answer = match answer {
            Some(frame) if frame.kind == FrameKind::Welcome => frame.body,
            _ => return Err(CallError::NotSent("the peer did not say who it is".to_owned())),
        };
        let welcome = wire::decode::<Result<Welcome, Refused>>(&answer)
            .map_err(not_sent)?
            .map_err(CallError::Refused)?;
        let other = hello.target.is_some() && welcome.replica != hello.target;
        if other || (hello.group.is_some() && welcome.group.is_some() && hello.group != welcome.group) {
            return Err(CallError::NotSent("another replica than was dialled has answered".to_owned()));
        }
        accept(&welcome).map_err(CallError::Refused)?;
        Ok(Self { reader, writer })
    }

    /// Has the peer open a connection to a cluster. From its answer on this connection is that one. Before, nothing
    /// reaches the cluster.
    pub(crate) async fn relay(self, relay: wire::Relay) -> Result<Relayed, CallError> {
        let Self { mut reader, mut writer } = self;
        let bytes = wire::encode(&Request::Relay(relay))
            .and_then(|body| frame::frame(FrameKind::Request, 0, 1, &body))
            .map_err(not_sent)?;
        writer.write_all(&bytes).await.map_err(not_sent)?;
        writer.flush().await.map_err(not_sent)?;
        let answer = frame::read(&mut reader, frame::HELLO_BYTES_MAX).await.map_err(not_sent)?;
        let answer = answer.ok_or_else(|| CallError::NotSent("it closed the connection".to_owned()))?;
        match wire::decode(&answer.body).map_err(not_sent)? {
            Response::Relay(Ok(())) => Ok(tokio::io::join(reader, writer)),
            Response::Relay(Err(why)) | Response::NotNow(why) => Err(CallError::NotSent(why)),
            _ => Err(CallError::NotSent("another answer than was asked for".to_owned())),
        }
    }
}

fn not_sent(error: io::Error) -> CallError {
    CallError::NotSent(error.to_string())
}

impl Connection {
    /// Starts the tasks that read and write.
    pub(crate) fn start(Greeted { mut reader, writer }: Greeted) -> Arc<Self> {
        let (out, frames) = mpsc::channel(link::FRAMES_WAITING_MAX);
        let waiting = Arc::new(Waiting::default());
        let closed = CancellationToken::new();
        let heard = Arc::new(Heard::default());
        let (writing, reading) = (closed.clone(), closed.clone());
        let (asked, hearing) = (Arc::clone(&waiting), Arc::clone(&heard));
        tokio::spawn(async move {
            tokio::select! {
                () = writing.cancelled() => {}
                result = link::write_all(writer, frames) => {
                    if let Err(error) = result { tracing::debug!(%error, "a peer connection broke"); }
                }
            }
            writing.cancel();
        });
        tokio::spawn(async move {
            tokio::select! {
                () = reading.cancelled() => {}
                result = read_answers(&mut reader, &asked, &hearing) => {
                    if let Err(error) = result { tracing::debug!(%error, "a peer connection broke"); }
                }
            }
            reading.cancel();
            // Whoever waits learns that there will be no answer.
            lock(&asked).clear();
        });
        Arc::new(Self {
            out,
            waiting,
            next_id: AtomicU64::new(1),
            next_session: AtomicU32::new(1),
            heard,
            _close: closed.clone().drop_guard(),
            closed,
        })
    }

    /// True when nothing can be sent any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// A number for a new stream of appends.
    pub(crate) fn new_session(&self) -> u32 {
        self.next_session.fetch_add(1, Ordering::Relaxed).max(1)
    }

    /// Sends a frame whose answer is waited for; waits for room in the queue.
    async fn send(
        &self,
        build: impl FnOnce(u64) -> io::Result<Vec<u8>>,
        deadline: Instant,
    ) -> Result<Pending, CallError> {
        let not_sent = |why: &str| CallError::NotSent(why.to_owned());
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let bytes = build(id).map_err(|error| CallError::NotSent(error.to_string()))?;
        let (answer, wait) = oneshot::channel();
        {
            let mut waiting = lock(&self.waiting);
            if waiting.len() >= WAITING_MAX {
                return Err(CallError::Busy);
            }
            waiting.insert(id, answer);
        }
        let pending = Pending {
            id,
            answer: wait,
            waiting: Arc::clone(&self.waiting),
            heard: Arc::clone(&self.heard),
            closed: self.closed.clone(),
        };
        match timeout_at(deadline, self.out.send(bytes)).await {
            // Closed between the two: nobody else would drop the sender of this answer.
            Ok(Ok(())) if self.is_closed() => Err(CallError::Unknown("the connection was lost".to_owned())),
            Ok(Ok(())) => Ok(pending),
            Ok(Err(_)) => Err(not_sent("the connection is closed")),
            Err(_) => Err(not_sent("the connection is busy")),
        }
    }

    /// Asks `request`.
    pub(crate) async fn call(&self, request: &Request, deadline: Instant) -> Result<Response, CallError> {
        let build =
            |id| wire::encode(request).and_then(|body| frame::frame(FrameKind::Request, 0, id, &body));
        let pending = self.send(build, deadline).await?;
        decode(&pending.answer(deadline).await?)
    }

    /// Sends a piece of a snapshot that begins at `offset`; the answer says how many bytes are there.
    pub(crate) async fn chunk(
        &self,
        offset: u64,
        bytes: &[u8],
        deadline: Instant,
    ) -> Result<Response, CallError> {
        let build = |id| {
            let mut builder = FrameBuilder::with_capacity(8 + bytes.len());
            builder.body().extend_from_slice(&offset.to_le_bytes());
            builder.body().extend_from_slice(bytes);
            builder.finish(FrameKind::Chunk, 0, id)
        };
        let pending = self.send(build, deadline).await?;
        decode(&pending.answer(deadline).await?)
    }

    /// Sends an append of `session`; 0: of none.
    pub(crate) async fn append(
        &self,
        session: u32,
        request: AppendEntriesRequest<Types>,
        deadline: Instant,
    ) -> Result<Pending, CallError> {
        let build = |id| {
            let mut builder = FrameBuilder::with_capacity(append::request_bytes(&request));
            append::put_request(builder.body(), request)?;
            builder.finish(FrameKind::Append, session, id)
        };
        self.send(build, deadline).await
    }
}

fn decode(body: &[u8]) -> Result<Response, CallError> {
    wire::decode(body).map_err(|error| CallError::Unknown(error.to_string()))
}

async fn read_answers(
    from: &mut (impl AsyncRead + Unpin),
    waiting: &Waiting,
    heard: &Heard,
) -> io::Result<()> {
    while let Some(frame) = frame::read(from, frame::FRAME_BYTES_MAX).await? {
        if !matches!(frame.kind, FrameKind::Response | FrameKind::Appended) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame that is no answer"));
        }
        heard.now();
        if let Some(answer) = lock(waiting).remove(&frame.id) {
            // Nobody may wait any more.
            let _ = answer.send(frame.body);
        }
    }
    Ok(())
}
