//! A watch of the ledger.

use super::feed::{Pulled, Source, respond};
use super::form::Kind;
use super::window::{Item, Read, Told};
use super::{Form, Terms, WATCHER_BYTES_MAX};
use crate::ask::Ask;
use crate::audit::{self, AuditFilter, Line};
use crate::backend::Backend;
use crate::noun::Noun;
use crate::status::Failure;
use crate::table::Include;
use axum::body::Bytes;
use axum::response::Response;
use tallyman_model::Revision;

/// Answers a watch of the ledger.
pub(crate) async fn ledger(ask: Ask, filter: AuditFilter) -> Result<Response, Failure> {
    let watching = ask.api.overload.watch()?;
    let terms = Terms::of(&ask).await?;
    let after = match terms.from {
        Some(revision) => last_until(ask.api.backend(), revision)?,
        None => 0,
    };
    let reached = terms.from.unwrap_or_default();
    let form = ask.form();
    let api = ask.api.clone();
    let told = terms.from.is_some();
    let source = Ledger { ask, filter, after, reached, form, told };
    Ok(respond(api, source, Noun::AuditRecords, form, terms, watching))
}

/// The number of the last record up to `revision`: records are in the order of revisions.
fn last_until(backend: &dyn Backend, revision: Revision) -> Result<u64, Failure> {
    let (mut low, mut high) = (1, backend.ledger_head().0 + 1);
    while low < high {
        let middle = low.midpoint(high);
        let record = audit::record(backend, middle)?;
        if record.is_none_or(|line| line.record.revision > revision.0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low - 1)
}

struct Ledger {
    ask: Ask,
    filter: AuditFilter,
    /// The last record that was looked at.
    after: u64,
    reached: Revision,
    form: Form,
    /// What was there at the beginning has been told.
    told: bool,
}

impl Source for Ledger {
    fn pull(&mut self) -> Result<Pulled, Failure> {
        let backend = self.ask.api.backend();
        let published = backend.revision();
        let newest = backend.ledger_head().0;
        let window = &self.ask.api.windows.ledger;
        let slice = window.after(self.after, newest, |from, limit| read(backend, from, limit))?;
        if !slice.items.is_empty() {
            self.filter.refresh(&self.ask)?;
        }
        let mut pulled = Pulled { more: slice.upto < newest, ..Pulled::default() };
        let mut bytes = 0;
        for told in &slice.items {
            if bytes >= WATCHER_BYTES_MAX {
                pulled.more = true;
                break;
            }
            let line = &told.what;
            self.after = told.place;
            self.reached = self.reached.max(Revision(line.record.revision));
            if self.filter.matches(&line.record) {
                let event = self.event(told)?;
                bytes += event.len();
                pulled.events.push(event);
                pulled.last = Revision(line.record.revision);
            }
        }
        if !pulled.more {
            self.reached = self.reached.max(published);
        }
        pulled.ends_initial = !self.told && !pulled.more;
        self.told |= pulled.ends_initial;
        Ok(pulled)
    }

    fn reached(&self) -> Revision {
        self.reached
    }
}

impl Ledger {
    fn event(&self, told: &Told<Line>) -> Result<Bytes, Failure> {
        let line = &told.what;
        let row = self.form.table.then_some(Include::Metadata);
        told.written(self.form.way(Kind::Added), || {
            let revision = Revision(line.record.revision);
            let (mut event, behind) =
                self.form.frame(Noun::AuditRecords, Kind::Added, revision, Some(revision));
            event.extend(audit::document(&line.entry, &line.record, row)?);
            event.extend(behind);
            Ok(event)
        })
    }
}

fn read(backend: &dyn Backend, after: u64, limit: usize) -> Result<Read<Line>, Failure> {
    let mut read = Read { items: Vec::new(), upto: after };
    for entry in backend.ledger(after + 1, limit)? {
        let record = audit::parse(&entry)?;
        read.upto = record.seq;
        // Read twice over: as bytes, and taken apart.
        let weight = 2 * entry.bytes.len() + 512;
        read.items.push(Item { place: record.seq, weight, what: Line { entry, record } });
    }
    Ok(read)
}
