//! What becomes of a run whose cluster is out of reach.

use serde::{Deserialize, Serialize};

/// What happens to a run whose cluster has been out of reach for longer than its `lossAfter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnLoss {
    /// It waits, and goes on as it is there when the cluster is back.
    #[default]
    Wait,
    /// It goes on elsewhere as soon as it certainly does not run there any more.
    Move,
    /// It ends Failed; what is left of it there is deleted when the cluster is back.
    Fail,
}

impl OnLoss {
    /// All, as users write them.
    pub const ALL: [Self; 3] = [Self::Wait, Self::Move, Self::Fail];

    /// The word that users write.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "Wait",
            Self::Move => "Move",
            Self::Fail => "Fail",
        }
    }
}

/// That a cluster was lost while an attempt was under way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// When it was out of reach for longer than `lossAfter`, ms since 1970.
    pub since_ms: u64,
    /// When it was back; `None`: it is lost still, or was when the attempt was given up.
    pub back_ms: Option<u64>,
    /// When it is to be decided whether the attempt is given up, ms since 1970; `None`: not before the cluster is back.
    pub give_up_ms: Option<u64>,
}

/// That an attempt is taken off its cluster, and the run goes on elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Who asked for it.
    pub by: String,
    /// When, ms since 1970.
    pub at_ms: u64,
    /// Why, in words.
    pub why: String,
}

/// The last look at a cluster that found nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    /// When it was committed, ms since 1970.
    pub at_ms: u64,
    /// In which term: what passes between two leaderships, nobody has looked at.
    pub term: u64,
}
