//! What the leader does for the membership. It looks at the state and takes the next step, so a new leader goes on
//! where the old one was.
//!
//! ```text
//!   AddMember ─► learner ─► caught up ─► voter, in place of the lost one ─► UpdateMember, RemoveMember
//! ```

use super::inner::{Inner, Member};
use super::propose::{ForwardedAnswer, Proposal};
use crate::members;
use crate::types::{Metrics, Types};
use openraft::raft::Precondition;
use openraft::{ChangeMembers, Instant as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::{Found, RemoveMember, UpdateMember};
use tallyman_model::record::{self, MemberState};
use tallyman_model::{Command, Principal, ReplicaId};

/// The next step, if there is one.
#[derive(Debug, PartialEq)]
enum Step {
    /// Write the founding entry.
    Found(Found),
    /// Finish a change that an earlier leader began.
    Finish,
    /// Make it a learner.
    AddLearner(u64),
    /// Make it a voter, in place of the lost ones under its address.
    Promote { id: u64, lost: BTreeSet<u64> },
    /// Take it out of the learners: another has come under its address.
    Forget(u64),
    /// Propose that it is recorded.
    Propose(Command),
}

/// Works on the membership whenever this replica leads, until it stops.
pub(crate) async fn lead(inner: Arc<Inner>, member: Member) {
    let mut leadership = inner.leadership.subscribe();
    let look = Duration::from_millis(inner.options.timing.look_ms);
    while leadership.wait_for(Option::is_some).await.is_ok() {
        tokio::join!(inner.compare_clocks(&member), inner.compare_disks(&member));
        // As many steps as there are now, then when something has changed.
        while let Some(step) = inner.next_step(&member) {
            if let Err(why) = inner.take(&member, step).await {
                tracing::warn!(why, "a step of the membership failed; it is tried again");
                break;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(look) => {}
            _ = leadership.changed() => {}
        }
    }
}

impl Inner {
    fn next_step(&self, member: &Member) -> Option<Step> {
        if self.leadership.borrow().is_none() {
            return None;
        }
        let metrics = member.metrics();
        if !self.is_founded() {
            return self.founding_step(&metrics).map(Step::Found);
        }
        let records = self.reader.now(|view, _| members::members(view));
        let records =
            records.inspect_err(|error| tracing::error!(%error, "the members cannot be read")).ok()?;
        let timing = &self.options.timing;
        next_step(&records, &View::of(&metrics, timing.learner_lag_entries_max, timing.election_ms_max))
    }

    fn founding_step(&self, metrics: &Metrics) -> Option<Found> {
        let group = self.who.ids().group?;
        let nodes: BTreeMap<_, _> = metrics.membership_config.nodes().collect();
        Some(Found { group, members: nodes.into_values().map(members::founder).collect() })
    }

    async fn take(&self, member: &Member, step: Step) -> Result<(), String> {
        tracing::info!(?step, "the membership changes");
        let seen = *member.metrics().membership_config.log_id();
        let unchanged = Precondition::<Types>::LastMembershipLogId { last_membership_log_id: seen };
        let change = match step {
            Step::Found(found) => return self.record(member, Command::Found(found)).await,
            Step::Propose(command) => return self.record(member, command).await,
            Step::Finish => ChangeMembers::AddVoterIds(BTreeSet::new()),
            Step::AddLearner(id) => {
                let records =
                    self.reader.now(|view, _| members::members(view)).map_err(|error| error.to_string())?;
                let new = records.iter().find(|record| record.id.0 == id).ok_or("the member is gone")?;
                ChangeMembers::AddNodes(BTreeMap::from([(id, members::node(new))]))
            }
            Step::Promote { id, lost } => ChangeMembers::Batch(vec![
                ChangeMembers::AddVoterIds(BTreeSet::from([id])),
                ChangeMembers::RemoveVoters(lost),
            ]),
            Step::Forget(id) => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
        };
        let changed = member.raft.change_membership_if(change, false, [unchanged]).await;
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

/// What openraft says about the members.
#[derive(Debug, Default)]
struct View {
    voters: BTreeSet<u64>,
    nodes: BTreeSet<u64>,
    joint: bool,
    /// The last membership entry is committed.
    settled: bool,
    /// Learners that have nearly all of the log and answer.
    caught_up: BTreeSet<u64>,
}

impl View {
    fn of(metrics: &Metrics, lag_max: u64, lease_ms: u64) -> Self {
        let membership = metrics.membership_config.membership();
        let last = metrics.last_log_index.unwrap_or(0);
        let lease = Duration::from_millis(lease_ms);
        let near = |id: &u64| {
            let matched = metrics.replication.as_ref().and_then(|all| all.get(id)).copied().flatten();
            matched.is_some_and(|matched| last.saturating_sub(matched.index) <= lag_max)
        };
        let answers = |id: &u64| {
            let heard = metrics.heartbeat.as_ref().and_then(|all| all.get(id)).copied().flatten();
            heard.is_some_and(|heard| heard.elapsed() < lease)
        };
        Self {
            voters: membership.voter_ids().collect(),
            nodes: membership.nodes().map(|(id, _)| *id).collect(),
            joint: membership.get_joint_config().len() > 1,
            settled: metrics.membership_config.log_id() == metrics.committed_membership_config.log_id(),
            caught_up: membership.learner_ids().filter(|id| near(id) && answers(id)).collect(),
        }
    }
}

/// The first step that is due. One at a time: two changes of the voters never overlap.
fn next_step(records: &[record::Member], view: &View) -> Option<Step> {
    if !view.settled {
        return None;
    }
    if view.joint {
        return Some(Step::Finish);
    }
    records.iter().find_map(|record| step_for(record, records, view))
}

fn step_for(record: &record::Member, all: &[record::Member], view: &View) -> Option<Step> {
    let id = record.id.0;
    let same_address =
        |other: &&record::Member| other.peer_address == record.peer_address && other.id != record.id;
    let newer = all.iter().filter(same_address).find(|other| other.id > record.id);
    let voter = view.voters.contains(&id);
    match (voter, view.nodes.contains(&id)) {
        (true, _) if record.state == MemberState::Learner => {
            let update = UpdateMember {
                id: ReplicaId(id),
                state: Some(MemberState::Voter),
                datacenter: None,
                peer_address: None,
                api_url: None,
            };
            Some(Step::Propose(Command::UpdateMember(update)))
        }
        (true, _) => None,
        // Its directory is gone: it was never made a voter, or was one until the newer one took its place.
        (false, true) if newer.is_some() => Some(Step::Forget(id)),
        (false, false) if newer.is_some() => {
            Some(Step::Propose(Command::RemoveMember(RemoveMember { id: ReplicaId(id) })))
        }
        (false, false) => Some(Step::AddLearner(id)),
        (false, true) if view.caught_up.contains(&id) => {
            let older = all.iter().filter(same_address).map(|other| other.id.0);
            let lost = older.filter(|other| *other < id && view.voters.contains(other)).collect();
            Some(Step::Promote { id, lost })
        }
        (false, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallyman_model::Uid;
    use tallyman_model::record::Head;

    fn member(id: u64, address: &str, state: MemberState) -> record::Member {
        record::Member {
            head: Head::default(),
            id: ReplicaId(id),
            directory: Uid([u8::try_from(id).unwrap_or(0); 16]),
            datacenter: String::new(),
            peer_address: address.to_owned(),
            api_url: String::new(),
            state,
        }
    }

    fn view(voters: &[u64], learners: &[u64], caught_up: &[u64]) -> View {
        View {
            voters: voters.iter().copied().collect(),
            nodes: voters.iter().chain(learners).copied().collect(),
            joint: false,
            settled: true,
            caught_up: caught_up.iter().copied().collect(),
        }
    }

    #[test]
    fn a_replica_that_joins_in_place_of_a_lost_one_goes_through_every_step_under_any_leader() {
        use MemberState::{Learner, Voter};
        let old = [member(1, "a", Voter), member(2, "b", Voter), member(3, "c", Voter)];
        let with = |state| [&old[..], &[member(9, "c", state)]].concat();
        assert_eq!(next_step(&old, &view(&[1, 2, 3], &[], &[])), None);
        assert_eq!(next_step(&with(Learner), &view(&[1, 2, 3], &[], &[])), Some(Step::AddLearner(9)));
        assert_eq!(next_step(&with(Learner), &view(&[1, 2, 3], &[9], &[])), None, "it has to catch up first");
        let promote = Step::Promote { id: 9, lost: BTreeSet::from([3]) };
        assert_eq!(next_step(&with(Learner), &view(&[1, 2, 3], &[9], &[9])), Some(promote));
        let joint = View { joint: true, ..view(&[1, 2, 3, 9], &[], &[]) };
        assert_eq!(next_step(&with(Learner), &joint), Some(Step::Finish));
        let unsettled = View { settled: false, ..view(&[1, 2, 9], &[], &[]) };
        assert_eq!(next_step(&with(Learner), &unsettled), None);
        let remove = Step::Propose(Command::RemoveMember(RemoveMember { id: ReplicaId(3) }));
        assert_eq!(next_step(&with(Learner), &view(&[1, 2, 9], &[], &[])), Some(remove));
        let rest = [member(1, "a", Voter), member(2, "b", Voter), member(9, "c", Learner)];
        let recorded = next_step(&rest, &view(&[1, 2, 9], &[], &[]));
        assert!(
            matches!(recorded, Some(Step::Propose(Command::UpdateMember(update))) if update.id == ReplicaId(9))
        );
        let done = [member(1, "a", Voter), member(2, "b", Voter), member(9, "c", Voter)];
        assert_eq!(next_step(&done, &view(&[1, 2, 9], &[], &[])), None);
    }

    #[test]
    fn a_learner_whose_directory_is_lost_too_is_forgotten() {
        use MemberState::{Learner, Voter};
        let all =
            [member(1, "a", Voter), member(3, "c", Voter), member(9, "c", Learner), member(12, "c", Learner)];
        assert_eq!(next_step(&all, &view(&[1, 3], &[9], &[9])), Some(Step::Forget(9)));
        let remove = Step::Propose(Command::RemoveMember(RemoveMember { id: ReplicaId(9) }));
        assert_eq!(next_step(&all, &view(&[1, 3], &[], &[])), Some(remove));
    }

    #[test]
    fn a_further_replica_becomes_a_voter_and_takes_nobodys_place() {
        use MemberState::{Learner, Voter};
        let all = [member(1, "a", Voter), member(9, "d", Learner)];
        let promote = Step::Promote { id: 9, lost: BTreeSet::new() };
        assert_eq!(next_step(&all, &view(&[1], &[9], &[9])), Some(promote));
    }
}
