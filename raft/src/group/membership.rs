//! What the leader does for the membership. It looks at the state and takes the next step, so a new leader goes on
//! where the old one was.
//!
//! ```text
//!   AddMember ─► learner ─► caught up ─► voter, in place of the one it replaces ─► UpdateMember
//!   Leaving ─► no voter any more ─► RemoveMember ─► it hears that and stops ─► forgotten
//! ```

mod preference;
mod step;
#[cfg(test)]
mod tests;

use super::inner::{Inner, Member};
use super::propose::{ForwardedAnswer, Proposal};
use crate::members;
use crate::types::{Metrics, Types};
use openraft::ChangeMembers;
use openraft::raft::Precondition;
use preference::Preference;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use step::{Step, View, next_step};
use tallyman_model::command::Found;
use tallyman_model::quorum::Seen;
use tallyman_model::record::{self, Meta};
use tallyman_model::{Command, Principal, query};
use tokio::time::Instant;

/// Works on the membership whenever this replica leads, until it stops.
pub(crate) async fn lead(inner: Arc<Inner>, member: Member) {
    let mut leadership = inner.leadership.subscribe();
    let look = Duration::from_millis(inner.options.timing.look_ms);
    let mut preference = Preference::default();
    while leadership.wait_for(Option::is_some).await.is_ok() {
        tokio::join!(
            inner.compare_clocks(&member),
            inner.compare_disks(&member),
            inner.compare_versions(&member)
        );
        // As many steps as there are now, then when something has changed.
        while let Some(step) = inner.next_step(&member, &inner.view(&member)) {
            // One that was lost within the lease still counts as answering: votes move by what is heard from now on.
            if step.moves_votes()
                && inner.next_step(&member, &inner.hear(&member).await).as_ref() != Some(&step)
            {
                break;
            }
            if let Err(why) = inner.take(&member, step).await {
                tracing::warn!(why, "a step of the membership failed; it is tried again");
                break;
            }
        }
        inner.move_to_preferred(&member, &mut preference).await;
        tokio::select! {
            () = tokio::time::sleep(look) => {}
            _ = leadership.changed() => {}
        }
    }
}

impl Inner {
    fn view(&self, member: &Member) -> View {
        self.view_within(member, self.lease())
    }

    fn view_within(&self, member: &Member, within: Duration) -> View {
        View::of(&member.metrics(), self.options.timing.learner_lag_entries_max, within)
    }

    /// Who answers what is sent from now on: waits for all, and for at most a lease.
    async fn hear(&self, member: &Member) -> View {
        let begun = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(self.timing().heartbeat_ms / 2)).await;
            let view = self.view_within(member, begun.elapsed());
            if view.all_answer() || begun.elapsed() >= self.lease() {
                return view;
            }
        }
    }

    /// The members and the counters; `None` where this replica does not lead a founded group.
    fn state(&self) -> Option<(Vec<record::Member>, Meta)> {
        if self.leadership.borrow().is_none() || !self.is_founded() {
            return None;
        }
        let read = self.reader.now(|view, _| Ok((members::members(view)?, query::meta(view)?)));
        let read: Result<_, tallyman_model::Damaged> = read;
        read.inspect_err(|error| tracing::error!(%error, "the members cannot be read")).ok()
    }

    fn next_step(&self, member: &Member, view: &View) -> Option<Step> {
        if self.leadership.borrow().is_some() && !self.is_founded() {
            return self.founding_step(&member.metrics()).map(Step::Found);
        }
        let (records, meta) = self.state()?;
        next_step(&records, &meta.preferred_datacenter, view)
            .or_else(|| self.raise(&records, meta.version).map(|command| Step::Propose(Box::new(command))))
    }

    fn founding_step(&self, metrics: &Metrics) -> Option<Found> {
        let group = self.who.ids().group?;
        let nodes: BTreeMap<_, _> = metrics.membership_config.nodes().collect();
        Some(Found { group, members: nodes.into_values().map(members::founder).collect() })
    }

    /// What this leader sees of the others, for a command that depends on it.
    pub(crate) async fn seen(&self, member: &Member) -> Seen {
        self.hear(member).await.seen()
    }

    async fn move_to_preferred(&self, member: &Member, preference: &mut Preference) {
        let Some((mut records, meta)) = self.state() else { return };
        let preferred = meta.preferred_datacenter;
        // Who would hand over again because of its disk is not moved to.
        records.retain(|record| record.id.0 == member.id || self.disk.is_fit_to_lead(record.id.0));
        let view = self.view(member);
        let steady = Duration::from_millis(self.options.timing.prefer_steady_ms);
        let target = preference.target(Instant::now(), steady, &records, &preferred, &view);
        let Some(to) = target.filter(|_| view.settled && !view.joint) else { return };
        match self.transfer_here(member, Some(to)).await {
            Ok(leader) => {
                tracing::info!(leader, preferred, "the leadership moves to the preferred datacenter")
            }
            Err(error) => {
                tracing::warn!(%error, preferred, "the preferred datacenter does not take the lead yet")
            }
        }
    }

    async fn take(&self, member: &Member, step: Step) -> Result<(), String> {
        tracing::info!(?step, "the membership changes");
        let seen = *member.metrics().membership_config.log_id();
        let unchanged = Precondition::<Types>::LastMembershipLogId { last_membership_log_id: seen };
        let change = match step {
            Step::Found(found) => return self.record(member, Command::Found(found)).await,
            Step::Propose(command) => return self.record(member, *command).await,
            Step::HandOver(to) => {
                let handed = self.transfer_here(member, Some(to)).await;
                return handed.map(drop).map_err(|error| error.to_string());
            }
            Step::Finish => ChangeMembers::AddVoterIds(BTreeSet::new()),
            Step::AddLearner(id) => {
                let records =
                    self.reader.now(|view, _| members::members(view)).map_err(|error| error.to_string())?;
                let new = records.iter().find(|record| record.id.0 == id).ok_or("the member is gone")?;
                ChangeMembers::AddNodes(BTreeMap::from([(id, members::node(new))]))
            }
            Step::Promote { id, instead_of } => ChangeMembers::Batch(vec![
                ChangeMembers::AddVoterIds(BTreeSet::from([id])),
                ChangeMembers::RemoveVoters(instead_of.into_iter().collect()),
            ]),
            Step::Demote(id) => ChangeMembers::RemoveVoters(BTreeSet::from([id])),
            Step::Forget(id) => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
        };
        // Who loses its vote stays a learner, and so hears why.
        let changed = member.raft.change_membership_if(change, true, [unchanged]).await;
        changed.map(drop).map_err(|error| error.to_string())
    }

    async fn record(&self, member: &Member, command: Command) -> Result<(), String> {
        let proposal = Proposal { by: Principal::leader(), key: None, command };
        match self.propose_here(member, &proposal).await {
            ForwardedAnswer::Committed(committed) => match committed.reply {
                Ok(_) => Ok(()),
                Err(refusal) => Err(refusal.message),
            },
            ForwardedAnswer::NotLeader => Err("this replica does not lead any more".to_owned()),
            ForwardedAnswer::NotSent(why) => Err(why.to_string()),
            ForwardedAnswer::Unknown(why) => Err(why),
        }
    }
}
