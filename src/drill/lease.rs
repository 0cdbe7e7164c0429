//! A fault that `dev` holds for us, for as long as this lives.

use crate::dev::control::{Fault, Said, Wanted};
use crate::exit::{Exit, Failure};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long `dev` is given to say that a fault is there, or healed.
const SAID_S_MAX: u64 = 30;

/// The fault is healed when this is dropped, and when this process ends.
#[derive(Debug)]
pub(super) struct Lease(BufReader<UnixStream>);

impl Lease {
    /// Has the fault done, and waits until it is there.
    ///
    /// # Errors
    /// It was refused, or `dev` is gone.
    pub(super) async fn take(control: &Path, fault: Fault, heal_after: Duration) -> Result<Self, Failure> {
        let heal_after_ms = u64::try_from(heal_after.as_millis()).unwrap_or(u64::MAX);
        let wanted = Wanted { fault, heal_after_ms };
        let line = serde_json::to_string(&wanted).map_err(|error| lost(&error.to_string()))? + "\n";
        let mut stream = UnixStream::connect(control).await.map_err(|error| lost(&error.to_string()))?;
        stream.write_all(line.as_bytes()).await.map_err(|error| lost(&error.to_string()))?;
        let mut lease = Self(BufReader::new(stream));
        match lease.said().await? {
            Said::On => Ok(lease),
            Said::Refused(why) => {
                Err(Failure::new(Exit::Conflict, why, "wait until it is over, or restart `tallyman dev`"))
            }
            Said::Healed(why) => Err(lost(&why)),
        }
    }

    /// Has it healed, and waits until it is; says why it was.
    ///
    /// # Errors
    /// `dev` is gone.
    pub(super) async fn heal(mut self) -> Result<String, Failure> {
        self.0.get_mut().shutdown().await.map_err(|error| lost(&error.to_string()))?;
        match self.said().await? {
            Said::Healed(why) => Ok(why),
            other => Err(lost(&format!("{other:?}"))),
        }
    }

    async fn said(&mut self) -> Result<Said, Failure> {
        let mut line = String::new();
        let read = timeout(Duration::from_secs(SAID_S_MAX), self.0.read_line(&mut line)).await;
        read.map_err(|_| lost("no answer"))?.map_err(|error| lost(&error.to_string()))?;
        serde_json::from_str(&line).map_err(|_| lost("it is gone"))
    }
}

fn lost(why: &str) -> Failure {
    let message = format!("failed to talk to `tallyman dev`: {why}");
    Failure::new(Exit::Unavailable, message, "look what `tallyman dev` says; it heals by itself")
}
