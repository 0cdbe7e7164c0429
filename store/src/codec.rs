//! The envelope around everything that is persisted.
//!
//! ```text
//!  magic   format  kind   len    crc32c  payload
//!  4 bytes u16     u16    u32    u32     len bytes      (little endian)
//! ```
//! The checksum covers format, kind, len and payload. The payload is bincode 1 with fixed-size integers; a payload
//! that is too long, too short or followed by anything is refused. A persisted struct never changes its fields:
//! a new shape is a new format number of its [`Kind`], and the old one stays readable.

mod blob;
mod kind;

pub use blob::Blob;
pub use kind::Kind;

use bincode::Options;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Bytes of an envelope before its payload.
pub const HEADER_BYTES: usize = 16;
/// The longest payload of one envelope, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;

const MAGIC: [u8; 4] = *b"TLYM";

/// Why bytes were not accepted as an envelope of the wanted kind. The bytes are damaged, or were written by a
/// newer version; nothing of them may be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Fewer bytes than the envelope says.
    #[error("failed to read a {kind}: {have} bytes where {need} are needed")]
    Short {
        /// The kind that was wanted.
        kind: Kind,
        /// Bytes needed.
        need: usize,
        /// Bytes there.
        have: usize,
    },
    /// The bytes do not begin with an envelope.
    #[error("failed to read a {kind}: it does not begin with an envelope")]
    Magic {
        /// The kind that was wanted.
        kind: Kind,
    },
    /// An envelope of another kind.
    #[error("failed to read a {kind}: found kind {found}")]
    Kind {
        /// The kind that was wanted.
        kind: Kind,
        /// The number that was found.
        found: u16,
    },
    /// Written in a format that this version does not know.
    #[error("failed to read a {kind}: format {found} is not known, the newest known is {known}")]
    Format {
        /// The kind that was wanted.
        kind: Kind,
        /// The format that was found.
        found: u16,
        /// The newest format that this version reads.
        known: u16,
    },
    /// A payload longer than [`PAYLOAD_BYTES_MAX`].
    #[error("failed to handle a {kind} of {len} bytes: the limit is {PAYLOAD_BYTES_MAX}")]
    TooLong {
        /// The kind.
        kind: Kind,
        /// Its length in bytes.
        len: usize,
    },
    /// The checksum does not fit the bytes.
    #[error("failed to read a {kind}: its checksum does not fit")]
    Checksum {
        /// The kind that was wanted.
        kind: Kind,
    },
    /// Something follows where the envelope should be all.
    #[error("failed to read a {kind}: {bytes} bytes follow it")]
    Trailing {
        /// The kind that was wanted.
        kind: Kind,
        /// How many bytes follow.
        bytes: usize,
    },
    /// It is intact, but not in its place.
    #[error("failed to read a {kind}: it is older than the one before it")]
    Order {
        /// The kind that was wanted.
        kind: Kind,
    },
    /// The payload is intact but is not what this kind holds.
    #[error("failed to read or write the fields of a {kind}")]
    Fields {
        /// The kind.
        kind: Kind,
        /// What the decoder says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// `value` in an envelope.
///
/// # Errors
/// [`CodecError::TooLong`] or [`CodecError::Fields`]: nothing was encoded.
pub fn encode<T: Serialize>(kind: Kind, value: &T) -> Result<Vec<u8>, CodecError> {
    let size =
        options().serialized_size(value).map_err(|source| CodecError::Fields { kind, source })? as usize;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + size);
    encode_into(kind, value, &mut bytes)?;
    Ok(bytes)
}

/// Appends `value` in an envelope to `bytes`.
///
/// # Errors
/// As [`encode`]; part of an envelope may have been appended.
pub fn encode_into<T: Serialize>(kind: Kind, value: &T, bytes: &mut Vec<u8>) -> Result<(), CodecError> {
    let begin = bytes.len();
    bytes.extend_from_slice(&[0; HEADER_BYTES]);
    // A limit would make it go through the value once more, to count; the length is looked at below.
    options()
        .with_no_limit()
        .serialize_into(&mut *bytes, value)
        .map_err(|source| CodecError::Fields { kind, source })?;
    let (header, payload) = bytes[begin..].split_at_mut(HEADER_BYTES);
    let len = payload.len();
    if len > PAYLOAD_BYTES_MAX {
        return Err(CodecError::TooLong { kind, len });
    }
    header[..4].copy_from_slice(&MAGIC);
    header[4..6].copy_from_slice(&kind.format().to_le_bytes());
    header[6..8].copy_from_slice(&(kind as u16).to_le_bytes());
    header[8..12].copy_from_slice(&(len as u32).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[4..12]), payload);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// The value of an envelope that is all of `bytes`.
