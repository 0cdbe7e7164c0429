//! The seam to the replicated log.

mod group;

use futures::future::BoxFuture;
use tallyman_model::record::Permit;
use tallyman_model::{Command, Damaged, Done, Refusal, View};
use tallyman_raft::Published;
use thiserror::Error;
use tokio::sync::watch;

/// The log as the leader uses it: the Raft group, or a state in memory.
pub trait Log: Send + Sync + 'static {
    /// Proposes a command as [`Principal::leader`](tallyman_model::Principal::leader) and waits until it is applied
    /// here.
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Result<Done, Refusal>, ProposeFailed>>;

    /// Shows the state as it is now. `look` is called exactly once, and is short: it may hold up writes.
    fn read(&self, look: &mut dyn FnMut(&dyn View));

    /// How far the state has come: changes after every change of it.
    fn applied(&self) -> watch::Receiver<Published>;

    /// The permit of this process while it leads.
    fn leadership(&self) -> watch::Receiver<Option<Permit>>;

    /// True while a kube write under `permit` may be sent. Asked right before each.
    fn may_act(&self, permit: &Permit) -> bool;
}

/// Why a proposal has no reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProposeFailed {
    /// Certainly nothing was committed.
    #[error("failed to propose: {0}")]
    NotSent(String),
    /// It may or may not have been committed.
    #[error("failed to learn whether a proposal was committed: {0}")]
    Unknown(String),
}

/// Reads from the state; `None` if it is damaged, which the log reports on its own and ends the replica for.
pub(crate) fn look<T>(log: &dyn Log, f: impl FnOnce(&dyn View) -> Result<T, Damaged>) -> Option<T> {
    let (mut f, mut found) = (Some(f), None);
    log.read(&mut |view| found = f.take().map(|f| f(view)));
    match found? {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::error!(%error, "the state cannot be read");
            None
        }
    }
}
