//! Let deadlines pass and old rows go.
//!
//! Reads the expire lane; writes or removes at most [`EXPIRE_MAX`](limits::EXPIRE_MAX) runnables, receipts, allocations,
//! locks, and what is shown of others' work, whose time has come; deployables whose rollout waited for time alone go on. Never refused; with nothing due it
//! changes nothing, nor while the lineage is not confirmed: what a
//! backup says of a run may be older than what the run has done.

use super::{install, keeping, settle};
use crate::manifest::write_duration;
use crate::record::{Cascaded, Object, OnLate, Record, Runnable};
use crate::{Class, Damaged, Done, Key, Lane, Ordinal, Phase, Reason, Refusal, Txn, limits};
use serde::{Deserialize, Serialize};

/// Time has come for whatever is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expire {}

impl Expire {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.unconfirmed().is_some() {
            return Ok(Ok(Done::at(txn)));
        }
        let now = txn.now_ms();
        let lane = |due_ms| Key::lane(Lane::Expire, Ordinal(0), due_ms, Ordinal(0));
        for key in txn.page(lane(0), lane(now + 1), limits::EXPIRE_MAX)? {
            match txn.record(key.ordinal())? {
                Some(Record::Runnable(run)) => expire(txn, run, now)?,
                Some(Record::Deployable(deployable)) => install::spread(txn, deployable).map(drop)?,
                Some(Record::Receipt(receipt)) => txn.remove(receipt.ordinal, 0)?,
                Some(Record::Allocation(one)) => txn.remove(one.head.ordinal, 0)?,
                Some(Record::Foreign(foreign)) => txn.remove(foreign.head.ordinal, 0)?,
                Some(Record::Lock(mut lock)) => {
                    lock.drop_expired(now);
                    keeping::wake(txn, &lock.head.namespace, &lock.head.name, lock.head.ordinal)?;
                    txn.put(Record::Lock(lock))?;
                }
                _ => return Err(Damaged::at(key, "a lane entry of a record that is not there")),
            }
        }
        Ok(Ok(Done::at(txn)))
    }
}

/// How often a record with objects left on a cluster is looked at after its time.
const DEBT_AGAIN_MS: u64 = 24 * 3_600_000;

fn expire_approvals(run: &mut Runnable, now: u64) {
    let Some(approvals) = run.approvals.as_ref().filter(|approvals| approvals.expires_ms <= now) else {
        return;
    };
    let after = write_duration(approvals.rule.expire_after_ms);
    let message = format!("it was not approved within {after}: {}", approvals.count(run.digest));
    settle::decide(run, Phase::Failed, Reason::ApprovalExpired, message);
}

fn expire(txn: &mut Txn<'_>, mut run: Runnable, now: u64) -> Result<(), Damaged> {
    if run.phase.is_terminal() {
        let left = |object: &Object| object.claims();
        if run.objects.iter().any(|object| object.wanted && left(object)) {
            run.objects.iter_mut().for_each(|object| object.wanted = false);
        } else if run.objects.iter().any(left) || !txn.children(run.head.ordinal, Ordinal(0), 1)?.is_empty() {
            // An unreachable cluster keeps its debts until it returns or is taken out. A fan-out stays for its runs.
            run.keep_until_ms = now + DEBT_AGAIN_MS;
        } else {
            return settle::remove(txn, &run);
        }
    } else if run.finish_deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now) {
        run.finish_deadline_ms = None;
        run.late = true;
        if run.spec.on_late == OnLate::Stop {
            let mut message = "it did not end by finishBy and was stopped".to_owned();
            let said = run.attempt().map_or("", |attempt| attempt.message.as_str());
            if let Some(why) = [said, run.message.as_str()].into_iter().find(|words| !words.is_empty()) {
                message = format!("{message}: {why}");
            }
            settle::decide(&mut run, Phase::Failed, Reason::FinishByPassed, message);
            run.pass_on(Cascaded::Cancel, "finishBy");
        }
    } else if run.phase == Phase::Held {
        expire_approvals(&mut run, now);
    } else if !run.has_started() && run.start_deadline_ms <= now {
        let cluster = match run.attempt() {
            Some(attempt) => txn.cluster(attempt.cluster)?,
            None => None,
        };
        let (why, words) =
            run.held_up(&txn.meta, cluster.as_ref()).unwrap_or_else(|| (run.reason, run.message.clone()));
        let reason = match why.class() {
            Some(Class::Operator) => why,
            _ => Reason::StartByPassed,
        };
        let mut message = "it did not start by startBy".to_owned();
        if !words.is_empty() {
            message = format!("{message}: {words}");
        }
        settle::decide(&mut run, Phase::Failed, reason, message);
    }
    settle::settle(&mut run, now);
    settle::write(txn, run)?;
    Ok(())
}
