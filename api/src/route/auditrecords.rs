//! `auditrecords`.

use crate::answer;
use crate::api::Shared;
use crate::ask::Ask;
use crate::audit::{self, AuditFilter};
use crate::list::{Items, Range, envelope};
use crate::noun::Noun;
use crate::status::Failure;
use crate::token::Token;
use crate::watch;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::Revision;

/// Records that are read at once.
const CHUNK: usize = 256;
/// Records that one request looks through; the rest is behind a continue token.
const SCAN_MAX: usize = 100_000;

/// `GET`: a list, or a watch.
pub(super) async fn list(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    if ask.watches()? {
        let filter = AuditFilter::of(&ask)?;
        return watch::ledger(ask, filter).await;
    }
    let range = Range::of(&ask, Noun::AuditRecords, None).await?;
    let filter = AuditFilter::of(&ask)?;
    let revision = range.revision.unwrap_or_else(|| api.backend().revision());
    let mut found = Found { items: Items::default(), after: range.after, ended: false };
    match filter.history() {
        Some(history) => found.pick(&ask, &filter, history, revision, range.limit)?,
        None => found.scan(&ask, &filter, revision, range.limit).await?,
    }
    let resume =
        (!found.ended).then_some(Token { revision: Some(revision), after: found.after, list: range.list });
    let bytes = envelope(Noun::AuditRecords, ask.wants_table(), revision, resume, &found.items);
    Ok(answer::json(StatusCode::OK, bytes, revision, 0))
}

struct Found {
    items: Items,
    after: u64,
    ended: bool,
}

impl Found {
    /// From known numbers.
    fn pick(
        &mut self,
        ask: &Ask,
        filter: &AuditFilter,
        history: &[u64],
        revision: Revision,
        limit: usize,
    ) -> Result<(), Failure> {
        let after = self.after;
        for &seq in history.iter().filter(|seq| **seq > after) {
            if self.is_full(limit) {
                return Ok(());
            }
            let Some(audit::Line { entry, record }) = audit::record(ask.api.backend(), seq)? else { break };
            if record.revision > revision.0 {
                break;
            }
            if filter.matches_but_subject(&record) {
                self.items.push(&audit::document(&entry, &record, ask.rows()?)?);
            }
            self.after = seq;
        }
        self.ended = true;
        Ok(())
    }

    /// From all numbers.
    async fn scan(
        &mut self,
        ask: &Ask,
        filter: &AuditFilter,
        revision: Revision,
        limit: usize,
    ) -> Result<(), Failure> {
        let row = ask.rows()?;
        let mut scanned = 0;
        while scanned < SCAN_MAX {
            let entries = ask.api.backend().ledger(self.after + 1, CHUNK)?;
            for entry in &entries {
                if self.is_full(limit) {
                    return Ok(());
                }
                let record = audit::parse(entry)?;
                if record.revision > revision.0 {
                    self.ended = true;
                    return Ok(());
                }
                if filter.matches(&record) {
                    self.items.push(&audit::document(entry, &record, row)?);
                }
                self.after = record.seq;
            }
            if entries.len() < CHUNK {
                self.ended = true;
                return Ok(());
            }
            scanned += entries.len();
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn is_full(&self, limit: usize) -> bool {
        self.items.count >= limit || self.items.is_full()
    }
}

/// `GET` of one, by its number.
pub(super) async fn get(
    State(api): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    ask.await_read().await?;
    let missing = || Failure::not_found(Noun::AuditRecords, &name);
    let seq = name.parse().ok().filter(|seq| *seq > 0).ok_or_else(missing)?;
    let audit::Line { entry, record } = audit::record(api.backend(), seq)?.ok_or_else(missing)?;
    let as_table = ask.wants_table();
    let mut bytes = audit::document(&entry, &record, ask.rows()?)?;
    let revision = api.backend().revision();
    if as_table {
        let mut items = Items::default();
        items.push(&bytes);
        bytes = envelope(Noun::AuditRecords, true, revision, None, &items);
    }
    Ok(answer::with_etag(answer::json(StatusCode::OK, bytes, revision, 0), Revision(record.revision)))
}
