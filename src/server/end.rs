//! What ends a replica: a signal, the end of whoever started it, or something that it cannot live with.

use crate::exit::{Exit, Failure};
use std::sync::Arc;
use tallyman_raft::{Fate, OnFatal};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// SIGTERM or SIGINT: others take over.
    Asked,
    /// Standard input ended: nobody waits for it.
    ParentGone,
    /// It cannot go on.
    Fatal(String),
    /// It is no longer of the group.
    Removed(String),
}

/// Waits for an end.
pub(super) struct End {
    terminate: Signal,
    interrupt: Signal,
    has_parent: bool,
    fatal: watch::Sender<Option<Fate>>,
}

impl End {
    /// Starts to look; signals do not end the process by themselves any more.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn watch(has_parent: bool) -> Result<Self, Failure> {
        let refused = |error: std::io::Error| {
            Failure::new(
                Exit::Failed,
                format!("failed to listen for signals: {error}"),
                "start it in a usual shell",
            )
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(refused)?,
            interrupt: signal(SignalKind::interrupt()).map_err(refused)?,
            has_parent,
            fatal: watch::Sender::new(None),
        })
    }

    /// What is called with the reason when the replica cannot go on. The first reason counts.
    pub(super) fn on_fatal(&self) -> OnFatal {
        let fatal = self.fatal.clone();
        Arc::new(move |fate: &Fate| {
            fatal.send_if_modified(|known| {
                let is_first = known.is_none();
                if is_first {
                    *known = Some(fate.clone());
                }
                is_first
            });
        })
    }

    /// Ready when it is time to end.
    pub(super) async fn wait(&mut self) -> Ending {
        let mut fatal = self.fatal.subscribe();
        let has_parent = self.has_parent;
        tokio::select! {
            biased;
            fate = fatal.wait_for(Option::is_some) => match fate.ok().and_then(|fate| fate.clone()) {
                Some(Fate::Removed(why)) => Ending::Removed(why),
                Some(Fate::Broken(why)) => Ending::Fatal(why),
                None => Ending::Fatal(String::new()),
            },
            _ = self.terminate.recv() => Ending::Asked,
            _ = self.interrupt.recv() => Ending::Asked,
            () = input_ended(), if has_parent => Ending::ParentGone,
        }
    }
}

/// Nothing is ever written to the pipe; its end is the end of the writer, however that came.
pub(crate) async fn input_ended() {
    let mut input = tokio::io::stdin();
    let mut bytes = [0; 64];
    while matches!(input.read(&mut bytes).await, Ok(length) if length > 0) {}
}
