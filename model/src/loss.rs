//! What follows from the loss of a cluster: pure rules on a run and the clusters.

use crate::record::{Attempt, AttemptPhase, Cluster, Condition, ObjectState, OnLoss, Runnable};
use crate::{Ordinal, limits};
use std::collections::BTreeSet;

/// How many clusters are out of reach, of those that ever were in reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outage {
    /// Are out of reach.
    pub missing: usize,
    /// Were in reach once.
    pub known: usize,
}

impl Outage {
    /// That of these clusters.
    #[must_use]
    pub fn of(clusters: &[Cluster]) -> Self {
        let known = clusters.iter().filter(|cluster| cluster.kube_system_uid.is_some());
        known.fold(Self::default(), |sum, cluster| Self {
            missing: sum.missing + usize::from(cluster.reachable == Some(false)),
            known: sum.known + 1,
        })
    }

    /// In words, if so many are out of reach at once that nothing may be given up: more than half of several. It is
    /// rather our own network then.
    #[must_use]
    pub fn brake(self) -> Option<String> {
        let Self { missing, known } = self;
        (known > 1 && missing * 2 > known).then(|| {
            format!(
                "{missing} of {known} clusters are out of reach at once, which is rather Tallyman's network than theirs: \
                 nothing is given up there while that is so"
            )
        })
    }
}

impl Runnable {
    /// The position of the main object, if a create of it was begun and it is not known what came of that.
    #[must_use]
    pub fn uncertain_main(&self) -> Option<usize> {
        let number = self.attempt()?.number;
        self.objects.iter().position(|object| {
            let open = object.pending.is_some() || object.doubt_until_ms > 0;
            self.is_main(object) && object.attempt == number && object.state == ObjectState::Absent && open
        })
    }

    /// From when its main object certainly does not run any more though nobody can see it, ms since 1970: 0 if it was
    /// never made. `None`: nothing says so.
    ///
    /// The deadline of a Job that was seen to have started, counted from when that was seen last, and a grace: of one
    /// that was not, nobody knows when it starts.
    #[must_use]
    pub fn stopped_ms(&self) -> Option<u64> {
        let main = self.main_object()?;
        if self.uncertain_main().is_some() {
            return None;
        }
        if main.state != ObjectState::Live {
            return Some(0);
        }
        let seen = main
            .seen
            .as_ref()
            .filter(|seen| seen.started_ms.is_some() && seen.condition != Some(Condition::Suspended))?;
        Some(seen.at_ms + self.spec.main_runs_ms? + limits::DEADLINE_GRACE_MS)
    }

    /// How many attempts were given up and gone on with elsewhere: they do not count against `attempts.max`.
    #[must_use]
    pub fn moves(&self) -> u32 {
        let moved = self.attempts.iter().filter(|attempt| attempt.phase == AttemptPhase::Moved).count();
        u32::try_from(moved).unwrap_or(u32::MAX)
    }

    /// The clusters that it does not go to: where an attempt that was given up may run still, and the one that it was
    /// just taken off.
    #[must_use]
    pub fn left(&self) -> BTreeSet<Ordinal> {
        let given_up = |number: u32| {
            let mut attempts = self.attempts.iter().filter(|attempt| attempt.number == number);
            attempts.any(|attempt| matches!(attempt.phase, AttemptPhase::Lost | AttemptPhase::Moved))
        };
        let there = self.objects.iter().filter(|object| self.is_main(object) && object.claims());
        let may_run = there.filter(|object| given_up(object.attempt)).map(|object| object.cluster);
        let last = self.attempt().filter(|last| last.phase == AttemptPhase::Moved && last.leaving.is_some());
        may_run.chain(last.map(|last| last.cluster)).collect()
    }

    /// Why it cannot have one more attempt elsewhere than on `cluster`, in words; `None` if it can, of `clusters`.
    #[must_use]
    pub fn unmovable(&self, cluster: Ordinal, clusters: &[Cluster]) -> Option<String> {
        if self.attempts.len() >= limits::ATTEMPTS_MAX as usize {
            return Some(format!("it has had {} attempts, the most there may be", self.attempts.len()));
        }
        let kind = self.planned.get(usize::from(self.main)).map(|plan| (plan.kind.clone(), plan.name.len()));
        let suffix = format!("-a{}", self.attempts.len() + 1).len();
        if kind.is_some_and(|(kind, bytes)| bytes + suffix > kind.name_bytes_max()) {
            return Some(
                "the name of its main object leaves no room for the number of an attempt".to_owned(),
            );
        }
        let other = |other: &&Cluster| other.head.ordinal != cluster && self.spec.placement.allows(other);
        match clusters.iter().find(other) {
            Some(_) => None,
            None => Some("it may run on no other cluster".to_owned()),
        }
    }

    /// Those of `clusters` beside `cluster` that can take it now, if they have what it requires.
    pub fn refuges<'a>(
        &self,
        cluster: Ordinal,
        clusters: &'a [Cluster],
    ) -> impl Iterator<Item = &'a Cluster> {
        clusters.iter().filter(move |other| {
            other.head.ordinal != cluster
                && other.takes_work()
                && other.reachable == Some(true)
                && self.spec.placement.allows(other)
        })
    }

    /// True if a drain of its cluster takes it off: it is to move, and has not started.
    #[must_use]
    pub fn is_drainable(&self) -> bool {
        let waits = |attempt: &Attempt| {
            let before_start =
                matches!(attempt.phase, AttemptPhase::Placed | AttemptPhase::Sent | AttemptPhase::Pending);
            before_start && attempt.leaving.is_none()
        };
        self.spec.placement.on_loss == OnLoss::Move
            && self.ending.is_none()
            && self.attempt().is_some_and(waits)
    }
}
