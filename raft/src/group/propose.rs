//! Proposals: on the leader, or one hop to it.

use super::inner::{Inner, Member};
use crate::content::{EntryRef, Proposed};
use crate::transport::{CallError, Request, Response};
use crate::types::{Metrics, Reply, Types, matched};
use crate::{NotSent, ProposeError};
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;
use openraft::raft::{ClientWriteResponse, ClientWriteResult};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tallyman_model::{Command, Done, IdempotencyKey, Principal, Refusal, ReplicaId};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// The longest entry, in bytes.
const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The unit in which proposals in flight are counted, in bytes.
pub(crate) const IN_FLIGHT_UNIT_BYTES: usize = 1024;
/// After the leader said that it does not lead, until it is asked again if nothing is heard of another.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What the group is to decide on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who proposes.
    pub by: Principal,
    /// If the request may be repeated.
    pub key: Option<IdempotencyKey>,
    /// What to do.
    pub command: Command,
}

/// A committed and applied proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Committed {
    /// Its place in the log.
    pub index: u64,
    /// What applying it answered.
    pub reply: Result<Done, Refusal>,
    /// Who led.
    pub led_by: ReplicaId,
    /// On the disks of how many voters it is known to be; a quorum at least.
    pub on_disk: u32,
    /// How many voters there are.
    pub voters: u32,
}

/// A proposal on its way to the leader.
pub(crate) type Forwarded = Proposal;

/// What came of a proposal on the replica that was taken for the leader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ForwardedAnswer {
    Committed(Committed),
    /// It does not lead (any more), and has not appended it.
    NotLeader,
    NotSent(NotSent),
    Unknown(String),
}

impl From<ForwardedAnswer> for Result<Committed, ProposeError> {
    fn from(answer: ForwardedAnswer) -> Self {
        match answer {
            ForwardedAnswer::Committed(committed) => Ok(committed),
            ForwardedAnswer::NotLeader => Err(ProposeError::NotSent { why: NotSent::NoLeader }),
            ForwardedAnswer::NotSent(why) => Err(ProposeError::NotSent { why }),
            ForwardedAnswer::Unknown(why) => Err(ProposeError::Unknown { why }),
        }
    }
}

fn not_ready(why: impl Into<String>) -> ForwardedAnswer {
    ForwardedAnswer::NotSent(NotSent::NotReady { why: why.into() })
}

impl Inner {
    /// See [`Group::propose`](crate::Group::propose).
    pub(crate) async fn propose(&self, proposal: Proposal) -> Result<Committed, ProposeError> {
        let Some(member) = self.member() else { return not_ready("this replica is of no group yet").into() };
        let give_up = Instant::now() + Duration::from_millis(self.timing().leader_wait_ms_max);
        loop {
            let Some((leader, address)) = self.wait_for_leader(&member, give_up).await else {
                return ForwardedAnswer::NotLeader.into();
            };
            let answer = if leader == member.id {
                self.propose_here(&member, &proposal).await
            } else {
                self.propose_there(&member, leader, &address, proposal.clone()).await
            };
            // Certainly not appended there: it is safe to go to the next leader.
            if answer != ForwardedAnswer::NotLeader || Instant::now() >= give_up {
                return answer.into();
            }
            let mut metrics = member.raft.metrics();
            metrics.borrow_and_update();
            // Whatever has changed, or nothing: it is asked again.
            let _ = timeout(ASK_AGAIN, metrics.changed()).await;
        }
    }

    /// Waits until somebody leads, as far as this replica knows.
    pub(crate) async fn wait_for_leader(&self, member: &Member, give_up: Instant) -> Option<(u64, String)> {
        let mut metrics = member.raft.metrics();
        loop {
            metrics.borrow_and_update();
            if let Some(leader) = member.leader() {
                return Some(leader);
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                changed = timeout_at(give_up, metrics.changed()) => match changed {
                    Ok(Ok(())) => {}
                    _ => return None,
                }
            }
        }
    }

    async fn propose_there(
        &self,
        from: &Member,
        leader: u64,
        address: &str,
        proposal: Proposal,
    ) -> ForwardedAnswer {
        let timing = self.timing();
        // A little longer than the leader itself waits, so that its answer can still come.
        let wait = Duration::from_millis(timing.propose_ms_max + timing.dial_ms_max);
        let request = Request::Propose(Box::new(proposal));
        match self.ask(address, Some(leader), &request, wait).await {
            Ok(Response::Propose(answer)) => *answer,
            Ok(Response::NotNow(why)) => not_ready(why),
            Ok(_) => ForwardedAnswer::Unknown("the leader gave another answer than was asked for".to_owned()),
            Err(CallError::Unknown(why)) => ForwardedAnswer::Unknown(why),
            Err(CallError::Busy) => ForwardedAnswer::NotSent(NotSent::Busy { retry_after_s: 1 }),
            Err(error @ (CallError::NotSent(_) | CallError::Refused(_))) => {
                tracing::debug!(from = from.id, leader, %error, "the leader cannot be reached");
                ForwardedAnswer::NotLeader
            }
        }
    }

