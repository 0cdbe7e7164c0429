//! openraft's network over the peer transport.

use crate::standing::Standing;
use crate::transport::client::Connection;
use crate::transport::incoming::CHUNK_BYTES_MAX;
use crate::transport::peers::Peer;
use crate::transport::wire::{SegmentPiece, SnapshotOffer};
use crate::transport::{CallError, Lane, Peers, Request, Response, append};
use crate::types::{PeerNode, Snapshot, Types, Vote};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RPCTypes};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tallyman_store::Reader;
use tallyman_store::codec::Blob;
use tallyman_store::files::{DiskFile, Open};
use tokio::time::Instant;

/// Appends that are sent before the first of them is answered.
const APPENDS_IN_FLIGHT_MAX: usize = 64;

/// Deadlines of the peer calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// An append until it is on the follower's disk.
    pub(crate) append: Duration,
    /// A piece of a snapshot until it is written.
    pub(crate) chunk: Duration,
    /// A complete snapshot until it is installed.
    pub(crate) install: Duration,
    /// Before an unreachable peer is tried again.
    pub(crate) backoff: Duration,
}

/// Makes the clients of openraft.
pub(crate) struct Network {
    pub(crate) id: u64,
    pub(crate) peers: Arc<Peers>,
    pub(crate) deadlines: Deadlines,
    /// Where it is noted that this replica stands.
    pub(crate) standing: Arc<Standing>,
    /// Where the ledger is read from.
    pub(crate) reader: Reader,
}

/// A client of one peer on one lane.
pub(crate) struct Client {
    id: u64,
    target: u64,
    lane: Lane,
    peers: Arc<Peers>,
    peer: Arc<Peer>,
    deadlines: Deadlines,
    standing: Arc<Standing>,
    reader: Reader,
}

impl Network {
    fn client(&self, target: u64, node: &PeerNode, lane: Lane) -> Client {
        let peer = self.peers.get(&node.peer, Some(target), lane);
        let (peers, deadlines, reader) = (Arc::clone(&self.peers), self.deadlines, self.reader.clone());
        let standing = Arc::clone(&self.standing);
        Client { id: self.id, target, lane, peers, peer, deadlines, standing, reader }
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, node: &PeerNode) -> Client {
        self.client(target, node, Lane::Replication)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &PeerNode) -> Client {
        self.client(target, node, Lane::Heartbeat)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &PeerNode) -> Client {
        self.client(target, node, Lane::Snapshot)
    }
}

type RpcError = RPCError<Types>;

fn unreachable(error: &CallError) -> RpcError {
    RPCError::Unreachable(Unreachable::from_string(error))
}

fn network(error: impl ToString) -> RpcError {
    RPCError::Network(NetworkError::from_string(error))
}

impl Client {
    fn error(&self, error: &CallError, action: RPCTypes, timeout: Duration, deadline: Instant) -> RpcError {
        match error {
            CallError::Unknown(_) if Instant::now() >= deadline => {
                RPCError::Timeout(Timeout { action, id: self.id, target: self.target, timeout })
            }
            error => unreachable(error),
        }
    }

    async fn call(
        &self,
        request: Request,
        action: RPCTypes,
        option: &RPCOption,
    ) -> Result<Response, RpcError> {
        let wait = option.soft_ttl();
        let deadline = Instant::now() + wait;
        match self.peers.call(&self.peer, &request, wait).await {
            Ok(Response::NotNow(why)) => Err(unreachable(&CallError::NotSent(why))),
            Ok(response) => Ok(response),
            Err(error) => Err(self.error(&error, action, wait, deadline)),
        }
    }

    /// Appends one after the other, each sent as soon as it is there. The answers come in the same order.
    async fn pipeline<'s, S>(
        &'s self,
        input: S,
        wait: Duration,
    ) -> Result<BoxStream<'s, Result<StreamAppendResult<Types>, RpcError>>, RpcError>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin + 'static,
    {
        let failed =
            move |error: CallError, deadline| self.error(&error, RPCTypes::AppendEntries, wait, deadline);
        let deadline = Instant::now() + wait;
        let connection =
            self.peers.connection(&self.peer, deadline).await.map_err(|error| failed(error, deadline))?;
        let session = if self.lane == Lane::Heartbeat { 0 } else { connection.new_session() };
        let sent = input.then(move |request| {
            let connection = Arc::clone(&connection);
            async move {
                let deadline = Instant::now() + wait;
                (connection.append(session, request, deadline).await, deadline)
            }
        });
        let answered = sent.map(move |(pending, deadline)| async move {
            let body = match pending {
                Ok(pending) => pending.answer(deadline).await,
                Err(error) => Err(error),
            };
            let body = body.map_err(|error| failed(error, deadline))?;
            append::read_answer(&body).map_err(network)?.map_err(network)
        });
        Ok(answered.buffered(APPENDS_IN_FLIGHT_MAX).boxed())
    }
}

