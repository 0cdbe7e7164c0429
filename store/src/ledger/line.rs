//! One line of a segment.

const BEFORE_HASH: &[u8] = b"{\"hash\":\"";
const BEFORE_RECORD: &[u8] = b"\",\"record\":";
const AFTER_RECORD: &[u8] = b"}\n";
const HASH_DIGITS: usize = 64;
/// Bytes of a line beside its record.
pub(super) const EXTRA_BYTES: usize =
    BEFORE_HASH.len() + HASH_DIGITS + BEFORE_RECORD.len() + AFTER_RECORD.len();

/// The line of a record; it ends with a newline. The record itself must not contain one.
pub(super) fn format(bytes: &[u8], hash: &[u8; 32], to: &mut Vec<u8>) {
    to.extend_from_slice(BEFORE_HASH);
    for byte in hash {
        to.extend(
            [byte >> 4, byte & 0xf].map(|digit| if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }),
        );
    }
    to.extend_from_slice(BEFORE_RECORD);
    to.extend_from_slice(bytes);
    to.extend_from_slice(AFTER_RECORD);
}

/// Record and hash of a line with its newline; `None` if it is not a line as [`format`] writes it.
pub(super) fn parse(line: &[u8]) -> Option<(&[u8], [u8; 32])> {
    let rest = line.strip_prefix(BEFORE_HASH)?.strip_suffix(AFTER_RECORD)?;
    let (digits, rest) = rest.split_at_checked(HASH_DIGITS)?;
    let record = rest.strip_prefix(BEFORE_RECORD)?;
    let digits = std::str::from_utf8(digits).ok()?;
    // Only one way to write a hash: the bytes of a segment are compared between replicas.
    if !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some((record, hash))
}

/// The length of the first line, newline included; `None` when there is no whole line.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}
