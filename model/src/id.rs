//! Identifiers and counters. Each is its own type, so that one cannot be passed for another.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl $name {
            /// The next number.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }
    };
}

counter!(
    /// The store's change counter: each changed record takes the next number. It is the `resourceVersion`, the
    /// ETag, the event id and the read-after-write token.
    Revision
);
counter!(
    /// A record's dense creation number: its row key, and what the lookups hold. 0 is never a record.
    Ordinal
);
counter!(
    /// A replica's id: the log index of its join request, or its place in the init request. Never reused.
    ReplicaId
);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl ReplicaId {
    /// Reads what `Display` writes: `r2`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('r')?.parse().ok().map(Self)
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// 16 random bytes that name one record for ever, written like a Kubernetes UID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uid(pub [u8; 16]);

/// The identity of one installation; it is on every object that the group makes.
pub type GroupId = Uid;

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 36];
        let mut bytes = self.0.iter();
        for group in [0..8, 9..13, 14..18, 19..23, 24..36] {
            write_hex(&mut text[group], bytes.by_ref());
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl Uid {
    /// A version 4 UID from 16 random bytes.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads the form that [`fmt::Display`] writes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex: String = text.split('-').collect();
        let dashes_ok =
            text.len() == 36 && [8, 13, 18, 23].iter().all(|&i| text.as_bytes().get(i) == Some(&b'-'));
        if !dashes_ok || hex.len() != 32 || !hex.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// A SHA-256, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads the form that [`fmt::Display`] writes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The first 64 bits: a lookup hash that nobody can steer cheaply.
    #[must_use]
    pub fn short(&self) -> u64 {
        self.0.iter().take(8).fold(0, |sum, &byte| (sum << 8) | u64::from(byte))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 71];
        text[..7].copy_from_slice(b"sha256:");
        write_hex(&mut text[7..], &mut self.0.iter());
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// Fills `text` with the digits of as many bytes as it has room for.
fn write_hex<'a>(text: &mut [u8], bytes: &mut impl Iterator<Item = &'a u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, Uid};

    #[test]
    fn a_digest_reads_back_as_written_and_nothing_else_reads() {
        let digest = Digest::of(b"a");
        let text = digest.to_string();
        assert_eq!(Digest::parse(&text), Some(digest));
        for wrong in ["", "sha256:", &text[7..], &text[..70], &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_uid_reads_back_as_written_and_nothing_else_reads() {
        let uid = Uid::from_random([0xab; 16]);
        assert_eq!(Uid::parse(&uid.to_string()), Some(uid));
        for wrong in ["", "abababab-abab-4bab-abab-abababababa", "ABCDEFGH-abab-4bab-abab-abababababab"] {
            assert_eq!(Uid::parse(wrong), None, "{wrong}");
        }
    }
}
