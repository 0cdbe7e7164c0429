//! The commands: one file each, saying which rows it reads and writes and which refusals it gives.

mod acquire_lock;
mod add_cluster;
mod add_lock;
mod add_member;
mod add_pool;
mod adopt;
mod allocate;
mod approve;
mod approve_generation;
mod assess;
mod begin_lineage;
mod cancel;
mod check;
mod conclude;
mod conclude_sync;
mod confirm_lineage;
mod confirm_stops;
mod contact;
mod deallocate;
mod delete;
mod deploy;
mod diagnose;
mod dismiss_member;
mod drain;
mod endow;
mod expect_member;
mod expire;
mod fan_out;
mod follow_decision;
mod follow_profile;
mod found;
mod give_up;
mod install;
mod intend;
mod intend_sync;
mod keeping;
mod main_object;
mod move_cursors;
mod move_run;
mod observe;
mod observe_foreign;
mod observe_sync;
mod patch;
mod pause;
mod pause_rollout;
mod place;
mod prefer_datacenter;
mod promote_member;
mod put_status_rule;
mod raise_version;
mod redeploy;
mod release_lock;
#[cfg(feature = "tomorrow")]
mod remark;
mod remove_cluster;
mod remove_lock;
mod remove_member;
mod remove_pool;
mod remove_status_rule;
mod renew_lock;
mod resume;
mod retry;
mod rollback;
mod settle;
mod spread;
mod submit;
mod sweep;
mod taken;
mod target;
mod tell_hub;
mod update_cluster;
mod update_lock;
mod update_member;
mod update_pool;
mod withdraw;
mod write_off_cluster;

pub use acquire_lock::AcquireLock;
pub use add_cluster::AddCluster;
pub use add_lock::AddLock;
pub use add_member::AddMember;
pub(crate) use add_member::MEMBERS_MAX;
pub use add_pool::AddPool;
pub use adopt::Adopt;
pub use allocate::Allocate;
pub use approve::Approve;
pub use approve_generation::ApproveGeneration;
pub use assess::Assess;
pub use begin_lineage::BeginLineage;
pub use cancel::Cancel;
pub use check::Check;
pub use conclude::{Conclude, Outcome};
pub use conclude_sync::{ConcludeSync, SyncOutcome};
pub use confirm_lineage::ConfirmLineage;
pub use confirm_stops::{ConfirmStops, StopsOf};
pub use contact::Contact;
pub use deallocate::Deallocate;
pub use delete::Delete;
pub use deploy::{Deploy, Deployment};
pub use diagnose::Diagnose;
pub use dismiss_member::DismissMember;
pub use drain::Drain;
pub use expect_member::ExpectMember;
pub use expire::Expire;
pub use fan_out::FanOut;
pub use follow_decision::FollowDecision;
pub use follow_profile::{FollowProfile, ProfileSays};
pub use found::Found;
pub use give_up::GiveUp;
pub use intend::Intend;
pub use intend_sync::IntendSync;
pub use move_cursors::{CursorMove, MoveCursors};
pub use move_run::Move;
pub use observe::{Observation, Observe};
pub use observe_foreign::{ObserveForeign, Sighting};
pub use observe_sync::{Looked, ObserveSync, Sight};
pub use patch::Patch;
pub use pause::Pause;
pub use pause_rollout::PauseRollout;
pub use place::{Choice, Place};
pub use prefer_datacenter::PreferDatacenter;
pub use promote_member::PromoteMember;
pub use put_status_rule::PutStatusRule;
pub use raise_version::RaiseVersion;
pub use redeploy::Redeploy;
pub use release_lock::ReleaseLock;
#[cfg(feature = "tomorrow")]
pub use remark::Remark;
pub use remove_cluster::RemoveCluster;
pub use remove_lock::RemoveLock;
pub use remove_member::RemoveMember;
pub use remove_pool::RemovePool;
pub use remove_status_rule::RemoveStatusRule;
pub use renew_lock::RenewLock;
pub use resume::Resume;
pub use retry::Retry;
pub use rollback::Rollback;
pub use spread::Spread;
pub use submit::{ManifestName, Submit, SubmitManifest};
pub use sweep::Sweep;
pub use target::Target;
pub use tell_hub::TellHub;
pub use update_cluster::UpdateCluster;
pub use update_lock::UpdateLock;
pub use update_member::UpdateMember;
pub use update_pool::UpdatePool;
pub use withdraw::Withdraw;
pub use write_off_cluster::WriteOffCluster;

