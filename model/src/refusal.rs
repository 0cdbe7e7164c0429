//! Why a command changed nothing.

use crate::Uid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What sort of refusal; the HTTP status is chosen from it, in `api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// The named record does not exist.
    NotFound,
    /// A record of that name exists.
    AlreadyExists,
    /// The record is not in a state, or not at the revision, that the command needs.
    Conflict,
    /// The command is well-formed and can never be carried out as it is.
    Invalid,
    /// A table is full; the same command may succeed later.
    TooMany,
    /// What the leader's command was based on has changed since; it looks again. Users never see it.
    Outdated,
    /// The record would become larger than records may be.
    TooLarge,
    /// Who asks may not do that.
    Forbidden,
    /// It was done before under the same idempotency key, and what it was done to is deleted since.
    Gone,
}

/// A record that is there no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uid,
}

/// A field that is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Path of the field, as in `spec.attempts.max`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

/// A refused command: committed to the log, and nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The sort.
    pub kind: RefusalKind,
    /// In plain words, with what to do.
    pub message: String,
    /// Fields at fault.
    pub causes: Vec<Cause>,
    /// For [`RefusalKind::TooMany`]: when to try again.
    pub retry_after_s: Option<u32>,
    /// For [`RefusalKind::Gone`]: what is there no more.
    pub gone: Option<Box<Gone>>,
}

impl Refusal {
    /// A refusal without causes.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), retry_after_s: None, gone: None }
    }

    /// The record is not at the revision that was asked for: the cause names that field, so that a conflict of
    /// revisions can be told from one of states.
    pub(crate) fn changed(message: impl Into<String>) -> Self {
        let field = "metadata.resourceVersion".to_owned();
        let causes = vec![Cause { field, message: "is not the record's revision any more".to_owned() }];
        Self { causes, ..Self::new(RefusalKind::Conflict, message) }
    }

    /// It was done before, and what it was done to is there no more.
    pub(crate) fn gone(message: impl Into<String>, gone: Gone) -> Self {
        Self { gone: Some(Box::new(gone)), ..Self::new(RefusalKind::Gone, message) }
    }

    /// The leader's picture was out of date.
    pub(crate) fn outdated(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Outdated, message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
