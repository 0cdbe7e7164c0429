//! The messages between replicas.

use crate::group::disk::DiskReport;
use crate::group::propose::{Forwarded, ForwardedAnswer};
use crate::types::{LogId, SnapshotMeta, Types, Vote};
use openraft::raft::{
    SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io;
use tallyman_model::Uid;
use tallyman_model::command::AddMember;
use tallyman_store::codec::{self, Blob, CodecError, Kind};
use thiserror::Error;

/// The version of this protocol. Replicas of different versions do not talk.
pub(crate) const PROTOCOL: u32 = 2;

/// What a message is filed as; it is never persisted.
const KIND: Kind = Kind::PeerMessage;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Lane {
    /// Entries, votes.
    Replication,
    /// Heartbeats alone.
    Heartbeat,
    /// Snapshots.
    Snapshot,
    /// Forwarded proposals.
    Proposals,
    /// Read indexes, everything else.
    Control,
}

/// Who dials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// [`PROTOCOL`] of the dialler.
    pub(crate) protocol: u32,
    /// The group's name in the configuration.
    pub(crate) name: String,
    /// The group's id; `None`: blank.
    pub(crate) group: Option<Uid>,
    /// The dialler's id; `None`: blank.
    pub(crate) replica: Option<u64>,
    /// The number that its directory was made with.
    pub(crate) directory: Uid,
    /// Its process.
    pub(crate) process: Process,
    /// The replica that it wants to talk to; `None`: whoever is there.
    pub(crate) target: Option<u64>,
    /// What the connection is for.
    pub(crate) lane: Lane,
    /// Its saved vote.
    pub(crate) vote: Option<Vote>,
    /// The last entry that is on its disk.
    pub(crate) last: Option<LogId>,
}

/// One process of a replica, and its place among those that have used the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// How often the directory was opened before it, and by it.
    pub(crate) incarnation: u64,
    /// Random: two copies of a directory are opened equally often.
    pub(crate) number: u64,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Welcome {
    /// The group's id; `None`: blank.
    pub(crate) group: Option<Uid>,
    /// The listener's id; `None`: blank.
    pub(crate) replica: Option<u64>,
    /// The number that its directory was made with.
    pub(crate) directory: Uid,
    /// Its process.
    pub(crate) process: Process,
    /// Its saved vote.
    pub(crate) vote: Option<Vote>,
    /// The last entry that is on its disk.
    pub(crate) last: Option<LogId>,
    /// How long after it heard from a leader it helps nobody else into the lead, in ms.
    pub(crate) lease_ms: u64,
}

/// Why a replica does not talk to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub(crate) enum Refused {
    /// Another version of the protocol.
    #[error("it speaks version {listener} of the peer protocol, the caller version {dialler}")]
    Protocol {
        /// The listener's version.
        listener: u32,
        /// The dialler's version.
        dialler: u32,
    },
    /// Another group, by name or id.
    #[error("it belongs to group {listener}, the caller to {dialler}; check `group`, `peers` and `data_dir`")]
    OtherGroup {
        /// The listener's group.
        listener: String,
        /// The dialler's group.
        dialler: String,
    },
    /// Another replica than the one that was dialled.
    #[error("r{wanted} was to be reached there, but it is {found}")]
    OtherReplica {
        /// Who was to be reached.
        wanted: u64,
        /// Who is there.
        found: String,
    },
    /// The dialler has been removed from the group.
    #[error(
        "r{replica} is no longer of the group: it was removed, or another replica has taken its place; to join anew, move its data directory away and, if it was removed, have it added again (tallyman operator member add)"
    )]
    Removed {
        /// The dialler.
        replica: u64,
    },
    /// Another process under the same id is known, and it has not come before this one.
    #[error(
        "r{replica} runs twice: another process uses a copy of its data directory; stop one of the two, and give it an empty directory to join anew"
    )]
    Twice {
        /// The replica.
        replica: u64,
    },
    /// One of the two has less on its disk than it once confirmed to the other.
    #[error(
        "r{replica} has lost entries that it had confirmed (it had {had}, it has {has}); start it once with --replace-damaged to join anew"
    )]
    Lost {
        /// Which.
        replica: u64,
        /// What it is known to have had.
        had: String,
        /// What it says it has.
        has: String,
    },
}

/// A question of one replica to another. Builds differ while a group is upgraded: only ever append. A question that the
/// other does not know is answered by [`Response::NotNow`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Raft: a vote is asked for.
    Vote(VoteRequest<Types>),
    /// Raft: would a vote be given?
    PreVote(VoteRequest<Types>),
    /// Raft: take the lead.
    TransferLeader(TransferLeaderRequest<Types>),
    /// A snapshot is to come; answered by [`Response::Offset`].
    SnapshotBegin(SnapshotOffer),
    /// The snapshot is complete; answered when it is installed, or by what else it needs.
    SnapshotEnd(SnapshotOffer),
    /// A piece of a full segment of the ledger that a snapshot needs.
    Segment(SegmentPiece),
    /// The leader is asked up to where a linearizable read must have applied.
    ReadIndex,
    /// The leader is asked to propose.
    Propose(Box<Forwarded>),
    /// Who are you, and how far?
    Probe,
    /// What time is it, ms since 1970?
    Clock,
    /// To the first of the configured peers: found the group.
    Init {
        /// How many replicas there are to be.
        expect: u64,
    },
    /// To a blank replica: be of this group.
    Adopt(Adoption),
    /// To the leader, from a blank replica: let me in.
    Join(AddMember),
    /// To the leader: hand over to this replica, or to whoever has most.
    HandOver(Option<u64>),
    /// Which state did you have at which log index?
    Hashes,
    /// How is your disk?
    Disk,
    /// Up to which version of the group does your build understand it?
    Understands,
    /// Open a connection to a cluster and pass on what comes. Only as the first question of a connection, which is
    /// the relay from its answer on.
    Relay(Relay),
}