    /// Proposes on this replica, if it leads. Never passed on: there is one hop at most.
    pub(crate) async fn propose_here(&self, member: &Member, proposal: &Proposal) -> ForwardedAnswer {
        if let Some(why) = self.fatal.get() {
            return not_ready(format!("the leader is out of service: {why}"));
        }
        if let Some(why) = self.too_new(&proposal.command) {
            return not_ready(why);
        }
        let timing = self.timing();
        let (ms, ms_max) = (self.skew_ms.load(Ordering::Relaxed), timing.clock_skew_ms_max);
        if ms.unsigned_abs() > ms_max {
            return ForwardedAnswer::NotSent(NotSent::ClockSkew { ms, ms_max });
        }
        if matches!(proposal.command, Command::Submit(_))
            && self.leadership.borrow().is_some()
            && let Some(why) = self.disk.refusing()
        {
            return ForwardedAnswer::NotSent(NotSent::DiskFull { why });
        }
        let Proposal { by, key, command } = proposal;
        let mut command = Cow::Borrowed(command);
        if command.depends_on_seen()
            && let Some(seen) = command.to_mut().seen_mut()
        {
            *seen = self.seen(member).await;
        }
        let command = &*command;
        let entry = EntryRef { clock_ms: self.options.env.now_ms(), by, key, command };
        let proposed = match Proposed::encode(member.id, entry) {
            Ok(proposed) => proposed,
            Err(error) => return not_ready(error.to_string()),
        };
        let bytes = proposed.len();
        if bytes > ENTRY_BYTES_MAX {
            return ForwardedAnswer::NotSent(NotSent::TooLong { bytes, bytes_max: ENTRY_BYTES_MAX });
        }
        let units = u32::try_from(bytes.div_ceil(IN_FLIGHT_UNIT_BYTES)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.in_flight).try_acquire_many_owned(units) else {
            return ForwardedAnswer::NotSent(NotSent::Busy { retry_after_s: 1 });
        };
        let (responder, answer) = ProgressResponder::complete_only();
        if member.raft.client_write_ff(proposed, Some(responder)).await.is_err() {
            return not_ready("this replica stops");
        }
        let in_flight = InFlight { answer: Some(answer), room: Some(room) };
        let wait = Duration::from_millis(timing.propose_ms_max);
        match timeout(wait, in_flight.answer()).await {
            Ok(Some(Ok(response))) => self.committed(member, response),
            Ok(Some(Err(ClientWriteError::ForwardToLeader(_)))) => ForwardedAnswer::NotLeader,
            Ok(Some(Err(error))) => ForwardedAnswer::Unknown(error.to_string()),
            Ok(None) => ForwardedAnswer::Unknown("the replica stopped meanwhile".to_owned()),
            Err(_) => {
                ForwardedAnswer::Unknown(format!("it was not committed within {} ms", wait.as_millis()))
            }
        }
    }

    fn committed(&self, member: &Member, response: ClientWriteResponse<Types>) -> ForwardedAnswer {
        let reply: Reply = response.data;
        let Some(reply) = reply else {
            return ForwardedAnswer::Unknown("the entry was applied without an answer".to_owned());
        };
        let own = self.who.durable().1.map(|id| id.index);
        let metrics = member.raft.metrics();
        let (on_disk, voters) = on_disk(&metrics.borrow_watched(), member.id, own, response.log_id.index);
        let led_by = ReplicaId(member.id);
        ForwardedAnswer::Committed(Committed { index: response.log_id.index, reply, led_by, on_disk, voters })
    }
}

/// On the disks of how many voters the entry `index` is known to be, and how many there are. It is committed, so a
/// quorum has it, whether or not openraft has published that yet.
fn on_disk(metrics: &Metrics, own_id: u64, own: Option<u64>, index: u64) -> (u32, u32) {
    let voters: Vec<u64> = metrics.membership_config.membership().voter_ids().collect();
    let has = |id: &u64| {
        if *id == own_id {
            return own >= Some(index);
        }
        matched(metrics, *id).is_some_and(|matched| matched.index >= index)
    };
    let quorum = voters.len() / 2 + 1;
    let known = voters.iter().filter(|id| has(id)).count();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    (number(known.max(quorum)), number(voters.len()))
}

/// A proposal that was handed to openraft. It counts as in flight until it is answered, even when nobody waits for
/// the answer any more.
struct InFlight {
    answer: Option<oneshot::Receiver<ClientWriteResult<Types>>>,
    room: Option<OwnedSemaphorePermit>,
}

impl InFlight {
    /// The answer; `None` when openraft has stopped.
    async fn answer(mut self) -> Option<ClientWriteResult<Types>> {
        let answer = self.answer.as_mut()?.await.ok();
        self.answer = None;
        answer
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let (Some(answer), Some(room)) = (self.answer.take(), self.room.take()) {
            tokio::spawn(async move {
                let _ = answer.await;
                drop(room);
            });
        }
    }
}
