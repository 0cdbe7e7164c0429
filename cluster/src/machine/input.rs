//! What the machine hears and what it asks for.

use super::Failure;
use crate::ObjectKey;
use std::collections::BTreeSet;
use tallyman_model::command::Observation;
use tallyman_model::record::Watch;

/// What the log knows of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The committed cursor; empty: none.
    pub cursor: String,
    /// The newest resourceVersion that it has anything of: not older than the cursor.
    pub reached: String,
    /// The timeline that they belong to.
    pub timeline: u32,
}

impl From<Watch> for Stored {
    fn from(watch: Watch) -> Self {
        Self { cursor: watch.cursor, reached: watch.reached, timeline: watch.timeline }
    }
}

/// What happened. `listing` and `watch` name the request that it belongs to: what belongs to an older one is
/// ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "inputs are made and taken one by one; most are events")]
pub enum Input {
    /// Begin: with what the log has, and the cluster's timeline now.
    Start {
        /// The committed cursor, if there is one.
        stored: Option<Stored>,
        /// The cluster's timeline.
        timeline: u32,
    },
    /// A page came.
    Page {
        /// The generation of the listing.
        listing: u64,
        /// Its objects.
        items: Vec<Observation>,
        /// How long the answer was.
        bytes: usize,
        /// The version of the listing.
        resource_version: String,
        /// Where the next page starts.
        continue_token: Option<String>,
    },
    /// A page did not come.
    ListFailed {
        /// The generation of the listing.
        listing: u64,
        /// Why.
        failure: Failure,
    },
    /// An object changed.
    Event {
        /// Which watch.
        watch: u64,
        /// The change.
        change: Change,
    },
    /// The watch has come to `resource_version` without a change. `bookmark`: the server said so by itself, which
    /// proves that the watch is healthy.
    Passed {
        /// Which watch.
        watch: u64,
        /// How far.
        resource_version: String,
        /// By a bookmark.
        bookmark: bool,
    },
    /// The watch was not opened, or the server gave it up.
    WatchFailed {
        /// Which watch.
        watch: u64,
        /// Why.
        failure: Failure,
    },
    /// The watch ended: timeout, silence, a broken connection.
    WatchEnded {
        /// Which watch.
        watch: u64,
    },
    /// How far the server's history has come, asked while the watch was opened.
    Probed {
        /// Which watch.
        watch: u64,
        /// How far.
        resource_version: String,
    },
    /// The log took everything up to emission `through`.
    Committed {
        /// The number of the last emission in it.
        through: u64,
        /// The cursor in it.
        cursor: Option<String>,
    },
    /// The log did not take a batch, or may not have. Everything that was emitted and not committed is dropped.
    CommitRefused {
        /// How long to wait, ms.
        wait_ms: u64,
    },
    /// Time passed.
    Tick,
    /// Another watch of the cluster was let in again: who is denied need not wait.
    LetIn,
    /// The cluster's timeline in the log is now this.
    TimelineChanged {
        /// The timeline.
        timeline: u32,
    },
}

/// A change of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is now like this.
    Seen(Observation),
    /// It is gone, or no longer selected.
    Deleted(Observation),
}

impl Change {
    /// The object as it is now, or was last.
    #[must_use]
    pub fn item(&self) -> &Observation {
        match self {
            Change::Seen(item) | Change::Deleted(item) => item,
        }
    }
}

/// What is to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emission {
    /// Counts up from 1.
    pub number: u64,
    /// In the order in which they happened.
    pub changes: Vec<Change>,
    /// How far the watch has come with these; `None`: no further. Empty when a listing begins: until its end there
    /// is no cursor.
    pub cursor: Option<String>,
    /// All that a complete listing named. What the log knows and this does not name is to be read by name, and is
    /// gone only if that says so.
    pub listed: Option<BTreeSet<ObjectKey>>,
    /// The timeline that the cursor belongs to.
    pub timeline: u32,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read a page; it answers an earlier request of another generation.
    List {
        /// The generation of the listing.
        listing: u64,
        /// Where the page starts.
        continue_token: Option<String>,
        /// Objects on it.
        limit: u32,
    },
    /// Open a watch, and beside it ask how far the server's history has come.
    Watch {
        /// Its number.
        watch: u64,
        /// From where.
        from: String,
    },
    /// Close the watch that is open.
    CloseWatch,
    /// Give this to the log.
    Emit(Emission),
    /// Forget what was emitted and not yet given to the log.
    DropPending,
    /// The cluster's history went backwards: this timeline begins.
    Rewound {
        /// The new timeline.
        timeline: u32,
    },
    /// Tick at this time.
    Wait {
        /// On the clock of the inputs, ms.
        until_ms: u64,
    },
}