/// The answer to a [`Request`]; only ever append.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Response {
    /// To `Vote` and `PreVote`.
    Vote(VoteResponse<Types>),
    /// To `TransferLeader`.
    TransferLeader(TransferLeaderResponse<Types>),
    /// To `SnapshotBegin` and to a chunk: how many bytes are there.
    Offset(u64),
    /// To `SnapshotEnd`.
    Snapshot(SnapshotResponse<Types>),
    /// To `SnapshotEnd`: the full segments of the ledger, by first record, that have to come before.
    Missing(Vec<u64>),
    /// To `Segment`.
    Segment(Result<(), String>),
    /// To `ReadIndex`.
    ReadIndex(Result<u64, NoReadIndex>),
    /// To `Propose`.
    Propose(Box<ForwardedAnswer>),
    /// To `Probe`.
    Probe(Box<Probed>),
    /// To `Clock`.
    Clock(u64),
    /// To `Init`: the ids, or why not.
    Init(Result<Vec<u64>, InitRefusal>),
    /// To `Adopt`: done, or why not.
    Adopt(Result<(), String>),
    /// To `Join`.
    Join(Joined),
    /// To `HandOver`: who leads now; `None`: nobody else can.
    HandOver(Option<u64>),
    /// The replica cannot answer this now, or not before it runs a later build; it has done nothing.
    NotNow(String),
    /// To `Hashes`: the last applied indexes, each with the state hash after it.
    Hashes(Vec<(u64, u128)>),
    /// To `Disk`.
    Disk(DiskReport),
    /// To `Understands`.
    Understands(u32),
    /// To `Relay`: what follows comes from the cluster; or why there is no connection to it.
    Relay(Result<(), String>),
}

/// Which connection is to be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Relay {
    /// The cluster's record.
    pub(crate) cluster: u64,
    /// The host of its kube-apiserver, as the leader's credentials name it.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// How long the leader waits for it, in ms.
    pub(crate) wait_ms: u64,
}

/// Why the leader gave no read index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NoReadIndex {
    /// It does not lead (any more).
    NotLeader,
    /// It does not reach a quorum.
    NoQuorum,
}

/// A snapshot on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotOffer {
    /// The leader's vote.
    pub(crate) vote: Vote,
    /// What it holds.
    pub(crate) meta: SnapshotMeta,
    /// Its length in bytes.
    pub(crate) bytes: u64,
}

/// A piece of a full segment of the ledger. Pieces come in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentPiece {
    /// The snapshot that needs it.
    pub(crate) offer: SnapshotOffer,
    /// The segment's first record.
    pub(crate) first: u64,
    /// Where this piece begins.
    pub(crate) offset: u64,
    /// Nothing follows.
    pub(crate) last: bool,
    /// The piece.
    pub(crate) bytes: Blob,
}

/// What a replica says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probed {
    /// The group's id, if it has one.
    pub(crate) group: Option<Uid>,
    /// Its id, if it has one.
    pub(crate) replica: Option<u64>,
    /// True when its log holds nothing: it may still be founded.
    pub(crate) empty: bool,
    /// The leader that it knows.
    pub(crate) leader: Option<(u64, String)>,
    /// What it would join as.
    pub(crate) member: AddMember,
}

/// A founded group, and who the receiver is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Adoption {
    /// The group's id.
    pub(crate) group: Uid,
    /// The receiver's id.
    pub(crate) replica: u64,
    /// The directory that this is for.
    pub(crate) directory: Uid,
}

/// Why a group was not founded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InitRefusal {
    /// `expect` is not the number of configured peers.
    Expected {
        /// As the operator said.
        expected: u64,
        /// The configured peers.
        configured: u64,
    },
    /// A peer did not answer.
    NoAnswer {
        /// Which.
        peer: String,
        /// Why.
        why: String,
    },
    /// A peer has data.
    NotEmpty {
        /// Which.
        peer: String,
    },
    /// The group was founded, but the leader was not seen in time.
    NoLeader,
}

/// What a leader answers a blank replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Joined {
    /// It is in, under this id.
    As {
        /// The group's id.
        group: Uid,
        /// The new id.
        replica: u64,
    },
    /// Ask there.
    NotLeader {
        /// Id and address of the leader, if known.
        leader: Option<(u64, String)>,
    },
    /// Not now.
    Refused(String),
}

/// The bytes of a message.
pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    codec::encode(KIND, message).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// The question that [`encode`] wrote; `None` for one of a later build: it is intact, and not known here.
pub(crate) fn decode_request(bytes: &[u8]) -> io::Result<Option<Request>> {
    match codec::decode(KIND, bytes) {
        Err(CodecError::Fields { .. } | CodecError::Format { .. }) => Ok(None),
        decoded => decoded.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

/// The message that [`encode`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    codec::decode(KIND, bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// A question that this build does not have.
    struct Later;

    impl Serialize for Later {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_variant("Request", 200, "Later", &7u64)
        }
    }

    #[test]
    fn a_question_of_a_later_build_is_told_from_a_damaged_one() {
        assert!(decode_request(&encode(&Later).unwrap()).unwrap().is_none());
        let mut bytes = encode(&Request::Init { expect: 3 }).unwrap();
        assert!(matches!(decode_request(&bytes).unwrap(), Some(Request::Init { expect: 3 })));
        *bytes.last_mut().unwrap() ^= 1;
        assert!(decode_request(&bytes).is_err());
    }
}
