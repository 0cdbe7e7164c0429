//! Which step of the membership is due: a pure rule over the members' records and what openraft says.

use crate::types::{Metrics, heard_within, matched};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tallyman_model::command::{Found, RemoveMember, UpdateMember};
use tallyman_model::quorum::{Seen, is_quorum};
use tallyman_model::record::{Member, MemberState};
use tallyman_model::{Command, ReplicaId};

/// The next step, if there is one.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Write the founding entry.
    Found(Found),
    /// Finish a change that an earlier leader began.
    Finish,
    /// Make it a learner.
    AddLearner(u64),
    /// Make it a voter, in place of another if that still votes.
    Promote { id: u64, instead_of: Option<u64> },
    /// Take its vote. It stays a learner, so that it hears that it is removed.
    Demote(u64),
    /// This leader is to lose its vote: the other one takes the lead first.
    HandOver(u64),
    /// Take it out of the learners: it is no member, and has stopped or is out of reach.
    Forget(u64),
    /// Propose that it is recorded.
    Propose(Box<Command>),
}

impl Step {
    /// True if others vote afterwards.
    pub(super) fn moves_votes(&self) -> bool {
        matches!(self, Step::Promote { .. } | Step::Demote(_))
    }
}

/// What openraft says about the members.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// The leader that looks.
    pub(super) leader: u64,
    pub(super) term: u64,
    pub(super) voters: BTreeSet<u64>,
    pub(super) nodes: BTreeSet<u64>,
    pub(super) joint: bool,
    /// The last membership entry is committed.
    pub(super) settled: bool,
    /// Who has answered, the leader included, and how many entries each is behind; it is not known of
    /// one that has just come.
    pub(super) answering: BTreeMap<u64, u64>,
    /// How many entries one that has caught up may be behind.
    pub(super) behind_max: u64,
}

impl View {
    /// As openraft's metrics have it; who has answered what was sent `within` that time is answering.
    pub(super) fn of(metrics: &Metrics, behind_max: u64, within: Duration) -> Self {
        let membership = metrics.membership_config.membership();
        let last = metrics.last_log_index.unwrap_or(0);
        let behind =
            |id: &u64| matched(metrics, *id).map_or(u64::MAX, |matched| last.saturating_sub(matched.index));
        let answers = |id: &u64| *id != metrics.id && heard_within(metrics, *id, within);
        let nodes: BTreeSet<u64> = membership.nodes().map(|(id, _)| *id).collect();
        let answering = nodes.iter().filter(|id| answers(id)).map(|id| (*id, behind(id)));
        Self {
            leader: metrics.id,
            term: metrics.current_term,
            voters: membership.voter_ids().collect(),
            answering: answering.chain([(metrics.id, 0)]).collect(),
            nodes,
            joint: membership.get_joint_config().len() > 1,
            settled: metrics.membership_config.log_id() == metrics.committed_membership_config.log_id(),
            behind_max,
        }
    }

    /// The same for a command.
    pub(super) fn seen(&self) -> Seen {
        let ids = |id: &u64| ReplicaId(*id);
        let caught_up = self.answering.keys().filter(|id| self.has_caught_up(**id));
        Seen { answering: self.answering.keys().map(ids).collect(), caught_up: caught_up.map(ids).collect() }
    }

    pub(super) fn has_caught_up(&self, id: u64) -> bool {
        self.answering.get(&id).is_some_and(|behind| *behind <= self.behind_max)
    }

    /// True when nobody is left to be waited for.
    pub(super) fn all_answer(&self) -> bool {
        self.nodes.iter().all(|id| self.answering.contains_key(id))
    }

    /// True when these voters could decide now.
    fn is_quorum(&self, voters: &BTreeSet<u64>) -> bool {
        is_quorum(voters, &self.answering.keys().copied().collect())
    }
}

/// The first step that is due. One at a time: two changes of the voters never overlap.
pub(super) fn next_step(members: &[Member], preferred: &str, view: &View) -> Option<Step> {
    if !view.settled {
        return None;
    }
    if view.joint {
        return Some(Step::Finish);
    }
    members.iter().find_map(|member| step_for(member, members, preferred, view)).or_else(|| {
        let is_member = |id: &u64| members.iter().any(|member| member.id.0 == *id);
        let others = view.nodes.difference(&view.voters).filter(|id| !is_member(id));
        // One that answers has not heard yet that it is removed.
        others.copied().find(|id| !view.answering.contains_key(id)).map(Step::Forget)
    })
}

fn step_for(member: &Member, all: &[Member], preferred: &str, view: &View) -> Option<Step> {
    let id = member.id.0;
    let votes = view.voters.contains(&id);
    if leaves(member, all, view) {
        let rest: BTreeSet<u64> = view.voters.iter().copied().filter(|other| *other != id).collect();
        return match votes {
            false => Some(Step::Propose(Box::new(Command::RemoveMember(RemoveMember { id: member.id })))),
            true if !view.is_quorum(&rest) => None,
            true if id == view.leader => heir(all, preferred, view).map(Step::HandOver),
            true => Some(Step::Demote(id)),
        };
    }
    if !view.nodes.contains(&id) {
        return Some(Step::AddLearner(id));
    }
    let MemberState::Joining { replaces } = member.state else { return None };
    let old = replaces.filter(|old| all.iter().any(|other| other.id == *old)).map(|old| old.0);
    if votes {
        // First the one that it replaces goes.
        return old.is_none().then(|| Step::Propose(Box::new(vote_recorded(member.id))));
    }
    let instead_of = old.filter(|old| view.voters.contains(old));
    let mut after = view.voters.clone();
    after.insert(id);
    if let Some(old) = instead_of {
        after.remove(&old);
    }
    if !view.has_caught_up(id) || !view.is_quorum(&after) {
        return None;
    }
    if instead_of == Some(view.leader) {
        return heir(all, preferred, view).map(Step::HandOver);
    }
    Some(Step::Promote { id, instead_of })
}

/// It was told to leave, or another one votes in its place.
fn leaves(member: &Member, all: &[Member], view: &View) -> bool {
    let in_place = |other: &Member| {
        other.state == MemberState::Joining { replaces: Some(member.id) } && view.voters.contains(&other.id.0)
    };
    member.state == MemberState::Leaving || all.iter().any(in_place)
}

/// Who leads best when this leader is not to: one that stays, in the preferred datacenter if there is one.
fn heir(all: &[Member], preferred: &str, view: &View) -> Option<u64> {
    let stays = |member: &&Member| {
        let is_replaced =
            all.iter().any(|other| other.state == MemberState::Joining { replaces: Some(member.id) });
        member.state == MemberState::Voter && !is_replaced
    };
    let can = |id: u64| id != view.leader && view.voters.contains(&id) && view.has_caught_up(id);
    let candidates = all.iter().filter(stays).filter(|member| can(member.id.0));
    let best = candidates.max_by_key(|member| {
        (member.datacenter == preferred, Reverse(view.answering.get(&member.id.0).copied()))
    });
    best.map(|member| member.id.0)
}

fn vote_recorded(id: ReplicaId) -> Command {
    let state = Some(MemberState::Voter);
    Command::UpdateMember(UpdateMember { id, state, datacenter: None, peer_address: None, api_url: None })
}
