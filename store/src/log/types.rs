//! What the log holds, and how `raft-log` is told to write it.
//!
//! raft-log's record is `type, fields, checksum`. Its fields are ours: the content of an entry is an envelope that
//! repeats the entry's id, a vote is an envelope, both preceded by their length and the length's complement. A flipped length is therefore damage;
//! it does not make the record look longer than the file.

use crate::codec::{self, Blob, Kind};
use raft_log::Types;
use raft_log::codeq::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// The id of one log entry. Ids order by term, then index; a term has one leader.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LogId {
    /// The term in which the entry was made.
    pub term: u64,
    /// The leader of that term.
    pub leader: u64,
    /// Its place in the log.
    pub index: u64,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.term, self.index)
    }
}

/// A Raft vote. In one term a vote for nobody is older than one for somebody, a vote that a quorum has granted is
/// newer than any that it has not, and two of the same sort for different candidates have no order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// The term.
    pub term: u64,
    /// Who got it.
    pub voted_for: Option<u64>,
    /// True when a quorum granted it.
    pub committed: bool,
}

impl PartialOrd for Vote {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let by_candidate = match (self.voted_for, other.voted_for) {
            (Some(one), Some(another)) if one != another => None,
            (one, another) => Some(one.is_some().cmp(&another.is_some())),
        };
        match (self.term.cmp(&other.term), self.committed.cmp(&other.committed)) {
            (Ordering::Equal, Ordering::Equal) => by_candidate,
            // What a quorum has granted stands, whoever else was voted for in that term.
            (Ordering::Equal, order) => Some(order),
            (order, _) => Some(order),
        }
    }
}

/// What the log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// The last entry that was purged; entries follow it.
    pub last_purged: Option<LogId>,
    /// The last entry, or the last purged one when there is none.
    pub last: Option<LogId>,
    /// The saved vote.
    pub vote: Option<Vote>,
    /// The last entry that is remembered as committed; it may be older than the truth.
    pub committed: Option<LogId>,
}

/// The content of an entry, as it is handed to raft-log.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) id: LogId,
    pub(super) bytes: Arc<Vec<u8>>,
}

#[derive(Serialize)]
struct EntryRef<'a> {
    id: LogId,
    bytes: Blob<&'a [u8]>,
}

#[derive(Deserialize)]
struct Entry {
    id: LogId,
    bytes: Blob,
}

/// The envelope of one entry.
pub(crate) fn encode_entry(id: LogId, bytes: &[u8]) -> Result<Vec<u8>, codec::CodecError> {
    codec::encode(Kind::LogEntry, &EntryRef { id, bytes: Blob(bytes) })
}

/// raft-log's types, filled with ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogTypes;

impl Types for LogTypes {
    type LogId = LogId;
    type LogPayload = Content;
    type Vote = Vote;
    type Callback = SyncSender<io::Result<()>>;
    type UserData = ();

    fn log_index(id: &LogId) -> u64 {
        id.index
    }

    fn payload_size(content: &Content) -> u64 {
        content.bytes.len() as u64
    }
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// An envelope preceded by its length and the length's complement.
fn write_framed(mut to: impl io::Write, envelope: &[u8]) -> io::Result<usize> {
    let len = u32::try_from(envelope.len()).map_err(invalid)?;
    to.write_all(&len.to_le_bytes())?;
    to.write_all(&(!len).to_le_bytes())?;
    to.write_all(envelope)?;
    Ok(8 + envelope.len())
}

fn read_framed(mut from: impl io::Read) -> io::Result<Vec<u8>> {
    let (mut len, mut complement) = ([0; 4], [0; 4]);
    from.read_exact(&mut len)?;
    from.read_exact(&mut complement)?;
    let len = u32::from_le_bytes(len);
    if len != !u32::from_le_bytes(complement) {
        return Err(invalid("the length of a record does not fit its complement"));
    }
    let len = len as usize;
    if len > codec::HEADER_BYTES + codec::PAYLOAD_BYTES_MAX {
        return Err(invalid("a record is longer than the limit"));
    }
    let mut envelope = vec![0; len];
    from.read_exact(&mut envelope)?;
    Ok(envelope)
}

impl Encode for Content {
    fn encode<W: io::Write>(&self, to: W) -> io::Result<usize> {
        write_framed(to, &encode_entry(self.id, &self.bytes).map_err(invalid)?)
    }
}

impl Decode for Content {
    fn decode<R: io::Read>(from: R) -> io::Result<Self> {
        let entry: Entry = codec::decode(Kind::LogEntry, &read_framed(from)?).map_err(invalid)?;
        Ok(Self { id: entry.id, bytes: Arc::new(entry.bytes.0) })
    }
}

impl Encode for Vote {
    fn encode<W: io::Write>(&self, to: W) -> io::Result<usize> {
        write_framed(to, &codec::encode(Kind::Vote, self).map_err(invalid)?)
    }
}

impl Decode for Vote {
    fn decode<R: io::Read>(from: R) -> io::Result<Self> {
        codec::decode(Kind::Vote, &read_framed(from)?).map_err(invalid)
    }
}

// Three numbers of fixed size under the record's own checksum: an id is in every entry, and needs no envelope.
impl Encode for LogId {
    fn encode<W: io::Write>(&self, mut to: W) -> io::Result<usize> {
        Ok(self.term.encode(&mut to)? + self.leader.encode(&mut to)? + self.index.encode(&mut to)?)
    }
}

impl Decode for LogId {
    fn decode<R: io::Read>(mut from: R) -> io::Result<Self> {
        Ok(Self {
            term: u64::decode(&mut from)?,
            leader: u64::decode(&mut from)?,
            index: u64::decode(&mut from)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Vote;

    #[test]
    fn a_granted_vote_is_newer_and_others_for_different_candidates_of_one_term_have_no_order() {
        let vote = |term, voted_for, committed| Vote { term, voted_for, committed };
        assert!(vote(2, None, false) > vote(1, Some(9), true));
        assert!(vote(2, Some(1), false) > vote(2, None, false));
        assert!(vote(2, Some(1), true) > vote(2, Some(1), false));
        assert!(vote(2, Some(1), true) > vote(2, Some(3), false));
        for committed in [false, true] {
            assert_eq!(vote(2, Some(1), committed).partial_cmp(&vote(2, Some(3), committed)), None);
        }
    }
}
