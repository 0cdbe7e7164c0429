//! The Raft group as the log.

use super::{Log, ProposeFailed};
use futures::future::BoxFuture;
use tallyman_model::record::Permit;
use tallyman_model::{Command, Done, Principal, Refusal, View};
use tallyman_raft::{Group, Proposal, ProposeError, Published};
use tokio::sync::watch;

impl Log for Group {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Result<Done, Refusal>, ProposeFailed>> {
        Box::pin(async move {
            match Group::propose(self, Proposal { by: Principal::leader(), key: None, command }).await {
                Ok(committed) => Ok(committed.reply),
                Err(error @ ProposeError::NotSent { .. }) => Err(ProposeFailed::NotSent(error.to_string())),
                Err(error) => Err(ProposeFailed::Unknown(error.to_string())),
            }
        })
    }

    fn read(&self, look: &mut dyn FnMut(&dyn View)) {
        self.reader().now(|view, _| look(view));
    }

    fn applied(&self) -> watch::Receiver<Published> {
        Group::applied(self)
    }

    fn leadership(&self) -> watch::Receiver<Option<Permit>> {
        Group::leadership(self)
    }

    fn may_act(&self, permit: &Permit) -> bool {
        Group::may_act(self, permit)
    }
}