///
/// # Errors
/// A [`CodecError`] that says what is wrong.
pub fn decode<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, CodecError> {
    let (value, used) = decode_prefix(kind, bytes)?;
    match bytes.len() - used {
        0 => Ok(value),
        left => Err(CodecError::Trailing { kind, bytes: left }),
    }
}

/// The value of the envelope that `bytes` begins with, and how many bytes it takes.
///
/// # Errors
/// A [`CodecError`] that says what is wrong.
pub fn decode_prefix<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<(T, usize), CodecError> {
    let (payload, used) = payload(kind, bytes)?;
    let value = options().deserialize(payload).map_err(|source| CodecError::Fields { kind, source })?;
    Ok((value, used))
}

/// The whole length in bytes of the envelope that begins with `header`, whose checksum is not looked at yet.
///
/// # Errors
/// A [`CodecError`] when this cannot be the header of an envelope of `kind`.
pub fn length(kind: Kind, header: &[u8]) -> Result<usize, CodecError> {
    let have = header.len();
    let header = header.get(..HEADER_BYTES).ok_or(CodecError::Short { kind, need: HEADER_BYTES, have })?;
    if header[..4] != MAGIC {
        return Err(CodecError::Magic { kind });
    }
    let found = u16::from_le_bytes([header[6], header[7]]);
    if found != kind as u16 {
        return Err(CodecError::Kind { kind, found });
    }
    let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
    if len > PAYLOAD_BYTES_MAX {
        return Err(CodecError::TooLong { kind, len });
    }
    Ok(HEADER_BYTES + len)
}

/// The verified payload of the envelope that `bytes` begins with, and the envelope's whole length.
pub(crate) fn payload(kind: Kind, bytes: &[u8]) -> Result<(&[u8], usize), CodecError> {
    let whole = length(kind, bytes)?;
    let have = bytes.len();
    let envelope = bytes.get(..whole).ok_or(CodecError::Short { kind, need: whole, have })?;
    let (header, payload) = envelope.split_at(HEADER_BYTES);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[4..12]), payload);
    if header[12..] != crc.to_le_bytes() {
        return Err(CodecError::Checksum { kind });
    }
    // Behind the checksum, so that a flipped bit is called damage and not a newer version.
    let found = u16::from_le_bytes([header[4], header[5]]);
    if found != kind.format() {
        return Err(CodecError::Format { kind, found, known: kind.format() });
    }
    Ok((payload, whole))
}

/// Where in `bytes` an envelope may begin.
pub(crate) fn beginnings(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let windows = bytes.windows(MAGIC.len()).enumerate();
    windows.filter(|(_, window)| *window == MAGIC).map(|(at, _)| at)
}

/// Numbers take as many bytes as they need: most are lengths and counts, and records are a third shorter for it.
fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_varint_encoding()
        .with_little_endian()
        .with_limit(PAYLOAD_BYTES_MAX as u64)
        .reject_trailing_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_envelope_of_another_kind_is_refused() {
        let bytes = encode(Kind::Row, &7u64).unwrap();
        assert!(matches!(decode::<u64>(Kind::Change, &bytes), Err(CodecError::Kind { found: 5, .. })));
    }

    #[test]
    fn bytes_behind_the_envelope_or_behind_the_fields_are_refused() {
        let mut bytes = encode(Kind::Row, &7u64).unwrap();
        let longer = encode(Kind::Row, &(7u64, 8u64)).unwrap();
        assert!(matches!(decode::<u64>(Kind::Row, &longer), Err(CodecError::Fields { .. })));
        bytes.push(0);
        assert!(matches!(decode::<u64>(Kind::Row, &bytes), Err(CodecError::Trailing { bytes: 1, .. })));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_allocated() {
        let mut bytes = encode(Kind::Row, &7u64).unwrap();
        bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(decode::<u64>(Kind::Row, &bytes), Err(CodecError::TooLong { .. })));
        // A length inside the payload, with an envelope that fits.
        let lying = encode(Kind::Row, &u64::MAX).unwrap();
        assert!(matches!(decode::<Blob>(Kind::Row, &lying), Err(CodecError::Fields { .. })));
    }

    #[test]
    fn a_format_from_the_future_is_named_as_such() {
        let mut bytes = encode(Kind::Row, &7u64).unwrap();
        bytes[4] = 5;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[4..12]), &bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(
            decode::<u64>(Kind::Row, &bytes),
            Err(CodecError::Format { found: 5, known: 4, .. })
        ));
    }

    proptest! {
        #[test]
        fn any_single_flipped_bit_is_refused(content in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let mut bytes = encode(Kind::LogRecord, &Blob(content)).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode::<Blob>(Kind::LogRecord, &bytes).is_err());
        }

        #[test]
        fn any_cut_is_refused(content in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
            let bytes = encode(Kind::LogRecord, &Blob(content)).unwrap();
            prop_assert!(decode::<Blob>(Kind::LogRecord, &bytes[..at.index(bytes.len())]).is_err());
        }
    }
}
