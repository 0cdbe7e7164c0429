//! Lines out of chunks.

use crate::limits::WATCH_LINE_BYTES_MAX;
use bytes::{Bytes, BytesMut};

/// Bytes that were received and not yet taken as lines.
#[derive(Default)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    scanned: usize,
}

impl Lines {
    /// Adds a chunk; false if a line is longer than is taken.
    pub(super) fn push(&mut self, chunk: &[u8]) -> bool {
        self.buffer.extend_from_slice(chunk);
        self.buffer.len() <= WATCH_LINE_BYTES_MAX
            || self.buffer.iter().skip(self.scanned).any(|&byte| byte == b'\n')
    }

    /// Takes the next whole line that is not empty.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        loop {
            let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(found) = fresh.iter().position(|&byte| byte == b'\n') else {
                self.scanned = self.buffer.len();
                return None;
            };
            let line = self.buffer.split_to(self.scanned + found + 1).freeze();
            self.scanned = 0;
            if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_they_were_cut() {
        let text = b"one\ntwo\r\n\n\nthree\nrest";
        for size in 1..text.len() {
            let (mut lines, mut out) = (Lines::default(), Vec::new());
            for chunk in text.chunks(size) {
                assert!(lines.push(chunk));
                out.extend(std::iter::from_fn(|| lines.next()));
            }
            let words: Vec<&[u8]> = out.iter().map(|line| line.trim_ascii()).collect();
            assert_eq!(words, [&b"one"[..], b"two", b"three"], "chunks of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut lines = Lines::default();
        assert!(lines.push(&vec![b'a'; WATCH_LINE_BYTES_MAX]));
        assert_eq!(lines.next(), None);
        assert!(!lines.push(b"a"));
    }
}
