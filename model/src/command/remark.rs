//! Leave a remark in the ledger: what a later build may have, for the tests of upgrades.
//!
//! Writes the counters. Never refused.

use crate::{Damaged, Done, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// In words.
    pub text: String,
}

impl Remark {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        txn.say(&self.text);
        txn.tell();
        Ok(Ok(Done::at(txn)))
    }
}
