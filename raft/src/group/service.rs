//! What this replica does with what its peers want.

use super::inner::{Inner, Member};
use super::who::Ids;
use crate::GroupOptions;
use crate::members;
use crate::transport::incoming::Incoming;
use crate::transport::server::Service;
use crate::transport::wire::{PROTOCOL, Relay, SegmentPiece, SnapshotOffer};
use crate::transport::{Hello, Lane, Refused, Request, Response, Welcome};
use crate::types::{Raft, Types};
use futures::FutureExt;
use futures::future::BoxFuture;
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use std::fmt::Display;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tallyman_model::{GroupId, ReplicaId, query};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// The longest full segment of the ledger that is received, in bytes.
const SEGMENT_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Why no vote is given.
const JUST_STARTED: &str = "this replica has just started: a leader may go by what it promised before";
/// Why another is not told that it could win.
const STANDS: &str = "this replica stands itself, and goes before";

impl Service for Inner {
    fn greet(&self, hello: &Hello) -> Result<Welcome, Refused> {
        let Ids { group, replica } = self.who.ids();
        if hello.protocol != PROTOCOL {
            return Err(Refused::Protocol { listener: PROTOCOL, dialler: hello.protocol });
        }
        if hello.name != self.who.name() {
            let (listener, dialler) = (self.who.name().to_owned(), hello.name.clone());
            return Err(Refused::OtherGroup { listener, dialler });
        }
        if let (Some(ours), Some(theirs)) = (group, hello.group)
            && ours != theirs
        {
            return Err(Refused::OtherGroup { listener: ours.to_string(), dialler: theirs.to_string() });
        }
        let found = || replica.map_or_else(|| "a blank replica".to_owned(), |id| format!("r{id}"));
        if let Some(wanted) = hello.target
            && Some(wanted) != replica
        {
            return Err(Refused::OtherReplica { wanted, found: found() });
        }
        if hello.lane != Lane::Control && (hello.group.is_none() || group.is_none()) {
            return Err(Refused::OtherReplica { wanted: hello.target.unwrap_or(0), found: found() });
        }
        if let Some(dialler) = hello.replica {
            self.check_member(dialler)?;
            self.who.check_kept(dialler, hello.process, hello.vote, hello.last)?;
        }
        let (vote, last) = self.who.durable();
        let (directory, process) = (self.who.directory(), self.who.process());
        let lease_ms = self.timing().election_ms_max;
        Ok(Welcome { group, replica, directory, process, vote, last, lease_ms })
    }

    fn raft(&self) -> Option<Raft> {
        self.member().map(|member| member.raft)
    }

    fn append_seen(&self, request: &AppendEntriesRequest<Types>) {
        if let Some(committed) = &request.leader_commit {
            self.lag.said(committed.index);
        }
    }

    fn answer(self: Arc<Self>, from: Arc<Hello>, request: Request) -> BoxFuture<'static, Response> {
        async move {
            match request {
                Request::Probe => Response::Probe(Box::new(self.probed())),
                Request::Clock => Response::Clock(self.options.env.now_ms()),
                Request::Disk => Response::Disk(self.disk_report()),
                Request::Understands => Response::Understands(self.options.understands),
                Request::Init { expect } => Response::Init(Box::pin(self.found(expect)).await),
                Request::Adopt(adoption) => Response::Adopt(Box::pin(self.adopt(adoption)).await),
                Request::Join(new) => Response::Join(Box::pin(self.let_in(new)).await),
                request => match (self.member(), from.group) {
                    (Some(member), Some(_)) => Box::pin(self.answer_member(member, &from, request)).await,
                    _ => Response::NotNow("one of the two is of no group yet".to_owned()),
                },
            }
        }
        .boxed()
    }

    fn not_understood(&self) -> String {
        let who = self.who.ids().replica.map_or_else(|| "a blank replica".to_owned(), |id| format!("r{id}"));
        let Self { options: GroupOptions { advertise_peer, understands, .. }, .. } = self;
        format!(
            "{who} ({advertise_peer}) runs an older build, which understands versions of the group up to {understands}: \
             upgrade it"
        )
    }

    fn incoming(&self) -> &Incoming {
        &self.incoming
    }

    fn relay(
        self: Arc<Self>,
        from: Hello,
        asked: Relay,
        id: u64,
        reader: Box<dyn AsyncRead + Send + Unpin>,
        writer: Box<dyn AsyncWrite + Send + Unpin>,
    ) -> BoxFuture<'static, io::Result<()>> {
        async move { Inner::relay(&self, from, asked, id, reader, writer).await }.boxed()
    }
}

fn not_now(error: impl Display) -> Response {
    Response::NotNow(error.to_string())
}

