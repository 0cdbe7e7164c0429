//! A snapshot that is being received, one at a time. It is kept when the connection breaks, so that the leader can go
//! on where it was.

use super::wire::SnapshotOffer;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tallyman_store::files::DiskPath;
use tallyman_store::snapshot::{IncomingSnapshot, SnapshotError, SnapshotFile};

/// The longest piece of a snapshot, in bytes.
pub(crate) const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// The longest snapshot that is received, in bytes.
const SNAPSHOT_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Where snapshots are received.
pub(crate) struct Incoming {
    dir: DiskPath,
    current: Arc<Mutex<Option<Current>>>,
}

struct Current {
    sender: u64,
    offer: SnapshotOffer,
    file: File,
}

enum File {
    Receiving(IncomingSnapshot),
    /// Complete; parts of the ledger may still have to come before it can be installed.
    Complete(SnapshotFile),
}

impl File {
    fn len(&self) -> u64 {
        match self {
            Self::Receiving(file) => file.len(),
            Self::Complete(file) => file.bytes,
        }
    }
}

fn lock(current: &Mutex<Option<Current>>) -> MutexGuard<'_, Option<Current>> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?.map_err(io::Error::other)
}

impl Incoming {
    /// Receives into `dir`, which is made when something comes.
    pub(crate) fn new(dir: DiskPath) -> Self {
        Self { dir, current: Arc::default() }
    }

    /// Gets ready for a snapshot of `sender`; answers how many of its bytes are there already. Another one that was
    /// not complete is dropped.
    pub(crate) async fn begin(&self, sender: u64, offer: SnapshotOffer) -> io::Result<u64> {
        if offer.bytes > SNAPSHOT_BYTES_MAX {
            let what = format!("a snapshot of {} bytes, where {SNAPSHOT_BYTES_MAX} is the most", offer.bytes);
            return Err(invalid(what));
        }
        let (dir, current) = (self.dir.clone(), Arc::clone(&self.current));
        blocking(move || {
            let mut current = lock(&current);
            if let Some(known) = current.as_ref().filter(|known| known.is(sender, &offer)) {
                return Ok(known.file.len());
            }
            // Dropped first: what was received may lie under the same name.
            *current = None;
            let file = File::Receiving(IncomingSnapshot::create(&dir)?);
            *current = Some(Current { sender, offer, file });
            Ok(0)
        })
        .await
    }

    /// Takes a piece: its offset in 8 bytes, then its bytes. Answers how many bytes are there now; a piece that does
    /// not follow changes nothing.
    pub(crate) async fn write(&self, mut piece: Vec<u8>) -> io::Result<u64> {
        if piece.len() < 8 || piece.len() > 8 + CHUNK_BYTES_MAX {
            return Err(invalid("a piece of a wrong length"));
        }
        let bytes = piece.split_off(8);
        let offset = piece.iter().rev().fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
        let current = Arc::clone(&self.current);
        let written = blocking(move || {
            let mut current = lock(&current);
            let Some(current) = current.as_mut() else { return Ok(None) };
            if let File::Receiving(file) = &mut current.file
                && offset == file.len()
                && offset + bytes.len() as u64 <= current.offer.bytes
            {
                file.piece(offset, &bytes)?;
            }
            Ok(Some(current.file.len()))
        })
        .await?;
        written.ok_or_else(|| invalid("a piece of no snapshot"))
    }

    /// The complete snapshot, verified and on disk.
    pub(crate) async fn end(&self, sender: u64, offer: SnapshotOffer) -> io::Result<SnapshotFile> {
        let current = Arc::clone(&self.current);
        let complete = blocking(move || {
            let mut current = lock(&current);
            let complete = |known: &mut Current| known.is(sender, &offer) && known.file.len() == offer.bytes;
            let Some(Current { sender, offer, file }) = current.take_if(complete) else { return Ok(None) };
            let file = match file {
                File::Receiving(file) => file.finish()?,
                File::Complete(file) => file,
            };
            *current = Some(Current { sender, offer, file: File::Complete(file.clone()) });
            Ok(Some(file))
        })
        .await?;
        complete.ok_or_else(|| invalid("the snapshot is not complete"))
    }

    /// What was received is installed, or of no use.
    pub(crate) fn forget(&self) {
        lock(&self.current).take();
    }
}

impl Current {
    /// A replica has one snapshot for one log id, so these are the same bytes.
    fn is(&self, sender: u64, offer: &SnapshotOffer) -> bool {
        self.sender == sender && self.offer.meta == offer.meta && self.offer.bytes == offer.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::types::{SnapshotMeta, Vote, log_id};

    fn offer(bytes: u64) -> SnapshotOffer {
        let meta = SnapshotMeta { last_log_id: Some(log_id(1, 9)), ..SnapshotMeta::default() };
        SnapshotOffer { vote: Vote::new_committed(1, 1), meta, bytes }
    }

    fn piece(offset: u64, bytes: &[u8]) -> Vec<u8> {
        [&offset.to_le_bytes()[..], bytes].concat()
    }

    #[tokio::test]
    async fn a_snapshot_goes_on_where_the_connection_broke() {
        let dir = tempfile::tempdir().unwrap();
        let incoming = Incoming::new(dir.path().join("incoming").into());
        assert_eq!(incoming.begin(1, offer(10)).await.unwrap(), 0);
        assert_eq!(incoming.write(piece(0, b"01234")).await.unwrap(), 5);
        assert_eq!(incoming.write(piece(7, b"789")).await.unwrap(), 5, "a gap is not written");
        assert_eq!(incoming.begin(1, offer(10)).await.unwrap(), 5);
        assert!(incoming.end(1, offer(10)).await.is_err(), "not complete");
        assert_eq!(incoming.write(piece(5, b"567890")).await.unwrap(), 5, "longer than was said");
        assert_eq!(incoming.write(piece(5, b"56789")).await.unwrap(), 10);
        assert!(incoming.end(1, offer(10)).await.is_err(), "these bytes are no snapshot");
        assert!(incoming.write(piece(10, b"")).await.is_err(), "and what was received is gone");
    }

    #[tokio::test]
    async fn another_snapshot_takes_the_place_of_an_unfinished_one() {
        let dir = tempfile::tempdir().unwrap();
        let incoming = Incoming::new(dir.path().join("incoming").into());
        incoming.begin(1, offer(10)).await.unwrap();
        incoming.write(piece(0, b"01234")).await.unwrap();
        assert_eq!(incoming.begin(2, offer(10)).await.unwrap(), 0);
        assert_eq!(std::fs::read_dir(dir.path().join("incoming")).unwrap().count(), 1);
    }
}
