//! Turns openraft's metrics into status and leadership.

use super::inner::{Inner, Member};
use crate::types::Metrics;
use crate::{DiskReport, Permit, Role, Status};
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::{LogIdOptionExt as _, ServerState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tallyman_model::record::MemberState;
use tallyman_model::{GroupId, ReplicaId, query};

/// Changes within this time are published as one.
const TOGETHER: Duration = Duration::from_millis(10);

const BLANK_WAITS_FOR: &str =
    "the group to be founded (tallyman operator init), or a founded one among its peers to let it in";

/// Publishes status and leadership until the replica stops.
pub(crate) async fn observe(inner: Arc<Inner>, member: Member) {
    let mut metrics = member.raft.metrics();
    loop {
        let now = metrics.borrow_and_update().clone();
        inner.clock.sample(2 * inner.lease());
        if let Err(fatal) = &now.running_state
            && !inner.stop.is_cancelled()
        {
            inner.fatal.set(&format!("Raft has stopped: {fatal}"));
        }
        inner.publish_leadership(&member, &now);
        inner.publish_status(&now);
        tokio::time::sleep(TOGETHER).await;
        // The age of the state grows without any change.
        let look = Duration::from_millis(inner.timing().heartbeat_ms);
        if let Ok(Err(_)) = tokio::time::timeout(look, metrics.changed()).await {
            if !inner.stop.is_cancelled() {
                inner.fatal.set("Raft has ended");
                inner.publish_status(&now);
            }
            return;
        }
    }
}

impl Inner {
    fn publish_leadership(&self, member: &Member, metrics: &Metrics) {
        // Not before what earlier leaders decided is applied: then the first entry of this term is.
        let leads = metrics.state == ServerState::Leader
            && self.fatal.get().is_none()
            && metrics.current_leader == Some(member.id)
            && metrics.last_applied.is_some_and(|id| id.leader_id.term == metrics.current_term);
        let (term, leader) = (metrics.current_term, ReplicaId(member.id));
        let permit = leads.then_some(Permit { term, leader, incarnation: self.incarnation });
        self.leadership.send_if_modified(|current| {
            let changed = *current != permit;
            *current = permit;
            changed
        });
    }

    /// Publishes that this replica is of no group, and why it was not let in if it was not.
    pub(crate) fn publish_blank(&self, refused: Option<&str>) {
        let waiting_for = match refused {
            Some(why) => format!("the group to let it in: {why}"),
            None => BLANK_WAITS_FOR.to_owned(),
        };
        self.publish(Status { waiting_for: Some(waiting_for), ..Status::default() });
    }

    /// Publishes what this replica is.
    pub(crate) fn publish_status(&self, metrics: &Metrics) {
        self.publish(self.member_status(metrics));
    }

    fn publish(&self, status: Status) {
        let (fatal, refused_by_peer) = (self.fatal.get(), self.who.last_refusal());
        let (disk, understands) = (self.disk_report(), self.options.understands);
        let status = Status { fatal, refused_by_peer, disk, understands, ..status };
        self.status.send_if_modified(|current| {
            let changed = *current != status;
            *current = status;
            changed
        });
    }

    fn member_status(&self, metrics: &Metrics) -> Status {
        let membership = metrics.membership_config.membership();
        let role = match metrics.state {
            ServerState::Leader => Role::Leader,
            ServerState::Candidate => Role::Candidate,
            ServerState::Follower => Role::Follower,
            ServerState::Learner | ServerState::Shutdown => Role::Learner,
        };
        // Read once, and let go: the watch must not be borrowed twice at a time.
        let applied = self.published.borrow().index;
        Status {
            id: Some(ReplicaId(metrics.id)),
            role,
            term: metrics.current_term,
            leader: metrics.current_leader.map(ReplicaId),
            last_log: metrics.last_log_index.unwrap_or(0),
            committed: metrics.local_committed.index().unwrap_or(0),
            applied,
            voters: membership.voter_ids().map(ReplicaId).collect(),
            learners: membership.learner_ids().map(ReplicaId).collect(),
            lag_ms: self.lag().map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)),
            round_trip_us: self
                .distance
                .round_trip()
                .map(|it| u64::try_from(it.as_micros()).unwrap_or(u64::MAX)),
            stretch_percent: self.distance.percent(),
            waiting_for: self.member_waits_for(metrics),
            refused_by_peer: None,
            disk: DiskReport::default(),
            relaying: self.relays.relaying(),
            refuses_submissions: self.disk.refusing().filter(|_| role == Role::Leader),
            understands: 0,
            fatal: None,
        }
    }

    fn member_waits_for(&self, metrics: &Metrics) -> Option<String> {
        if metrics.last_log_index.is_none() {
            return Some("the leader's first entries".to_owned());
        }
        if metrics.current_leader.is_none() {
            return Some("a leader".to_owned());
        }
        if !self.is_founded() {
            return Some("the founding entry".to_owned());
        }
        if metrics.membership_config.membership().voter_ids().any(|id| id == metrics.id) {
            return None;
        }
        let records = self.reader.now(|view, _| crate::members::members(view)).unwrap_or_default();
        let own = records.iter().find(|member| member.id.0 == metrics.id);
        match own.map(|member| member.state) {
            // It is to be a learner, and serves as one.
            Some(MemberState::Learner) => None,
            Some(MemberState::Leaving) => Some("nothing any more: it leaves the group".to_owned()),
            _ => Some("being made a voter".to_owned()),
        }
    }

    /// True when the founding entry is applied.
    pub(crate) fn is_founded(&self) -> bool {
        // Once so, it stays so: no need to read again.
        self.founded.load(Ordering::Relaxed) || {
            let meta = self.reader.now(|view, _| query::meta(view));
            let founded = meta.is_ok_and(|meta| meta.group != GroupId::default());
            self.founded.store(founded, Ordering::Relaxed);
            founded
        }
    }

    /// See [`Group::may_act`](crate::Group::may_act).
    pub(crate) fn may_act(&self, permit: &Permit) -> bool {
        let is_handed_over = permit.term <= self.handed_over_term.load(Ordering::SeqCst);
        if is_handed_over || self.leadership.borrow().as_ref() != Some(permit) {
            return false;
        }
        let Some(member) = self.member() else { return false };
        let metrics = member.raft.metrics();
        let metrics = metrics.borrow_watched();
        let leads = metrics.state == ServerState::Leader && metrics.current_term == permit.term;
        let acked = metrics.last_quorum_acked.map(|acked| acked.into_inner());
        let lease = self.granted_lease(&metrics);
        let age = acked.and_then(|acked| self.clock.age(acked));
        // Nobody acknowledges to a sole voter, and nobody else can lead.
        let alone = metrics.membership_config.membership().voter_ids().count() == 1;
        leads && (alone || age.is_some_and(|age| age < lease - lease / 4))
    }
}
