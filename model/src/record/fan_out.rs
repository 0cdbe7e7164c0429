//! One run on each of several clusters.

use crate::{Ordinal, Phase, Uid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a submission that runs on each of its clusters knows of its runs. They are runs of their own, which name it as
/// their [`Parent`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOut {
    /// Its clusters were chosen: all that its placement allowed when it was released.
    pub is_decided: bool,
    /// Those of them whose run is still to be made, in the order of their ordinals.
    pub left: Vec<Ordinal>,
    /// How many runs are in each phase; one whose record is gone counts as it was last.
    pub runs: BTreeMap<Phase, u32>,
    /// What was asked of it and is still to be passed on to its runs.
    pub cascade: Option<Cascade>,
}

/// What is passed on to the runs of a fan-out, some at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cascade {
    /// What.
    pub what: Cascaded,
    /// Who asked for it.
    pub by: String,
    /// The last run that it was passed on to.
    pub after: Ordinal,
}

/// What is passed on to the runs of a fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cascaded {
    /// Those that have not ended are stopped.
    Cancel,
    /// All are removed.
    Delete,
    /// Those that failed or were cancelled are started again.
    Retry,
}

/// Of which submission a run is a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its record, which has the manifests and stays as long as any of its runs does.
    pub ordinal: Ordinal,
    /// Its UID.
    pub uid: Uid,
    /// Its name.
    pub name: String,
}

impl FanOut {
    /// A run is in another phase, or was made.
    pub(crate) fn count(&mut self, before: Option<Phase>, after: Phase) {
        if let Some(count) = before.and_then(|before| self.runs.get_mut(&before)) {
            *count = count.saturating_sub(1);
        }
        *self.runs.entry(after).or_default() += 1;
        self.runs.retain(|_, count| *count > 0);
    }

    /// How many runs are in one of these phases.
    #[must_use]
    pub fn of(&self, is: impl Fn(Phase) -> bool) -> u32 {
        self.runs.iter().filter(|(phase, _)| is(**phase)).map(|(_, count)| count).sum()
    }

    /// How many clusters it goes to; 0 before they are chosen.
    #[must_use]
    pub fn clusters(&self) -> u32 {
        self.of(|_| true) + u32::try_from(self.left.len()).unwrap_or(u32::MAX)
    }

    /// How many have no cluster yet, or are still to be made.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.clusters() - self.active() - self.of(Phase::is_terminal)
    }

    /// How many are on their cluster and have not ended.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.of(|phase| !phase.is_terminal() && !is_waiting(phase))
    }

    /// How many have not ended.
    #[must_use]
    pub fn open(&self) -> u32 {
        self.of(|phase| !phase.is_terminal())
    }

    /// How they are, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let count = |phase| self.of(|its| its == phase);
        let parts = [
            (count(Phase::Succeeded), "succeeded"),
            (count(Phase::Failed), "failed"),
            (count(Phase::Cancelled), "cancelled"),
            (self.active(), "under way"),
            (self.waiting(), "waiting"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        format!("of {} runs: {}", self.clusters(), parts.join(", "))
    }
}

impl super::Runnable {
    /// Has something passed on to the runs of a fan-out; nothing of another run.
    pub(crate) fn pass_on(&mut self, what: Cascaded, by: &str) {
        if let Some(fan_out) = &mut self.fan_out {
            fan_out.cascade = Some(Cascade { what, by: by.to_owned(), after: Ordinal(0) });
            self.place_due_ms = 0;
        }
    }
}

fn is_waiting(phase: Phase) -> bool {
    matches!(phase, Phase::Held | Phase::Accepted)
}
