//! Send nothing to any cluster, for the group or for one tenant; watching goes on.
//!
//! Reads and writes the counters. Refused as `TooMany` when as many tenants are paused as may be. What is paused
//! already stays as it is.

use super::Principal;
use crate::record::Paused;
use crate::{Damaged, Done, Refusal, RefusalKind, Txn, limits};
use serde::{Deserialize, Serialize};

/// What to pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// This tenant; `None`: the group.
    pub tenant: Option<String>,
    /// In the user's words.
    pub why: String,
}

impl Pause {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        let pause = Paused { by: by.user.clone(), at_ms: txn.now_ms(), why: self.why.clone() };
        match &self.tenant {
            None if txn.meta.paused.is_some() => return Ok(Ok(Done::at(txn))),
            None => txn.meta.paused = Some(pause),
            Some(tenant) if txn.meta.paused_tenants.contains_key(tenant) => return Ok(Ok(Done::at(txn))),
            Some(_) if txn.meta.paused_tenants.len() >= limits::TENANTS_PAUSED_MAX => {
                let message = format!(
                    "{} tenants are paused, the most there may be: resume some, or pause the group",
                    limits::TENANTS_PAUSED_MAX
                );
                return Ok(Err(Refusal::new(RefusalKind::TooMany, message)));
            }
            Some(tenant) => {
                txn.meta.paused_tenants.insert(tenant.clone(), pause);
            }
        }
        txn.say(words("paused", self.tenant.as_deref(), &self.why));
        txn.tell();
        Ok(Ok(Done::at(txn)))
    }
}

/// What was done, as the ledger tells it.
pub(super) fn words(done: &str, tenant: Option<&str>, why: &str) -> String {
    let what = tenant.map_or_else(|| "the group".to_owned(), |tenant| format!("tenant {tenant}"));
    if why.is_empty() { format!("{what} is {done}") } else { format!("{what} is {done}: {why}") }
}
