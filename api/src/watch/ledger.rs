//! A watch of the ledger.

use super::feed::{Pulled, Source, respond};
use super::{Terms, frame};
use crate::ask::Ask;
use crate::audit::{self, AuditFilter};
use crate::backend::Backend;
use crate::noun::Noun;
use crate::status::Failure;
use axum::response::Response;
use tallyman_model::Revision;

/// Records that are looked at in one step.
const RECORDS: usize = 128;

/// Answers a watch of the ledger.
pub(crate) async fn ledger(ask: Ask, filter: AuditFilter) -> Result<Response, Failure> {
    let terms = Terms::of(&ask).await?;
    let next = match terms.from {
        Some(revision) => first_after(ask.api.backend(), revision)?,
        None => 1,
    };
    let reached = terms.from.unwrap_or_default();
    let as_table = ask.wants_table();
    let api = ask.api.clone();
    let told = terms.from.is_some();
    Ok(respond(
        api,
        Ledger { ask, filter, next, reached, as_table, told },
        Noun::AuditRecords,
        as_table,
        terms,
    ))
}

/// The number of the first record that is newer than `revision`: records are in the order of revisions.
fn first_after(backend: &dyn Backend, revision: Revision) -> Result<u64, Failure> {
    let (mut low, mut high) = (1, backend.ledger_head().0 + 1);
    while low < high {
        let middle = low.midpoint(high);
        let record = audit::record(backend, middle)?;
        if record.is_none_or(|(_, record)| record.revision > revision.0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

struct Ledger {
    ask: Ask,
    filter: AuditFilter,
    next: u64,
    reached: Revision,
    as_table: bool,
    /// What was there at the beginning has been told.
    told: bool,
}

impl Source for Ledger {
    fn pull(&mut self) -> Result<Pulled, Failure> {
        let backend = self.ask.api.backend();
        let published = backend.revision();
        let entries = backend.ledger(self.next, RECORDS)?;
        if !entries.is_empty() {
            self.filter.refresh(&self.ask)?;
        }
        let mut lines = Vec::new();
        for entry in &entries {
            let record = audit::parse(entry)?;
            self.next = record.seq + 1;
            self.reached = self.reached.max(Revision(record.revision));
            if self.filter.matches(&record) {
                let (before, after) =
                    frame(Noun::AuditRecords, "ADDED", self.as_table, Revision(record.revision));
                lines.extend(before);
                lines.extend(audit::document(entry, &record, self.as_table)?);
                lines.extend(after);
            }
        }
        let more = entries.len() == RECORDS;
        if !more {
            self.reached = self.reached.max(published);
        }
        let ends_initial = !self.told && !more;
        self.told |= ends_initial;
        Ok(Pulled { lines, more, ends_initial })
    }

    fn reached(&self) -> Revision {
        self.reached
    }
}
