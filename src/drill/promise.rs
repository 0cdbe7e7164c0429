//! What is promised, and whether it was kept.

use super::book::Measured;
use serde::{Deserialize, Serialize};

/// Whether a promise was kept, as far as was seen. Unknown is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kept {
    True,
    False,
    Unknown,
}

impl Kept {
    /// As people read it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::True => "kept",
            Self::False => "broken",
            Self::Unknown => "unknown",
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum What {
    /// The longest time without an acknowledged write, in ms.
    WriteGapMs,
    /// Acknowledged submissions that a replica does not have.
    Lost,
    /// Submissions that are there more than once.
    Twice,
    /// Reads with a token that did not show that write.
    Unseen,
    /// The longest that a read with the newest token waited on a replica that serves, in ms.
    StalenessMs,
    /// From when it was healed until all replicas were ready, in ms.
    ReadyMs,
    /// Runs that are not on their cluster exactly once, or did not succeed there.
    Astray,
    /// Acknowledged submissions that a restored group lacks though it has later ones.
    NotPrefix,
    /// From the beginning of a restore until the restored group answered, in ms.
    RestoredMs,
}

impl What {
    /// As people read it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::WriteGapMs => "longest time without an acknowledged write",
            Self::Lost => "acknowledged submissions that were lost",
            Self::Twice => "submissions that are there more than once",
            Self::Unseen => "reads with a token that did not show the write",
            Self::StalenessMs => "longest wait of a read with the newest token",
            Self::ReadyMs => "from healed until all replicas were ready",
            Self::NotPrefix => "submissions that the restored group lacks though it has later ones",
            Self::RestoredMs => "from a backup to a group that answers",
            Self::Astray => "runs that were not on their cluster exactly once",
        }
    }

    /// A figure of it with its unit.
    pub(crate) fn figure(self, value: u64) -> String {
        match self {
            Self::WriteGapMs | Self::StalenessMs | Self::ReadyMs | Self::RestoredMs => format!("{value} ms"),
            Self::Lost | Self::Twice | Self::Unseen | Self::Astray | Self::NotPrefix => value.to_string(),
        }
    }
}

/// A bound that is not exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) what: What,
    pub(crate) max: u64,
}

/// A promise beside what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Judged {
    pub(crate) what: What,
    /// At most this was promised.
    pub(crate) promised: u64,
    /// `None`: it could not be measured.
    pub(crate) measured: Option<u64>,
    pub(crate) kept: Kept,
}

/// Holds what was measured against what was promised.
pub(crate) fn judge(promises: &[Promise], measured: &Measured) -> Vec<Judged> {
    let one = |promise: &Promise| {
        let found = measured.of(promise.what);
        let kept = match found {
            Some(value) if value > promise.max => Kept::False,
            // What was not put to the test is not known to hold.
            Some(_) if measured.bit => Kept::True,
            _ => Kept::Unknown,
        };
        Judged { what: promise.what, promised: promise.max, measured: found, kept }
    };
    promises.iter().map(one).collect()
}

/// What all of them mean together: one that is broken counts most.
pub(crate) fn together(judged: &[Judged]) -> Kept {
    let any = |kept: Kept| judged.iter().any(|one| one.kept == kept);
    match (any(Kept::False), any(Kept::Unknown) || judged.is_empty()) {
        (true, _) => Kept::False,
        (false, true) => Kept::Unknown,
        (false, false) => Kept::True,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMISES: [Promise; 2] =
        [Promise { what: What::WriteGapMs, max: 2500 }, Promise { what: What::Lost, max: 0 }];

    fn kept(measured: &Measured) -> (Vec<Kept>, Kept) {
        let judged = judge(&PROMISES, measured);
        (judged.iter().map(|one| one.kept).collect(), together(&judged))
    }

    fn measured(bit: bool, gap: Option<u64>, lost: Option<u64>) -> Measured {
        Measured { bit, write_gap_ms: gap, lost, ..Measured::default() }
    }

    #[test]
    fn all_promises_are_kept_only_if_each_was_measured_and_within_its_bound() {
        assert_eq!(kept(&measured(true, Some(2500), Some(0))), (vec![Kept::True, Kept::True], Kept::True));
        assert_eq!(kept(&measured(true, Some(2501), Some(0))), (vec![Kept::False, Kept::True], Kept::False));
        assert_eq!(kept(&measured(true, None, Some(0))), (vec![Kept::Unknown, Kept::True], Kept::Unknown));
        assert_eq!(kept(&measured(true, None, Some(1))), (vec![Kept::Unknown, Kept::False], Kept::False));
    }

    #[test]
    fn a_fault_that_did_not_bite_proves_nothing_but_what_broke_all_the_same() {
        let unknown = vec![Kept::Unknown, Kept::Unknown];
        assert_eq!(kept(&measured(false, Some(1), Some(0))), (unknown, Kept::Unknown));
        assert_eq!(kept(&measured(false, Some(1), Some(1))).1, Kept::False);
    }

    #[test]
    fn nothing_promised_is_nothing_kept() {
        assert_eq!(together(&[]), Kept::Unknown);
    }
}
