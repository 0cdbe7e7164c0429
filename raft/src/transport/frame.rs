//! Frames: what goes over a connection.
//!
//! ```text
//!  len  crc32c  kind  session  id   body
//!  u32  u32     u32   u32      u64  len bytes      (little endian)
//! ```
//! The checksum covers kind, session, id and body.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest body of a frame, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest body of a frame before the other side is known, in bytes.
pub(crate) const HELLO_BYTES_MAX: usize = 64 * 1024;
/// Bytes before the body.
pub(crate) const HEADER_BYTES: usize = 24;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum FrameKind {
    /// The dialler says who it is.
    Hello = 1,
    /// The listener says who it is, or why it does not talk.
    Welcome = 2,
    /// A question.
    Request = 3,
    /// The answer to the question, or to the chunk, of the same id.
    Response = 4,
    /// Entries to be appended, in order within a session.
    Append = 5,
    /// What came of an append.
    Appended = 6,
    /// A piece of a snapshot.
    Chunk = 7,
}

impl FrameKind {
    fn from_code(code: u32) -> Option<Self> {
        [Self::Hello, Self::Welcome, Self::Request, Self::Response, Self::Append, Self::Appended, Self::Chunk]
            .into_iter()
            .find(|kind| *kind as u32 == code)
    }
}

/// One frame, received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: FrameKind,
    /// Which stream of appends it belongs to; 0: none, it is answered by itself.
    pub(crate) session: u32,
    /// Which question it is, or answers.
    pub(crate) id: u64,
    pub(crate) body: Vec<u8>,
}

/// A frame to be sent: room for the header, then whatever is pushed as its body.
#[derive(Debug)]
pub(crate) struct FrameBuilder(Vec<u8>);

impl FrameBuilder {
    /// An empty frame with room for a body of `bytes`.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(HEADER_BYTES + bytes);
        buffer.resize(HEADER_BYTES, 0);
        Self(buffer)
    }

    /// The body so far, to be appended to.
    pub(crate) fn body(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// The bytes to be sent.
    ///
    /// # Errors
    /// The body is longer than [`FRAME_BYTES_MAX`].
    pub(crate) fn finish(mut self, kind: FrameKind, session: u32, id: u64) -> io::Result<Vec<u8>> {
        let len = self.0.len() - HEADER_BYTES;
        if len > FRAME_BYTES_MAX {
            let what = format!("a message of {len} bytes, where {FRAME_BYTES_MAX} is the most");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let (header, body) = self.0.split_at_mut(HEADER_BYTES);
        header[0..4].copy_from_slice(&(len as u32).to_le_bytes());
        header[8..12].copy_from_slice(&(kind as u32).to_le_bytes());
        header[12..16].copy_from_slice(&session.to_le_bytes());
        header[16..24].copy_from_slice(&id.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&header[8..24]), body);
        header[4..8].copy_from_slice(&crc.to_le_bytes());
        Ok(self.0)
    }
}

/// A frame around `body`.
pub(crate) fn frame(kind: FrameKind, session: u32, id: u64, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut builder = FrameBuilder::with_capacity(body.len());
    builder.body().extend_from_slice(body);
    builder.finish(kind, session, id)
}

/// Reads one frame; `None` when the other side has closed between two frames.
///
/// # Errors
/// The connection broke, or what came is not a frame of at most `bytes_max`: nothing that follows can be used.
pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> io::Result<Option<Frame>> {
    let mut header = [0; HEADER_BYTES];
    if from.read(&mut header[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut header[1..]).await?;
    let number =
        |at: usize| header[at..at + 4].iter().rev().fold(0u32, |sum, &byte| (sum << 8) | u32::from(byte));
    let (len, crc, kind, session) = (number(0) as usize, number(4), number(8), number(12));
    let id = u64::from(number(16)) | (u64::from(number(20)) << 32);
    if len > bytes_max {
        return Err(invalid(format!("a frame of {len} bytes, where {bytes_max} is the most")));
    }
    let mut body = vec![0; len];
    from.read_exact(&mut body).await?;
    if crc32c::crc32c_append(crc32c::crc32c(&header[8..24]), &body) != crc {
        return Err(invalid("a frame whose checksum does not fit"));
    }
    let kind = FrameKind::from_code(kind).ok_or_else(|| invalid("a frame of an unknown kind"))?;
    Ok(Some(Frame { kind, session, id, body }))
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use proptest::prelude::*;

    fn read_one(bytes: &[u8], bytes_max: usize) -> io::Result<Option<Frame>> {
        let mut from = bytes;
        futures::FutureExt::now_or_never(read(&mut from, bytes_max)).unwrap()
    }

    #[test]
    fn a_frame_reads_back_as_written() {
        let bytes = frame(FrameKind::Append, 7, u64::MAX - 1, b"body").unwrap();
        let read = read_one(&bytes, 4).unwrap().unwrap();
        assert_eq!((read.kind, read.session, read.id), (FrameKind::Append, 7, u64::MAX - 1));
        assert_eq!(read.body, b"body");
        assert!(read_one(&[], 4).unwrap().is_none());
    }

    #[test]
    fn a_frame_beyond_the_bound_is_refused_before_it_is_read() {
        let bytes = frame(FrameKind::Append, 7, 1, b"body").unwrap();
        assert!(read_one(&bytes[..HEADER_BYTES], 3).unwrap_err().to_string().contains("a frame of 4 bytes"));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_and_any_cut_is_refused(body in proptest::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let bytes = frame(FrameKind::Request, 1, 2, &body).unwrap();
            let mut flipped = bytes.clone();
            let at = at.index(bytes.len());
            flipped[at] ^= 1 << bit;
            prop_assert!(read_one(&flipped, 1000).is_err());
            prop_assert!(at == 0 || read_one(&bytes[..at], 1000).is_err());
        }
    }
}