impl RaftNetworkV2<Types> for Client {
    type SnapshotData = crate::state_adapter::SnapshotPath;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RpcError> {
        let input = futures::stream::iter([rpc]);
        let mut answers = self.pipeline(input, option.soft_ttl()).await?;
        let answer = answers.next().await.unwrap_or_else(|| Err(network("the append was not sent")))?;
        Ok(AppendEntriesResponse::from(answer))
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<Types>, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        // A heartbeat has to come in time; entries may wait for a slow disk.
        let wait = if self.lane == Lane::Heartbeat { option.hard_ttl() } else { self.deadlines.append };
        self.pipeline(input, wait).boxed()
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RpcError> {
        match self.call(Request::Vote(rpc), RPCTypes::Vote, &option).await? {
            Response::Vote(answer) => Ok(answer),
            _ => Err(network("another answer than was asked for")),
        }
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RpcError> {
        self.standing.asks(&rpc, Instant::now());
        match self.call(Request::PreVote(rpc), RPCTypes::Vote, &option).await? {
            Response::Vote(answer) => Ok(answer),
            _ => Err(network("another answer than was asked for")),
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RpcError> {
        match self.call(Request::TransferLeader(req), RPCTypes::TransferLeader, &option).await? {
            Response::TransferLeader(answer) => Ok(answer),
            _ => Err(network("another answer than was asked for")),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = self.send_snapshot(vote, snapshot) => sent,
        }
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(self.deadlines.backoff)))
    }
}

impl Client {
    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: Snapshot,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let failed = |error: CallError| StreamingError::from(unreachable(&error));
        let offer = SnapshotOffer { vote, meta: snapshot.meta, bytes: snapshot.snapshot.bytes };
        let file = snapshot.snapshot.path.open(Open::Reading);
        let file = file.map_err(|error| StreamingError::from(network(error)))?;
        let deadline = Instant::now() + self.deadlines.chunk;
        let connection = self.peers.connection(&self.peer, deadline).await.map_err(failed)?;
        let begun =
            connection.call(&Request::SnapshotBegin(offer.clone()), deadline).await.map_err(failed)?;
        let mut offset = self.offset(begun)?;
        while offset < offer.bytes {
            let len = (offer.bytes - offset).min(CHUNK_BYTES_MAX as u64) as usize;
            let piece = read_at(Arc::clone(&file), offset, len)
                .await
                .map_err(|error| StreamingError::from(network(error)))?;
            let deadline = Instant::now() + self.deadlines.chunk;
            let written = connection.chunk(offset, &piece, deadline).await.map_err(failed)?;
            let written = self.offset(written)?;
            if written == offset {
                return Err(network("the peer did not take a piece of the snapshot").into());
            }
            offset = written;
        }
        loop {
            let deadline = Instant::now() + self.deadlines.install;
            match connection.call(&Request::SnapshotEnd(offer.clone()), deadline).await.map_err(failed)? {
                Response::Snapshot(answer) => return Ok(answer),
                Response::Missing(segments) if !segments.is_empty() => {
                    for first in segments {
                        self.send_segment(&connection, &offer, first).await?;
                    }
                }
                Response::NotNow(why) => return Err(failed(CallError::NotSent(why))),
                _ => return Err(network("another answer than was asked for").into()),
            }
        }
    }

    /// Sends a full segment of the ledger. The receiver verifies it as a whole.
    async fn send_segment(
        &self,
        connection: &Connection,
        offer: &SnapshotOffer,
        first: u64,
    ) -> Result<(), StreamingError<Types>> {
        let reader = self.reader.clone();
        let read = move || reader.ledger_segment(first).map_err(io::Error::other);
        let read = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).and_then(|read| read);
        let segment = read.map_err(|error| StreamingError::from(network(error)))?;
        let pieces = segment.chunks(CHUNK_BYTES_MAX);
        let last = pieces.len().saturating_sub(1);
        for (i, bytes) in pieces.enumerate() {
            let piece = SegmentPiece {
                offer: offer.clone(),
                first,
                offset: (i * CHUNK_BYTES_MAX) as u64,
                last: i == last,
                bytes: Blob::from(bytes),
            };
            let deadline = Instant::now() + self.deadlines.chunk;
            let sent = connection.call(&Request::Segment(piece), deadline).await;
            match sent.map_err(|error| StreamingError::from(unreachable(&error)))? {
                Response::Segment(Ok(())) => {}
                Response::Segment(Err(why)) | Response::NotNow(why) => return Err(network(why).into()),
                _ => return Err(network("another answer than was asked for").into()),
            }
        }
        Ok(())
    }

    fn offset(&self, response: Response) -> Result<u64, StreamingError<Types>> {
        match response {
            Response::Offset(offset) => Ok(offset),
            Response::NotNow(why) => Err(unreachable(&CallError::NotSent(why)).into()),
            _ => Err(network("another answer than was asked for").into()),
        }
    }
}

async fn read_at(file: Arc<dyn DiskFile>, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let read = move || {
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, offset).map(|()| bytes)
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}
