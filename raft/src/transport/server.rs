//! The listening side: accepts, checks who is there, and hands questions to the [`Service`].

use super::append;
use super::frame::{self, Frame, FrameKind};
use super::incoming::Incoming;
use super::link::{self, Link};
use super::relay;
use super::tls::Tls;
use super::wire::{self, Hello, Refused, Relay, Request, Response, Welcome};
use crate::types::{Raft, Types};
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use openraft::raft::AppendEntriesRequest;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 256;
/// Questions of one connection that are worked on at a time.
const QUESTIONS_MAX: usize = 4096;
/// Appends of one connection that wait to be taken.
const APPENDS_MAX: usize = 64;
/// From the connection to the end of the hello.
const HELLO_DEADLINE: Duration = Duration::from_secs(5);
/// A connection on which nothing comes is closed; the other side dials anew when it needs it.
const IDLE_DEADLINE: Duration = Duration::from_secs(600);
/// After a failed accept (no file descriptors), before the next.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// What a replica does with what its peers want.
pub(crate) trait Service: Send + Sync + 'static {
    /// Decides whether to talk to who says `hello`.
    fn greet(&self, hello: &Hello) -> Result<Welcome, Refused>;
    /// The Raft member, if this replica is one already.
    fn raft(&self) -> Option<Raft>;
    /// An append has come from a peer that is accepted.
    fn append_seen(&self, request: &AppendEntriesRequest<Types>);
    /// Answers a question.
    fn answer(self: Arc<Self>, from: Arc<Hello>, request: Request) -> BoxFuture<'static, Response>;
    /// What is said to a question of a later build.
    fn not_understood(&self) -> String;
    /// Where snapshots are received.
    fn incoming(&self) -> &Incoming;
    /// Opens the connection to a cluster that was asked for, answers the question `id`, and passes on what comes.
    fn relay(
        self: Arc<Self>,
        from: Hello,
        asked: Relay,
        id: u64,
        reader: Box<dyn AsyncRead + Send + Unpin>,
        writer: Box<dyn AsyncWrite + Send + Unpin>,
    ) -> BoxFuture<'static, io::Result<()>>;
}

/// Accepts connections until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    service: Arc<dyn Service>,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                let (tls, service, stop) = (tls.clone(), Arc::clone(&service), stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        result = connection(stream, tls, service, permit) => {
                            if let Err(error) = result { tracing::debug!(%error, "a peer's connection broke"); }
                        }
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a peer's connection cannot be accepted");
                tokio::time::sleep(ACCEPT_DELAY).await;
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn connection(
    stream: TcpStream,
    tls: Option<Tls>,
    service: Arc<dyn Service>,
    room: OwnedSemaphorePermit,
) -> io::Result<()> {
    let greeted = timeout(HELLO_DEADLINE, greet(stream, tls, &service)).await;
    let Some((mut reader, writer, hello)) = greeted.map_err(|_| io::ErrorKind::TimedOut)?? else {
        return Ok(());
    };
    let Some(first) = next(&mut reader).await? else { return Ok(()) };
    if let Some(asked) = relay::asked(&first)? {
        // Relays are counted for themselves, so that many of them keep no peer out.
        drop(room);
        return service.relay(hello, asked, first.id, Box::new(reader), writer).await;
    }
    let (out, frames) = mpsc::channel(link::FRAMES_WAITING_MAX);
    let mut connected = Connected {
        service,
        hello: Arc::new(hello),
        out,
        room: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        session: None,
    };
    let reading = async {
        connected.take(first).await?;
        while let Some(frame) = next(&mut reader).await? {
            connected.take(frame).await?;
        }
        Ok(())
    };
    tokio::select! {
        result = reading => result,
        result = link::write_all(writer, frames) => result,
    }
}

async fn next(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    let read = frame::read(reader, frame::FRAME_BYTES_MAX);
    timeout(IDLE_DEADLINE, read).await.unwrap_or(Ok(None))
}

type Greeted = (BufReader<Box<dyn AsyncRead + Send + Unpin>>, Box<dyn AsyncWrite + Send + Unpin>, Hello);

async fn greet(
    stream: TcpStream,
    tls: Option<Tls>,
    service: &Arc<dyn Service>,
) -> io::Result<Option<Greeted>> {
    let Link { reader, mut writer } = Link::accept(stream, tls.as_ref()).await?;
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let hello = match frame::read(&mut reader, frame::HELLO_BYTES_MAX).await? {
        Some(frame) if frame.kind == FrameKind::Hello => wire::decode::<Hello>(&frame.body)?,
        _ => return Ok(None),
    };
    let answer = service.greet(&hello);
    let body = wire::encode(&answer)?;
    let bytes = frame::frame(FrameKind::Welcome, 0, 0, &body)?;
    tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await?;
    tokio::io::AsyncWriteExt::flush(&mut writer).await?;
    if let Err(why) = answer {
        tracing::debug!(%why, "a peer was refused");
        tokio::io::AsyncWriteExt::shutdown(&mut writer).await?;
        return Ok(None);
    }
    Ok(Some((reader, writer, hello)))
}

