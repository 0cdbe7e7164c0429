//! One person's decision on the newest generation of a deployable.
//!
//! Reads and writes the deployable, and with the last approval its installations. Refused when there is none of that
//! name (`NotFound`); when the person asked for that generation, or is in none of the groups that decide (`Forbidden`);
//! when the digest is not the generation's, the person decided otherwise before, or it does not wait for approval
//! (`Conflict`). Deciding the same twice changes nothing. One rejection is enough; what is on the clusters stays.

use super::approve::{entitled, other_digest, stands};
use super::{Approve, Principal, install};
use crate::record::{Decision, Deployable, Person, Record};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn, time};
use serde::{Deserialize, Serialize};

/// What somebody decided; the target is a deployable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproveGeneration(pub Approve);

impl ApproveGeneration {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let mut deployable = match txn.deployable_named(&self.0.target)? {
            Ok(deployable) => deployable,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = txn.now_ms();
        let groups = match self.judge(&deployable, by, now) {
            Ok(Some(groups)) => groups,
            Ok(None) => return Ok(Ok(Done::unchanged(Record::Deployable(deployable)))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let digest = deployable.digest;
        if let Some(approvals) = &mut deployable.approvals {
            approvals.given.push(self.0.given(by, &groups, now));
            let is_met = approvals.are_met(digest);
            approvals.approved_ms = is_met.then_some(now);
            let words = self.0.words(&groups, &approvals.count(digest));
            txn.say(format!("revision {}: {words}", deployable.generation));
        }
        deployable.approve();
        let record = install::spread(txn, deployable)?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// The groups in whose name it is decided; `None` if it was decided before.
    fn judge(
        &self,
        deployable: &Deployable,
        by: &Principal,
        now: u64,
    ) -> Result<Option<Vec<String>>, Refusal> {
        let Approve { target, decision, digest, .. } = &self.0;
        let (name, generation) = (&target.name, deployable.generation);
        let conflict = |why: String| Err(Refusal::new(RefusalKind::Conflict, why));
        if deployable.withdrawal.is_some() {
            return conflict(format!("{name} is being removed"));
        }
        let Some(approvals) = &deployable.approvals else {
            return conflict(format!("revision {generation} of {name} needs no approval"));
        };
        let groups = entitled(approvals, name, by)?;
        if *digest != deployable.digest {
            return conflict(other_digest(name, deployable.digest, *digest));
        }
        let person = Person::of(by);
        if let Some(earlier) = approvals.valid().find(|approval| approval.by.may_be(&person)) {
            return if earlier.decision == *decision { Ok(None) } else { conflict(stands(earlier)) };
        }
        let again = format!("`tallyman deployable rollback {name} --to {generation}` asks anew");
        if let Some(rejection) = approvals.rejection() {
            let by = &rejection.by.user;
            return conflict(format!("revision {generation} of {name} was rejected by {by}; {again}"));
        }
        if approvals.approved_ms.is_some() {
            let back = if *decision == Decision::Reject { "; `rollback` takes it back" } else { "" };
            return conflict(format!("revision {generation} of {name} is approved already{back}"));
        }
        if deployable.is_lapsed(now) {
            let at = time::format(approvals.expires_ms);
            return conflict(format!("the time for approving {name} was over at {at}; {again}"));
        }
        Ok(Some(groups))
    }
}