use crate::quorum::Seen;
use crate::{Damaged, Digest, Done, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// Who proposes: a person or a program, or for the leader's own commands `system:leader`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The user's name.
    pub user: String,
    /// The user's groups.
    pub groups: Vec<String>,
    /// Who acts as that user, if that is somebody else who logged in.
    pub through: Option<String>,
}

impl Principal {
    /// The leader acting by itself.
    #[must_use]
    pub fn leader() -> Self {
        Self { user: "system:leader".to_owned(), ..Self::default() }
    }
}

/// Makes a request safe to repeat: the same key and body do it once, and get the record as it is then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The tenant whose table it counts in.
    pub namespace: String,
    /// Method and path, so that a key used on two routes is two keys.
    pub route: String,
    /// As the client gave it.
    pub key: String,
    /// Of the request's body.
    pub body: Digest,
}

/// What one log entry holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The leader's clock when it proposed, ms since 1970.
    pub clock_ms: u64,
    /// Who proposed.
    pub by: Principal,
    /// If the request may be repeated.
    pub key: Option<IdempotencyKey>,
    /// What to do.
    pub command: Command,
}

/// What can be done. Stored by position: only ever append, with a new [version](crate::version).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The first entry of a group: its identity.
    Found(Found),
    /// Take a runnable.
    Submit(Box<Submit>),
    /// Stop a run, keep its record.
    Cancel(Cancel),
    /// Stop a run, remove its objects, then its record.
    Delete(Delete),
    /// Start an ended run again.
    Retry(Retry),
    /// Change labels and annotations.
    Patch(Patch),
    /// Give runs a cluster.
    Place(Place),
    /// Decide to make one kube write.
    Intend(Intend),
    /// Say what came of it.
    Conclude(Conclude),
    /// Record what a watch said.
    Observe(Observe),
    /// Record what a comparison of inventory and cluster found.
    Sweep(Sweep),
    /// Let deadlines pass and old rows go.
    Expire(Expire),
    /// Register a cluster.
    AddCluster(AddCluster),
    /// Change a cluster's settings.
    UpdateCluster(UpdateCluster),
    /// Take a cluster out.
    RemoveCluster(RemoveCluster),
    /// Record whether and as what a cluster was reached.
    Contact(Contact),
    /// A replica asks to join; its id is the index of this entry.
    AddMember(AddMember),
    /// A replica votes from now on, or is reached elsewhere.
    UpdateMember(UpdateMember),
    /// A replica is no longer of the group.
    RemoveMember(RemoveMember),
    /// Decide on a held run.
    Approve(Approve),
    /// Go on from a backup, or from what one replica has.
    BeginLineage(BeginLineage),
    /// Let a group send again that goes on from a backup.
    ConfirmLineage(ConfirmLineage),
    /// Let a blank replica join from an address, or let it no more.
    ExpectMember(ExpectMember),
    /// Let a learner vote.
    PromoteMember(PromoteMember),
    /// Have a replica leave.
    DismissMember(DismissMember),
    /// Say where the leader is to be.
    PreferDatacenter(PreferDatacenter),
    /// Let the group go on at a higher version.
    RaiseVersion(RaiseVersion),
    /// Take over an attempt that was sent after the backup that the group goes on from.
    Adopt(Adopt),
    /// Say why an attempt does not run, or why it failed.
    Diagnose(Diagnose),
    /// Send nothing, for the group or a tenant.
    Pause(Pause),
    /// Send again, for the group or a tenant.
    Resume(Resume),
    /// Agree to what a brake holds back.
    ConfirmStops(ConfirmStops),
    /// Give a cluster up as lost for good.
    WriteOffCluster(WriteOffCluster),
    /// Give up what runs have on such a cluster.
    GiveUp(GiveUp),
    /// Decide which runs are lost with their cluster, or back with it.
    Assess(Assess),
    /// Have a run go on elsewhere.
    Move(Move),
    /// Take what has not started off a cluster.
    Drain(Drain),
    /// Take a deployable.
    Deploy(Box<Deploy>),
    /// Change a deployable: a new spec is a new generation.
    Redeploy(Box<Redeploy>),
    /// Take up an earlier generation of a deployable again.
    Rollback(Rollback),
    /// Remove a deployable from its clusters, then its record.
    Withdraw(Withdraw),
    /// Put a deployable on the clusters that its placement allows now.
    Spread(Spread),
    /// Decide to make one kube write of what is kept in sync.
    IntendSync(IntendSync),
    /// Say what came of it.
    ConcludeSync(ConcludeSync),
    /// Record what reads of what is kept in sync found.
    ObserveSync(ObserveSync),
    /// Make the runs of a fan-out, and pass on to them what was asked of it.
    FanOut(FanOut),
    /// Make a pool.
    AddPool(AddPool),
    /// Change a pool.
    UpdatePool(UpdatePool),
    /// Remove a pool.
    RemovePool(RemovePool),
    /// Give a value of a pool to a key.
    Allocate(Allocate),
    /// Release a value of a pool.
    Deallocate(Deallocate),
    /// Make a lock.
    AddLock(AddLock),
    /// Change a lock.
    UpdateLock(UpdateLock),
    /// Remove a lock.
    RemoveLock(RemoveLock),
    /// Take permits of a lock for a while.
    AcquireLock(AcquireLock),
    /// Hold a lock for longer.
    RenewLock(RenewLock),
    /// Release a lock.
    ReleaseLock(ReleaseLock),
    /// Say what a cluster answered that was asked whether it would take a run.
    Check(Check),
    /// Decide on the newest generation of a deployable.
    ApproveGeneration(ApproveGeneration),
    /// Keep a deployable from being begun on more clusters, or let it go on.
    PauseRollout(PauseRollout),
    /// Make or change a status rule.
    PutStatusRule(Box<PutStatusRule>),
    /// Take a status rule away.
    RemoveStatusRule(RemoveStatusRule),
    /// Record how far watches have come that saw nothing that matters.
    MoveCursors(MoveCursors),
    /// Have a cluster's record follow a `ClusterProfile` of a hub.
    FollowProfile(Box<FollowProfile>),
    /// Have clusters know which placement decisions of their hub name them.
    FollowDecision(FollowDecision),
    /// Say what of a hub cannot be followed.
    TellHub(TellHub),
    /// Record what a watch said of work that was not submitted here.
    ObserveForeign(ObserveForeign),
    /// Leave a remark in the ledger.
    #[cfg(feature = "tomorrow")]
    Remark(Remark),
}

