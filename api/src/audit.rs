//! The ledger as a resource: what a list or watch of it selects, and its documents.

use crate::ask::Ask;
use crate::backend::{Backend, LedgerEntry};
use crate::filter::{self, Term};
use crate::noun::Noun;
use crate::render;
use crate::status::Failure;
use crate::table::{self, Include};
use crate::view;
use tallyman_model::ledger::LedgerRecord;
use tallyman_model::query;
use tallyman_model::record::Runnable;

/// One record: as it is kept, and taken apart.
pub(crate) struct Line {
    pub(crate) entry: LedgerEntry,
    pub(crate) record: LedgerRecord,
}

/// Which records are wanted.
pub(crate) struct AuditFilter {
    terms: Vec<Term>,
    /// The submission that is asked for, as it is now: others of its name are not meant.
    subject: Option<Subject>,
}

struct Subject {
    namespace: String,
    name: String,
    run: Option<Runnable>,
    /// There is a deployable of that name.
    deployable: bool,
}

impl AuditFilter {
    /// Reads the selectors; looks up the submission in this replica's state.
    pub(crate) fn of(ask: &Ask) -> Result<Self, Failure> {
        if ask.params.get("labelSelector").is_some() {
            return Err(Failure::bad_request("labelSelector: auditrecords have no labels"));
        }
        let terms = filter::terms(&ask.params)?;
        let mut subject = None;
        for (field, value, equal) in &terms {
            match field.as_str() {
                "metadata.name" | "spec.user" | "spec.verb" | "spec.uid" | "spec.cluster" => {}
                "spec.submission" if !equal => {
                    return Err(Failure::bad_request("fieldSelector: spec.submission is served with = only"));
                }
                "spec.submission" => subject = Some(Subject::find(ask, value)?),
                other => return Err(filter::unsupported(Noun::AuditRecords, other)),
            }
        }
        Ok(Self { terms, subject })
    }

    /// Looks the submission up again: its history has grown, or it has gone.
    pub(crate) fn refresh(&mut self, ask: &Ask) -> Result<(), Failure> {
        if let Some(subject) = &mut self.subject
            && let Some(run) = subject.look(ask)?
        {
            subject.run = Some(run);
        }
        Ok(())
    }

    /// The numbers of all records of the submission, if they are known.
    pub(crate) fn history(&self) -> Option<&[u64]> {
        let subject = self.subject.as_ref().filter(|subject| !subject.deployable)?;
        let run = subject.run.as_ref()?;
        let complete = run.history.len() < tallyman_model::limits::HISTORY_MAX;
        complete.then_some(run.history.as_slice())
    }

    /// True if the record is wanted.
    pub(crate) fn matches(&self, record: &LedgerRecord) -> bool {
        self.matches_but_subject(record) && self.subject.as_ref().is_none_or(|subject| subject.is_of(record))
    }

    /// As [`matches`](Self::matches), for a record that is known to be of the submission.
    pub(crate) fn matches_but_subject(&self, record: &LedgerRecord) -> bool {
        self.terms.iter().all(|(field, value, equal)| {
            let found = match field.as_str() {
                "metadata.name" => record.seq.to_string() == *value,
                "spec.user" => record.user == *value,
                "spec.verb" => record.verb == *value,
                "spec.uid" => record.subjects.iter().any(|subject| subject.uid == *value),
                "spec.cluster" => record.subjects.iter().any(|subject| is_of_cluster(subject, value)),
                _ => return true,
            };
            found == *equal
        })
    }
}

impl Subject {
    fn find(ask: &Ask, value: &str) -> Result<Self, Failure> {
        let Some((namespace, name)) = value.split_once('/') else {
            return Err(Failure::bad_request("fieldSelector: write spec.submission=NAMESPACE/NAME"));
        };
        let mut subject =
            Self { namespace: namespace.to_owned(), name: name.to_owned(), run: None, deployable: false };
        subject.run = subject.look(ask)?;
        let (namespace, name) = (&subject.namespace, &subject.name);
        subject.deployable = view::with(ask.api.backend(), None, |view, _| {
            Ok(query::deployable(view, namespace, name)?.is_some())
        })?;
        Ok(subject)
    }

    fn look(&self, ask: &Ask) -> Result<Option<Runnable>, Failure> {
        view::with(ask.api.backend(), None, |view, _| query::runnable(view, &self.namespace, &self.name))
    }

    fn is_of(&self, record: &LedgerRecord) -> bool {
        if self.run.as_ref().is_some_and(|run| run.history.contains(&record.seq)) {
            return true;
        }
        let uid = self.run.as_ref().map(|run| run.head.uid.to_string());
        record.subjects.iter().any(|subject| {
            let named = subject.namespace == self.namespace && subject.name == self.name;
            let is_run =
                subject.resource == "runnables" && uid.as_ref().is_none_or(|uid| *uid == subject.uid);
            named && (is_run || subject.resource == "deployables")
        })
    }
}

/// The cluster itself, or a run on it.
fn is_of_cluster(subject: &tallyman_model::ledger::Subject, name: &str) -> bool {
    subject.cluster == name || (subject.resource == "clusters" && subject.name == name)
}

/// The record with that number.
pub(crate) fn record(backend: &dyn Backend, seq: u64) -> Result<Option<Line>, Failure> {
    let Some(entry) = backend.ledger(seq, 1)?.into_iter().find(|entry| entry.seq == seq) else {
        return Ok(None);
    };
    let record = parse(&entry)?;
    Ok(Some(Line { entry, record }))
}

/// Reads a record.
pub(crate) fn parse(entry: &LedgerEntry) -> Result<LedgerRecord, Failure> {
    serde_json::from_slice(&entry.bytes).map_err(|error| {
        tracing::error!(seq = entry.seq, %error, "a ledger record cannot be read");
        Failure::unavailable("this replica's ledger is damaged; ask another one", 30)
    })
}

/// The document of a record, or its row with so much of it.
pub(crate) fn document(
    entry: &LedgerEntry,
    record: &LedgerRecord,
    row: Option<Include>,
) -> Result<Vec<u8>, Failure> {
    if let Some(include) = row {
        return Ok(table::audit_row(record, include, || render::audit(entry, record)));
    }
    let damaged = || Failure::unavailable("this replica's ledger is damaged; ask another one", 30);
    render::audit(entry, record).ok_or_else(damaged)
}