/// A connection after the hello.
struct Connected {
    service: Arc<dyn Service>,
    hello: Arc<Hello>,
    out: mpsc::Sender<Vec<u8>>,
    room: Arc<Semaphore>,
    session: Option<Session>,
}

/// The current stream of appends.
struct Session {
    number: u32,
    requests: mpsc::Sender<(u64, AppendEntriesRequest<Types>)>,
}

impl Connected {
    async fn take(&mut self, frame: Frame) -> io::Result<()> {
        match frame.kind {
            FrameKind::Request => self.question(frame.id, &frame.body).await,
            FrameKind::Append => self.append(frame).await,
            FrameKind::Chunk => self.chunk(frame).await,
            FrameKind::Hello | FrameKind::Welcome | FrameKind::Response | FrameKind::Appended => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "a frame that is no question"))
            }
        }
    }

    async fn question(&self, id: u64, body: &[u8]) -> io::Result<()> {
        let Some(request) = wire::decode_request(body)? else {
            let answer = Response::NotNow(self.service.not_understood());
            respond(&self.out, FrameKind::Response, id, &wire::encode(&answer)).await;
            return Ok(());
        };
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(io::Error::other)?;
        let answer = Arc::clone(&self.service).answer(Arc::clone(&self.hello), request);
        let out = self.out.clone();
        tokio::spawn(async move {
            let _permit = permit;
            respond(&out, FrameKind::Response, id, &wire::encode(&answer.await)).await;
        });
        Ok(())
    }

    async fn chunk(&self, frame: Frame) -> io::Result<()> {
        let answer = match self.service.incoming().write(frame.body).await {
            Ok(offset) => Response::Offset(offset),
            Err(error) => Response::NotNow(error.to_string()),
        };
        respond(&self.out, FrameKind::Response, frame.id, &wire::encode(&answer)).await;
        Ok(())
    }

    async fn append(&mut self, frame: Frame) -> io::Result<()> {
        let request = append::read_request(&frame.body)?;
        let Some(raft) = self.service.raft() else {
            let answer = append::answer_bytes(&Err("this replica is not of the group yet".to_owned()));
            respond(&self.out, FrameKind::Appended, frame.id, &Ok(answer)).await;
            return Ok(());
        };
        self.service.append_seen(&request);
        if frame.session == 0 {
            let out = self.out.clone();
            tokio::spawn(async move {
                let mut answers = Box::pin(raft.stream_append(stream::once(futures::future::ready(request))));
                let answer = answers.next().await.map_or_else(
                    || Err("stopped".to_owned()),
                    |answer| answer.map_err(|error| error.to_string()),
                );
                respond(&out, FrameKind::Appended, frame.id, &Ok(append::answer_bytes(&answer))).await;
            });
            return Ok(());
        }
        let session = match &self.session {
            Some(session) if session.number == frame.session => session,
            _ => self.session.insert(Session::start(frame.session, &raft, self.out.clone())),
        };
        // The session has ended when it had a conflict: what was sent after that is not answered, and not waited for.
        let _ = session.requests.send((frame.id, request)).await;
        Ok(())
    }
}

impl Session {
    /// Appends what comes without waiting for the disk in between, and answers in order.
    fn start(number: u32, raft: &Raft, out: mpsc::Sender<Vec<u8>>) -> Self {
        let (requests, queue) = mpsc::channel(APPENDS_MAX);
        let ids = Arc::new(Mutex::new(VecDeque::new()));
        let taken = Arc::clone(&ids);
        let input =
            stream::unfold(queue, move |mut queue: mpsc::Receiver<(u64, AppendEntriesRequest<Types>)>| {
                let taken = Arc::clone(&taken);
                async move {
                    let (id, request) = queue.recv().await?;
                    taken.lock().unwrap_or_else(PoisonError::into_inner).push_back(id);
                    Some((request, queue))
                }
            });
        let answers = raft.stream_append(input);
        tokio::spawn(async move {
            let mut answers = Box::pin(answers);
            while let Some(answer) = answers.next().await {
                let Some(id) = ids.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { return };
                let answer = answer.map_err(|error| error.to_string());
                respond(&out, FrameKind::Appended, id, &Ok(append::answer_bytes(&answer))).await;
            }
        });
        Self { number, requests }
    }
}

async fn respond(out: &mpsc::Sender<Vec<u8>>, kind: FrameKind, id: u64, body: &io::Result<Vec<u8>>) {
    let frame = match body {
        Ok(body) => frame::frame(kind, 0, id, body),
        Err(error) => {
            tracing::warn!(%error, "an answer to a peer cannot be sent");
            return;
        }
    };
    match frame {
        // The connection may be gone; then so is whoever asked.
        Ok(frame) => drop(out.send(frame).await),
        Err(error) => tracing::warn!(%error, "an answer to a peer cannot be sent"),
    }
}