impl Command {
    /// All verbs.
    pub const VERBS: &[&str] = &[
        "found",
        "submit",
        "cancel",
        "delete",
        "retry",
        "patch",
        "place",
        "intend",
        "conclude",
        "observe",
        "sweep",
        "expire",
        "add-cluster",
        "update-cluster",
        "remove-cluster",
        "contact",
        "add-member",
        "update-member",
        "remove-member",
        "approve",
        "begin-lineage",
        "confirm-lineage",
        "expect-member",
        "promote-member",
        "dismiss-member",
        "prefer-datacenter",
        "raise-version",
        "adopt",
        "diagnose",
        "pause",
        "resume",
        "confirm-stops",
        "write-off-cluster",
        "give-up",
        "assess",
        "move",
        "drain",
        "deploy",
        "redeploy",
        "rollback",
        "withdraw",
        "spread",
        "intend-sync",
        "conclude-sync",
        "observe-sync",
        "fan-out",
        "add-pool",
        "update-pool",
        "remove-pool",
        "allocate",
        "deallocate",
        "add-lock",
        "update-lock",
        "remove-lock",
        "acquire-lock",
        "renew-lock",
        "release-lock",
        "check",
        "approve-generation",
        "pause-rollout",
        "put-status-rule",
        "remove-status-rule",
        "move-cursors",
        "follow-profile",
        "follow-decision",
        "tell-hub",
        "observe-foreign",
        #[cfg(feature = "tomorrow")]
        "remark",
    ];

