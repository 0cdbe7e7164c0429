//! The group's version. The leader raises it when the builds of all replicas understand more, and never lowers it; a
//! command that needs a higher one is not proposed.

use super::inner::{Inner, Member};
use crate::members;
use crate::transport::{CallError, Request, Response};
use futures::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tallyman_model::command::{AddMember, RaiseVersion};
use tallyman_model::record;
use tallyman_model::{Command, ReplicaId};
use tokio::time::Instant;

/// A replica whose build does not know the question breaks the connection; it is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// What the builds of the other members understand, as far as this leader knows, and since when it does.
#[derive(Debug, Default)]
pub(crate) struct Understood(Mutex<BTreeMap<ReplicaId, (Instant, Option<u32>)>>);

impl Understood {
    fn of(&self, replica: ReplicaId) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&replica).and_then(|known| known.1)
    }

    fn is_due(&self, replica: ReplicaId) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&replica).is_none_or(|(at, known)| known.is_some() || at.elapsed() >= ASK_AGAIN)
    }

    /// `said`: nothing if it was not reached.
    fn note(&self, replica: ReplicaId, said: Option<Option<u32>>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match said {
            Some(known) => all.insert(replica, (Instant::now(), known)),
            None => all.remove(&replica),
        };
    }
}

impl Inner {
    /// The group's version, as far as this replica has applied.
    pub(crate) fn version(&self) -> u32 {
        members::version(&self.reader)
    }

    /// Asks the other members what their builds understand, while the group could go further with this one.
    pub(crate) async fn compare_versions(&self, member: &Member) {
        if self.leadership.borrow().is_none() || self.version() >= self.options.understands {
            return;
        }
        let records = self.reader.now(|view, _| members::members(view)).unwrap_or_default();
        let others = records.iter().filter(|other| other.id.0 != member.id);
        let asked = others.filter(|other| self.understood.is_due(other.id)).map(async |other| {
            let answer = self.ask_understands(&other.peer_address, Some(other.id.0)).await;
            let said = match answer {
                Ok(known) => Some(known),
                Err(CallError::NotSent(_) | CallError::Busy | CallError::Refused(_)) => None,
                Err(CallError::Unknown(_)) => Some(None),
            };
            self.understood.note(other.id, said);
        });
        join_all(asked).await;
    }

    /// Up to which version the build there understands the group; `None`: it does not know the question.
    async fn ask_understands(&self, address: &str, target: Option<u64>) -> Result<Option<u32>, CallError> {
        let wait = Duration::from_millis(self.timing().dial_ms_max);
        self.ask(address, target, &Request::Understands, wait).await.map(|answer| match answer {
            Response::Understands(version) => Some(version),
            _ => None,
        })
    }

    /// What raises the group to what all of `members` understand, if that is more than its `version`.
    pub(crate) fn raise(&self, members: &[record::Member], version: u32) -> Option<Command> {
        let own = self.who.ids().replica.map(ReplicaId);
        let understands = |member: &record::Member| match Some(member.id) == own {
            true => Some(self.options.understands),
            false => self.understood.of(member.id),
        };
        let all: Option<Vec<u32>> = members.iter().map(understands).collect();
        let to = all?.into_iter().min().filter(|to| *to > version)?.min(self.options.understands);
        let understood_by = members.iter().map(|member| member.id).collect();
        Some(Command::RaiseVersion(RaiseVersion { to, understood_by }))
    }

    /// Why `command` is not proposed yet: replicas are there that would not understand it.
    pub(crate) fn too_new(&self, command: &Command) -> Option<String> {
        let needed = command.since();
        if needed == 0 {
            return None;
        }
        let version = self.version();
        (needed > version).then(|| {
            let records = self.reader.now(|view, _| members::members(view)).unwrap_or_default();
            let own = self.who.ids().replica.map(ReplicaId);
            let is_old = |member: &&record::Member| {
                Some(member.id) != own && self.understood.of(member.id).is_none_or(|known| known < needed)
            };
            let old: Vec<String> = records
                .iter()
                .filter(is_old)
                .map(|old| format!("{} ({})", old.id, old.peer_address))
                .collect();
            let who = match old.as_slice() {
                [] => "it is being raised".to_owned(),
                old => format!("upgrade {}, which must answer that they understand it", old.join(", ")),
            };
            format!("{} needs version {needed} of the group, which is at {version}: {who}", command.verb())
        })
    }

    /// Refuses a blank replica whose build does not understand the group that it would join.
    ///
    /// # Errors
    /// Why, for its operator.
    pub(crate) async fn check_build(&self, new: &AddMember, version: u32) -> Result<(), String> {
        if version <= FOUNDED_AT {
            return Ok(());
        }
        let understands = match self.ask_understands(&new.peer_address, None).await {
            Ok(known) => known.unwrap_or(FOUNDED_AT),
            // What did not answer at all may be away; a build that breaks the connection does not know the question.
            Err(CallError::Unknown(_)) => FOUNDED_AT,
            Err(error) => return Err(format!("{} cannot be reached: {error}", new.peer_address)),
        };
        match understands >= version {
            true => Ok(()),
            false => Err(tallyman_model::version::too_old(version, understands)),
        }
    }
}

/// The version that every build understands.
const FOUNDED_AT: u32 = 1;
