//! Decide which runs are lost with their cluster, which of them are given up there, which are back with it, and which
//! leave it when it is drained.
//!
//! Reads the clusters, and the lanes of loss, giving up, return and draining; writes at most [`ASSESS_MAX`](limits::ASSESS_MAX)
//! runnables of each. A run is lost when its cluster was looked for in vain for its `lossAfter`, and the present
//! leadership has looked, too. Refused as `Outdated` when the cluster is gone, it is not known whether it can be
//! reached, the present leadership has not looked, or the group goes on from a backup and nobody has confirmed that.

mod drain;

use super::settle;
use crate::loss::Outage;
use crate::manifest::write_duration;
use crate::query::Required;
use crate::record::{Cluster, Loss, OnLoss, Runnable};
use crate::{Damaged, Done, Key, Lane, Ordinal, Phase, Reason, Refusal, Txn, limits, time};
use serde::{Deserialize, Serialize};

/// Time to see what becomes of the runs of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assess {
    /// The cluster.
    pub cluster: Ordinal,
}

impl Assess {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.unconfirmed().is_some() {
            return Ok(Err(Refusal::outdated("the group's lineage is not confirmed")));
        }
        let Some(cluster) = txn.cluster(self.cluster)? else {
            return Ok(Err(Refusal::outdated("the cluster is gone")));
        };
        match cluster.reachable {
            Some(true) => {
                back(txn, &cluster)?;
                drain::drain(txn, &cluster)?;
            }
            Some(false) if cluster.missed.is_some_and(|miss| miss.term == txn.ctx.term) => {
                let lost = lose(txn, &cluster)?;
                let given_up = give_up(txn, &cluster)?;
                txn.say(format!("with {}: {lost} lost, {given_up} given up", cluster.head.name));
            }
            _ => return Ok(Err(Refusal::outdated("this leadership has not looked at the cluster"))),
        }
        Ok(Ok(Done::at(txn)))
    }
}

/// The runs that are due in a lane of the cluster.
fn due(txn: &Txn<'_>, lane: Lane, cluster: &Cluster, due_ms: u64) -> Result<Vec<Runnable>, Damaged> {
    let key = |due_ms| Key::lane(lane, cluster.head.ordinal, due_ms, Ordinal(0));
    let mut runs = Vec::new();
    for key in txn.page(key(0), key(due_ms.saturating_add(1)), limits::ASSESS_MAX)? {
        let run = txn.runnable(key.ordinal())?;
        runs.push(run.ok_or_else(|| Damaged::at(key, "a lane entry of a run that is not there"))?);
    }
    Ok(runs)
}

/// They go on as they are there; what has become of them, watches and sweeps say.
fn back(txn: &mut Txn<'_>, cluster: &Cluster) -> Result<(), Damaged> {
    let now = txn.now_ms();
    let runs = due(txn, Lane::Return, cluster, 0)?;
    if runs.is_empty() {
        return Ok(());
    }
    txn.say(format!("{} is back, and with it {} that were lost", cluster.head.name, runs.len()));
    for mut run in runs {
        if let Some(lost) = run.attempts.last_mut().and_then(|attempt| attempt.lost.as_mut()) {
            (lost.back_ms, lost.give_up_ms) = (Some(now), None);
        }
        settle::settle(&mut run, now);
        settle::write(txn, run)?;
    }
    Ok(())
}

fn lose(txn: &mut Txn<'_>, cluster: &Cluster) -> Result<usize, Damaged> {
    let now = txn.now_ms();
    let runs = due(txn, Lane::Loss, cluster, cluster.missed_ms)?;
    let count = runs.len();
    for mut run in runs {
        let (give_up_ms, what) = plan(&run, cluster, now);
        if let Some(attempt) = run.attempts.last_mut() {
            attempt.lost = Some(Loss { since_ms: now, back_ms: None, give_up_ms });
        }
        let message = format!("{}; {what}", why(&run, cluster));
        settle::enter(&mut run, now, Phase::Lost, Reason::ClusterLost, message);
        settle::write(txn, run)?;
    }
    Ok(count)
}

/// Why a run is lost, in words.
fn why(run: &Runnable, cluster: &Cluster) -> String {
    format!(
        "{} has been out of reach since {}, for longer than {}",
        cluster.head.name,
        time::format(cluster.reachable_since_ms),
        write_duration(run.spec.placement.loss_after_ms)
    )
}

