//! Remove a pool.
//!
//! Reads the pool and whether something of it is allocated; removes it. Refused when there is none of that name
//! (`NotFound`), another has the name now, or while something is allocated (`Conflict`).

use super::Target;
use super::taken::Taken;
use crate::record::{Record, Span};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which pool to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovePool {
    /// Which one.
    pub target: Target,
}

impl RemovePool {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let pool = match txn.pool_named(&self.target)? {
            Ok(pool) => pool,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let allocated = Taken::of(txn, pool.head.ordinal)?.count(Span::ALL)?;
        if allocated > 0 {
            let name = &pool.head.name;
            let message = format!("{allocated} values of pool {name:?} are allocated: release them first");
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        txn.remove(pool.head.ordinal, 0)?;
        Ok(Ok(Done::with(txn, Arc::new(Record::Pool(pool)))))
    }
}