    /// The verb: in the ledger, in metrics and in logs.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Command::Found(_) => "found",
            Command::Submit(_) => "submit",
            Command::Cancel(_) => "cancel",
            Command::Delete(_) => "delete",
            Command::Retry(_) => "retry",
            Command::Patch(_) => "patch",
            Command::Place(_) => "place",
            Command::Intend(_) => "intend",
            Command::Conclude(_) => "conclude",
            Command::Observe(_) => "observe",
            Command::Sweep(_) => "sweep",
            Command::Expire(_) => "expire",
            Command::AddCluster(_) => "add-cluster",
            Command::UpdateCluster(_) => "update-cluster",
            Command::RemoveCluster(_) => "remove-cluster",
            Command::Contact(_) => "contact",
            Command::AddMember(_) => "add-member",
            Command::UpdateMember(_) => "update-member",
            Command::RemoveMember(_) => "remove-member",
            Command::Approve(_) => "approve",
            Command::BeginLineage(_) => "begin-lineage",
            Command::ConfirmLineage(_) => "confirm-lineage",
            Command::ExpectMember(_) => "expect-member",
            Command::PromoteMember(_) => "promote-member",
            Command::DismissMember(_) => "dismiss-member",
            Command::PreferDatacenter(_) => "prefer-datacenter",
            Command::RaiseVersion(_) => "raise-version",
            Command::Adopt(_) => "adopt",
            Command::Diagnose(_) => "diagnose",
            Command::Pause(_) => "pause",
            Command::Resume(_) => "resume",
            Command::ConfirmStops(_) => "confirm-stops",
            Command::WriteOffCluster(_) => "write-off-cluster",
            Command::GiveUp(_) => "give-up",
            Command::Assess(_) => "assess",
            Command::Move(_) => "move",
            Command::Drain(_) => "drain",
            Command::Deploy(_) => "deploy",
            Command::Redeploy(_) => "redeploy",
            Command::Rollback(_) => "rollback",
            Command::Withdraw(_) => "withdraw",
            Command::Spread(_) => "spread",
            Command::IntendSync(_) => "intend-sync",
            Command::ConcludeSync(_) => "conclude-sync",
            Command::ObserveSync(_) => "observe-sync",
            Command::FanOut(_) => "fan-out",
            Command::AddPool(_) => "add-pool",
            Command::UpdatePool(_) => "update-pool",
            Command::RemovePool(_) => "remove-pool",
            Command::Allocate(_) => "allocate",
            Command::Deallocate(_) => "deallocate",
            Command::AddLock(_) => "add-lock",
            Command::UpdateLock(_) => "update-lock",
            Command::RemoveLock(_) => "remove-lock",
            Command::AcquireLock(_) => "acquire-lock",
            Command::RenewLock(_) => "renew-lock",
            Command::ReleaseLock(_) => "release-lock",
            Command::Check(_) => "check",
            Command::ApproveGeneration(_) => "approve-generation",
            Command::PauseRollout(_) => "pause-rollout",
            Command::PutStatusRule(_) => "put-status-rule",
            Command::RemoveStatusRule(_) => "remove-status-rule",
            Command::MoveCursors(_) => "move-cursors",
            Command::FollowProfile(_) => "follow-profile",
            Command::FollowDecision(_) => "follow-decision",
            Command::TellHub(_) => "tell-hub",
            Command::ObserveForeign(_) => "observe-foreign",
            #[cfg(feature = "tomorrow")]
            Command::Remark(_) => "remark",
        }
    }

    /// True if it is decided by what the leader sees of the others when it proposes it.
    #[must_use]
    pub fn depends_on_seen(&self) -> bool {
        matches!(self, Command::PromoteMember(_) | Command::DismissMember(_))
    }

    /// Where it says what the leader saw of the others when it proposed it.
    pub fn seen_mut(&mut self) -> Option<&mut Seen> {
        match self {
            Command::PromoteMember(promote) => Some(&mut promote.seen),
            Command::DismissMember(dismiss) => Some(&mut dismiss.seen),
            _ => None,
        }
    }

    /// The manifests' digest stands for a submission; everything else is small enough to be digested as it is.
    pub(crate) fn digest(&self) -> Result<Digest, serde_json::Error> {
        match self {
            Command::Submit(submit) => Ok(submit.digest),
            Command::Deploy(deploy) => Ok(deploy.asked.digest),
            Command::Redeploy(redeploy) => Ok(redeploy.asked.digest),
            other => Ok(Digest::of(&serde_json::to_vec(other)?)),
        }
    }

    /// True if it is for something to be there no more.
    pub(crate) fn is_removal(&self) -> bool {
        matches!(
            self,
            Command::Delete(_)
                | Command::Withdraw(_)
                | Command::RemoveCluster(_)
                | Command::RemoveMember(_)
                | Command::RemovePool(_)
                | Command::Deallocate(_)
                | Command::RemoveLock(_)
                | Command::RemoveStatusRule(_)
        )
    }

    /// Does it. What a runnable keeps of its submission is moved there; verb and [`digest`](Self::digest) stay.
    pub(crate) fn apply(
        &mut self,
        txn: &mut Txn<'_>,
        by: &Principal,
    ) -> Result<Result<Done, Refusal>, Damaged> {
        match self {
            Command::Found(found) => found.apply(txn),
            Command::Submit(submit) => submit.apply(txn, by),
            Command::Cancel(cancel) => cancel.apply(txn, by),
            Command::Delete(delete) => delete.apply(txn, by),
            Command::Retry(retry) => retry.apply(txn, by),
            Command::Patch(patch) => patch.apply(txn),
            Command::Place(place) => place.apply(txn),
            Command::Intend(intend) => intend.apply(txn),
            Command::Conclude(conclude) => conclude.apply(txn),
            Command::Observe(observe) => observe.apply(txn),
            Command::Sweep(sweep) => sweep.apply(txn),
            Command::Expire(expire) => expire.apply(txn),
            Command::AddCluster(add) => add.apply(txn, by),
            Command::UpdateCluster(update) => update.apply(txn),
            Command::RemoveCluster(remove) => remove.apply(txn),
            Command::Contact(contact) => contact.apply(txn),
            Command::AddMember(add) => add.apply(txn, by),
            Command::UpdateMember(update) => update.apply(txn),
            Command::RemoveMember(remove) => remove.apply(txn),
            Command::Approve(approve) => approve.apply(txn, by),
            Command::BeginLineage(begin) => begin.apply(txn),
            Command::ConfirmLineage(confirm) => confirm.apply(txn),
            Command::ExpectMember(expect) => expect.apply(txn),
            Command::PromoteMember(promote) => promote.apply(txn),
            Command::DismissMember(dismiss) => dismiss.apply(txn),
            Command::PreferDatacenter(prefer) => prefer.apply(txn),
            Command::RaiseVersion(raise) => raise.apply(txn),
            Command::Adopt(adopt) => adopt.apply(txn),
            Command::Diagnose(diagnose) => diagnose.apply(txn),
            Command::Pause(pause) => pause.apply(txn, by),
            Command::Resume(resume) => resume.apply(txn),
            Command::ConfirmStops(confirm) => confirm.apply(txn),
            Command::WriteOffCluster(off) => off.apply(txn, by),
            Command::GiveUp(give_up) => give_up.apply(txn),
            Command::Assess(assess) => assess.apply(txn),
            Command::Move(moving) => moving.apply(txn, by),
            Command::Drain(drain) => drain.apply(txn, by),
            Command::Deploy(deploy) => deploy.apply(txn, by),
            Command::Redeploy(redeploy) => redeploy.apply(txn, by),
            Command::Rollback(rollback) => rollback.apply(txn, by),
            Command::Withdraw(withdraw) => withdraw.apply(txn, by),
            Command::Spread(spread) => spread.apply(txn),
            Command::IntendSync(intend) => intend.apply(txn),
            Command::ConcludeSync(conclude) => conclude.apply(txn),
            Command::ObserveSync(observe) => observe.apply(txn),
            Command::ObserveForeign(observe) => observe.apply(txn),
            Command::FanOut(fan_out) => fan_out.apply(txn),
            Command::AddPool(add) => add.apply(txn, by),
            Command::UpdatePool(update) => update.apply(txn),
            Command::RemovePool(remove) => remove.apply(txn),
            Command::Allocate(allocate) => allocate.apply(txn, by),
            Command::Deallocate(deallocate) => deallocate.apply(txn),
            Command::AddLock(add) => add.apply(txn, by),
            Command::UpdateLock(update) => update.apply(txn),
            Command::RemoveLock(remove) => remove.apply(txn),
            Command::AcquireLock(acquire) => acquire.apply(txn),
            Command::RenewLock(renew) => renew.apply(txn),
            Command::ReleaseLock(release) => release.apply(txn),
            Command::Check(check) => check.apply(txn),
            Command::ApproveGeneration(approve) => approve.apply(txn, by),
            Command::PauseRollout(pause) => pause.apply(txn, by),
            Command::PutStatusRule(put) => put.apply(txn, by),
            Command::RemoveStatusRule(remove) => remove.apply(txn),
            Command::MoveCursors(moves) => moves.apply(txn),
            Command::FollowProfile(follow) => follow.apply(txn),
            Command::FollowDecision(follow) => follow.apply(txn),
            Command::TellHub(tell) => tell.apply(txn),
            #[cfg(feature = "tomorrow")]
            Command::Remark(remark) => remark.apply(txn),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::Command;

    #[test]
    fn the_verbs_are_those_of_the_commands() {
        // Who does not know a variant lists all that there are.
        let unknown = serde_json::from_str::<Command>("\"?\"").unwrap_err().to_string();
        let variants = unknown.split('`').skip(3).step_by(2);
        let verb = |variant: &str| {
            let dashed = variant.chars().flat_map(|letter| match letter.is_uppercase() {
                true => vec!['-', letter.to_ascii_lowercase()],
                false => vec![letter],
            });
            dashed.skip(1).collect::<String>()
        };
        assert_eq!(variants.map(verb).collect::<Vec<_>>(), Command::VERBS);
    }
}
