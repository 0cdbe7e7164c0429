//! When `dev` ends: on Ctrl-C, on SIGTERM, on SIGHUP unless it was started to ignore that, and, if it was started so,
//! when its standard input ends. That its parent ends is nothing to it.

use crate::exit::{Exit, Failure};
use crate::screen::complain;
use crate::server::input_ended;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What ends `dev`.
pub(super) struct End {
    interrupt: Signal,
    terminate: Signal,
    /// None if whoever started it wants it to outlive its terminal.
    hangup: Option<Signal>,
    has_parent: bool,
}

impl End {
    /// Starts to look for signals; they do not end the process by themselves any more.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn watch(has_parent: bool) -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("failed to listen for signals: {error}"),
                    "start it in a usual shell",
                )
            })
        };
        // Listening would end what `nohup` began.
        let outlives =
            std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: if outlives { None } else { Some(listen(SignalKind::hangup())?) },
            has_parent,
        })
    }

    /// Ready when it is time to end; says why, where nobody asked for it.
    pub(super) async fn wait(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => complain("stopping: the terminal is gone (nohup keeps it running)\n"),
            () = input_ended(), if self.has_parent => complain("stopping: whoever started this is gone\n"),
        }
    }
}

/// True if the process was started to ignore SIGHUP, by what Linux says of it.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignores_hangup;

    #[test]
    fn what_nohup_does_is_seen() {
        assert!(ignores_hangup("Name:\ttallyman\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hangup(""));
    }
}
