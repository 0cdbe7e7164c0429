//! Make the runs of a fan-out, and pass on to them what was asked of it: some at a time.
//!
//! Reads the fan-out, its runs and the clusters; writes the fan-out and at most
//! [`FAN_OUT_RUNS_MAX`](limits::FAN_OUT_RUNS_MAX) runs. The clusters are chosen once, when it is released; one that is
//! registered later gets no run. Refused as `Outdated` when it is gone or nothing of that is due.

use super::{retry, settle};
use crate::manifest::generated;
use crate::record::{self, Asked, Cascade, Cascaded, Cluster, Head, Parent, Placement, RunSpec, Runnable};
use crate::{
    Damaged, Digest, Done, Ordinal, Phase, Reason, Refusal, Tag, Txn, Uid, limits, record::Resource,
};
use serde::{Deserialize, Serialize};

/// The next few runs of a fan-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOut {
    /// The submission.
    pub run: Ordinal,
}

impl FanOut {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let now = txn.now_ms();
        let Some(mut run) = txn.runnable(self.run)? else {
            return Ok(Err(Refusal::outdated("the runnable is gone")));
        };
        let is_due = run.fan_out_due_ms().is_some_and(|due_ms| due_ms <= now);
        let Some(mut fan_out) = run.fan_out.take().filter(|_| is_due) else {
            return Ok(Err(Refusal::outdated("nothing is due for its runs")));
        };
        let said = match fan_out.cascade.take() {
            Some(cascade) => pass_on(txn, &run, &mut fan_out, cascade)?,
            None if !fan_out.is_decided => decide(txn, &mut run, &mut fan_out)?,
            None => make(txn, &run, &mut fan_out)?,
        };
        txn.say(said);
        run.fan_out = Some(fan_out);
        settle::settle(&mut run, now);
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }
}

/// Chooses the clusters.
fn decide(txn: &Txn<'_>, run: &mut Runnable, fan_out: &mut record::FanOut) -> Result<String, Damaged> {
    let is_one = |cluster: &Cluster| cluster.written_off.is_none() && run.spec.placement.allows(cluster);
    let chosen: Vec<Cluster> = txn.clusters()?.into_iter().filter(is_one).collect();
    let message = match chosen.len() {
        0 => "no cluster is in spec.placement".to_owned(),
        1..=limits::FAN_OUT_CLUSTERS_MAX => {
            (fan_out.is_decided, run.place_tries) = (true, 0);
            fan_out.left = chosen.iter().map(|cluster| cluster.head.ordinal).collect();
            let names: Vec<&str> = chosen.iter().map(|cluster| cluster.head.name.as_str()).collect();
            return Ok(format!("a run on each of {} clusters: {}", names.len(), names.join(", ")));
        }
        count => format!(
            "{count} clusters are in spec.placement, and one submission goes to at most {}: name fewer in each",
            limits::FAN_OUT_CLUSTERS_MAX
        ),
    };
    run.place_due_ms = txn.now_ms() + limits::FAN_OUT_AGAIN_MS;
    settle::enter(run, txn.now_ms(), Phase::Accepted, Reason::NoCluster, message.clone());
    Ok(message)
}

/// Makes runs on the next few of its clusters.
fn make(txn: &mut Txn<'_>, run: &Runnable, fan_out: &mut record::FanOut) -> Result<String, Damaged> {
    let rest = fan_out.left.split_off(fan_out.left.len().min(limits::FAN_OUT_RUNS_MAX));
    let now_for = std::mem::replace(&mut fan_out.left, rest);
    let mut names = Vec::with_capacity(now_for.len());
    for ordinal in now_for {
        // One that was taken out since is not missed: nothing could be sent to it.
        let Some(cluster) = txn.cluster(ordinal)? else { continue };
        let name = free_name(txn, run, &cluster)?;
        let child = child(txn, run, &cluster, name);
        fan_out.count(None, child.phase);
        names.push(cluster.head.name);
        settle::put(txn, child)?;
    }
    Ok(format!("runs for {}", names.join(", ")))
}

/// `NAME-CLUSTER`; where that is too long or taken, cut and with five characters more.
fn free_name(txn: &Txn<'_>, run: &Runnable, cluster: &Cluster) -> Result<String, Damaged> {
    const NAME_BYTES_MAX: usize = 253;
    const SUFFIX_BYTES: usize = 6;
    let cluster_name = &cluster.head.name;
    let room = NAME_BYTES_MAX.saturating_sub(cluster_name.len() + 1 + SUFFIX_BYTES);
    let is_cut = run.head.name.len() > room;
    let name = run.head.name.get(..room).unwrap_or(&run.head.name).trim_end_matches(['-', '.']);
    let whole = format!("{name}-{cluster_name}");
    let is_taken =
        |name: &str| txn.named(Resource::Runnable, &run.head.namespace, name).map(|it| it.is_some());
    if !is_cut && !is_taken(&whole)? {
        return Ok(whole);
    }
    let uid = uid_of(run, cluster);
    for tries in 0..generated::TRIES_MAX {
        let name = generated::of_submission(&format!("{whole}-"), uid, tries);
        if !is_taken(&name)? {
            return Ok(name);
        }
    }
    // Names end in what nobody could foresee: so many are not taken.
    Ok(uid.to_string())
}

