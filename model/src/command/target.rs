//! Which runnable a user's command is about.

use crate::{Revision, Uid};
use serde::{Deserialize, Serialize};

/// A runnable by name, and what it must be besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The tenant.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Only this one of that name.
    pub uid: Option<Uid>,
    /// Only at this revision.
    pub revision: Option<Revision>,
}

impl Target {
    /// Whatever has that name, at any revision.
    #[must_use]
    pub fn named(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned(), uid: None, revision: None }
    }
}
