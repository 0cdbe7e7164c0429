//! Continue tokens: where the next page of a list starts. Opaque to clients; a flipped letter is found.

use crate::status::Failure;
use tallyman_model::{Digest, Revision};

/// Where a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The revision of all its pages; `None`: the newest, after the list's own revision has expired.
    pub(crate) revision: Option<Revision>,
    /// The ordinal, or ledger number, of the last item given.
    pub(crate) after: u64,
    /// Of the resource, namespace and selectors: a token is good for its own list only.
    pub(crate) list: u64,
}

/// The hash of what a list is of.
#[must_use]
pub(crate) fn list_hash(parts: &[&str]) -> u64 {
    Digest::of(parts.join("\u{0}").as_bytes()).short()
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BYTES: usize = 30;

impl Token {
    /// The text that clients pass back.
    #[must_use]
    pub(crate) fn write(&self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(self.revision.map_or(u64::MAX, |revision| revision.0).to_be_bytes());
        bytes.extend(self.after.to_be_bytes());
        bytes.extend(self.list.to_be_bytes());
        let check = Digest::of(&bytes);
        bytes.extend(check.0.iter().take(BYTES - 24));
        let letter = |bits: u32| char::from(LETTERS[(bits & 63) as usize]);
        bytes
            .chunks_exact(3)
            .flat_map(|three| {
                let bits = three.iter().fold(0_u32, |bits, &byte| (bits << 8) | u32::from(byte));
                [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)]
            })
            .collect()
    }

    /// Reads what [`write`](Self::write) wrote for the list `list`.
    ///
    /// # Errors
    /// It is something else, or of another list.
    pub(crate) fn read(text: &str, list: u64) -> Result<Self, Failure> {
        let bytes = decode(text).filter(|bytes| bytes.len() == BYTES);
        let wrong =
            || Failure::bad_request("continue is not a token that a list gave; list again from the start");
        let bytes = bytes.ok_or_else(wrong)?;
        let number =
            |from: usize| bytes.iter().skip(from).take(8).fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
        let revision = Some(number(0)).filter(|revision| *revision != u64::MAX).map(Revision);
        let token = Self { revision, after: number(8), list: number(16) };
        if token.write() != text {
            return Err(wrong());
        }
        if token.list != list {
            return Err(Failure::bad_request(
                "continue is of another list: pass it with the selectors of that list",
            ));
        }
        Ok(token)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(BYTES);
    if text.len() != BYTES / 3 * 4 {
        return None;
    }
    for four in text.as_bytes().chunks_exact(4) {
        let mut bits = 0;
        for letter in four {
            let six = LETTERS.iter().position(|known| known == letter)?;
            bits = (bits << 6) | u32::try_from(six).ok()?;
        }
        let [_, high, middle, low] = bits.to_be_bytes();
        bytes.extend([high, middle, low]);
    }
    Some(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let token = Token { revision: Some(Revision(7)), after: 300, list: 99 };
        let text = token.write();
        assert_eq!(Token::read(&text, 99), Ok(token));
        assert!(Token::read(&text, 98).is_err());
        for i in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[i] = if other[i] == b'A' { b'B' } else { b'A' };
            assert!(Token::read(std::str::from_utf8(&other).unwrap(), 99).is_err());
        }
        for wrong in ["", "x", "ä", &text[1..], &format!("{text}A")] {
            assert!(Token::read(wrong, 99).is_err(), "{wrong}");
        }
        let newest = Token { revision: None, ..token };
        assert_eq!(Token::read(&newest.write(), 99), Ok(newest));
    }
}
