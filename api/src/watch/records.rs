//! A watch of runnables or clusters, from the changes of their records.

use super::feed::{Pulled, Source, respond};
use super::{Terms, frame};
use crate::ask::Ask;
use crate::filter;
use crate::list::{Items, Pages};
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::{table, view};
use axum::response::Response;
use tallyman_model::query::{self, Filter};
use tallyman_model::record::{Record, Resource};
use tallyman_model::{Damaged, Ordinal, Revision};
use tallyman_raft::Change;

/// Changes that are looked at in one step.
const CHANGES: usize = 128;
/// Records that are told in one step of the beginning.
const RECORDS: usize = 64;

/// Answers a watch.
pub(crate) async fn records(
    ask: Ask,
    noun: Noun,
    resource: Resource,
    namespace: Option<&str>,
) -> Result<Response, Failure> {
    let filter = filter::filter(&ask.params, noun, resource, namespace)?;
    let as_table = ask.wants_table();
    let terms = Terms::of(&ask).await?;
    let place = match terms.from {
        Some(revision) => {
            // Too old is said as an HTTP status, before any stream.
            ask.api.backend().changes(revision, 1)?;
            Place::Changes(revision)
        }
        None => Place::Beginning { revision: None, after: Ordinal(0) },
    };
    let api = ask.api.clone();
    Ok(respond(api, Records { ask, noun, filter, as_table, place }, noun, as_table, terms))
}

struct Records {
    ask: Ask,
    noun: Noun,
    filter: Filter,
    as_table: bool,
    place: Place,
}

enum Place {
    /// What was there at one revision is being told.
    Beginning { revision: Option<Revision>, after: Ordinal },
    /// Everything up to this revision has been told.
    Changes(Revision),
}

impl Source for Records {
    fn pull(&mut self) -> Result<Pulled, Failure> {
        match self.place {
            Place::Beginning { revision, after } => self.begin(revision, after),
            Place::Changes(after) => self.go_on(after),
        }
    }

    fn reached(&self) -> Revision {
        match self.place {
            Place::Beginning { revision, .. } => revision.unwrap_or_default(),
            Place::Changes(revision) => revision,
        }
    }
}

impl Records {
    fn begin(&mut self, revision: Option<Revision>, after: Ordinal) -> Result<Pulled, Failure> {
        let (before, behind) = frame(self.noun, "ADDED", self.as_table, revision.unwrap_or_default());
        let mut items = Items::framed(before, behind);
        let mut pages = Pages::new(&self.ask, &self.filter, revision, after, self.as_table);
        pages.next(&mut items, RECORDS)?;
        let (revision, after, ended) = (pages.revision.unwrap_or_default(), pages.after, pages.ended);
        self.place = if ended {
            Place::Changes(revision)
        } else {
            Place::Beginning { revision: Some(revision), after }
        };
        Ok(Pulled { lines: items.json, more: true, ends_initial: ended })
    }

    fn go_on(&mut self, after: Revision) -> Result<Pulled, Failure> {
        // Taken before the changes: what is published later may not be among them.
        let published = self.ask.api.backend().revision();
        let changes = self.ask.api.backend().changes(after, CHANGES)?;
        let more = changes.len() >= CHANGES;
        let reached = changes.last().map_or(after, |change| change.revision);
        let mut lines = Vec::new();
        for change in &changes {
            if let Some(event) = self.event(change)? {
                lines.extend(event);
            }
        }
        // Revisions of rows that are no records are in between.
        let reached = if more { reached } else { reached.max(published) };
        self.place = Place::Changes(reached);
        Ok(Pulled { lines, more, ends_initial: false })
    }

    /// The event of a change, if it concerns the watch: a record that starts or stops to match is added or deleted.
    fn event(&self, change: &Change) -> Result<Option<Vec<u8>>, Failure> {
        let before = change.before.as_ref().filter(|record| self.filter.matches(record));
        let after = change.after.as_ref().filter(|record| self.filter.matches(record));
        let (kind, record) = match (before, after) {
            (None, None) => return Ok(None),
            (None, Some(after)) => ("ADDED", after),
            (Some(_), Some(after)) => ("MODIFIED", after),
            (Some(before), None) => ("DELETED", before),
        };
        let object = self.object(record, change.revision)?;
        let (mut line, behind) = frame(self.noun, kind, self.as_table, change.revision);
        line.extend(object);
        line.extend(behind);
        Ok(Some(line))
    }

    fn object(&self, record: &Record, revision: Revision) -> Result<Vec<u8>, Failure> {
        let status = self.ask.status();
        let now_ms = self.ask.api.now_ms();
        let manifests = if self.as_table { None } else { self.manifests(record, revision)? };
        view::with(self.ask.api.backend(), None, |view, _| {
            let scene = Scene::new(view, &status, now_ms);
            if self.as_table {
                return table::row(&scene, record, Some(revision));
            }
            render::record(&scene, record, manifests.as_deref(), Some(revision))
        })
    }

    /// The manifests of a run that is gone by now, from the state in which it was there.
    fn manifests(&self, record: &Record, revision: Revision) -> Result<Option<Vec<u8>>, Failure> {
        let Record::Runnable(run) = record else { return Ok(None) };
        let backend = self.ask.api.backend();
        if view::with(backend, None, |view, _| Ok(query::record(view, run.head.ordinal)?.is_some()))? {
            return Ok(None);
        }
        let mut found: Option<Result<Vec<u8>, Damaged>> = None;
        let earlier = Revision(revision.0.saturating_sub(1));
        // Told without them if that state is not kept any more.
        let _ = backend.at(earlier, &mut |view| found = Some(query::manifests(view, run)));
        Ok(found.and_then(Result::ok))
    }
}
