//! The content of a log entry: what the log keeps and what goes over the wire, one encoding for both.
//!
//! It is the store's envelope around [`Content`]. Its first field says what it is, so that an entry that is only
//! passed on to a follower is not decoded.

use crate::types::{Entry, LogId, Membership, Payload, to_store};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use tallyman_model::version::too_old;
use tallyman_model::{Command, IdempotencyKey, Principal};
use tallyman_store::codec::{self, Blob, CodecError, HEADER_BYTES, Kind};
use tallyman_store::inventory::{self, ToApply};

/// What a content is filed as.
const KIND: Kind = Kind::LogContent;

/// Stored by position: only ever append.
#[derive(Deserialize)]
enum Content {
    Blank,
    /// openraft's membership as JSON.
    Membership(Blob),
    /// The replica that proposed, which is the leader of the entry's term, and the entry.
    Entry(u64, Box<tallyman_model::Entry>),
}

/// [`Content`] to be written.
#[derive(Serialize)]
enum ContentRef<'a> {
    Blank,
    Membership(Blob),
    Entry(u64, EntryRef<'a>),
}

/// An entry to be written; it has the bytes of a [`tallyman_model::Entry`].
#[derive(Clone, Copy, Serialize)]
pub(crate) struct EntryRef<'a> {
    pub(crate) clock_ms: u64,
    pub(crate) by: &'a Principal,
    pub(crate) key: &'a Option<IdempotencyKey>,
    pub(crate) command: &'a Command,
}

const BLANK: u8 = 0;
const MEMBERSHIP: u8 = 1;
const ENTRY: u8 = 2;

/// A proposed entry, encoded.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposed(Blob);

impl Proposed {
    /// Encodes `entry`, which `leader` proposes.
    pub(crate) fn encode(leader: u64, entry: EntryRef<'_>) -> Result<Self, CodecError> {
        codec::encode(KIND, &ContentRef::Entry(leader, entry)).map(|bytes| Self(Blob(bytes)))
    }

    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.0.len()
    }
}

impl fmt::Debug for Proposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl fmt::Display for Proposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What was read is not what should be there.
pub(crate) fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Why an entry is not applied. An intact one that cannot be read was written by a later version: to pass it over would
/// make another state than the others have.
fn unread(index: u64, error: CodecError) -> io::Error {
    match error {
        CodecError::Fields { .. } | CodecError::Format { .. } => {
            let why = format!(
                "entry {index} is intact and of a kind that this version does not know ({error}); \
                 run the version that wrote it, or a later one"
            );
            io::Error::new(io::ErrorKind::Unsupported, why)
        }
        _ => invalid(error),
    }
}

/// The content of an entry of openraft.
pub(crate) fn encode(payload: Payload) -> io::Result<Vec<u8>> {
    match payload {
        Payload::Normal(proposed) => Ok(proposed.0.0),
        Payload::Blank => codec::encode(KIND, &ContentRef::Blank).map_err(invalid),
        Payload::Membership(membership) => {
            let json = encode_membership(&membership)?;
            codec::encode(KIND, &ContentRef::Membership(Blob(json))).map_err(invalid)
        }
    }
}

/// The entry of openraft; what was proposed stays encoded.
pub(crate) fn decode(id: LogId, content: Vec<u8>) -> io::Result<Entry> {
    let payload = match content.get(HEADER_BYTES).copied() {
        Some(ENTRY) => Payload::Normal(Proposed(Blob(content))),
        Some(BLANK) => Payload::Blank,
        Some(MEMBERSHIP) => match codec::decode(KIND, &content).map_err(invalid)? {
            Content::Membership(json) => Payload::Membership(decode_membership(&json.0)?),
            Content::Blank | Content::Entry(..) => return Err(invalid("the entry is not what it says")),
        },
        _ => return Err(invalid(format!("entry {id} has an unknown content"))),
    };
    Ok(Entry { log_id: id, payload })
}

