//! One person's decision on a held run.
//!
//! Reads and writes the runnable. Refused when there is none of that name (`NotFound`); when the person submitted it
//! or asked for its present retry, or is in none of the groups that decide (`Forbidden`); when the digest is not the
//! run's, the person decided otherwise before, or the run does not wait for approval (`Conflict`). Deciding the same
//! twice changes nothing.
//!
//! One rejection ends the run `Failed`, not `Cancelled`: that is the end of what somebody asked to stop, and whoever
//! waits for a rejected run must learn that it did not do its work.

use super::{Principal, Target, settle};
use crate::record::{Approval, Approvals, Decision, Person, Record, Runnable};
use crate::{Damaged, Digest, Done, Phase, Reason, Refusal, RefusalKind, Txn, time};
use serde::{Deserialize, Serialize};

/// What somebody decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approve {
    /// On which run.
    pub target: Target,
    /// What.
    pub decision: Decision,
    /// What was looked at: the run's digest, of manifests and placement.
    pub digest: Digest,
    /// In the person's words.
    pub why: String,
}

impl Approve {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let mut run = match txn.runnable_named(&self.target)? {
            Ok(run) => run,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = txn.now_ms();
        let groups = match self.judge(&run, by, now) {
            Ok(Some(groups)) => groups,
            Ok(None) => return Ok(Ok(Done::unchanged(Record::Runnable(run)))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(approvals) = &mut run.approvals {
            approvals.given.push(self.given(by, &groups, now));
        }
        let count = self.follow(&mut run, by, now);
        txn.say(self.words(&groups, &count));
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// The groups in whose name it is decided; `None` if it was decided before.
    fn judge(&self, run: &Runnable, by: &Principal, now: u64) -> Result<Option<Vec<String>>, Refusal> {
        let name = &self.target.name;
        let conflict = |why: String| Err(Refusal::new(RefusalKind::Conflict, why));
        let Some(approvals) = &run.approvals else {
            return conflict(format!("{name} needs no approval; it is {}", run.phase));
        };
        let groups = entitled(approvals, name, by)?;
        if self.digest != run.digest {
            return conflict(other_digest(name, run.digest, self.digest));
        }
        let person = Person::of(by);
        if let Some(earlier) = approvals.valid().find(|approval| approval.by.may_be(&person)) {
            let rejected = run.phase.is_terminal() && run.reason == Reason::Rejected;
            return match earlier.decision == self.decision {
                true if rejected || !run.phase.is_terminal() => Ok(None),
                true => conflict(format!("{name} has ended: it is {}", run.phase)),
                false => conflict(stands(earlier)),
            };
        }
        match run.phase {
            Phase::Held if approvals.expires_ms <= now => {
                let at = time::format(approvals.expires_ms);
                conflict(format!(
                    "the time for approving {name} was over at {at}; `tallyman retry` asks anew"
                ))
            }
            Phase::Held => Ok(Some(groups)),
            phase if phase.is_terminal() => conflict(format!("{name} has ended: it is {phase}")),
            phase => conflict(format!("{name} is approved already and {phase}; `tallyman cancel` stops it")),
        }
    }

    /// What follows from the decision; how far the approvals are, in words.
    fn follow(&self, run: &mut Runnable, by: &Principal, now: u64) -> String {
        let (digest, start_by_ms) = (run.digest, run.spec.start_by_ms);
        let Some(approvals) = &mut run.approvals else { return String::new() };
        let count = approvals.count(digest);
        if self.decision == Decision::Reject {
            let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
            settle::decide(run, Phase::Failed, Reason::Rejected, format!("{} rejected it{why}", by.user));
            settle::settle(run, now);
        } else if approvals.are_met(digest) {
            approvals.approved_ms = Some(now);
            run.place_due_ms = now;
            run.start_deadline_ms = now + start_by_ms;
            settle::enter(run, now, Phase::Accepted, Reason::None, String::new());
        } else {
            let wanted = approvals.wanted(digest);
            settle::enter(run, now, Phase::Held, Reason::AwaitingApproval, wanted);
        }
        count
    }

    /// The decision as it is kept.
    pub(super) fn given(&self, by: &Principal, groups: &[String], now: u64) -> Approval {
        Approval {
            by: Person::of(by),
            groups: groups.to_vec(),
            decision: self.decision,
            digest: self.digest,
            reason: self.why.clone(),
            at_ms: now,
            void: false,
        }
    }

    /// What was decided, as the ledger tells it.
    pub(super) fn words(&self, groups: &[String], count: &str) -> String {
        let decided = match self.decision {
            Decision::Approve => "approved",
            Decision::Reject => "rejected",
        };
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        format!("{decided} {} for {}; {count}{why}", self.digest, groups.join(", "))
    }
}

pub(super) fn other_digest(name: &str, is: Digest, named: Digest) -> String {
    format!("the digest of {name} is {is}, not {named}: look at what it would do now, and name that digest")
}

pub(super) fn stands(earlier: &Approval) -> String {
    let (user, decision) = (&earlier.by.user, earlier.decision.as_str());
    format!("{user} decided {decision} at {}; a decision stands", time::format(earlier.at_ms))
}

/// The groups that entitle this principal.
pub(super) fn entitled(approvals: &Approvals, name: &str, by: &Principal) -> Result<Vec<String>, Refusal> {
    let forbidden = |why: String| Err(Refusal::new(RefusalKind::Forbidden, why));
    let person = Person::of(by);
    if approvals.submitter.may_be(&person) {
        return forbidden(format!(
            "{} submitted {name} and may not decide on it; ask somebody else",
            by.user
        ));
    }
    if approvals.asked_again.as_ref().is_some_and(|asker| asker.may_be(&person)) {
        return forbidden(format!(
            "{} asked for this retry of {name} and may not decide on it; ask somebody else",
            by.user
        ));
    }
    let groups: Vec<String> =
        approvals.rule.groups.iter().filter(|group| by.groups.contains(group)).cloned().collect();
    if groups.is_empty() {
        let needed = approvals.rule.groups.join(", ");
        return forbidden(format!("{} may not decide on {name}: only members of {needed} may", by.user));
    }
    Ok(groups)
}