/// When it is to be decided whether the run is given up there, if ever; and what becomes of it, in words.
fn plan(run: &Runnable, cluster: &Cluster, now: u64) -> (Option<u64>, String) {
    let goes_on = format!("it goes on as it is there when {} is back", cluster.head.name);
    match (run.spec.placement.on_loss, run.uncertain_main()) {
        (OnLoss::Move, _) => match run.stopped_ms() {
            Some(0) => (Some(now), "nothing of it was made there: it is to be moved".to_owned()),
            Some(due_ms) => {
                let at = time::format(due_ms);
                (
                    Some(due_ms),
                    format!("its activeDeadlineSeconds and a grace are over at {at}: it is to be moved then"),
                )
            }
            None => (
                None,
                format!(
                    "{goes_on}, or elsewhere by a person's word (tallyman move): nobody can see whether it still runs there"
                ),
            ),
        },
        (OnLoss::Fail, None) => (Some(now), "it is to end as Failed".to_owned()),
        (OnLoss::Fail, Some(main)) => {
            let main = run.describe(main);
            (None, format!("{goes_on}: it cannot end while it is not known whether {main} was made"))
        }
        (OnLoss::Wait, _) => (None, goes_on),
    }
}

/// Gives up what is due, unless too many clusters are out of reach at once, or nobody else takes it.
fn give_up(txn: &mut Txn<'_>, cluster: &Cluster) -> Result<usize, Damaged> {
    let now = txn.now_ms();
    let runs = due(txn, Lane::GiveUp, cluster, now)?;
    if runs.is_empty() {
        return Ok(0);
    }
    let (clusters, mut required) = (txn.clusters()?, Required::default());
    let mut count = 0;
    for mut run in runs {
        let why = why(&run, cluster);
        let moves = run.spec.placement.on_loss == OnLoss::Move;
        match hindrance(txn, &run, cluster, &clusters, &mut required)? {
            Some(hindrance) => {
                if let Some(lost) = run.attempts.last_mut().and_then(|attempt| attempt.lost.as_mut()) {
                    lost.give_up_ms = Some(now + limits::GIVE_UP_AGAIN_MS);
                }
                settle::enter(&mut run, now, Phase::Lost, Reason::ClusterLost, format!("{why}; {hindrance}"));
            }
            // Its turn comes in the next second.
            None if moves && !txn.meta.moves.take(now, limits::MOVES_PER_SECOND_MAX) => continue,
            None if moves => {
                count += 1;
                settle::move_on(&mut run, now, Reason::ClusterLost, why);
            }
            None => {
                count += 1;
                let name = &cluster.head.name;
                let message = format!("{why}; what is there of it is deleted when {name} is back");
                settle::end_lost(&mut run, now, message);
            }
        }
        settle::write(txn, run)?;
    }
    Ok(count)
}

/// Why a run is not given up now, in words.
fn hindrance(
    txn: &Txn<'_>,
    run: &Runnable,
    cluster: &Cluster,
    clusters: &[Cluster],
    required: &mut Required,
) -> Result<Option<String>, Damaged> {
    if let Some(brake) = Outage::of(clusters).brake() {
        return Ok(Some(brake));
    }
    if run.spec.placement.on_loss != OnLoss::Move {
        return Ok(None);
    }
    let why = stays(txn, run, cluster, clusters, required)?;
    Ok(why.map(|why| format!("it is not moved: {why}")))
}

/// Why a run cannot be moved elsewhere now, in words.
fn stays(
    txn: &Txn<'_>,
    run: &Runnable,
    cluster: &Cluster,
    clusters: &[Cluster],
    required: &mut Required,
) -> Result<Option<String>, Damaged> {
    let ordinal = cluster.head.ordinal;
    if let Some(why) = run.unmovable(ordinal, clusters) {
        return Ok(Some(why));
    }
    let mut why = "no other cluster takes it now".to_owned();
    for other in run.refuges(ordinal, clusters) {
        match required.lacks(txn.view(), run, other)? {
            Some(lacks) => why = format!("no other cluster takes it now: {} {lacks}", other.head.name),
            None => return Ok(None),
        }
    }
    Ok(Some(why))
}
