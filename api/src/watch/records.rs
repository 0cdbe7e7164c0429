//! A watch of runnables or clusters, from the changes of their records.

use super::feed::{Pulled, Source, respond};
use super::form::Kind;
use super::window::{Item, Read, Told};
use super::{Form, Terms, WATCHER_BYTES_MAX};
use crate::ask::Ask;
use crate::backend::Backend;
use crate::filter;
use crate::list::{Items, Pages};
use crate::noun::Noun;
use crate::render::{self, Scene};
use crate::status::Failure;
use crate::{table, view};
use axum::body::Bytes;
use axum::response::Response;
use tallyman_model::query::{self, Filter};
use tallyman_model::record::{Record, Resource};
use tallyman_model::{Damaged, Ordinal, Revision};
use tallyman_raft::{Change, TooOld};

/// Records that are told in one step of the beginning.
const RECORDS: usize = 64;
/// About what a record takes beside its labels and annotations, in bytes.
const RECORD_BYTES: usize = 4 * 1024;

/// Answers a watch.
pub(crate) async fn records(
    ask: Ask,
    noun: Noun,
    resource: Resource,
    namespace: Option<&str>,
) -> Result<Response, Failure> {
    let watching = ask.api.overload.watch()?;
    let filter = filter::filter(&ask.params, noun, resource, namespace)?;
    let terms = Terms::of(&ask).await?;
    let place = match terms.from {
        Some(revision) => {
            // Too old is said as an HTTP status, before any stream.
            ask.api.backend().changes(revision, 1)?;
            Place::Changes(revision)
        }
        None => Place::Beginning { revision: None, after: Ordinal(0) },
    };
    let (api, form) = (ask.api.clone(), ask.form());
    Ok(respond(api, Records { ask, noun, filter, form, place }, noun, form, terms, watching))
}

struct Records {
    ask: Ask,
    noun: Noun,
    filter: Filter,
    form: Form,
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
        // In the order of ordinals: none of these revisions is one to go on from.
        let (before, behind) = self.form.frame(self.noun, Kind::Added, revision.unwrap_or_default(), None);
        let mut items = Items::framed(before, behind, WATCHER_BYTES_MAX);
        let mut pages = Pages::new(&self.ask, &self.filter, revision, after, self.form.table);
        pages.next(&mut items, RECORDS)?;
        let (revision, after, ended) = (pages.revision.unwrap_or_default(), pages.after, pages.ended);
        self.place = if ended {
            Place::Changes(revision)
        } else {
            Place::Beginning { revision: Some(revision), after }
        };
        let events = if items.json.is_empty() { Vec::new() } else { vec![items.json.into()] };
        Ok(Pulled { events, more: true, ends_initial: ended, ..Pulled::default() })
    }

    fn go_on(&mut self, after: Revision) -> Result<Pulled, Failure> {
        let backend = self.ask.api.backend();
        let published = backend.revision();
        let window = &self.ask.api.windows.records;
        let slice = window.after(after.0, published.0, |from, limit| read(backend, from, limit))?;
        let mut pulled = Pulled { more: slice.upto < published.0, ..Pulled::default() };
        let (mut bytes, mut reached) = (0, Revision(slice.upto));
        for told in &slice.items {
            if let Some(event) = self.event(told)? {
                bytes += event.len();
                pulled.events.push(event);
                pulled.last = Revision(told.place);
            }
            if bytes >= WATCHER_BYTES_MAX {
                reached = Revision(told.place);
                pulled.more = true;
                break;
            }
        }
        self.place = Place::Changes(reached);
        Ok(pulled)
    }

    /// The event of a change, if it concerns the watch: a record that starts or stops to match is added or deleted.
    fn event(&self, told: &Told<Change>) -> Result<Option<Bytes>, Failure> {
        let change = &told.what;
        let before = change.before.as_ref().filter(|record| self.filter.matches(record));
        let after = change.after.as_ref().filter(|record| self.filter.matches(record));
        let (kind, record) = match (before, after) {
            (None, None) => return Ok(None),
            (None, Some(after)) => (Kind::Added, after),
            (Some(_), Some(after)) => (Kind::Modified, after),
            (Some(before), None) => (Kind::Deleted, before),
        };
        let event = told.written(self.form.way(kind), || {
            let revision = change.revision;
            let (mut event, behind) = self.form.frame(self.noun, kind, revision, Some(revision));
            event.extend(self.object(record, revision)?);
            event.extend(behind);
            Ok(event)
        })?;
        Ok(Some(event))
    }

    fn object(&self, record: &Record, revision: Revision) -> Result<Vec<u8>, Failure> {
        let status = self.ask.status();
        let now_ms = self.ask.api.now_ms();
        let manifests = if self.form.table { None } else { self.manifests(record, revision)? };
        view::with(self.ask.api.backend(), None, |view, _| {
            let scene = Scene::new(view, &status, now_ms);
            if self.form.table {
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

fn read(backend: &dyn Backend, after: u64, limit: usize) -> Result<Read<Change>, TooOld> {
    // Taken before the changes: what is published later may not be among them.
    let published = backend.revision().0;
    let changes = backend.changes(Revision(after), limit)?;
    let last = changes.last().map_or(after, |change| change.revision.0);
    // Revisions of rows that are no records are in between.
    let upto = if changes.len() >= limit { last } else { last.max(published) };
    let told = changes.into_iter().filter(is_told);
    let items = told.map(|change| Item { place: change.revision.0, weight: weight(&change), what: change });
    Ok(Read { items: items.collect(), upto })
}

fn is_told(change: &Change) -> bool {
    let record = change.after.as_ref().or(change.before.as_ref());
    record.is_some_and(|record| record.head().is_some())
}

fn weight(change: &Change) -> usize {
    let of = |record: &Record| {
        let head = record.head();
        let texts = head.into_iter().flat_map(|head| head.labels.iter().chain(&head.annotations));
        RECORD_BYTES + texts.map(|(key, value)| key.len() + value.len()).sum::<usize>()
    };
    change.before.iter().chain(&change.after).map(of).sum()
}
