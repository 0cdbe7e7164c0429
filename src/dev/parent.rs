//! When `dev` ends: on Ctrl-C, on SIGTERM or SIGHUP, and when its own parent goes.

use crate::exit::{Exit, Failure};
use rustix::process::{Pid, getppid};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// How often the parent is looked at: the system tells nobody of a parent's end.
const PARENT_LOOK_MS: u64 = 200;

/// What ends `dev`.
pub(super) struct End {
    signals: Vec<Signal>,
    /// None if there was no parent to begin with.
    parent: Option<Pid>,
}

impl End {
    /// Starts to look for signals; they do not end the process by themselves any more.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn watch() -> Result<Self, Failure> {
        let parent = getppid().filter(|parent| !parent.is_init());
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let signals = kinds.into_iter().map(signal).collect::<Result<_, _>>();
        let signals = signals.map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("failed to listen for signals: {error}"),
                "start it in a usual shell",
            )
        })?;
        Ok(Self { signals, parent })
    }

    /// Ready when it is time to end.
    pub(super) async fn wait(&mut self) {
        let parent = self.parent;
        let signals = self.signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        tokio::select! {
            _ = futures::future::select_all(signals) => {}
            () = gone(parent) => {}
        }
    }
}

async fn gone(parent: Option<Pid>) {
    let Some(parent) = parent else { return std::future::pending().await };
    let mut ticks = interval(Duration::from_millis(PARENT_LOOK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while getppid() == Some(parent) {
        ticks.tick().await;
    }
}