impl Inner {
    async fn answer_member(&self, member: Member, from: &Hello, request: Request) -> Response {
        let raft = &member.raft;
        match request {
            // What the process before this one promised to a leader holds.
            Request::PreVote(_) if self.is_promised() => not_now(JUST_STARTED),
            Request::PreVote(rpc) if self.goes_before(&rpc) => not_now(STANDS),
            Request::Vote(rpc) if !rpc.leadership_transfer && self.is_promised() => not_now(JUST_STARTED),
            Request::Vote(rpc) => raft.vote(rpc).await.map_or_else(not_now, Response::Vote),
            Request::PreVote(rpc) => raft.pre_vote(rpc).await.map_or_else(not_now, Response::Vote),
            Request::TransferLeader(rpc) => {
                raft.handle_transfer_leader(rpc).await.map_or_else(not_now, Response::TransferLeader)
            }
            Request::ReadIndex => Response::ReadIndex(self.read_index_here(&member).await),
            Request::Propose(proposal) => {
                Response::Propose(Box::new(self.propose_here(&member, &proposal).await))
            }
            Request::HandOver(to) => Response::HandOver(self.transfer_here(&member, to).await.ok()),
            Request::SnapshotBegin(offer) => {
                let sender = from.replica.unwrap_or(0);
                self.incoming.begin(sender, offer).await.map_or_else(not_now, Response::Offset)
            }
            Request::SnapshotEnd(offer) => {
                self.end_snapshot(&member, from, offer).await.unwrap_or_else(not_now)
            }
            Request::Hashes => Response::Hashes(self.hashes.kept()),
            Request::Segment(piece) => Response::Segment(self.take_segment(from, piece).await),
            Request::Relay(_) => Response::NotNow("a relay has a connection of its own".to_owned()),
            Request::Probe
            | Request::Clock
            | Request::Disk
            | Request::Understands
            | Request::Init { .. }
            | Request::Adopt(_)
            | Request::Join(_) => Response::NotNow("this is answered elsewhere".to_owned()),
        }
    }

    /// True if this replica stands as well, and whoever asks has to give way.
    fn goes_before(&self, other: &VoteRequest<Types>) -> bool {
        let crossing = Duration::from_millis(self.timing().crossing_ms());
        self.standing.goes_before(other, Instant::now(), crossing)
    }

    /// Installs the snapshot that was received, or says which parts of the ledger have to come before.
    async fn end_snapshot(
        &self,
        member: &Member,
        from: &Hello,
        offer: SnapshotOffer,
    ) -> io::Result<Response> {
        let (vote, meta) = (offer.vote, offer.meta.clone());
        let file = self.incoming.end(from.replica.unwrap_or(0), offer).await?;
        let state = self.with_open(|open| open.state.clone());
        let state = state.ok_or_else(|| io::Error::other("the replica has stopped"))?;
        let missing = state.missing_segments(file.clone()).await?;
        if !missing.is_empty() {
            return Ok(Response::Missing(missing.into_iter().map(|seal| seal.first).collect()));
        }
        let snapshot = crate::state_adapter::SnapshotPath { path: file.path, bytes: file.bytes };
        let snapshot = crate::types::Snapshot { meta, snapshot };
        let installed = member.raft.install_full_snapshot(vote, snapshot).await.map_err(io::Error::other)?;
        self.incoming.forget();
        Ok(Response::Snapshot(installed))
    }

    /// Takes a piece of a full segment of the ledger; with the last one the segment is verified and kept.
    async fn take_segment(&self, from: &Hello, piece: SegmentPiece) -> Result<(), String> {
        let SegmentPiece { offer, first, offset, last, bytes } = piece;
        let complete = {
            let mut segment = self.segment.lock().unwrap_or_else(PoisonError::into_inner);
            if offset == 0 || segment.0 != first {
                *segment = (first, Vec::new());
            }
            if segment.1.len() as u64 != offset || segment.1.len() + bytes.0.len() > SEGMENT_BYTES_MAX {
                return Err("a piece that does not follow".to_owned());
            }
            segment.1.extend_from_slice(&bytes.0);
            if !last {
                return Ok(());
            }
            std::mem::take(&mut segment.1)
        };
        let file =
            self.incoming.end(from.replica.unwrap_or(0), offer).await.map_err(|error| error.to_string())?;
        let seal = file.contents.seals.into_iter().find(|seal| seal.first == first);
        let seal = seal.ok_or("a segment that the snapshot does not name")?;
        let state = self.with_open(|open| open.state.clone()).ok_or("the replica has stopped")?;
        state.install_segment(seal, complete).await.map_err(|error| error.to_string())
    }

    /// Refuses a replica that has been removed. Its id was given before the last applied entry, and nobody has it.
    pub(crate) fn check_member(&self, dialler: u64) -> Result<(), Refused> {
        let removed = self.reader.now(|view, _| {
            let founded = query::meta(view).is_ok_and(|meta| meta.group != GroupId::default());
            let known = members::members(view);
            founded && known.is_ok_and(|known| known.iter().all(|member| member.id != ReplicaId(dialler)))
        });
        if removed && self.published.borrow().index >= dialler {
            return Err(Refused::Removed { replica: dialler });
        }
        Ok(())
    }
}
