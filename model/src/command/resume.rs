//! Send again, for the group or for one tenant.
//!
//! Reads and writes the counters. Never refused; what is not paused stays as it is.

use super::pause::words;
use crate::{Damaged, Done, Refusal, Txn};
use serde::{Deserialize, Serialize};

/// What to resume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// This tenant; `None`: the group. Tenants that are paused themselves stay so.
    pub tenant: Option<String>,
    /// In the user's words.
    pub why: String,
}

impl Resume {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let ended = match &self.tenant {
            None => txn.meta.paused.take(),
            Some(tenant) => txn.meta.paused_tenants.remove(tenant),
        };
        if ended.is_some() {
            txn.say(words("resumed", self.tenant.as_deref(), &self.why));
            txn.tell();
        }
        Ok(Ok(Done::at(txn)))
    }
}