/// The entry as the inventory applies it.
///
/// # Errors
/// A later build wrote it, or it raises the group beyond what this build `understands`.
pub(crate) fn to_apply(entry: Entry, understands: u32) -> io::Result<ToApply> {
    let mut id = to_store(&entry.log_id);
    let payload = match entry.payload {
        Payload::Blank => inventory::Payload::Blank,
        Payload::Membership(membership) => inventory::Payload::Membership(encode_membership(&membership)?),
        Payload::Normal(proposed) => match codec::decode(KIND, &proposed.0.0)
            .map_err(|why| unread(id.index, why))?
        {
            Content::Entry(leader, entry) => {
                if let Command::RaiseVersion(raise) = &entry.command
                    && raise.to > understands
                {
                    return Err(io::Error::new(io::ErrorKind::Unsupported, too_old(raise.to, understands)));
                }
                id.leader = leader;
                inventory::Payload::Entry(entry)
            }
            Content::Blank | Content::Membership(_) => return Err(invalid("the entry is not what it says")),
        },
    };
    Ok(ToApply { id, payload })
}

/// The membership as the inventory keeps it.
pub(crate) fn encode_membership(membership: &Membership) -> io::Result<Vec<u8>> {
    serde_json::to_vec(membership).map_err(invalid)
}

/// The membership that [`encode_membership`] wrote.
pub(crate) fn decode_membership(json: &[u8]) -> io::Result<Membership> {
    serde_json::from_slice(json).map_err(invalid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::types::{PeerNode, log_id};
    use std::collections::{BTreeMap, BTreeSet};
    use tallyman_model::GROUP_VERSION;

    fn round_trip(payload: Payload) -> Payload {
        decode(log_id(3, 7), encode(payload).unwrap()).unwrap().payload
    }

    #[test]
    fn every_content_reads_back_as_written() {
        assert_eq!(round_trip(Payload::Blank), Payload::Blank);
        let nodes = BTreeMap::from([(1, PeerNode::default()), (9, PeerNode::default())]);
        let membership = Membership::new(vec![BTreeSet::from([1])], nodes).unwrap();
        assert_eq!(round_trip(Payload::Membership(membership.clone())), Payload::Membership(membership));
        let entry = crate::testing::entry(5);
        let proposed = crate::testing::proposed(2, &entry);
        assert_eq!(round_trip(Payload::Normal(proposed.clone())), Payload::Normal(proposed.clone()));
        let applied =
            to_apply(Entry { log_id: log_id(3, 7), payload: Payload::Normal(proposed) }, GROUP_VERSION)
                .unwrap();
        assert_eq!((applied.id.term, applied.id.leader, applied.id.index), (3, 2, 7));
        assert!(matches!(applied.payload, inventory::Payload::Entry(found) if *found == entry));
    }

    #[test]
    fn contents_are_written_as_ever() {
        let nodes = BTreeMap::from([(1, PeerNode::default())]);
        let membership = Membership::new(vec![BTreeSet::from([1])], nodes).unwrap();
        let proposed = crate::testing::proposed(2, &crate::testing::entry(5));
        for (name, golden, payload) in [
            (
                "content-blank.bin",
                include_bytes!("../tests/golden/content-blank.bin").as_slice(),
                Payload::Blank,
            ),
            (
                "content-membership.bin",
                include_bytes!("../tests/golden/content-membership.bin"),
                Payload::Membership(membership),
            ),
            (
                "content-entry.bin",
                include_bytes!("../tests/golden/content-entry.bin"),
                Payload::Normal(proposed),
            ),
        ] {
            let bytes = encode(payload).unwrap();
            assert_eq!(bytes, golden, "{name} is not as ever: {bytes:02x?}");
        }
    }

    #[test]
    fn a_damaged_content_is_refused() {
        let mut bytes =
            encode(Payload::Normal(crate::testing::proposed(2, &crate::testing::entry(5)))).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let entry = decode(log_id(1, 1), bytes).unwrap();
        assert!(to_apply(entry, GROUP_VERSION).is_err());
        assert!(decode(log_id(1, 1), vec![0; 3]).is_err());
    }
}
