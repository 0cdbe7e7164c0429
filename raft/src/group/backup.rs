//! A backup is taken from one replica while it works.

use super::inner::Inner;
use crate::BackupError;
use crate::aside::aside;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::io;
use std::sync::Arc;
use tallyman_store::backup::{Head, Outgoing, Taking};
use tokio::sync::mpsc;

/// Pieces that are read ahead of whoever takes them.
const PIECES_AHEAD_MAX: usize = 2;

/// A backup as it is sent.
pub struct Backup {
    /// What it is of.
    pub head: Head,
    /// Its bytes, in order. An error ends them: what came before it is no backup.
    pub pieces: BoxStream<'static, Result<Vec<u8>, BackupError>>,
}

impl Inner {
    /// See [`Group::backup`](crate::Group::backup).
    pub(crate) async fn backup(self: &Arc<Self>) -> Result<Backup, BackupError> {
        let one = Arc::clone(&self.backup).try_lock_owned().map_err(|_| BackupError::Busy)?;
        let like = self.with_open(|open| open.state.snapshot_bytes()).unwrap_or(0);
        if !self.has_room_for(like) {
            let source = io::ErrorKind::StorageFull.into();
            return Err(BackupError::Io { path: self.options.dir.to_path(), source });
        }
        let ids = self.who.ids();
        let taking = Taking {
            dir: self.options.dir.join("backup"),
            name: self.options.group.clone(),
            lineage: ids.group.unwrap_or_default().0,
            replica: ids.replica.unwrap_or(0),
            taken_ms: self.options.env.now_ms(),
        };
        let reader = self.reader.clone();
        let taken = tokio::task::spawn_blocking(|| aside(|| Outgoing::take(reader, taking))).await;
        let mut outgoing = taken.map_err(stopped)?.map_err(io_error)??;
        let head = outgoing.head().clone();
        let (give, pieces) = mpsc::channel(PIECES_AHEAD_MAX);
        let send = move || {
            while let Some(piece) = outgoing.next_piece().transpose() {
                let is_last = piece.is_err();
                // Whoever took them may have gone.
                if give.blocking_send(piece).is_err() || is_last {
                    break;
                }
            }
            drop((outgoing, one));
        };
        // Without a thread nothing is sent, and who waits for the end of it sees none.
        tokio::task::spawn_blocking(|| aside(send));
        let pieces = futures::stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((piece, pieces))
        });
        Ok(Backup { head, pieces: pieces.boxed() })
    }
}

fn stopped(error: tokio::task::JoinError) -> BackupError {
    io_error(io::Error::other(error))
}

fn io_error(source: io::Error) -> BackupError {
    BackupError::Io { path: "backup".into(), source }
}
