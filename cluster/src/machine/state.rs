//! Where a watch is.

use crate::ObjectKey;
use std::collections::BTreeSet;

/// The whole memory of one watch. Only [`step`](super::step) changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(super) phase: Phase,
    pub(super) timeline: u32,
    /// The cursor that the log has.
    pub(super) committed: Option<String>,
    /// How far what was emitted goes: where a watch resumes.
    pub(super) delivered: Option<String>,
    /// The newest version that anything was heard of: a server that has not come so far is not what it was.
    pub(super) reached: Option<String>,
    /// No cursor is good before the next complete listing.
    pub(super) must_list: bool,
    /// The number of the last emission.
    pub(super) emitted: u64,
    /// Emissions up to this one belong to a timeline that is over.
    pub(super) void_through: u64,
    /// The generation of the last listing.
    pub(super) listings: u64,
    /// The number of the last watch.
    pub(super) watches: u64,
    /// Failures since it was last healthy.
    pub(super) failures: u32,
    /// Answers in a row that the server is behind.
    pub(super) behind: u32,
    /// Objects on a page.
    pub(super) limit: u32,
    /// As many as it may have.
    pub(super) limit_max: u32,
    /// Before this no new listing starts.
    pub(super) list_from_ms: u64,
    pub(super) seed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not started.
    Cold,
    Listing(Listing),
    /// The last page was emitted and is not yet committed.
    Sweep {
        through: u64,
    },
    Watching {
        watch: u64,
        from: String,
        since_ms: u64,
    },
    Waiting {
        until_ms: u64,
        /// Access is lacking.
        denied: bool,
        /// The listing that goes on afterwards.
        listing: Option<Listing>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) generation: u64,
    pub(super) continue_token: Option<String>,
    /// The version of the first page: what a watch resumes from afterwards.
    pub(super) resource_version: Option<String>,
    pub(super) seen: BTreeSet<ObjectKey>,
}

impl State {
    /// A watch that has not started. `limit` is how many objects a page has at most, `seed` spreads its delays.
    #[must_use]
    pub fn new(limit: u32, seed: u64) -> Self {
        Self {
            phase: Phase::Cold,
            timeline: 0,
            committed: None,
            delivered: None,
            reached: None,
            must_list: true,
            emitted: 0,
            void_through: 0,
            listings: 0,
            watches: 0,
            failures: 0,
            behind: 0,
            limit: limit.max(1),
            limit_max: limit.max(1),
            list_from_ms: 0,
            seed,
        }
    }

    /// The cursor that the log has.
    #[must_use]
    pub fn committed(&self) -> Option<&str> {
        self.committed.as_deref()
    }

    /// The timeline that it believes in.
    #[must_use]
    pub fn timeline(&self) -> u32 {
        self.timeline
    }

    /// True while it waits to be let in.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.phase, Phase::Waiting { denied: true, .. })
    }

    /// What it does, in one word, for people.
    #[must_use]
    pub fn phase(&self) -> &'static str {
        match &self.phase {
            Phase::Cold => "cold",
            Phase::Listing(_) => "listing",
            Phase::Sweep { .. } => "sweep",
            Phase::Watching { .. } => "watching",
            Phase::Waiting { denied: true, .. } => "denied",
            Phase::Waiting { .. } => "waiting",
        }
    }
}