/// Follows from the submission and the cluster: whoever goes on from a backup makes the same once more, and knows what
/// is there as its own.
fn uid_of(run: &Runnable, cluster: &Cluster) -> Uid {
    let mut seed = run.head.uid.0.to_vec();
    seed.extend(cluster.head.uid.0);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(Digest::of(&seed).0).for_each(|(byte, from)| *byte = from);
    Uid::from_random(bytes)
}

/// The run on one cluster.
fn child(txn: &mut Txn<'_>, run: &Runnable, cluster: &Cluster, name: String) -> Runnable {
    let now = txn.now_ms();
    let head = Head {
        ordinal: txn.new_ordinal(),
        uid: uid_of(run, cluster),
        name,
        revision: crate::Revision(0),
        created_revision: crate::Revision(0),
        created_ms: now,
        ..run.head.clone()
    };
    let clusters = vec![cluster.head.name.clone()];
    let placement =
        Placement { clusters, selector: None, decision: None, fan_out: false, ..run.spec.placement.clone() };
    let parent = Parent { ordinal: run.head.ordinal, uid: run.head.uid, name: run.head.name.clone() };
    Runnable {
        head,
        spec: RunSpec { placement, approvals: None, ..run.spec.clone() },
        parent: Some(parent),
        fan_out: None,
        approvals: None,
        locks: Vec::new(),
        waits_for_locks: false,
        parts: 0,
        manifests: Vec::new(),
        phase: Phase::Accepted,
        reason: Reason::None,
        message: String::new(),
        phase_since_ms: now,
        place_due_ms: now,
        place_tries: 0,
        late: false,
        ending: None,
        cancel: None,
        deletion: None,
        finished_ms: None,
        keep_until_ms: 0,
        history: Vec::new(),
        checks: Vec::new(),
        asking: None,
        ..run.clone()
    }
}

/// Passes on to the next few runs what was asked of all.
fn pass_on(
    txn: &mut Txn<'_>,
    run: &Runnable,
    fan_out: &mut record::FanOut,
    mut cascade: Cascade,
) -> Result<String, Damaged> {
    let children = txn.children(run.head.ordinal, cascade.after, limits::FAN_OUT_RUNS_MAX)?;
    let mut names = Vec::new();
    for ordinal in &children {
        cascade.after = *ordinal;
        let Some(mut child) = txn.runnable(*ordinal)? else { continue };
        let before = child.phase;
        if !change(&mut child, run, &cascade, txn.now_ms()) {
            continue;
        }
        fan_out.count(Some(before), child.phase);
        names.push(child.head.name.clone());
        settle::put(txn, child)?;
    }
    let what = match cascade.what {
        Cascaded::Cancel => "stops",
        Cascaded::Delete => "removes",
        Cascaded::Retry => "starts again",
    };
    if children.len() == limits::FAN_OUT_RUNS_MAX {
        fan_out.cascade = Some(cascade);
    }
    Ok(if names.is_empty() { String::new() } else { format!("{what} {}", names.join(", ")) })
}

/// Changes one run; false if it stays as it is.
fn change(child: &mut Runnable, run: &Runnable, cascade: &Cascade, now: u64) -> bool {
    let asked = Asked { by: cascade.by.clone(), at_ms: now };
    match cascade.what {
        Cascaded::Cancel => {
            if child.phase.is_terminal() || child.cancel.is_some() {
                return false;
            }
            child.cancel = Some(asked);
            if let Some(ending) = run.ending.clone() {
                settle::decide(child, ending.phase, ending.reason, ending.message);
            }
            settle::settle(child, now);
        }
        Cascaded::Delete => {
            if child.deletion.is_some() {
                return false;
            }
            child.deletion = Some(asked);
            settle::settle(child, now);
        }
        Cascaded::Retry => {
            let is_one = matches!(child.phase, Phase::Failed | Phase::Cancelled) && child.deletion.is_none();
            if !is_one || child.attempts.len() >= limits::ATTEMPTS_MAX as usize {
                return false;
            }
            retry::start_again(child, now);
            child.allocations.clone_from(&run.allocations);
            child.start_deadline_ms = run.start_deadline_ms;
            child.finish_deadline_ms = run.finish_deadline_ms;
            let message = format!("{} asked for a retry of {}", cascade.by, run.head.name);
            settle::enter(child, now, Phase::Accepted, Reason::None, message);
        }
    }
    true
}

impl Txn<'_> {
    /// The runs of a fan-out behind `after`, at most `limit`.
    pub(super) fn children(
        &self,
        parent: Ordinal,
        after: Ordinal,
        limit: usize,
    ) -> Result<Vec<Ordinal>, Damaged> {
        let from = crate::Key::lookup(Tag::Child, parent.0, after.next());
        let to = crate::Key::lookup(Tag::Child, parent.0, Ordinal(u64::MAX));
        Ok(self.page(from, to, limit)?.into_iter().map(|key| key.ordinal()).collect())
    }

    /// True if nobody has to agree to the run, or enough people agreed to what it is: to the submission that it is a
    /// part of.
    pub(super) fn is_approved(&self, run: &Runnable) -> Result<bool, Damaged> {
        let Some(parent) = &run.parent else { return Ok(run.is_approved()) };
        let of = self.runnable(parent.ordinal)?.filter(|of| of.head.uid == parent.uid);
        Ok(of.is_some_and(|of| of.is_approved()))
    }
}
