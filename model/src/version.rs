//! The group's version: what all of its replicas understand.
//!
//! | version | from it on |
//! |---|---|
//! | 1 | what every group begins with |
//! | 2 | `raise-version`, `adopt` |
//! | 3 | the kinds Workflow and WorkflowTemplate, and any other; `diagnose`, `pause`, `resume`, `confirm-stops`, `write-off-cluster`, `give-up`, `assess`, `move`, `drain`; `fan-out`; `check`; `move-cursors`; deployables, and runs that require them; pools and locks; status rules; clusters without a kubeconfig, with a `via`, and watched by namespaces; hubs: `follow-profile`, `follow-decision`, `tell-hub` |
//! | 4 | `remark`, in builds with the feature `tomorrow` only, which the tests of upgrades make |
//!
//! A new command, or a new outcome of an old one, takes the next number here. It is proposed, and has its new outcome,
//! only at that version: the leader raises the group when every replica runs a build that understands it. Before, any
//! replica may go back to the build that it had; afterwards an older build stops.

use crate::Command;
use crate::command::{Diagnose, MoveCursors};
use crate::record::{OnLoss, Preflight, WatchScope};

/// The highest version of a group that this build understands.
pub const GROUP_VERSION: u32 = if cfg!(feature = "tomorrow") { 4 } else { 3 };

impl Command {
    /// The version of the group from which on it may be in the log.
    #[must_use]
    pub fn since(&self) -> u32 {
        match self {
            Command::Adopt(adopt) => adopt.item.kind.since().max(2),
            Command::Submit(submit) => {
                let keeps = !submit.spec.allocations.is_empty() || !submit.spec.locks.is_empty();
                let kinds = submit.planned.iter().map(|planned| planned.kind.since()).max().unwrap_or(0);
                let kinds = if keeps { kinds.max(3) } else { kinds };
                let placement = &submit.spec.placement;
                let is_new = placement.on_loss != OnLoss::Wait
                    || placement.fan_out
                    || placement.spread_by_label.is_some()
                    || placement.decision.is_some()
                    || submit.spec.preflight != Preflight::Skip
                    || !submit.spec.requires.is_empty();
                if is_new { kinds.max(3) } else { kinds }
            }
            Command::Deploy(_)
            | Command::Redeploy(_)
            | Command::Rollback(_)
            | Command::Withdraw(_)
            | Command::Spread(_)
            | Command::IntendSync(_)
            | Command::ConcludeSync(_)
            | Command::ObserveSync(_)
            | Command::ApproveGeneration(_)
            | Command::PauseRollout(_) => 3,
            Command::AddCluster(add)
                if add.credentials.server.is_some() || !add.via.is_empty() || !add.hub.is_empty() =>
            {
                3
            }
            Command::UpdateCluster(update) if update.hub.as_ref().is_some_and(|hub| !hub.is_empty()) => 3,
            Command::AddCluster(add) if !add.observe.is_empty() => 3,
            Command::UpdateCluster(update) if update.observe.as_ref().is_some_and(|all| !all.is_empty()) => 3,
            Command::AddCluster(add) if add.watch_scope != WatchScope::Cluster => 3,
            Command::UpdateCluster(update)
                if update.watch.as_ref().is_some_and(|(scope, _)| *scope != WatchScope::Cluster) =>
            {
                3
            }
            Command::UpdateCluster(update) if update.via.as_ref().is_some_and(|via| !via.is_empty()) => 3,
            Command::UpdateCluster(update)
                if update.credentials.as_ref().is_some_and(|credentials| credentials.server.is_some()) =>
            {
                3
            }
            Command::Observe(observe) if !observe.namespace.is_empty() => 3,
            Command::Observe(observe) => observe.kind.since(),
            Command::Sweep(sweep) => sweep.kind.since(),
            Command::Diagnose(_) => Diagnose::SINCE,
            Command::MoveCursors(_) => MoveCursors::SINCE,
            Command::Pause(_)
            | Command::Resume(_)
            | Command::ConfirmStops(_)
            | Command::WriteOffCluster(_)
            | Command::GiveUp(_)
            | Command::Assess(_)
            | Command::Move(_)
            | Command::Drain(_)
            | Command::FanOut(_)
            | Command::AddPool(_)
            | Command::UpdatePool(_)
            | Command::RemovePool(_)
            | Command::Allocate(_)
            | Command::Deallocate(_)
            | Command::AddLock(_)
            | Command::UpdateLock(_)
            | Command::RemoveLock(_)
            | Command::AcquireLock(_)
            | Command::RenewLock(_)
            | Command::ReleaseLock(_)
            | Command::Check(_)
            | Command::PutStatusRule(_)
            | Command::ObserveForeign(_)
            | Command::RemoveStatusRule(_)
            | Command::FollowProfile(_)
            | Command::FollowDecision(_)
            | Command::TellHub(_) => 3,
            #[cfg(feature = "tomorrow")]
            Command::Remark(_) => 4,
            // Also of what raises the version: it is proposed when all have said that they understand it.
            _ => 0,
        }
    }
}

/// What is said of a replica whose build is too old for its group.
#[must_use]
pub fn too_old(group: u32, understands: u32) -> String {
    format!(
        "the group is at version {group}, and this build understands versions up to {understands}: run a build that \
         understands {group} (tallyman version --client); going back before it is not possible any more"
    )
}
