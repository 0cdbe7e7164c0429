//! The scenarios, one file each: what is broken, what is promised meanwhile, and what is needed to do it.

mod apiserver_outage;
mod away;
mod cluster_loss;
mod datacenter_loss;
mod leader_loss;
mod planned_handover;
mod restore_from_backup;
mod rolling_restart;

use super::promise::{Promise, What};
use super::stage::Stage;
use crate::exit::Failure;
use std::time::Duration;

/// From a backup to a group that answers, for one as small as that of a drill on an idle machine.
const RESTORED_MS_MAX: u64 = 30_000;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// The leader is killed
    LeaderLoss,
    /// The leader hands over
    PlannedHandover,
    /// Each replica is stopped and started, one after the other
    RollingRestart,
    /// The leader's datacenter falls silent
    DatacenterLoss,
    /// A cluster is not reached
    ClusterLoss,
    /// The kube-apiserver of a cluster serves nobody
    ApiserverOutage,
    /// A backup is restored beside the group
    RestoreFromBackup,
}

/// What there is to know of a scenario before it is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Card {
    /// One sentence.
    pub(crate) sentence: &'static str,
    /// The longest time without an acknowledged write, in ms.
    pub(crate) write_gap_ms_max: u64,
    /// The longest that a read with the newest token waits on a replica that serves, in ms.
    pub(crate) staleness_ms_max: u64,
    /// From healed to all replicas ready, in ms.
    pub(crate) ready_ms_max: u64,
    /// Runs are sent to a cluster meanwhile, and are to be there exactly once.
    pub(crate) sends_runs: bool,
    /// A backup is restored, and is to be a prefix of what was acknowledged.
    pub(crate) restores: bool,
    /// What is done, in order, on `dev`.
    pub(crate) on_dev: &'static [&'static str],
    /// The same on a deployment; empty: it cannot be drilled there.
    pub(crate) on_deployment: &'static [&'static str],
    /// What a deployment asks of whoever drills it.
    pub(crate) needs: &'static str,
}

/// Whether what was broken was seen to be broken.
pub(super) enum Bite {
    Seen,
    /// Why it proves nothing.
    NotSeen(String),
}

impl Scenario {
    /// All of them, in the order in which they are listed.
    pub(crate) const ALL: [Self; 7] = [
        Self::LeaderLoss,
        Self::PlannedHandover,
        Self::RollingRestart,
        Self::DatacenterLoss,
        Self::ClusterLoss,
        Self::ApiserverOutage,
        Self::RestoreFromBackup,
    ];

    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LeaderLoss => "leader-loss",
            Self::PlannedHandover => "planned-handover",
            Self::DatacenterLoss => "datacenter-loss",
            Self::RollingRestart => "rolling-restart",
            Self::ClusterLoss => "cluster-loss",
            Self::ApiserverOutage => "apiserver-outage",
            Self::RestoreFromBackup => "restore-from-backup",
        }
    }

    /// What there is to know of it.
    pub(crate) fn card(self) -> Card {
        match self {
            Self::LeaderLoss => leader_loss::CARD,
            Self::PlannedHandover => planned_handover::CARD,
            Self::DatacenterLoss => datacenter_loss::CARD,
            Self::RollingRestart => rolling_restart::CARD,
            Self::ClusterLoss => cluster_loss::CARD,
            Self::ApiserverOutage => apiserver_outage::CARD,
            Self::RestoreFromBackup => restore_from_backup::CARD,
        }
    }

    /// Does it, and heals it.
    ///
    /// # Errors
    /// It could not be done, or the group did not come to itself.
    pub(super) async fn act(self, stage: &Stage<'_>) -> Result<Bite, Failure> {
        match self {
            Self::LeaderLoss => leader_loss::act(stage).await,
            Self::PlannedHandover => planned_handover::act(stage).await,
            Self::DatacenterLoss => datacenter_loss::act(stage).await,
            Self::RollingRestart => rolling_restart::act(stage).await,
            Self::ClusterLoss => cluster_loss::act(stage).await,
            Self::ApiserverOutage => apiserver_outage::act(stage).await,
            Self::RestoreFromBackup => restore_from_backup::act(stage).await,
        }
    }
}

impl Card {
    /// What is promised, with what whoever runs it promises instead.
    pub(crate) fn promises(&self, write_gap: Option<Duration>) -> Vec<Promise> {
        let asked = write_gap.map(|gap| u64::try_from(gap.as_millis()).unwrap_or(u64::MAX));
        let promise = |what, max| Promise { what, max };
        let mut promises = vec![
            promise(What::WriteGapMs, asked.unwrap_or(self.write_gap_ms_max)),
            promise(What::Lost, 0),
            promise(What::Twice, 0),
            promise(What::Unseen, 0),
            promise(What::StalenessMs, self.staleness_ms_max),
            promise(What::ReadyMs, self.ready_ms_max),
        ];
        promises.extend(self.sends_runs.then(|| promise(What::Astray, 0)));
        promises.extend(self.restores.then(|| promise(What::NotPrefix, 0)));
        promises.extend(self.restores.then(|| promise(What::RestoredMs, RESTORED_MS_MAX)));
        promises
    }

    /// What is done, in order.
    pub(crate) fn steps(&self, is_dev: bool) -> &'static [&'static str] {
        if is_dev { self.on_dev } else { self.on_deployment }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_scenario_is_listed_under_its_name_and_says_what_it_does() {
        assert_eq!(Scenario::ALL, *Scenario::value_variants());
        for scenario in Scenario::ALL {
            let card = scenario.card();
            assert_eq!(Scenario::from_str(scenario.name(), false), Ok(scenario));
            assert!(!card.sentence.is_empty() && !card.needs.is_empty());
            assert!(!card.on_dev.is_empty() || !card.on_deployment.is_empty(), "{}", scenario.name());
        }
    }

    #[test]
    fn who_runs_it_may_promise_another_gap_and_nothing_else() {
        let promises = Scenario::LeaderLoss.card().promises(Some(Duration::from_secs(9)));
        let usual = Scenario::LeaderLoss.card().promises(None);
        assert_eq!((promises[0].max, usual[0].max), (9000, 2500));
        assert_eq!(promises[1..], usual[1..]);
    }
}
