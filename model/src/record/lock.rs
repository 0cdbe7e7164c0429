//! Locks, and semaphores, which are locks of several permits.

use super::Head;
use crate::{Ordinal, Revision};
use serde::{Deserialize, Serialize};

/// A lock and who holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Name, labels and so on.
    pub head: Head,
    /// How many permits may be held at the same time; 1: a plain lock.
    pub permits: u32,
    /// It was made for submissions that name it as their key, and goes when none holds it or waits for it.
    pub of_key: bool,
    /// Who holds some, in the order in which they were granted.
    pub holders: Vec<Hold>,
}

/// Permits of a lock in one hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who, as they call themselves.
    pub owner: String,
    /// How many.
    pub permits: u32,
    /// The fencing token: the revision of the grant. A later grant has a greater one.
    pub token: Revision,
    /// Since when, ms since 1970.
    pub since_ms: u64,
    /// Until when, ms since 1970; `None`: a submission holds it, until nothing of it may run any more.
    pub expires_ms: Option<u64>,
    /// That submission.
    pub submission: Option<Ordinal>,
}

impl Hold {
    /// True if its time is over: others may take it.
    #[must_use]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms)
    }
}

impl Lock {
    /// How many permits are not held.
    #[must_use]
    pub fn free(&self) -> u32 {
        let held = self.holders.iter().fold(0_u32, |sum, hold| sum.saturating_add(hold.permits));
        self.permits.saturating_sub(held)
    }

    /// When the next hold expires, ms since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        self.holders.iter().filter_map(|hold| hold.expires_ms).min()
    }

    /// Who holds it, in words.
    #[must_use]
    pub fn held_words(&self) -> String {
        let mut owners: Vec<&str> = self.holders.iter().map(|hold| hold.owner.as_str()).take(3).collect();
        if self.holders.len() > owners.len() {
            owners.push("others");
        }
        if owners.is_empty() { "nobody".to_owned() } else { owners.join(", ") }
    }
}
