//! Who must agree to a run before anything of it reaches a cluster, and who did.

use crate::{Digest, Principal};
use serde::{Deserialize, Serialize};

/// How many people of which groups must agree, and by when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// How many people, 1..=[`APPROVALS_REQUIRED_MAX`](crate::limits::APPROVALS_REQUIRED_MAX).
    pub required: u32,
    /// A member of any of these may approve, and may reject.
    pub groups: Vec<String>,
    /// How long a run is held for them; then it ends.
    pub expire_after_ms: u64,
}

/// What one person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// It may run.
    Approve,
    /// It must not run. One rejection is enough.
    Reject,
}

impl Decision {
    /// The word that users send and see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
        }
    }

    /// The decision of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Approve, Self::Reject].into_iter().find(|decision| decision.as_str() == word)
    }
}

/// A person as the log knows one: a user, and whoever acted in that user's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user's name.
    pub user: String,
    /// Who acted as that user, if that was somebody else.
    pub through: Option<String>,
}

impl Person {
    /// Who proposes.
    #[must_use]
    pub fn of(by: &Principal) -> Self {
        Self { user: by.user.clone(), through: by.through.clone() }
    }

    /// True if one human being may be behind both: no two of the four names may be one.
    #[must_use]
    pub fn may_be(&self, other: &Person) -> bool {
        self.names().any(|name| other.names().any(|theirs| theirs == name))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        [Some(self.user.as_str()), self.through.as_deref()].into_iter().flatten()
    }
}

/// One person's decision on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: Person,
    /// Of which of the rule's groups.
    pub groups: Vec<String>,
    /// What.
    pub decision: Decision,
    /// Of which bytes for which targets.
    pub digest: Digest,
    /// In the person's words.
    pub reason: String,
    /// When, ms since 1970.
    pub at_ms: u64,
    /// It was of an earlier try and counts no more.
    pub void: bool,
}

/// The state of a run's approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// The rule that counts, frozen when the run was accepted.
    pub rule: ApprovalRule,
    /// Who submitted the run and may therefore not decide.
    pub submitter: Person,
    /// By when enough people must have approved, ms since 1970.
    pub expires_ms: u64,
    /// When enough had.
    pub approved_ms: Option<u64>,
    /// Oldest first; of the void ones the last [`APPROVALS_VOID_MAX`](crate::limits::APPROVALS_VOID_MAX).
    pub given: Vec<Approval>,
    /// Who asked for the present try, if that was by a retry: may not decide on it either.
    pub asked_again: Option<Person>,
}

impl Approvals {
    /// Nobody has decided yet.
    #[must_use]
    pub fn asked(rule: ApprovalRule, submitter: Person, now_ms: u64) -> Self {
        let expires_ms = now_ms + rule.expire_after_ms;
        Self { rule, submitter, expires_ms, approved_ms: None, given: Vec::new(), asked_again: None }
    }

    /// Everything decided so far is void, and asked for anew by that person; how many decisions that are.
    pub(crate) fn ask_again(&mut self, by: Person, now_ms: u64) -> usize {
        self.asked_again = Some(by);
        let void = self.valid().count();
        self.given.iter_mut().for_each(|approval| approval.void = true);
        let excess = self.given.len().saturating_sub(crate::limits::APPROVALS_VOID_MAX);
        self.given.drain(..excess);
        self.approved_ms = None;
        self.expires_ms = now_ms + self.rule.expire_after_ms;
        void
    }

    /// What was decided on this try.
    pub fn valid(&self) -> impl Iterator<Item = &Approval> {
        self.given.iter().filter(|approval| !approval.void)
    }

    /// Who wants the present try, and may therefore not decide on it.
    pub fn askers(&self) -> impl Iterator<Item = &Person> {
        [Some(&self.submitter), self.asked_again.as_ref()].into_iter().flatten()
    }

    /// Who approved that digest, each person once, and never who asked for it.
    #[must_use]
    pub fn approvers(&self, digest: Digest) -> Vec<&Person> {
        let mut people: Vec<&Person> = Vec::new();
        for approval in self.valid() {
            let counts = approval.decision == Decision::Approve && approval.digest == digest;
            let mut known = people.iter().copied().chain(self.askers());
            if counts && !approval.groups.is_empty() && !known.any(|one| one.may_be(&approval.by)) {
                people.push(&approval.by);
            }
        }
        people
    }

    /// The rejection, if there is one.
    #[must_use]
    pub fn rejection(&self) -> Option<&Approval> {
        self.valid().find(|approval| approval.decision == Decision::Reject)
    }

    /// True if enough people approved that digest, and nobody rejected it.
    #[must_use]
    pub fn are_met(&self, digest: Digest) -> bool {
        let required = usize::try_from(self.rule.required).unwrap_or(usize::MAX);
        self.rejection().is_none() && self.approvers(digest).len() >= required
    }

    /// How far they are, in words.
    #[must_use]
    pub fn count(&self, digest: Digest) -> String {
        let people: Vec<&str> = self.approvers(digest).iter().map(|person| person.user.as_str()).collect();
        let by = if people.is_empty() { String::new() } else { format!(", by {}", people.join(", ")) };
        format!("{} of {} approvals{by}", people.len(), self.rule.required)
    }

    /// What is waited for, in words.
    #[must_use]
    pub fn wanted(&self, digest: Digest) -> String {
        let groups = self.rule.groups.join(", ");
        let mut askers: Vec<&str> = self.askers().map(|person| person.user.as_str()).collect();
        askers.dedup();
        let askers = askers.join(" or ");
        format!("{}; members of {groups} decide, not {askers}, on {digest}", self.count(digest))
    }
}
