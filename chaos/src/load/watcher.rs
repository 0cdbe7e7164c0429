//! A watch as a client reads it.

use super::connection::Connection;
use super::{Shot, Target, request};
use thiserror::Error;
use tokio::time::Instant;

/// The longest line of a watch, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a watch ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WatchError {
    /// It was refused.
    #[error("failed to watch: HTTP {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The connection could not be made, or broke.
    #[error("failed to watch: {why}")]
    Lost {
        /// Why.
        why: String,
    },
    /// A line does not end.
    #[error("failed to watch: a line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
}

/// Reads the watch at `path` and gives each line to `on_line`, with when it came, until that says false or the
/// server ends the watch. `on_open` is called when the server has accepted it.
///
/// # Errors
/// It was refused, or broke.
pub async fn watch(
    target: &Target,
    path: String,
    on_open: impl FnOnce(),
    mut on_line: impl FnMut(&[u8], Instant) -> bool,
) -> Result<(), WatchError> {
    let lost = |why| WatchError::Lost { why };
    let shot = Shot { operation: "watch", target: 0, path, body: None };
    let mut connection = Connection::open(target).await.map_err(lost)?;
    let response = connection.begin(request(target, &shot).map_err(lost)?).await.map_err(lost)?;
    if !response.status().is_success() {
        return Err(WatchError::Refused { status: response.status().as_u16() });
    }
    on_open();
    let mut body = response.into_body();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(piece) = connection.piece(&mut body).await.map_err(lost)? {
        let now = Instant::now();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                if !on_line(&rest, now) {
                    return Ok(());
                }
                rest.clear();
            } else if rest.len() > LINE_BYTES_MAX {
                return Err(WatchError::TooLong);
            }
        }
    }
    Ok(())
}
