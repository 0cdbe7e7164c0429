//! Asking a cluster beforehand whether it would take a run.

use super::Runnable;
use crate::Ordinal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether a cluster is asked, by a dry run, before a run is placed there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preflight {
    /// It is not: its answer to the create says the same, and costs no request more.
    #[default]
    Skip,
    /// It is, and what it says is shown.
    Advise,
    /// It is, and gets the run only if it would take it.
    Require,
}

impl Preflight {
    /// All, as users write them.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Advise, Self::Require];

    /// The word that users write.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "Skip",
            Self::Advise => "Advise",
            Self::Require => "Require",
        }
    }
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PreflightVerdict {
    /// It would take all of it.
    Passed,
    /// It would refuse something.
    Refused,
    /// It did not say.
    Unanswered,
}

/// What a cluster said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Which one.
    pub cluster: Ordinal,
    /// Its name.
    pub cluster_name: String,
    /// What came of it.
    pub verdict: PreflightVerdict,
    /// Its words; empty if it would take all.
    pub message: String,
    /// When, ms since 1970.
    pub at_ms: u64,
    /// Until when that counts, ms since 1970.
    pub until_ms: u64,
}

impl Runnable {
    /// What a cluster said, as long as that counts.
    #[must_use]
    pub fn checked(&self, cluster: Ordinal, now_ms: u64) -> Option<&Checked> {
        self.checks.iter().find(|check| check.cluster == cluster && check.until_ms > now_ms)
    }

    /// True if it may be placed there, as far as that depends on what the cluster said.
    #[must_use]
    pub fn is_checked(&self, cluster: Ordinal, now_ms: u64) -> bool {
        let check = self.checked(cluster, now_ms);
        match self.spec.preflight {
            Preflight::Skip => true,
            Preflight::Advise => check.is_some(),
            Preflight::Require => check.is_some_and(|check| check.verdict == PreflightVerdict::Passed),
        }
    }

    /// The clusters that it is not placed on because of what they said, with why.
    #[must_use]
    pub fn refusals(&self, now_ms: u64) -> BTreeMap<Ordinal, String> {
        if self.spec.preflight != Preflight::Require {
            return BTreeMap::new();
        }
        let counts = self.checks.iter().filter(|check| check.until_ms > now_ms);
        counts.filter_map(|check| Some((check.cluster, check.why_not()?))).collect()
    }
}

impl Checked {
    /// Why the cluster does not get the run, behind the cluster's name; `None` if it may.
    #[must_use]
    pub fn why_not(&self) -> Option<String> {
        match self.verdict {
            PreflightVerdict::Passed => None,
            PreflightVerdict::Refused => Some(format!("refuses it ({})", self.message)),
            PreflightVerdict::Unanswered => {
                Some(format!("did not say whether it takes it ({})", self.message))
            }
        }
    }
}
