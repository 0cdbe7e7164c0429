//! What was answered to a request with an idempotency key.

use crate::{Digest, Ordinal, Revision, Uid};
use serde::{Deserialize, Serialize};

/// Enough to answer again, with the record as it is then; no body is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The row key.
    pub ordinal: Ordinal,
    /// The revision of this row.
    pub revision: Revision,
    /// The tenant whose table it counts in.
    pub namespace: String,
    /// Of tenant, user, route and key.
    pub key: Digest,
    /// Of the request's body.
    pub body: Digest,
    /// The record that the request was about.
    pub subject: Ordinal,
    /// Its UID.
    pub subject_uid: Uid,
    /// The revision that was answered.
    pub answered: Revision,
    /// When it is forgotten, ms since 1970.
    pub expires_ms: u64,
    /// The name of the record that the request was about: what is told of it when it is there no more.
    pub subject_name: String,
}
