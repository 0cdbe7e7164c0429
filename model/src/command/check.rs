//! Say what a cluster answered that was asked whether it would take a run.
//!
//! Reads and writes the runnable, which is then due to be placed. Refused as `Outdated` when the run does not wait for
//! that answer any more.

use super::settle;
use crate::record::{Checked, PreflightVerdict};
use crate::{Damaged, Done, Ordinal, Refusal, Txn, limits, rule};
use serde::{Deserialize, Serialize};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The runnable.
    pub run: Ordinal,
    /// Who was asked.
    pub cluster: Ordinal,
    /// What came of it.
    pub verdict: PreflightVerdict,
    /// The cluster's words; empty if it would take all.
    pub message: String,
}

impl Check {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(mut run) = txn.runnable(self.run)? else {
            return Ok(Err(Refusal::outdated("the runnable is gone")));
        };
        if !run.wants_cluster() || run.asking != Some(self.cluster) {
            return Ok(Err(Refusal::outdated("the runnable does not wait for that answer")));
        }
        let Some(cluster) = txn.cluster(self.cluster)? else {
            return Ok(Err(Refusal::outdated("the cluster is gone")));
        };
        let (now, mut message) = (txn.now_ms(), self.message.clone());
        rule::truncate(&mut message);
        let counts_ms = match self.verdict {
            PreflightVerdict::Passed => limits::CHECK_PASSED_MS,
            PreflightVerdict::Refused => limits::CHECK_REFUSED_MS,
            PreflightVerdict::Unanswered => limits::CHECK_UNANSWERED_MS,
        };
        let check = Checked {
            cluster: self.cluster,
            cluster_name: cluster.head.name,
            verdict: self.verdict,
            message,
            at_ms: now,
            until_ms: now + counts_ms,
        };
        txn.say(check.words());
        run.checks.retain(|other| other.cluster != self.cluster);
        run.checks.push(check);
        let excess = run.checks.len().saturating_sub(limits::CHECKS_MAX);
        run.checks.drain(..excess);
        (run.asking, run.place_due_ms) = (None, now);
        let record = settle::write(txn, run)?;
        Ok(Ok(Done::with(txn, record)))
    }
}

impl Checked {
    /// What the cluster said, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let said = self.why_not().unwrap_or_else(|| "would take it".to_owned());
        format!("{} {said}", self.cluster_name)
    }
}
