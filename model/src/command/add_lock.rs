//! Make a lock.
//!
//! Reads the name; writes the lock. Refused when the name is taken (`AlreadyExists`).

use super::Principal;
use crate::record::{Head, Lock, Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn, Uid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A new lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddLock {
    /// Random, made by whoever took the request.
    pub uid: Uid,
    /// The tenant.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// The user's annotations.
    pub annotations: BTreeMap<String, String>,
    /// How many may be held at the same time.
    pub permits: u32,
}

impl AddLock {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.named(Resource::Lock, &self.namespace, &self.name)?.is_some() {
            let Self { namespace, name, .. } = self;
            let message = format!("locks.tallyman.dev {name:?} already exists in namespace {namespace:?}");
            return Ok(Err(Refusal::new(RefusalKind::AlreadyExists, message)));
        }
        let lock = Lock {
            head: Head {
                ordinal: txn.new_ordinal(),
                uid: self.uid,
                namespace: self.namespace.clone(),
                name: self.name.clone(),
                labels: self.labels.clone(),
                annotations: self.annotations.clone(),
                created_ms: txn.now_ms(),
                created_by: by.user.clone(),
                ..Head::default()
            },
            permits: self.permits,
            of_key: false,
            holders: Vec::new(),
        };
        let record = txn.put(Record::Lock(lock))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
